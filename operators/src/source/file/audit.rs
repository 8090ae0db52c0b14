//! Where the lines of a file begin: for the audit, which holds them against what was read.

use sluice_engine::error::Result;

use super::FileConfig;
use super::find::{Place, cannot_read};
use super::lines::{Line, Lines};

/// The number of a split, by its name: the records' `_partition`.
///
/// # Errors
/// `Config` when the files' folder does not exist.
pub fn split_number(config: &FileConfig, split: &str) -> Result<i32> {
    Ok(Place::of(config)?.number(split))
}

/// Calls `each` with the byte where each line of a split's file begins, up to byte `next`. False when the file is not there
/// any more. Blocks.
///
/// # Errors
/// `Config` when a file may not be read.
pub fn lines_of(config: &FileConfig, split: &str, next: i64, mut each: impl FnMut(i64)) -> Result<bool> {
    let found = Place::of(config)?.files(config)?.into_iter().find(|f| f.name == split);
    let Some(found) = found else { return Ok(false) };
    let read_error = |e| cannot_read(&found.path, e, config);
    let mut lines = Lines::open(&found.path, 0).map_err(read_error)?;
    let mut line = Vec::new();
    loop {
        let begin = lines.at();
        if begin as i64 >= next {
            return Ok(true);
        }
        line.clear();
        match lines.next(&mut line, true).map_err(read_error)? {
            Line::Whole => each(begin as i64),
            // What is not there any more was read once: it counts as a line that is missing nowhere.
            Line::None | Line::Unfinished | Line::TooLong => return Ok(true),
        }
    }
}
