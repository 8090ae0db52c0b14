//! Models that are kept up to date by a full query on a timer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::row::{RowConverter, SortField};
use futures::future::{BoxFuture, FutureExt};
use sluice_engine::metrics::Metrics;
use sluice_engine::runtime::{Committed, Observer};
use sluice_engine::state::key_hash;
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::sink::clickhouse::{ClickHouseCommitter, Stamp, replace_all};
use sluice_operators::sink::delta::{EpochChange, committed_version, overwrite};
use sluice_operators::store::Store;

use super::failures::{RefreshFailure, RefreshFailures, read_failures, write_failures};
use super::session::{batch_query, lake_session};
use crate::compile::{ModelPlan, Pipeline, clickhouse_config};
use crate::project::{Model, NodeRef, Project};

/// Called with each committed epoch, after what had to be refreshed is.
pub type OnCommitted = Box<dyn FnMut(&Committed) + Send>;

/// Called when the sources are open and the workers run.
pub type OnStarted = Box<dyn FnMut() + Send>;

/// Refreshes after an epoch, when the time has come and when the run ends: the tables stand still at that epoch meanwhile.
pub struct Refresher {
    pipeline: Arc<Pipeline>,
    store: Store,
    every: Duration,
    last: Option<Instant>,
    /// True when an epoch is committed that the refreshed tables have not seen.
    stale: bool,
    /// How often a model was refreshed in this run, and a checksum of what it held: equal content is not written again.
    done: BTreeMap<String, (u64, u64)>,
    failures: RefreshFailures,
    metrics: Metrics,
    /// What refreshes have written since somebody asked.
    written: BTreeMap<String, EpochChange>,
    started: OnStarted,
    then: OnCommitted,
}

/// Who hears of a refresher's work.
pub struct Listeners {
    /// Where failures are counted.
    pub metrics: Metrics,
    /// Which models failed when they were last tried.
    pub failures: RefreshFailures,
    /// Called once.
    pub started: OnStarted,
    /// Called after each epoch, when what had to be refreshed is.
    pub then: OnCommitted,
}

impl Refresher {
    /// Refreshes the pipeline's models.
    pub fn new(pipeline: Arc<Pipeline>, store: Store, listeners: Listeners) -> Self {
        let every = pipeline.project.settings.run.refresh;
        let Listeners { metrics, failures, started, then } = listeners;
        // A model that never fails is shown with a 0.
        pipeline.refreshed().for_each(|m| metrics.refresh_failures(&m.name, 0));
        let (last, stale, done, written) = (None, false, BTreeMap::new(), BTreeMap::new());
        Self { pipeline, store, every, last, stale, done, failures, metrics, written, started, then }
    }

    /// Looks at the start, when `epoch` is the newest committed one (0: none), whether every refreshed table is of it. If one is
    /// not (it was never made, its last refresh failed, or the run ended before), it is refreshed also when no rows come.
    ///
    /// A table that did not change when it was refreshed last, or is empty, looks older than it is, and is computed once
    /// more.
    ///
    /// # Errors
    /// `Transient` when the lake is away.
    pub async fn look(&mut self, epoch: u64) -> Result<()> {
        self.failures.set(read_failures(&self.store, &self.pipeline.project.name).await?);
        for model in self.pipeline.refreshed() {
            let seen = committed_version(&self.pipeline.model_table(&self.store, model)).await?;
            self.stale |= seen.is_none_or(|seen| seen < epoch);
        }
        Ok(())
    }

    /// What refreshes have written since the last call, by table.
    pub(crate) fn take_refreshed(&mut self) -> BTreeMap<String, EpochChange> {
        std::mem::take(&mut self.written)
    }

