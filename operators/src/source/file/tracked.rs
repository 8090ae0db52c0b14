//! A file of the stream and how far it was read; and what may not happen to it.

use std::io;
use std::path::PathBuf;

use sluice_engine::error::{Error, Result};
use sluice_engine::source::SplitPosition;

use super::find::{Found, cannot_read};
use super::lines::Lines;
use super::{FileConfig, LINE_BYTES_MAX};

/// A file and how far it was read.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) number: i32,
    /// Where the next line begins.
    pub(super) next: u64,
    /// The size it had when it was last looked at.
    pub(super) size: u64,
    /// The size at which its last line was found to be unfinished.
    pub(super) unfinished_at: u64,
    /// The file's identity when it was first opened: another file of the same name is not this one.
    identity: Option<u64>,
    /// It is not there any more; its position is kept, so that nobody reads it twice if it comes back.
    gone: bool,
}

impl Tracked {
    /// A file that is there, from where it was left.
    ///
    /// # Errors
    /// `Config` when it is shorter than what was read of it, or may not be read.
    pub(super) fn there(
        found: Found,
        number: i32,
        position: Option<&SplitPosition>,
        config: &FileConfig,
    ) -> Result<Self> {
        let next = position.map_or(0, next_byte);
        let mut file = Self::new(found.name, found.path, number, next);
        file.look(config)?;
        Ok(file)
    }

    /// A file that was read earlier and is not there any more.
    ///
    /// # Errors
    /// `Config` when it is known to have held more than was read of it.
    pub(super) fn missing(name: &str, number: i32, position: &SplitPosition, config: &FileConfig) -> Result<Self> {
        let mut file = Self::new(name.into(), name.into(), number, next_byte(position));
        file.size = position.detail.get("size").and_then(serde_json::Value::as_u64).unwrap_or(file.next);
        file.is_gone(config)?;
        Ok(file)
    }

    fn new(name: String, path: PathBuf, number: i32, next: u64) -> Self {
        Self { name, path, number, next, size: next, unfinished_at: 0, identity: None, gone: false }
    }

    /// True when there is a line to read.
    pub(super) fn has_more(&self) -> bool {
        !self.gone && self.size > self.next.max(self.unfinished_at)
    }

    /// The position for the manifest.
    pub(super) fn position(&self) -> SplitPosition {
        SplitPosition { next: self.next as i64, detail: serde_json::json!({ "size": self.size }) }
    }

    /// Sees how large it is now.
    ///
    /// # Errors
    /// `Config` when it is shorter than it was, was removed before it was read, or may not be read.
    pub(super) fn look(&mut self, config: &FileConfig) -> Result<()> {
        if self.gone {
            return Ok(());
        }
        match std::fs::metadata(&self.path) {
            Ok(m) if m.len() < self.next => Err(self.shrank(m.len(), config)),
            Ok(m) => {
                self.size = m.len();
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.is_gone(config),
            Err(e) => Err(cannot_read(&self.path, e, config)),
        }
    }

    /// Opens it where the next line begins.
    ///
    /// # Errors
    /// `Config` when it is another file by now, or may not be read.
    pub(super) fn open(&mut self, config: &FileConfig) -> Result<Lines> {
        let lines = Lines::open(&self.path, self.next).map_err(|e| cannot_read(&self.path, e, config))?;
        if *self.identity.get_or_insert(lines.identity) != lines.identity {
            return Err(Error::config(format!(
                "{:?} of stream {:?} is another file than the one that was read up to byte {}; give new files new names",
                self.path, config.stream, self.next
            )));
        }
        Ok(lines)
    }

    fn is_gone(&mut self, config: &FileConfig) -> Result<()> {
        if self.next < self.size {
            return Err(Error::config(format!(
                "file {:?} of stream {:?} was removed when {} of its {} bytes had been read; put it back",
                self.name, config.stream, self.next, self.size
            )));
        }
        tracing::debug!(file = %self.name, stream = %config.stream, "a file that was read is not there any more");
        self.gone = true;
        Ok(())
    }

    pub(super) fn shrank(&self, size: u64, config: &FileConfig) -> Error {
        Error::config(format!(
            "{:?} of stream {:?} has {size} bytes, but more than that was there before ({} were read): it was truncated or replaced; give new files new names, and only append to those that are there",
            self.path, config.stream, self.next
        ))
    }

    pub(super) fn too_long(&self, config: &FileConfig) -> Error {
        Error::data(format!(
            "{:?} of stream {:?}: the line that begins at byte {} is longer than {LINE_BYTES_MAX} bytes; split it, or take it out",
            self.path, config.stream, self.next
        ))
    }
}

fn next_byte(position: &SplitPosition) -> u64 {
    u64::try_from(position.next).unwrap_or(0)
}
