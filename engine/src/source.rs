//! Where rows come from: polled, never pushing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::frame::Batch;

/// How far a source has been read, for each of its splits (a Kafka partition, a file): split name -> next thing to read.
///
/// The value's meaning belongs to the source; for Kafka it is the next offset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(pub BTreeMap<String, SplitPosition>);

/// How far one split has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitPosition {
    /// The next offset (record, byte: the source says) to read.
    pub next: i64,
    /// Anything else that the source wants back, for instance the topic's identity.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}

/// The positions of all sources of a graph, by the source's stable name.
pub type Positions = BTreeMap<String, Position>;

/// Where in the graph an instance of a source runs.
#[derive(Debug, Clone)]
pub struct SourceContext {
    /// The source's stable name, unique in the graph.
    pub name: String,
    /// Which of the workers this instance belongs to, from 0. Splits are shared by `split index % workers`.
    pub worker: usize,
    /// How many workers there are.
    pub workers: usize,
    /// True when the run ends by itself once everything that was there at `open` has been read.
    pub until_idle: bool,
}

/// What a poll gave.
#[derive(Debug)]
pub enum Polled {
    /// Rows.
    Batch(Batch),
    /// Nothing now; ask again later.
    Idle,
    /// Nothing ever again: the source is bounded (or `until_idle`) and has been read to its end.
    End,
}

/// A stream's beginning. One instance runs on each worker and reads its share of the splits.
///
/// Life: `open` once; then `poll` and `position` in turn for as long as the graph runs; `acknowledge` after each
/// durable epoch. All calls come from the worker's thread and must not block for longer than a few milliseconds,
/// but for `open`.
pub trait Source: Send {
    /// Called once, before everything else, with the position of the newest manifest over *all* splits and workers
    /// (empty at the first start). The source picks its own splits from it.
    ///
    /// # Errors
    /// `Config` when the thing to read does not exist, `Transient` when it is away.
    fn open(&mut self, resume: &Position) -> Result<()>;

    /// The next rows, at most about `rows` rows and `bytes` bytes.
    ///
    /// # Errors
    /// `Transient` errors are retried by the engine with a back-off; others end the run.
    fn poll(&mut self, rows: usize, bytes: usize) -> Result<Polled>;

    /// How far this instance has read: everything returned by `poll` so far lies before it. Only own splits.
    fn position(&self) -> Position;

    /// The event time (microseconds) below which no more rows are expected, if the source knows.
    fn watermark(&self) -> Option<i64> {
        None
    }

    /// Called when all rows before `position` are durable. For monitoring only: it may fail silently.
    fn acknowledge(&mut self, position: &Position) {
        let _ = position;
    }

    /// Rows that wait in the source and are known about (lag), if it can say.
    fn lag_rows(&self) -> Option<u64> {
        None
    }
}
