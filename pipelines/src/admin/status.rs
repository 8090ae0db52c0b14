//! What the server tells: one reading of all counters, from which both `/metrics` and `/status` are written.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sluice_engine::metrics::Metrics;

use super::health::{Health, HealthReport};
use crate::lake::RefreshFailures;

/// What the server reads. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct AdminState {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pipeline: String,
    metrics: Metrics,
    health: Health,
    started: Instant,
    sources: Mutex<Vec<String>>,
    refresh_failures: RefreshFailures,
}

/// The answer of `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Whether it runs, and if not, why.
    pub health: HealthReport,
    /// Seconds since the process began to serve.
    pub uptime_seconds: u64,
    /// Which start of the pipeline this is.
    pub generation: u64,
    /// The newest committed epoch; 0 before the first.
    pub epoch: u64,
    /// Epochs that this process has committed.
    pub epochs_committed: u64,
    /// Milliseconds that the newest commit took.
    pub commit_milliseconds: u64,
    /// Bytes of state that this process has written.
    pub snapshot_bytes: u64,
    /// The models that are refreshed.
    pub refreshed: Vec<RefreshStatus>,
    /// How often rows came so late that state had to be read back.
    pub thaws: u64,
    /// What each source has given and what waits in it.
    pub sources: Vec<SourceStatus>,
    /// What went through each node, the sources included, by name.
    pub nodes: Vec<NodeStatus>,
}

/// A source's part of [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// The node's name.
    pub name: String,
    /// Rows that it has given.
    pub rows: u64,
    /// Rows that wait in it.
    pub lag_rows: u64,
}

/// A refreshed model's part of [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshStatus {
    /// The model's name.
    pub model: String,
    /// Refreshes that failed in this process.
    pub failures: u64,
    /// Why the last one failed; none when it did not.
    pub error: Option<String>,
}

/// A node's part of [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The node's name.
    pub name: String,
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Bytes of state or buffers.
    pub state_bytes: u64,
}

impl AdminState {
    /// The state of a pipeline of this name. `metrics` must be those that the run counts in, in all its restarts.
    pub fn new(pipeline: impl Into<String>, metrics: Metrics) -> Self {
        Self::with_refresh_failures(pipeline, metrics, RefreshFailures::default())
    }

    /// As [`AdminState::new`], for a run that tells which models it could not refresh.
    pub fn with_refresh_failures(
        pipeline: impl Into<String>,
        metrics: Metrics,
        refresh_failures: RefreshFailures,
    ) -> Self {
        let health = Health::new(metrics.clone());
        let (pipeline, started, sources) = (pipeline.into(), Instant::now(), Mutex::default());
        Self { shared: Arc::new(Shared { pipeline, metrics, health, started, sources, refresh_failures }) }
    }

    /// The health, for the daemon to keep.
    pub fn health(&self) -> &Health {
        &self.shared.health
    }

    /// Says which nodes are sources: known once the graph is compiled, and what lag is shown for.
    pub fn set_sources(&self, names: Vec<String>) {
        *self.shared.sources.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// All numbers now.
    pub fn status(&self) -> Status {
        let Shared { pipeline, metrics, health, started, sources, refresh_failures } = self.shared.as_ref();
        let (run, counts, failing) = (metrics.run(), metrics.nodes(), refresh_failures.now());
        let source = |name: &String| {
            let counts = counts.get(name);
            SourceStatus {
                name: name.clone(),
                rows: counts.map_or(0, |c| c.rows_in),
                lag_rows: counts.map_or(0, |c| c.lag_rows),
            }
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pipeline: pipeline.clone(),
            health: health.report(),
            uptime_seconds: started.elapsed().as_secs(),
            generation: run.generation.load(Ordering::Relaxed),
            epoch: run.epoch.load(Ordering::Relaxed),
            epochs_committed: run.epochs_committed.load(Ordering::Relaxed),
            commit_milliseconds: run.commit_millis.load(Ordering::Relaxed),
            snapshot_bytes: run.snapshot_bytes.load(Ordering::Relaxed),
            thaws: run.thaws.load(Ordering::Relaxed),
            refreshed: metrics
                .refresh_failure_counts()
                .into_iter()
                .map(|(model, failures)| {
                    let error = failing.get(&model).map(|f| f.error.clone());
                    RefreshStatus { model, failures, error }
                })
                .collect(),
            sources: sources.lock().unwrap_or_else(PoisonError::into_inner).iter().map(source).collect(),
            nodes: counts
                .iter()
                .map(|(name, c)| NodeStatus {
                    name: name.clone(),
                    rows_in: c.rows_in,
                    rows_out: c.rows_out,
                    state_bytes: c.state_bytes,
                })
                .collect(),
        }
    }
}
