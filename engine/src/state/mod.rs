//! State of operators: how it is handed over for a snapshot and how it comes back.
//!
//! A snapshot is a list of Arrow batches; their columns belong to the operator. A *delta* holds what has changed since
//! the last snapshot, so that it costs what changed; from time to time the engine asks for a *full* one, so that the
//! chain of deltas stays short.

pub mod key;
pub mod rows;

pub use key::{KeyEncoder, key_hash};
pub use rows::{RowId, RowLog};

use arrow::array::RecordBatch;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use bytes::Bytes;

use crate::error::{Error, Result};

/// Whether a snapshot shall hold everything or only the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotMode {
    /// All of the state.
    Full,
    /// What has changed since the last snapshot.
    Delta,
}

/// State of one operator instance, as batches of one schema. Empty when nothing changed or there is no state.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The rows; the schema belongs to the operator.
    pub batches: Vec<RecordBatch>,
}

impl Snapshot {
    /// A snapshot of these batches.
    pub fn of(batches: Vec<RecordBatch>) -> Self {
        Self { batches: batches.into_iter().filter(|b| b.num_rows() > 0).collect() }
    }

    /// True when it holds no row.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The snapshot as one Arrow IPC stream, LZ4 compressed; empty bytes for an empty snapshot.
    ///
    /// # Errors
    /// When the batches differ in schema.
    pub fn encode(&self) -> Result<Bytes> {
        let Some(first) = self.batches.first() else { return Ok(Bytes::new()) };
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &first.schema(), options)?;
        for batch in &self.batches {
            writer.write(batch)?;
        }
        writer.finish()?;
        Ok(Bytes::from(writer.into_inner()?))
    }

    /// The inverse of `encode`.
    ///
    /// # Errors
    /// `Data` when the bytes are not what `encode` wrote.
    pub fn decode(bytes: &[u8]) -> Result<Snapshot> {
        if bytes.is_empty() {
            return Ok(Snapshot::default());
        }
        let damaged = |e| Error::data("a state snapshot cannot be read; it is damaged or not a snapshot").because(e);
        let reader = StreamReader::try_new(bytes, None).map_err(damaged)?;
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>().map_err(damaged)?;
        Ok(Snapshot { batches })
    }
}

/// Which keys an instance owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// This instance, from 0.
    pub worker: usize,
    /// The number of instances.
    pub workers: usize,
}

impl Share {
    /// True when a key with this hash belongs to the instance.
    pub fn owns(self, hash: u64) -> bool {
        (hash % self.workers as u64) as usize == self.worker
    }
}

/// The state that an operator gets back.
#[derive(Debug)]
pub struct Restored {
    /// The pieces of all instances, oldest epoch first.
    pub pieces: Vec<Snapshot>,
    /// Which keys belong to this instance.
    pub share: Share,
}
