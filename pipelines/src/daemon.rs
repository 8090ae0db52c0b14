//! Runs a pipeline: builds its graph, starts it again after what may pass, and ends when it is asked to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluice_engine::checkpoint::release_generation;
use sluice_engine::metrics::Metrics;
use sluice_engine::runtime::{Claim, Observer, RunConfig, StopHandle, Summary, claim, run};
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::store::Store;

use crate::audit::Recorder;
use crate::compile::{GraphContext, Pipeline, build_graph};
use crate::holder::own_name;
use crate::lake::{Listeners, OnCommitted, RefreshFailures, Refresher};
use crate::project::Workers;
use crate::rebuild::{drop_outdated, find_changes, rebuild};
use crate::replay::Replay;

/// Longest wait before a start is tried again, in seconds.
const RESTART_WAIT_MAX_S: u64 = 30;
/// Starts in a row without a finished epoch after which a run that shall end by itself gives up. The daemon goes on.
const RESTARTS_MAX_UNTIL_IDLE: u32 = 3;

/// How a pipeline is run.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// End once everything that was in the sources at the start is committed.
    pub until_idle: bool,
    /// Rows that a source gives in one poll; the engine's usual number when none.
    pub batch_rows: Option<usize>,
    /// An epoch ends after so many rows, whatever its time; the engine's usual number when none.
    pub epoch_rows: Option<u64>,
    /// Ends the run after a last epoch.
    pub stop: StopHandle,
    /// Where the run counts.
    pub metrics: Metrics,
    /// Told what the daemon waits for, and when it goes on.
    pub health: Health,
    /// Told which models could not be refreshed when that was last tried.
    pub refresh_failures: RefreshFailures,
    /// Replays rejects in place of reading the streams.
    pub replay: Option<Replay>,
    /// Tables of models and seeds that are made anew first, though nothing has changed; and so is what reads them.
    pub full_refresh: BTreeSet<String>,
}

