//! A stream that lies in files, one JSON object to a line: one file, or many.
//!
//! A split is a file, named by its path below the folder that is read; its position's `next` is the byte where the next
//! line begins. In the raw batch `_partition` is the file's number, made from its name alone (0 for the stream's own
//! file), so that neither a file that is found later nor another number of workers changes it; `_offset` is the byte
//! where the line begins: unique in the file and growing, with holes. `_timestamp` and `_key` are null. Files are given
//! to the workers by `number % workers`.
//!
//! An empty line is a record of no bytes: it is the decoder that rejects it. A last line without a newline is a record with
//! `until_idle`, and is waited for otherwise. Files may grow and new ones may come while they are read; a file that
//! becomes shorter, or another file of the same name, is an error.

mod audit;
mod find;
mod lines;
mod source;
mod tracked;

#[cfg(test)]
mod tests;

use serde::Deserialize;

pub use audit::{lines_of, split_number};
pub use source::FileSource;

/// A line longer than this many bytes is an error: so much is held in memory for one record at most.
pub const LINE_BYTES_MAX: usize = 64 << 20;

/// No more files than this are read for one stream.
pub const FILES_MAX: usize = 100_000;

/// Files to read as one stream.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// A file; or a folder that holds `<stream>.jsonl`, or a folder `<stream>` with `*.jsonl` files in it; or a path whose last
    /// part has a `*`. `{table}` stands for the stream's name.
    pub path: String,
    /// The stream's name: the records' `_topic`.
    pub stream: String,
    /// Where in the project these settings are, for error messages: `sources.music.files`.
    #[serde(skip, default = "settings_default")]
    pub settings: String,
}

impl FileConfig {
    /// The files of `stream` at `path`.
    pub fn new(path: impl Into<String>, stream: impl Into<String>) -> Self {
        Self { path: path.into(), stream: stream.into(), settings: settings_default() }
    }
}

fn settings_default() -> String {
    "files".into()
}
