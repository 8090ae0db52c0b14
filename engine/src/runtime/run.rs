//! The way from a graph to a running one, and to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::control::{Control, Event, StopHandle};
use super::coordinator::Coordinator;
use super::observer::Observer;
use super::rebuild::Rebuild;
use super::stage::Stage;
use super::start::Recovered;
use super::steps::Steps;
use super::worker::Worker;
use crate::checkpoint::{CheckpointStore, Manifest, claim_generation, newest};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::metrics::Metrics;

/// Reports that may wait for the coordinator; workers block beyond it. Far more than one barrier can cause.
const EVENTS_MAX: usize = 1024;

/// How a graph is run.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The pipeline's name; its manifests and state lie in a folder of that name.
    pub pipeline: String,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// Most rows that a source gives in one poll.
    pub batch_rows: usize,
    /// Most bytes, about, that a source gives in one poll.
    pub batch_bytes: usize,
    /// Time between ticks: how fresh early sinks are. Without such a sink there are none.
    pub tick: Duration,
    /// Time between epochs: how often tables are committed.
    pub epoch: Duration,
    /// An epoch ends early after this many rows, so that what waits for it stays bounded.
    pub epoch_rows_max: u64,
    /// End once everything that was in the sources at the start is committed.
    pub until_idle: bool,
    /// Stops the run after a last epoch.
    pub stop: StopHandle,
    /// Where the run counts.
    pub metrics: Metrics,
    /// The graph is a part that is made anew: it begins without state, and ends with the one epoch that it has when all
    /// sources are at their end. A run that is stopped before fails, and has changed nothing.
    pub rebuild: Option<Arc<Rebuild>>,
}

impl RunConfig {
    /// A configuration with the usual sizes for a pipeline of this name, one worker.
    pub fn new(pipeline: impl Into<String>) -> Self {
        Self {
            pipeline: pipeline.into(),
            workers: 1,
            batch_rows: 16384,
            batch_bytes: 8 << 20,
            tick: Duration::from_millis(500),
            epoch: Duration::from_secs(10),
            epoch_rows_max: 1 << 18,
            until_idle: false,
            stop: StopHandle::default(),
            metrics: Metrics::default(),
            rebuild: None,
        }
    }
}

/// What a finished run has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The newest committed epoch; 0 when nothing was ever committed.
    pub epoch: u64,
    /// Which start of the pipeline this was.
    pub generation: u64,
    /// Rows that the sources gave.
    pub rows: u64,
}

/// The right to run a pipeline: from now on older runs of it are fenced.
#[derive(Debug)]
pub struct Claim {
    pub(super) generation: u64,
    pub(super) last: Option<Manifest>,
}

impl Claim {
    /// Which start of the pipeline this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The newest committed epoch, 0 when there is none.
    pub fn epoch(&self) -> u64 {
        self.last.as_ref().map_or(0, |m| m.epoch)
    }

    /// The newest manifest; none when nothing was ever committed.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.last.as_ref()
    }
}

/// Claims a pipeline. `holder` says who asks (host and process).
///
/// # Errors
/// `Fenced` when others claim it at the same time; those of the store otherwise.
pub async fn claim(store: &dyn CheckpointStore, pipeline: &str, holder: &str) -> Result<Claim> {
    let generation = claim_generation(store, pipeline, holder).await?;
    Ok(Claim { generation, last: newest(store, pipeline).await? })
}

/// Runs a graph to its end: until it is stopped, or idle if so configured, or fails.
///
/// Recovery comes first: the newest manifest is committed again, state restored, sources opened at its positions.
///
/// # Errors
/// `Fenced` when another process has taken over; `Config` when the graph does not fit the manifest or an outside object does not fit the
/// graph; whatever sources, operators and sinks report otherwise.
pub async fn run(
    graph: Graph,
    claim: Claim,
    store: Arc<dyn CheckpointStore>,
    config: RunConfig,
    mut observer: Box<dyn Observer>,
) -> Result<Summary> {
    let mut recovered = Recovered::of(graph, claim, &store, config).await?;
    let runtime = tokio::runtime::Handle::current();
    // Building may block: sources look at brokers and sinks at tables.
    let (stages, recovered) = tokio::task::spawn_blocking(move || (recovered.build(runtime), recovered))
        .await
        .map_err(|e| Error::bug("building the graph panicked").because(e))?;
    let stages = stages?;
    let (control, generation, config) = (recovered.control.clone(), recovered.generation, recovered.config.clone());

    let (events_in, events) = mpsc::channel::<Event>(EVENTS_MAX);
    let stage_count = stages.iter().map(Vec::len).sum();
    let threads = spawn_workers(stages, &control, events_in)?;
    observer.on_started();
    let lane = recovered.into_lane(store, observer);
    let result = Coordinator::new(config, control.clone(), events, lane, stage_count).drive().await;
    control.abort();
    let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|t| t.join().is_ok())).await;
    if !joined.unwrap_or(false) {
        tracing::error!("a worker thread ended in a panic");
    }
    result.map(|epoch| Summary { epoch, generation, rows: control.rows() })
}

fn spawn_workers(
    stages: Vec<Vec<Stage>>,
    control: &Arc<Control>,
    events: mpsc::Sender<Event>,
) -> Result<Vec<std::thread::JoinHandle<()>>> {
    let spawn = |(i, stages)| {
        let worker = Worker { steps: Steps::new(stages), control: control.clone(), events: events.clone() };
        std::thread::Builder::new().name(format!("worker-{i}")).spawn(move || worker.run()).map_err(|e| {
            Error::transient("a worker thread could not be started; is the process limit reached?").because(e)
        })
    };
    stages.into_iter().enumerate().map(spawn).collect()
}