    fn is_due(&self) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= self.every)
    }

    /// Refreshes what can be: a model whose query fails keeps its old table, and so do those that read it, as their
    /// tables would be of two epochs otherwise.
    async fn refresh_all(&mut self, epoch: &Committed) -> Result<()> {
        let pipeline = self.pipeline.clone();
        let mut failed: BTreeMap<String, RefreshFailure> = BTreeMap::new();
        for model in pipeline.refreshed() {
            let started = Instant::now();
            let refreshed = match failed_input(&pipeline.project, &model.name, &failed) {
                Some(input) => Err(Error::data(format!("it reads model {input:?}, which could not be refreshed"))),
                None => self.refresh(model, epoch).await,
            };
            match refreshed {
                Ok(()) => tracing::debug!(model = model.name, took = ?started.elapsed(), "refreshed"),
                Err(e) if e.kind() == ErrorKind::Data => {
                    failed.insert(model.name.clone(), self.failure(model, epoch, &e));
                }
                Err(e) => return Err(e.at(format!("refreshing model {:?}", model.name))),
            }
        }
        if failed != self.failures.now() {
            write_failures(&self.store, &pipeline.project.name, &failed).await?;
        }
        self.failures.set(failed);
        self.last = Some(Instant::now());
        self.stale = false;
        Ok(())
    }

    /// Counts and logs a failure.
    fn failure(&self, model: &ModelPlan, epoch: &Committed, error: &Error) -> RefreshFailure {
        self.metrics.refresh_failures(&model.name, 1);
        tracing::warn!(
            "model {:?} could not be refreshed at epoch {}: {error}; its table stays as it was. Correct {}, or the rows that \
             it reads; it is tried again when rows have come",
            model.name,
            epoch.epoch,
            model.file
        );
        RefreshFailure { epoch: epoch.epoch, error: error.to_string() }
    }

    /// # Errors
    /// `Data` when the query fails or its rows cannot be stored: the other models go on.
    async fn refresh(&mut self, model: &ModelPlan, epoch: &Committed) -> Result<()> {
        // Each model sees what those before it have just written.
        let context = lake_session(&self.pipeline, &self.store).await?;
        let rows = batch_query(&context, &model.sql, &model.schema).await.map_err(|e| match e.kind() {
            // What can only be seen over the rows that are there, though it is seen while planning.
            ErrorKind::Config => Error::data(e.to_string()),
            _ => e,
        })?;
        let sum = checksum(&rows)?;
        let (count, before) = self.done.get(&model.table).copied().unwrap_or((0, 0));
        if count > 0 && before == sum {
            return Ok(());
        }
        // The lake comes last: the epoch in its table's `txn` says that the refresh is done, also to the next start.
        if model.clickhouse {
            self.refill_clickhouse(model, epoch, rows.clone(), count).await?;
        }
        let table = self.pipeline.model_table(&self.store, model);
        let change = overwrite(&table, epoch.epoch, rows.into_iter().map(Ok)).await?;
        self.written.extend(change.map(|change| (model.table.clone(), change)));
        self.done.insert(model.table.clone(), (count + 1, sum));
        Ok(())
    }

    async fn refill_clickhouse(
        &mut self,
        model: &ModelPlan,
        epoch: &Committed,
        rows: Vec<RecordBatch>,
        count: u64,
    ) -> Result<()> {
        let Some(config) = clickhouse_config(&self.pipeline, model) else { return Ok(()) };
        if count == 0 {
            ClickHouseCommitter::new(config.clone(), epoch.generation, None)?.ready(epoch.epoch).await?;
        }
        let stamp = Stamp { generation: epoch.generation, sequence: count + 1, epoch: epoch.epoch };
        replace_all(config, stamp, rows).await.map(|_| ())
    }
}

/// A failed model that a model reads, directly or by models that have no table.
fn failed_input(project: &Project, model: &str, failed: &BTreeMap<String, RefreshFailure>) -> Option<String> {
    project.models.get(model)?.depends_on.iter().find_map(|node| {
        let NodeRef::Model(name) = node else { return None };
        let has_table = project.models.get(name).is_some_and(Model::has_table);
        if has_table { failed.contains_key(name).then(|| name.clone()) } else { failed_input(project, name, failed) }
    })
}

/// A checksum that does not depend on the order of the rows.
fn checksum(batches: &[RecordBatch]) -> Result<u64> {
    let mut sum = 1u64;
    for batch in batches {
        let fields = batch.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let rows = RowConverter::new(fields)?.convert_columns(batch.columns())?;
        sum = rows.iter().fold(sum, |s, r| s.wrapping_add(key_hash(r.data())));
    }
    Ok(sum)
}

impl Observer for Refresher {
    fn on_started(&mut self) {
        (self.started)();
    }

    fn wants_epoch(&self) -> bool {
        self.stale && self.is_due()
    }

    fn on_committed<'a>(&'a mut self, epoch: &'a Committed) -> BoxFuture<'a, Result<()>> {
        async move {
            self.stale = self.pipeline.refreshed().next().is_some();
            if epoch.last || self.is_due() {
                self.refresh_all(epoch).await?;
            }
            (self.then)(epoch);
            Ok::<(), Error>(())
        }
        .boxed()
    }
}
