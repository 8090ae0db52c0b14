//! The sink as a whole, over a local folder.

mod append;
mod table;
