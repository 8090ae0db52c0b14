//! Runs a pipeline: builds its graph, starts it again after what may pass, and ends when it is asked to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluice_engine::checkpoint::{holder, release};
use sluice_engine::metrics::Metrics;
use sluice_engine::runtime::{RunConfig, StopHandle, Summary, claim, run};
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::store::Store;

use crate::audit::Recorder;
use crate::compile::{GraphContext, Pipeline, build_graph};
use crate::lake::{OnCommitted, Refresher};
use crate::project::Workers;
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
    /// Ends the run after a last epoch.
    pub stop: StopHandle,
    /// Where the run counts.
    pub metrics: Metrics,
    /// Told what the daemon waits for, and when it goes on.
    pub health: Health,
    /// Replays rejects in place of reading the streams.
    pub replay: Option<Replay>,
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
    if let Some(rows) = options.batch_rows {
        config.batch_rows = rows;
    }
    config
}

/// Runs a pipeline to its end. `on_committed` makes what is called after each epoch.
///
/// # Errors
/// Whatever a new start cannot mend: `Config`, `Data`, `Fenced`; and, when it shall end by itself, what came again and again.
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
        && let Err(e) = release(&store, &pipeline.project.name, generation).await
    {
        tracing::debug!("the end of generation {generation} was not noted: {e}");
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
    loop {
        options.health.tell(HealthChange::Starting);
        let done = Arc::new(AtomicU64::new(0));
        let error = match run_once(pipeline, store, &options, counted(on_committed(), done.clone()), claimed).await {
            Ok(summary) => return Ok(summary),
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
    then: OnCommitted,
    claimed: &AtomicU64,
) -> Result<Summary> {
    let config = run_config(pipeline, options);
    let checkpoints = Arc::new(store.clone());
    let claim = claim(checkpoints.as_ref(), &config.pipeline, &own_name()).await?;
    claimed.store(claim.generation(), Ordering::Relaxed);
    let context = GraphContext {
        store: store.clone(),
        generation: claim.generation(),
        runtime: tokio::runtime::Handle::current(),
        replay: options.replay.clone(),
    };
    let graph = build_graph(pipeline, &context)?;
    let health = options.health.clone();
    let started = Box::new(move || health.tell(HealthChange::Running));
    let refresher = Refresher::new(pipeline.clone(), store.clone(), started, then);
    let mut recorder = Recorder::new(pipeline.clone(), store.clone(), refresher)?;
    recorder.look(claim.manifest()).await?;
    run(graph, claim, checkpoints, config, Box::new(recorder)).await
}

/// Who runs: shown to a daemon that was fenced.
fn own_name() -> String {
    format!("{} process {}", host(), std::process::id())
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Who runs a pipeline, as far as can be known.
#[derive(Debug, Clone)]
pub struct HeldBy {
    /// Host and process.
    pub name: String,
    /// True when the process is on this machine, and there.
    pub is_here: bool,
}

/// Who has started a pipeline and not ended; none when nobody has, or the process was on this machine and is gone.
///
/// # Errors
/// `Transient` when the lake is away.
pub async fn held_by(store: &Store, pipeline: &str) -> Result<Option<HeldBy>> {
    let Some(holder) = holder(store, pipeline).await?.filter(|h| !h.has_ended) else { return Ok(None) };
    let own_process = holder.name.strip_prefix(&host()).and_then(|rest| rest.strip_prefix(" process "));
    let Some(process) = own_process else { return Ok(Some(HeldBy { name: holder.name, is_here: false })) };
    let is_there = std::path::Path::new("/proc").join(process).exists();
    Ok(is_there.then_some(HeldBy { name: holder.name, is_here: true }))
}
