//! Delta tables as a sink: files are written by the workers, and one committer for each table makes them visible.
//!
//! Exactly once: each commit carries `txn{app, epoch}` and is preceded by reading the log to its end. A result that is
//! not a clean success is unknown, and the log is read again before anything else is tried.

mod anew;
mod check;
mod committer;
mod config;
mod consolidate;
mod file_name;
mod files;
mod index;
mod log;
mod log_state;
mod overwrite;
mod partition;
mod prune;
mod rebase;
mod recover;
mod rewrite;
mod schema;
mod sink;
mod sole_writer;
mod stats;
mod token;
mod upkeep;
mod upload;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{check_table, is_partitioned_otherwise};
pub use committer::DeltaCommitter;
pub use config::{DeltaConfig, ROW_GROUP_ROWS, TARGET_FILE_BYTES, WriteMode};
pub use file_name::{checksum_in_name, content_checksum, written_by_epoch};
pub use overwrite::{committed_version, overwrite};
pub use sink::DeltaSink;
pub use sole_writer::SoleWriter;
pub use token::EpochChange;
pub use upkeep::{KEEP_LOG, KEEP_LOG_MIN, KEEP_REMOVED_FILES, KEEP_REMOVED_FILES_MIN, Keep, Kept};
