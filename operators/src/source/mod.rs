//! Where records come from.

pub mod constant;
pub mod file;
pub mod kafka;
pub mod raw;
pub mod replayed;
pub mod simulator;
pub mod stored;
