//! Aggregates with and without windows, and window functions.

pub mod aggregate;
pub mod assign;
pub mod over;
