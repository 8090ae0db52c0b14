//! The sink as a whole, over a local folder.

mod anew;
mod append;
mod changes;
mod faults;
mod model;
mod overwrite;
mod table;
mod types;
mod upkeep;
mod upkeep_faults;
