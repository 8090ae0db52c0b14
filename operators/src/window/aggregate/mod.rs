//! GROUP BY, kept up to date: state for each group, changes out at each barrier.
//!
//! The incremental form of aggregation over Z-sets (Budiu et al., VLDB 2023, section 6): a group that changed takes its
//! old row back and shows its new one.

mod accumulator;
mod distinct;
mod exact_sum;
mod extreme;
mod groups;
mod operator;
mod sums;

pub use accumulator::{AggregateCall, AggregateKind, GroupAccumulator};
pub use exact_sum::ExactSum;
pub use operator::{Aggregate, AggregateSpec};

use arrow::array::{ArrayRef, AsArray, BinaryArray};
use sluice_engine::{Error, Result};

fn damaged() -> Error {
    Error::data("the saved state of an aggregate is damaged")
}

fn saved_bytes(saved: &ArrayRef) -> Result<&BinaryArray> {
    saved.as_binary_opt::<i32>().ok_or_else(damaged)
}

/// Reads what was written as length (u32), count (i64), value; and so on. Ends after an error.
fn saved_values(mut bytes: &[u8]) -> impl Iterator<Item = (Result<&[u8]>, i64)> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let read = || {
            let (head, rest) = bytes.split_at_checked(12)?;
            let (length, count) = head.split_at(4);
            let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
            let (value, rest) = rest.split_at_checked(length)?;
            Some((value, i64::from_le_bytes(count.try_into().ok()?), rest))
        };
        Some(match read() {
            Some((value, count, rest)) => {
                bytes = rest;
                (Ok(value), count)
            }
            None => {
                bytes = &[];
                (Err(damaged()), 0)
            }
        })
    })
}
