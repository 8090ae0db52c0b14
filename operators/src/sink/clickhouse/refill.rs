//! A table filled with a whole result: what `refresh` models do, and what is done to a table that has lost rows.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use hashbrown::HashSet;
use sluice_engine::{Batch, Error, Result};
use xxhash_rust::xxh3::xxh3_128;

use super::block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, Block, token};
use super::check::check_target;
use super::client::{Client, Fault};
use super::config::ClickHouseConfig;
use super::consolidate::{Piece, Staged};
use super::ddl::{insert_arrow, insert_tombstones, optimize};
use super::sink::Written;
use super::target::Target;
use super::version::Stamp;

/// Tries for one block while ClickHouse is away; then the caller decides when to begin again.
const TRIES_MAX: u32 = 5;

/// Pause between two tries, in milliseconds.
const PAUSE_MS: u64 = 500;

/// A full result on its way into the table. Until `finish`, readers see old rows and new ones side by side; each key is
/// always one of both.
///
/// Doing it again with the same stamp and rows changes nothing. Memory: one block, and about 34 bytes for each key (to
/// find doubled ones).
pub struct Refill {
    target: Arc<Target>,
    client: Client,
    stamp: Stamp,
    seen: HashSet<u128, foldhash::fast::RandomState>,
    blocks: u64,
    written: Written,
}

impl Refill {
    /// Makes the table if it is missing. `stamp` must be later than all rows that are there; its sequence is 0 only for what
    /// a start finds committed.
    ///
    /// # Errors
    /// As `check`.
    pub async fn begin(config: ClickHouseConfig, stamp: Stamp) -> Result<Self> {
        let client = Client::new(&config)?;
        let target = Arc::new(Target::new(config)?);
        stamp.version()?;
        for statement in check_target(&client, &target).await?.statements {
            client.execute(&statement).await?;
        }
        Ok(Self { target, client, stamp, seen: HashSet::default(), blocks: 0, written: Written::default() })
    }

    /// Adds rows of the result; they are visible when this returns.
    ///
    /// # Errors
    /// `Data` when a key has come before, `Transient` when ClickHouse stays away.
    pub async fn write(&mut self, rows: RecordBatch) -> Result<()> {
        let mut staged = Staged::new(self.target.clone())?;
        staged.add(&Batch::insert(rows))?;
        for piece in staged.take_pieces(BLOCK_ROWS_MAX, BLOCK_BYTES_MAX) {
            let net = staged.net(&piece)?;
            self.refuse_seen(&staged, &piece)?;
            self.blocks += 1;
            let block =
                Block::new(&self.target, net, self.stamp, token(&self.target, self.stamp, "refill", self.blocks))?;
            self.insert(&block).await?;
            self.written.rows += block.upserts as u64;
        }
        Ok(())
    }

    /// Adds all rows of a result, and deletes what it does not hold.
    ///
    /// # Errors
    /// As `write`, and those of the result.
    pub async fn write_all(mut self, mut rows: BoxStream<'static, Result<RecordBatch>>) -> Result<Written> {
        while let Some(batch) = rows.try_next().await? {
            self.write(batch).await?;
        }
        self.finish().await
    }

    /// Deletes what the result does not hold.
    ///
    /// # Errors
    /// `Transient` when ClickHouse is away.
    pub async fn finish(self) -> Result<Written> {
        self.client.execute_on_table(&insert_tombstones(&self.target, self.stamp.version()?, self.stamp.epoch)).await?;
        Ok(self.written)
    }

    fn refuse_seen(&mut self, staged: &Staged, piece: &Piece) -> Result<()> {
        let doubled: Vec<&[u8]> = piece.keys().filter(|key| !self.seen.insert(xxh3_128(key))).collect();
        if doubled.is_empty() {
            Ok(())
        } else {
            Err(staged.not_unique(&doubled.iter().map(|k| (*k, 2)).collect::<Vec<_>>()))
        }
    }

    async fn insert(&self, block: &Block) -> Result<()> {
        let sql = insert_arrow(&self.target);
        let mut tries = 1;
        loop {
            match self.client.insert(&sql, block.bytes.clone(), &block.token).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.fault != Fault::Refused && tries < TRIES_MAX => tries += 1,
                Err(failure) => {
                    return Err(Error::from(failure).at(format!("clickhouse table {}", self.target.shown())));
                }
            }
            tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
        }
    }
}

/// Replaces the table's rows by a whole result: its rows get the stamp's version, all other keys are deleted.
///
/// # Errors
/// As `Refill`.
pub async fn replace_all(config: ClickHouseConfig, stamp: Stamp, rows: Vec<RecordBatch>) -> Result<Written> {
    let mut refill = Refill::begin(config, stamp).await?;
    for batch in rows {
        refill.write(batch).await?;
    }
    refill.finish().await
}

/// Takes away old versions and deleted rows for good, by merging the whole table. It costs a rewrite of the table.
///
/// Call it when no run is going on, or right after an epoch was committed: a deleted row must stay until the epoch that
/// deleted it is committed, or a crash could not set it back.
///
/// # Errors
/// `Transient` when ClickHouse is away, `Config` when it refuses.
pub async fn maintain(config: ClickHouseConfig) -> Result<()> {
    let client = Client::new(&config)?;
    client.execute_on_table(&optimize(&Target::new(config)?)).await
}
