//! What keeps a table fast for months: small files are merged, checkpoints of the log written, and what nobody needs any
//! more is deleted, files and log entries.
//!
//! All of it belongs to the table's committer. What takes time (reading, writing, deleting) is a *pass* on the async
//! runtime while the run goes on, one at a time in a process; what changes the table (the commit that puts merged files
//! in the place of small ones) is done by the committer itself between two epochs, so that it never meets a commit of an
//! epoch. An epoch that is owed goes first: a merge whose files it has taken out is thrown away.

mod lane;
mod log_files;
mod merge;
mod pass;
mod policy;
mod vacuum;

use std::time::Duration;

pub(super) use lane::Upkeep;
pub(super) use log_files::{CHECKPOINT_EVERY_COMMITS, last_checkpoint};

use super::log::RELOAD_AFTER;

/// How long entries of the log stay unless the project says otherwise. Each epoch is an entry: 8,640 a day.
pub const KEEP_LOG: Duration = Duration::from_secs(24 * 3600);
/// The least that may be said: a committer that has not looked at the log for `RELOAD_AFTER` must still find all that came
/// since.
pub const KEEP_LOG_MIN: Duration = Duration::from_secs(2 * 3600);
const _: () = assert!(KEEP_LOG_MIN.as_secs() >= 2 * RELOAD_AFTER.as_secs());
/// How long files stay that are no part of a table any more, unless the project says otherwise: for readers of older
/// versions.
pub const KEEP_REMOVED_FILES: Duration = Duration::from_secs(6 * 3600);
/// The least that may be said: whoever has begun to read a table must be able to end.
pub const KEEP_REMOVED_FILES_MIN: Duration = Duration::from_secs(600);

/// How long what nobody needs any more is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Entries of the log (and so: older versions of the table).
    pub log: Duration,
    /// Files that are no part of the table any more.
    pub removed_files: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self { log: KEEP_LOG, removed_files: KEEP_REMOVED_FILES }
    }
}

impl Keep {
    /// Added to how long the log remembers removed files, so that those that are to be deleted are known for longer.
    const REMEMBERED_FOR_LONGER: Duration = Duration::from_secs(24 * 3600);

    /// The table's properties that say the same to other programs that write a checkpoint or clean up.
    pub(super) fn properties(&self) -> [(&'static str, String); 2] {
        let interval = |length: Duration| format!("interval {} seconds", length.as_secs());
        [
            ("delta.logRetentionDuration", interval(self.log)),
            ("delta.deletedFileRetentionDuration", interval(self.removed_files + Self::REMEMBERED_FOR_LONGER)),
        ]
    }
}

/// What the upkeep of a table has done, and what there is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Data files of the table before and after.
    pub files: (u64, u64),
    /// Their bytes before and after.
    pub bytes: (u64, u64),
    /// Entries and checkpoints of the log before and after.
    pub log_files: (u64, u64),
    /// Data files deleted that were no part of the table any more.
    pub deleted_files: u64,
}
