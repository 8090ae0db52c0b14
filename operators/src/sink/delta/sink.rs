//! The worker's half: rows become data files.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use deltalake::kernel::Add;
use sluice_engine::{Batch, Error, Part, PrepareFuture, Result, Sink, SinkContext};

use super::config::{DeltaConfig, WriteMode};
use super::consolidate::Consolidated;
use super::files::Files;
use super::partition::empty_as_null;
use super::schema::TableSchema;
use super::upload::{Uploads, finish_all};

/// Rows taken at once when weights are written out as so many rows.
const EXPANDED_ROWS_MAX: usize = 64 << 10;

/// What one worker made of an epoch.
pub(super) struct DeltaPart {
    /// Files that are uploaded.
    pub(super) adds: Vec<Add>,
    /// Rows in them.
    pub(super) rows: u64,
    /// Rows to take out of the table, in its columns.
    pub(super) deletes: Vec<RecordBatch>,
}

/// Writes rows of a Delta table. One on each worker; see [`super::DeltaCommitter`] for what makes them visible.
pub struct DeltaSink {
    config: Arc<DeltaConfig>,
    schema: Arc<TableSchema>,
    files: Files,
    uploads: Uploads,
    deletes: Vec<RecordBatch>,
    changes: Option<Consolidated>,
}

impl DeltaSink {
    pub(super) fn new(config: Arc<DeltaConfig>, schema: Arc<TableSchema>, ctx: &SinkContext) -> Result<Self> {
        let objects = config.store.log_store(&config.path)?.object_store(None);
        let changes = match config.mode {
            WriteMode::Upsert => Some(Consolidated::new(&schema.table)?),
            WriteMode::Append | WriteMode::Changes => None,
        };
        let writer = format!("{:05}-{:03}", ctx.generation, ctx.worker);
        Ok(Self {
            files: Files::new(schema.clone(), config.target_file_bytes, config.row_group_rows, writer),
            uploads: Uploads::new(objects, ctx.runtime.clone()),
            deletes: Vec::new(),
            changes,
            schema,
            config,
        })
    }

    fn write_rows(&mut self, batch: &Batch) -> Result<()> {
        let rows = empty_as_null(&self.schema, self.schema.conform(batch.rows())?)?;
        if let Some(changes) = &mut self.changes {
            return changes.add(&rows, &|i| batch.weight(i));
        }
        let Some(weights) = batch.weights().filter(|w| w.values().iter().any(|&w| w != 1)) else {
            self.files.write(&rows)?;
            return self.upload_full();
        };
        if self.config.mode == WriteMode::Append && weights.values().iter().any(|&w| w < 0) {
            return Err(Error::bug("a row was taken back from a table that rows are only added to"));
        }
        self.write_weighted(&rows, weights.values())
    }

    /// Rows of weights above zero go to files, the others are kept for the committer to take out.
    fn write_weighted(&mut self, rows: &RecordBatch, weights: &[i64]) -> Result<()> {
        for_each_expanded(rows, weights, |rows| {
            self.files.write(&rows)?;
            self.upload_full()
        })?;
        let taken_back: Vec<i64> = weights.iter().map(|w| w.saturating_neg()).collect();
        for_each_expanded(rows, &taken_back, |rows| {
            self.deletes.push(rows);
            Ok(())
        })
    }

    fn upload_full(&mut self) -> Result<()> {
        self.files.take_full().into_iter().try_for_each(|(path, content)| self.uploads.begin(&path, content))
    }

    fn write_changes(&mut self) -> Result<()> {
        let Some(changes) = &mut self.changes else { return Ok(()) };
        let changes = changes.drain()?;
        changes.iter().try_for_each(|(rows, weights)| self.write_weighted(rows, weights))
    }
}

impl Sink for DeltaSink {
    fn write(&mut self, batch: Batch) -> Result<()> {
        self.write_rows(&batch).map_err(|e| e.at(self.config.label()))
    }

    fn prepare(&mut self, _epoch: u64) -> Result<PrepareFuture> {
        let label = self.config.label();
        self.write_changes().map_err(|e| e.at(&label))?;
        let made = self.files.finish().map_err(|e| e.at(&label))?;
        self.upload_full()?;
        let part = DeltaPart { adds: made.adds, rows: made.rows, deletes: std::mem::take(&mut self.deletes) };
        let uploads = self.uploads.take();
        Ok(Box::pin(async move {
            finish_all(uploads).await.map_err(|e| e.at(label))?;
            Ok(Box::new(part) as Part)
        }))
    }

    fn memory_bytes(&self) -> usize {
        self.files.open_bytes()
            + self.uploads.memory_bytes()
            + self.changes.as_ref().map_or(0, Consolidated::memory_bytes)
            + self.deletes.iter().map(RecordBatch::get_array_memory_size).sum::<usize>()
    }
}

/// Calls `each` with batches in which a row of weight `w` above zero stands `w` times.
fn for_each_expanded(
    rows: &RecordBatch,
    weights: &[i64],
    mut each: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let mut indices: Vec<u32> = Vec::new();
    let mut emit = |indices: &mut Vec<u32>| {
        if indices.is_empty() {
            return Ok(());
        }
        each(take_record_batch(rows, &UInt32Array::from(std::mem::take(indices)))?)
    };
    for (i, &weight) in weights.iter().enumerate() {
        for _ in 0..weight.max(0) {
            indices.push(i as u32);
            if indices.len() >= EXPANDED_ROWS_MAX {
                emit(&mut indices)?;
            }
        }
    }
    emit(&mut indices)
}
