//! State that has left memory, and comes back when a late row needs it.
//!
//! An operator whose groups have a time (a window, a day) gives away the groups of times that are over. The engine keeps
//! them beside the checkpoints, and brings back those of a time when a row of that time comes after all: late is
//! slower, never wrong.

use super::{Restored, Share, Snapshot};
use crate::error::Result;

/// Groups that leave memory together. What a time is, the operator says: a number that grows with event time.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// The smallest time among the groups.
    pub first: i64,
    /// The largest.
    pub last: i64,
    /// Their state, as in a full snapshot.
    pub state: Snapshot,
}

/// Where an operator's frozen groups are.
pub trait Cold {
    /// All that was frozen of these times (sorted), and perhaps of others; what was frozen last comes last. It may hold keys
    /// of other instances.
    ///
    /// # Errors
    /// `Transient` when the store is away for longer than a run waits, `Data` when what it holds is damaged.
    fn thaw(&self, times: &[i64]) -> Result<Restored>;
}

/// Nothing was ever frozen.
#[derive(Debug, Clone, Copy)]
pub struct NothingCold;

impl Cold for NothingCold {
    fn thaw(&self, _times: &[i64]) -> Result<Restored> {
        Ok(Restored { pieces: vec![], share: Share { worker: 0, workers: 1 }, cold_until: None })
    }
}
