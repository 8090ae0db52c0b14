//! One row for each key, the first in an order: `row_number() over (partition by k order by o) = 1` over rows that are
//! never taken back.
//!
//! What a key shows is a function of its rows, whatever the order in which they came: a row that comes later and stands
//! earlier in the order takes the place of the one that is shown, which is taken back.

mod index;
mod operator;

pub use operator::{Dedupe, DedupeSpec};
