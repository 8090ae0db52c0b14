//! The worker's half: stages changes, shows them at every barrier, waits for them at the end of an epoch.

use std::sync::Arc;

use sluice_engine::{Batch, Error, Part, PrepareFuture, Result, Sink, SinkContext};

use super::block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, Block, token};
use super::client::Client;
use super::config::ClickHouseConfig;
use super::consolidate::{Piece, Staged};
use super::ddl::insert_arrow;
use super::inserter::{Inserter, Pauses, insert_with};
use super::target::Target;
use super::version::Stamp;

/// What one worker has written in an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// New values of keys.
    pub rows: u64,
    /// Keys that went.
    pub tombstones: u64,
}

/// One worker's instance of the sink.
///
/// While ClickHouse is slow or away, `flush` goes on adding changes up by key; so what is held grows with the keys that
/// change, not with the changes, and `prepare`'s future is what waits.
pub struct ClickHouseSink {
    target: Arc<Target>,
    staged: Staged,
    inserter: Arc<Inserter>,
    generation: u64,
    worker: String,
    /// Of the last flush.
    stamp: Option<Stamp>,
    /// Counts this instance's blocks.
    blocks: u64,
    written: Written,
}

impl ClickHouseSink {
    /// # Errors
    /// `Config` when the model cannot be a ClickHouse table.
    pub fn new(config: ClickHouseConfig, context: &SinkContext) -> Result<Self> {
        let target = Arc::new(Target::new(config)?);
        let client = Client::new(&target.config)?;
        let insert = insert_with(client, insert_arrow(&target));
        let inserter =
            Inserter::start(&context.runtime, target.shown(), insert, Pauses::default(), target.config.waits.clone());
        Self::with_inserter(target, inserter, context)
    }

    fn with_inserter(target: Arc<Target>, inserter: Inserter, context: &SinkContext) -> Result<Self> {
        Ok(Self {
            staged: Staged::new(target.clone())?,
            target,
            inserter: Arc::new(inserter),
            generation: context.generation,
            worker: format!("worker={}", context.worker),
            stamp: None,
            blocks: 0,
            written: Written::default(),
        })
    }

    fn block(&mut self, piece: &Piece, stamp: Stamp) -> Result<Block> {
        let net = self.staged.net(piece)?;
        self.blocks += 1;
        let block = Block::new(&self.target, net, stamp, token(&self.target, stamp, &self.worker, self.blocks))?;
        self.inserter.hold(&block);
        self.written.rows += block.upserts as u64;
        self.written.tombstones += block.tombstones as u64;
        Ok(block)
    }

    fn pieces(&mut self) -> Vec<Piece> {
        self.staged.take_pieces(BLOCK_ROWS_MAX, BLOCK_BYTES_MAX)
    }

    /// Everything that is staged, as blocks.
    fn remaining(&mut self, epoch: u64) -> Result<Vec<Block>> {
        let pieces = self.pieces();
        if pieces.is_empty() {
            return Ok(Vec::new());
        }
        let stamp = self.stamp.filter(|s| s.epoch == epoch).ok_or_else(|| {
            Error::bug(format!(
                "clickhouse table {}: epoch {epoch} is prepared before it is flushed",
                self.target.shown()
            ))
        })?;
        pieces.iter().map(|piece| self.block(piece, stamp)).collect()
    }
}

impl Sink for ClickHouseSink {
    fn write(&mut self, batch: Batch) -> Result<()> {
        self.staged.add(&batch)
    }

    fn flush(&mut self, epoch: u64, sequence: u64) -> Result<()> {
        let stamp = Stamp { generation: self.generation, sequence, epoch };
        self.stamp = Some(stamp);
        let inserter = self.inserter.clone();
        // No place now: nothing is sorted or encoded in vain.
        if self.staged.is_empty() || inserter.try_place()?.is_none() {
            return Ok(());
        }
        let mut pieces = self.pieces().into_iter();
        while let Some(piece) = pieces.next() {
            let Some(place) = inserter.try_place()? else {
                self.staged.put_back(std::iter::once(piece).chain(pieces));
                return Ok(());
            };
            place.fill(self.block(&piece, stamp)?);
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: u64) -> Result<PrepareFuture> {
        let blocks = self.remaining(epoch)?;
        let written = std::mem::take(&mut self.written);
        let inserter = self.inserter.clone();
        Ok(Box::pin(async move {
            for block in blocks {
                inserter.place().await?.fill(block);
            }
            inserter.fence().await?;
            Ok(Box::new(written) as Part)
        }))
    }

    fn memory_bytes(&self) -> usize {
        self.staged.memory_bytes() + self.inserter.held_bytes()
    }
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
