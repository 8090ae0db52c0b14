//! Aggregates, with and without windows.

pub mod aggregate;
pub mod assign;
