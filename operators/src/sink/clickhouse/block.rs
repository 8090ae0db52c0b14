//! A block: the immutable bytes of one insert.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt8Array, UInt64Array};
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use sluice_engine::Result;

use super::consolidate::Net;
use super::target::Target;
use super::version::Stamp;

/// Rows of a block, at most.
pub(super) const BLOCK_ROWS_MAX: usize = 100_000;

/// Bytes of a block, at most (as they are counted while staged; one row may be more).
pub(super) const BLOCK_BYTES_MAX: usize = 8 << 20;

/// One insert. A retry sends the same bytes with the same token.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// An uncompressed Arrow IPC stream.
    pub bytes: Bytes,
    /// By which ClickHouse knows a block that it has already.
    pub token: String,
    /// Rows that are new values.
    pub upserts: usize,
    /// Keys that are gone.
    pub tombstones: usize,
}

impl Block {
    /// # Errors
    /// `Config` when the version does not fit its bits.
    pub(super) fn new(target: &Target, net: Net, stamp: Stamp, token: String) -> Result<Self> {
        let rows = net.upserts + net.tombstones;
        let deleted = (0..rows).map(|i| u8::from(i >= net.upserts));
        let own: [ArrayRef; 3] = [
            Arc::new(UInt64Array::from(vec![stamp.version()?; rows])),
            Arc::new(UInt8Array::from_iter_values(deleted)),
            Arc::new(UInt64Array::from(vec![stamp.epoch; rows])),
        ];
        let batch = RecordBatch::try_new(target.wire.clone(), net.columns.into_iter().chain(own).collect())?;
        let mut writer = StreamWriter::try_new(Vec::with_capacity(batch.get_array_memory_size()), &target.wire)?;
        writer.write(&batch)?;
        writer.finish()?;
        Ok(Self { bytes: Bytes::from(writer.into_inner()?), token, upserts: net.upserts, tombstones: net.tombstones })
    }
}

/// The token of a block: where it comes from, so that no other block can have it.
pub(super) fn token(target: &Target, stamp: Stamp, worker: &str, number: u64) -> String {
    let Stamp { generation, epoch, sequence } = stamp;
    let (pipeline, table) = (&target.config.pipeline, &target.config.table);
    format!("{pipeline}/{table}/generation={generation}/epoch={epoch}/sequence={sequence}/{worker}/block={number}")
}
