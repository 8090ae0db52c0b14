//! `sluice replay`: records that were rejected, through the graph once more.
//!
//! A record is replayed when it waits in rejects and can be decoded now. It keeps its topic, partition and offset, and
//! goes where all other records go, in epochs like all others; in the same epoch its reject is marked (`replayed`, the
//! epoch). So a record is in bronze once, however often `replay` is called or killed.

mod find;

use std::collections::BTreeSet;

use sluice_engine::{Error, Result};

pub use find::{Waiting, decodable, waiting};

use crate::compile::{Pipeline, Stream};

/// Bytes of records that one run replays at most; there is another run for the rest.
pub const REPLAY_BYTES_MAX: usize = 256 << 20;

/// Which streams are replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    tables: BTreeSet<String>,
}

impl Replay {
    /// All streams, or the one that `select` names: `source.table`, the table alone, or its bronze table.
    ///
    /// # Errors
    /// `Config` when there is no such stream.
    pub fn of(pipeline: &Pipeline, select: Option<&str>) -> Result<Self> {
        let is_meant = |s: &&Stream| {
            select.is_none_or(|wanted| {
                let names = [s.name.clone(), format!("{}.{}", s.source, s.name), s.table.clone()];
                names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
            })
        };
        let tables: BTreeSet<String> = pipeline.streams.iter().filter(is_meant).map(|s| s.table.clone()).collect();
        if tables.is_empty() {
            let there: Vec<String> = pipeline.streams.iter().map(|s| format!("{}.{}", s.source, s.name)).collect();
            return Err(Error::config(format!(
                "there is no stream {:?}; the streams are {}",
                select.unwrap_or_default(),
                there.join(", ")
            )));
        }
        Ok(Self { tables })
    }

    /// True when a stream's rejects are replayed.
    pub fn wants(&self, stream: &Stream) -> bool {
        self.tables.contains(&stream.table)
    }
}
