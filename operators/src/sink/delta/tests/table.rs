//! What the tests share: a table in a folder, its workers and its committer.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sluice_engine::{Batch, Committer, Result, Sink, SinkContext, Token};

use crate::sink::delta::{DeltaCommitter, DeltaConfig, WriteMode};
use crate::store::{Store, read_all};

/// A lake in a folder that goes with it.
pub(super) struct Lake {
    dir: tempfile::TempDir,
    pub(super) store: Store,
}

impl Lake {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_str().unwrap()).unwrap();
        Self { dir, store }
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(super) fn config(&self, schema: &SchemaRef, mode: WriteMode) -> DeltaConfig {
        DeltaConfig::new(self.store.clone(), "gold/t", "test/t", schema.clone(), mode)
    }
}

/// The running half of a pipeline: workers and committer of one table.
pub(super) struct Running {
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) committer: DeltaCommitter,
}

impl Running {
    pub(super) fn start(config: &DeltaConfig, workers: usize) -> Self {
        Self::start_as(config, workers, 1)
    }

    /// A run of this generation. A run that follows another has a later one, as a claim gives it: the names of files rest on
    /// that.
    pub(super) fn start_as(config: &DeltaConfig, workers: usize, generation: u64) -> Self {
        let ctx = |worker| SinkContext {
            name: "t".into(),
            worker,
            workers,
            generation,
            runtime: tokio::runtime::Handle::current(),
        };
        let sinks = (0..workers).map(|w| config.build(&ctx(w)).unwrap()).collect();
        Self { sinks, committer: config.committer(&ctx(0)).unwrap() }
    }

    pub(super) async fn recovered(config: &DeltaConfig, last: Option<(u64, Token)>) -> Self {
        let mut running = Self::start(config, 1);
        running.committer.recover(last).await.unwrap();
        running
    }

    /// As [`Running::epoch`], and waits for the upkeep that follows.
    pub(super) async fn epoch_and_upkeep(&mut self, epoch: u64, batches: Vec<Batch>) -> Token {
        let token = self.epoch(epoch, batches).await;
        self.committer.end().await;
        token
    }

    /// Writes the batches, each on the next worker, and seals them.
    pub(super) async fn seal(&mut self, epoch: u64, batches: Vec<Batch>) -> Result<Token> {
        let workers = self.sinks.len();
        for (i, batch) in batches.into_iter().enumerate() {
            self.sinks[i % workers].write(batch)?;
        }
        let mut parts = Vec::new();
        for sink in &mut self.sinks {
            let future = sink.prepare(epoch)?;
            parts.push(future.await?);
        }
        self.committer.seal(epoch, parts).await
    }

    pub(super) async fn epoch(&mut self, epoch: u64, batches: Vec<Batch>) -> Token {
        let token = self.seal(epoch, batches).await.unwrap();
        self.committer.commit(epoch, &token).await.unwrap();
        token
    }
}

/// Rows as text with the number of times that each is there.
pub(super) fn counted(batches: &[RecordBatch]) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    let options = FormatOptions::default().with_null("NULL");
    for batch in batches {
        let columns: Vec<ArrayFormatter> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for i in 0..batch.num_rows() {
            let row: Vec<String> = columns.iter().map(|c| c.value(i).to_string()).collect();
            *rows.entry(row.join("|")).or_default() += 1;
        }
    }
    rows
}

/// The table's rows with their counts, and its version.
pub(super) async fn table(store: &Store) -> (u64, BTreeMap<String, i64>) {
    let (version, batches) = read_all(store, "gold/t").await.unwrap();
    (version, counted(&batches))
}

/// The rows with their counts, as the tests write them down.
pub(super) fn rows(rows: &[&str]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry((*row).to_string()).or_default() += 1;
    }
    counts
}

pub(super) fn batch(schema: &SchemaRef, columns: Vec<Arc<dyn arrow::array::Array>>) -> Batch {
    Batch::insert(RecordBatch::try_new(schema.clone(), columns).unwrap())
}

pub(super) fn weighted(batch: Batch, weights: Vec<i64>) -> Batch {
    Batch::weighted(batch.rows().clone(), Int64Array::from(weights))
}
