//! The state of groups in a snapshot: a binary value for each group.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use sluice_engine::{Error, Result};

pub(super) fn damaged() -> Error {
    Error::data("the saved state of an aggregate is damaged")
}

pub(super) fn saved_bytes(saved: &ArrayRef) -> Result<&BinaryArray> {
    saved.as_binary_opt::<i32>().ok_or_else(damaged)
}

/// Reads what was written as length (u32), count (i64), value; and so on. Ends after an error.
pub(super) fn saved_values(mut bytes: &[u8]) -> impl Iterator<Item = (Result<&[u8]>, i64)> {
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

/// A column with what `save` appends for each group; `bytes` are expected of all together.
///
/// # Errors
/// `Data` when it is more than a column can hold.
pub(super) fn save_each(groups: &[u32], bytes: usize, mut save: impl FnMut(u32, &mut Vec<u8>)) -> Result<ArrayRef> {
    let mut values = Vec::with_capacity(bytes);
    let mut ends = Vec::with_capacity(groups.len() + 1);
    ends.push(0);
    for group in groups {
        save(*group, &mut values);
        ends.push(i32::try_from(values.len()).map_err(|_| {
            Error::data(
                "the state of an aggregate is over 2 GB on one worker; give the pipeline more workers (run.workers)",
            )
        })?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    Ok(Arc::new(BinaryArray::new(offsets, Buffer::from_vec(values), None)))
}

/// Appends a value and how often it is there, as [`saved_values`] reads it.
pub(super) fn save_value(count: i64, bytes: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend([0; 4]);
    bytes.extend(count.to_le_bytes());
    value(bytes);
    let length = (bytes.len() - start - 12) as u32;
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
