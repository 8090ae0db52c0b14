//! Models that are kept up to date by a full query on a timer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::row::{RowConverter, SortField};
use futures::future::{BoxFuture, FutureExt};
use sluice_engine::runtime::{Committed, Observer};
use sluice_engine::state::key_hash;
use sluice_engine::{Error, Result};
use sluice_operators::sink::clickhouse::{ClickHouseCommitter, Stamp, replace_all};
use sluice_operators::sink::delta::{DeltaConfig, EpochChange, WriteMode, committed_version, overwrite};
use sluice_operators::store::Store;

use super::session::{batch_query, lake_session};
use crate::compile::{ModelPlan, Pipeline, clickhouse_config};

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
    /// What refreshes have written since somebody asked.
    written: BTreeMap<String, EpochChange>,
    started: OnStarted,
    then: OnCommitted,
}

impl Refresher {
    /// Refreshes the pipeline's models; calls `started` once and `then` after each epoch.
    pub fn new(pipeline: Arc<Pipeline>, store: Store, started: OnStarted, then: OnCommitted) -> Self {
        let every = pipeline.project.settings.run.refresh;
        Self {
            pipeline,
            store,
            every,
            last: None,
            stale: false,
            done: BTreeMap::new(),
            written: BTreeMap::new(),
            started,
            then,
        }
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
        for model in self.pipeline.refreshed() {
            let seen = committed_version(&self.table(model)).await?;
            self.stale |= seen.is_none_or(|seen| seen < epoch);
        }
        Ok(())
    }

    /// What refreshes have written since the last call, by table.
    pub(crate) fn take_refreshed(&mut self) -> BTreeMap<String, EpochChange> {
        std::mem::take(&mut self.written)
    }

    /// The model's table in the lake. Its `txn` version is the epoch that it was refreshed at.
    pub(crate) fn table(&self, model: &ModelPlan) -> DeltaConfig {
        let app_id = format!("{}/{}", self.pipeline.project.name, model.table);
        let mut config =
            DeltaConfig::new(self.store.clone(), &model.path, app_id, model.schema.clone(), WriteMode::Changes)
                .partitioned_by(&model.partition_by);
        config.description = (!model.description.is_empty()).then(|| model.description.clone());
        config
    }

    fn is_due(&self) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= self.every)
    }

    async fn refresh_all(&mut self, epoch: &Committed) -> Result<()> {
        let pipeline = self.pipeline.clone();
        for model in pipeline.refreshed() {
            let started = Instant::now();
            self.refresh(model, epoch).await.map_err(|e| e.at(format!("refreshing model {:?}", model.name)))?;
            tracing::debug!(model = model.name, took = ?started.elapsed(), "refreshed");
        }
        self.last = Some(Instant::now());
        self.stale = false;
        Ok(())
    }

    async fn refresh(&mut self, model: &ModelPlan, epoch: &Committed) -> Result<()> {
        // Each model sees what those before it have just written.
        let context = lake_session(&self.pipeline, &self.store).await?;
        let rows = batch_query(&context, &model.sql, &model.schema).await?;
        let sum = checksum(&rows)?;
        let (count, before) = self.done.get(&model.table).copied().unwrap_or((0, 0));
        if count > 0 && before == sum {
            return Ok(());
        }
        // The lake comes last: its epoch says that the refresh is done, also to the next start.
        if model.clickhouse {
            self.refill_clickhouse(model, epoch, rows.clone(), count).await?;
        }
        let change = overwrite(&self.table(model), epoch.epoch, rows.into_iter().map(Ok)).await?;
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
