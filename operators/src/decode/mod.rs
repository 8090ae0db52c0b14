//! From raw records to typed rows.

pub mod json;
