//! Steps that look at a row, or at the rows of one key.

pub mod dedupe;
pub mod explode;
pub mod map;
pub mod union;
