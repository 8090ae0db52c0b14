//! Faults of programming that are put into the simulated parts, to see that the simulation finds them.

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The manifest appears only when its tables have been committed.
    CommitBeforeManifest,
    /// A table does not look for its last epoch before it commits.
    CommitsAgain,
    /// A source that is opened at a position gives the record before it again.
    OffsetOffByOne,
    /// The early table is not set back after a crash.
    NotSetBack,
    /// The early table is set back by the numbers of epochs alone, whichever run has shown a row.
    SetBackByEpochOnly,
    /// Rows that an overtaken run has shown late are not set back.
    LateRowsStay,
}
