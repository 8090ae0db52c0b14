//! State of operators: how it is handed over for a snapshot and how it comes back.
//!
//! A snapshot is a list of Arrow batches; their columns belong to the operator. A *delta* holds what has changed since
//! the last snapshot, so that it costs what changed; from time to time the engine asks for a *full* one, so that the
//! chain of deltas stays short.

pub mod arena;
pub mod bits;
pub mod cold;
pub mod key;
pub mod pieces;
pub mod rows;

pub use arena::{Arena, Place};
pub use cold::{Cold, Frozen, NothingCold};
pub use key::{KeyEncoder, key_hash, key_hashes};
pub use pieces::PieceWriter;
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
    /// Rows before those, as [`Snapshot::encode`] has written them already.
    pub encoded: Vec<Bytes>,
}

impl Snapshot {
    /// A snapshot of these batches.
    pub fn of(batches: Vec<RecordBatch>) -> Self {
        Self { batches: batches.into_iter().filter(|b| b.num_rows() > 0).collect(), encoded: vec![] }
    }

    /// True when it holds no row.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.encoded.iter().all(Bytes::is_empty)
    }

    /// The snapshot as Arrow IPC streams one after the other, LZ4 compressed, in pieces; none for an empty snapshot.
    ///
    /// # Errors
    /// When the batches differ in schema.
    pub fn encode(&self) -> Result<Vec<Bytes>> {
        let mut pieces = self.encoded.clone();
        if let Some(first) = self.batches.first() {
            let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
            let mut writer = StreamWriter::try_new_with_options(PieceWriter::default(), &first.schema(), options)?;
            for batch in &self.batches {
                writer.write(batch)?;
            }
            writer.finish()?;
            pieces.extend(writer.into_inner()?.into_pieces());
        }
        Ok(pieces)
    }

    /// The inverse of `encode`: all rows as batches.
    ///
    /// # Errors
    /// `Data` when the bytes are not what `encode` wrote.
    pub fn decode(mut bytes: &[u8]) -> Result<Snapshot> {
        let damaged = |e| Error::data("a state snapshot cannot be read; it is damaged or not a snapshot").because(e);
        let mut batches = Vec::new();
        while !bytes.is_empty() {
            // The reader takes one stream and leaves what follows it.
            for batch in StreamReader::try_new(&mut bytes, None).map_err(damaged)? {
                batches.push(batch.map_err(damaged)?);
            }
        }
        Ok(Snapshot { batches, encoded: vec![] })
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
    /// The largest time of which groups have been frozen: a group of that time or before may be cold.
    pub cold_until: Option<i64>,
}
