//! `sluice maintain`: the upkeep of the tables, now, while no daemon runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use sluice_engine::checkpoint::{Manifest, newest, refuse_if_newer, release_generation};
use sluice_engine::runtime::claim;
use sluice_engine::{Committer, Error, Result, SinkContext};
use sluice_operators::sink::delta::Kept;
use sluice_operators::store::Store;

use super::maintain_refill::refill;
use super::{Outcome, ProjectDir, opened, output};
use crate::compile::{LakeTable, Pipeline};
use crate::holder::{own_name, refuse_running};
use crate::project::select;

/// Merge small files, delete what nobody needs any more, clean up logs: now, for a stopped daemon.
#[derive(Debug, Args)]
pub struct MaintainArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// Only these models and what they are made of (a dbt selector). All tables unless given.
    #[arg(long, value_name = "SELECTOR")]
    select: Option<String>,
    /// Fill the tables in ClickHouse again from the lake's, whatever they hold.
    #[arg(long)]
    refill: bool,
    /// Go on though a run has not said that it is over (it was killed, or its machine is gone). If it still runs, it ends.
    #[arg(long)]
    take_over: bool,
}

pub async fn maintain(args: MaintainArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    let chosen = chosen(&pipeline, args.select.as_deref())?;
    let store = opened::lake(&pipeline)?;
    let name = pipeline.project.name.clone();
    if !args.take_over {
        refuse_running(&store, &name).await?;
    }
    let claim = claim(&store, &name, &format!("sluice maintain, {}", own_name())).await?;
    let generation = claim.generation();
    let work = Maintenance { pipeline, store, generation, chosen };
    let done = work.work(args.refill).await;
    release_generation(&work.store, &name, generation).await?;
    Ok(done?)
}

/// The tables that are meant; all when nothing is said.
fn chosen(pipeline: &Pipeline, selector: Option<&str>) -> Result<Option<BTreeSet<String>>, super::Failure> {
    let Some(selector) = selector else { return Ok(None) };
    let names = select(&pipeline.project, selector).map_err(|e| Error::config(format!("--select {selector}: {e}")))?;
    let tables = pipeline.models.values().filter(|m| names.contains(&m.name.as_str())).map(|m| m.table.clone());
    Ok(Some(tables.collect()))
}

/// What one call does, under a generation of its own.
pub(super) struct Maintenance {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) store: Store,
    pub(super) generation: u64,
    chosen: Option<BTreeSet<String>>,
}

impl Maintenance {
    /// True for a table that is meant.
    pub(super) fn is_chosen(&self, table: &str) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.contains(table))
    }

    async fn work(&self, with_refill: bool) -> Result<()> {
        let last = newest(&self.store, &self.pipeline.project.name).await?;
        for table in self.pipeline.lake_tables(&self.store).iter().filter(|table| self.is_chosen(&table.name)) {
            self.still_alone().await?;
            self.maintain(table, last.as_ref()).await?;
        }
        if with_refill {
            refill(self, last.as_ref()).await?;
        }
        Ok(())
    }

    /// Whoever starts meanwhile has the tables.
    pub(super) async fn still_alone(&self) -> Result<()> {
        refuse_if_newer(&self.store, &self.pipeline.project.name, self.generation).await
    }

    async fn maintain(&self, table: &LakeTable, last: Option<&Manifest>) -> Result<()> {
        let started = Instant::now();
        let context = SinkContext {
            name: table.sink.clone().unwrap_or_else(|| table.name.clone()),
            worker: 0,
            workers: 1,
            generation: self.generation,
            runtime: tokio::runtime::Handle::current(),
        };
        if !self.is_there(table).await? {
            output::say(&format!("{:<40} not there yet", table.name));
            return Ok(());
        }
        let mut committer = table.config.committer(&context)?;
        // An epoch that a crash has left uncommitted comes first: it names files.
        if let Some(sink) = &table.sink {
            committer.recover(last.and_then(|m| Some((m.epoch, m.sinks.get(sink)?.clone())))).await?;
        }
        let kept = committer.maintain().await?;
        output::say(&line(&table.name, &kept, started.elapsed().as_secs_f64()));
        Ok(())
    }

    async fn is_there(&self, table: &LakeTable) -> Result<bool> {
        Ok(sluice_operators::store::open_table(&self.store, &table.config.path).await?.is_some())
    }
}

fn line(table: &str, kept: &Kept, seconds: f64) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    format!(
        "{table:<40} files {} -> {}, {:.1} -> {:.1} MiB, log {} -> {} files, {} old files deleted, {seconds:.1} s",
        kept.files.0,
        kept.files.1,
        mib(kept.bytes.0),
        mib(kept.bytes.1),
        kept.log_files.0,
        kept.log_files.1,
        kept.deleted_files,
    )
}