type Tell = Arc<dyn Fn(HealthChange<'_>) + Send + Sync>;

/// Told how the daemon is.
#[derive(Clone, Default)]
pub struct Health {
    tell: Option<Tell>,
}

/// How the daemon is.
#[derive(Debug, Clone, Copy)]
pub enum HealthChange<'a> {
    /// It is starting.
    Starting,
    /// The sources are open and the workers run.
    Running,
    /// It waits after this error.
    Waiting(&'a Error),
}

impl Health {
    /// Calls `tell` at each change.
    pub fn new(tell: impl Fn(HealthChange<'_>) + Send + Sync + 'static) -> Self {
        Self { tell: Some(Arc::new(tell)) }
    }

    fn tell(&self, change: HealthChange<'_>) {
        if let Some(tell) = &self.tell {
            tell(change);
        }
    }
}

/// The engine's settings for a pipeline.
fn run_config(pipeline: &Pipeline, options: &RunOptions) -> RunConfig {
    let settings = &pipeline.project.settings.run;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let mut config = RunConfig::new(&pipeline.project.name);
    config.workers = match settings.workers {
        Workers::Auto => cores(),
        Workers::Count(n) => n,
    };
    config.tick = settings.freshness;
    config.epoch = settings.epoch;
    config.until_idle = options.until_idle;
    config.stop = options.stop.clone();
    config.metrics = options.metrics.clone();
    if let Some(rows) = options.epoch_rows {
        config.epoch_rows_max = rows;
    }
    if let Some(rows) = options.batch_rows {
        config.batch_rows = rows;
    }
    config
}

/// Runs a pipeline to its end. `on_committed` makes what is called after each epoch.
///
/// # Errors
/// Whatever a new start cannot mend: `Config`, `Data`, `Fenced`; and, when it shall end by itself, what came again and again,
/// and `Data` when a model could not be refreshed in the end (everything else is committed then).
pub async fn run_pipeline(
    pipeline: Arc<Pipeline>,
    store: Store,
    options: RunOptions,
    on_committed: impl Fn() -> OnCommitted,
) -> Result<Summary> {
    let claimed = AtomicU64::new(0);
    let result = run_again(&pipeline, &store, options, on_committed, &claimed).await;
    let generation = claimed.load(Ordering::Relaxed);
    // Only for who wants to know whether it runs: another start goes on without it.
    if generation > 0
        && let Err(e) = release_generation(&store, &pipeline.project.name, generation).await
    {
        tracing::warn!("the end of this run could not be written down: {e}");
    }
    result
}

async fn run_again(
    pipeline: &Arc<Pipeline>,
    store: &Store,
    options: RunOptions,
    on_committed: impl Fn() -> OnCommitted,
    claimed: &AtomicU64,
) -> Result<Summary> {
    let mut failures = 0u32;
    let mut asked = options.full_refresh.clone();
    loop {
        options.health.tell(HealthChange::Starting);
        let done = Arc::new(AtomicU64::new(0));
        let told = || counted(on_committed(), done.clone());
        let error = match run_once(pipeline, store, &options, told, (claimed, &mut asked)).await {
            Ok(summary) => {
                // Who waits for the end relies on all tables. A daemon that was stopped has told its log.
                let stale = options.refresh_failures.error().filter(|_| options.until_idle);
                return stale.map_or(Ok(summary), Err);
            }
            Err(error) => error,
        };
        let passes = matches!(error.kind(), ErrorKind::Transient | ErrorKind::Bug);
        failures = if done.load(Ordering::Relaxed) > 0 { 1 } else { failures + 1 };
        if !passes || options.stop.is_stopped() || (options.until_idle && failures > RESTARTS_MAX_UNTIL_IDLE) {
            return Err(error);
        }
        let wait = Duration::from_secs((1u64 << failures.min(5).saturating_sub(1)).min(RESTART_WAIT_MAX_S));
        tracing::warn!("{error}; starting again from the last epoch in {wait:?}");
        options.health.tell(HealthChange::Waiting(&error));
        wait_or_stop(wait, &options.stop).await;
        if options.stop.is_stopped() {
            return Err(error);
        }
    }
}

/// As `then`, and counts the epochs that were finished: committed, and what is refreshed after them too.
fn counted(mut then: OnCommitted, done: Arc<AtomicU64>) -> OnCommitted {
    Box::new(move |epoch| {
        done.fetch_add(1, Ordering::Relaxed);
        then(epoch);
    })
}

async fn wait_or_stop(wait: Duration, stop: &StopHandle) {
    const LOOK: Duration = Duration::from_millis(100);
    let mut left = wait;
    while !left.is_zero() && !stop.is_stopped() {
        let step = left.min(LOOK);
        tokio::time::sleep(step).await;
        left -= step;
    }
}

async fn run_once(
    pipeline: &Arc<Pipeline>,
    store: &Store,
    options: &RunOptions,
    told: impl Fn() -> OnCommitted,
    (claimed, asked): (&AtomicU64, &mut BTreeSet<String>),
) -> Result<Summary> {
    let config = run_config(pipeline, options);
    let checkpoints = Arc::new(store.clone());
    let claim_next = async || {
        let claim = claim(checkpoints.as_ref(), &config.pipeline, &own_name()).await?;
        claimed.store(claim.generation(), Ordering::Relaxed);
        Ok::<_, Error>(claim)
    };
    let mut claim = claim_next().await?;
    let mut graph = build_graph(pipeline, &context(store, options, &claim))?;
    if let Some(manifest) = claim.manifest() {
        let changes = find_changes(pipeline, store, &graph, manifest, asked).await?;
        if !changes.are_none() {
            let (epoch, generation) = (manifest.epoch, claim.generation());
            let (context, observer) =
                (context(store, options, &claim), observer(pipeline, store, options, &claim, told()).await?);
            let whole = (&graph, &changes);
            match rebuild(pipeline, &context, whole, claim, config.clone(), observer).await {
                Ok(_) => asked.clear(),
                Err(e) if options.stop.is_stopped() && e.kind() == ErrorKind::Transient => {
                    tracing::info!("{e}");
                    return Ok(Summary { epoch, generation, rows: 0 });
                }
                Err(e) => return Err(e),
            }
            claim = claim_next().await?;
            graph = build_graph(pipeline, &self::context(store, options, &claim))?;
        }
    }
    if let Some(manifest) = claim.manifest() {
        drop_outdated(pipeline, manifest).await?;
    }
    let observer = observer(pipeline, store, options, &claim, told()).await?;
    run(graph, claim, checkpoints, config, observer).await
}

fn context(store: &Store, options: &RunOptions, claim: &Claim) -> GraphContext {
    GraphContext {
        store: store.clone(),
        generation: claim.generation(),
        runtime: tokio::runtime::Handle::current(),
        waits: options.metrics.waits().clone(),
        replay: options.replay.clone(),
    }
}

/// What refreshes and records each epoch.
async fn observer(
    pipeline: &Arc<Pipeline>,
    store: &Store,
    options: &RunOptions,
    claim: &Claim,
    then: OnCommitted,
) -> Result<Box<dyn Observer>> {
    let health = options.health.clone();
    let listeners = Listeners {
        metrics: options.metrics.clone(),
        failures: options.refresh_failures.clone(),
        started: Box::new(move || health.tell(HealthChange::Running)),
        then,
    };
    let refresher = Refresher::new(pipeline.clone(), store.clone(), listeners);
    let mut recorder = Recorder::new(pipeline.clone(), store.clone(), refresher)?;
    recorder.look(claim.manifest()).await?;
    Ok(Box::new(recorder))
}
