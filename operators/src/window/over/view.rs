//! The rows near all changes of a barrier, once as they were and once as they are.

use std::ops::Range;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use sluice_engine::Result;

use super::partition::{Region, rank_of};

/// The rows of one partition in a [`View`].
#[derive(Debug, Clone)]
pub struct Slice {
    /// All of them.
    pub rows: Range<usize>,
    /// Those whose results are wanted.
    pub wanted: Range<usize>,
}

/// Rows of several partitions, one after the other, each partition's in order.
#[derive(Debug, Default)]
pub struct View {
    /// Where each row is in the batch of all rows near changes.
    pub of: Vec<u32>,
    /// For each row whether the order tells it apart from the row before.
    pub begins_peers: Vec<bool>,
    /// The partitions.
    pub slices: Vec<Slice>,
}

/// Which state of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As they were at the last barrier.
    Old,
    /// As they are.
    New,
}

impl View {
    /// Adds a partition's rows, of which the first is row `first` of the batch.
    pub fn add(&mut self, region: &Region<'_>, first: u32, when: When) {
        let start = self.of.len();
        let mut wanted = start..start;
        let mut before: Option<&[u8]> = None;
        for (i, entry) in region.entries.iter().enumerate() {
            if i == region.changing.start {
                wanted.start = self.of.len();
            }
            let copies = if when == When::Old { entry.old } else { entry.new };
            let rank = rank_of(entry.key);
            for _ in 0..copies {
                self.begins_peers.push(before != Some(rank));
                self.of.push(first + i as u32);
                before = Some(rank);
            }
            if i + 1 == region.changing.end {
                wanted.end = self.of.len();
            }
        }
        if region.changing.is_empty() {
            wanted = self.of.len()..self.of.len();
        }
        self.slices.push(Slice { rows: start..self.of.len(), wanted });
    }

    /// A column of the batch as the view has it.
    pub fn column(&self, column: &ArrayRef) -> Result<ArrayRef> {
        Ok(take(column, &UInt32Array::from(self.of.clone()), None)?)
    }

    /// How many results are wanted.
    pub fn wanted(&self) -> usize {
        self.slices.iter().map(|s| s.wanted.len()).sum()
    }

    /// The rows whose results are wanted, in order.
    pub fn wanted_rows(&self) -> impl Iterator<Item = usize> {
        self.slices.iter().flat_map(|s| s.wanted.clone())
    }
}
