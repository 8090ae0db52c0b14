//! Whether the pipeline runs, and if not, why.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sluice_engine::metrics::Metrics;

/// Longest reason that is kept; an error chain can be long, and a probe's log should not be.
const REASON_CHARS_MAX: usize = 2000;

/// A wait that is shorter is none that anybody must know of.
const WAIT_SHOWN_AFTER: Duration = Duration::from_secs(3);

/// Where the pipeline is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Sources are being opened and state restored: alive, not ready.
    Starting,
    /// Rows flow.
    Ready,
    /// Something outside takes no rows, and the run waits for it: alive, not ready.
    Waiting,
    /// A worker has failed and the restart has not begun: neither alive nor ready.
    Failing,
}

/// A phase, and the reason for it unless all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Where the pipeline is on its way.
    pub phase: Phase,
    /// Why it is not ready; empty when it is.
    pub reason: String,
}

/// The health of one pipeline: the daemon writes it, the probes read it. Cheap to clone.
///
/// The daemon says `starting` before each start and `failing` after each error. It may say `ready`, and must where sources can stay silent;
/// otherwise the first rows or the first epoch since `starting` say so, by the counters of the [`Metrics`] that it was made with.
#[derive(Debug, Clone)]
pub struct Health {
    metrics: Metrics,
    now: Arc<Mutex<Now>>,
}

#[derive(Debug)]
struct Now {
    report: HealthReport,
    /// What the counters said when this phase began: what grew since is this start's work.
    since: Progress,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    rows: u64,
    epochs: u64,
}

impl Health {
    /// A pipeline that has not begun to start. `metrics` must be those of the run, in all its restarts.
    pub fn new(metrics: Metrics) -> Self {
        let report = HealthReport { phase: Phase::Starting, reason: "the pipeline has not been started yet".into() };
        let since = progress(&metrics);
        Self { metrics, now: Arc::new(Mutex::new(Now { report, since })) }
    }

    /// A start or a restart begins; `reason` says what is being waited for.
    pub fn starting(&self, reason: impl Into<String>) {
        self.set(Phase::Starting, reason.into());
    }

    /// The sources are open and rows flow, or would if there were any.
    pub fn ready(&self) {
        self.set(Phase::Ready, String::new());
    }

    /// The run has failed; `reason` is its error.
    pub fn failing(&self, reason: impl Into<String>) {
        self.set(Phase::Failing, reason.into());
    }

    /// The health now.
    pub fn report(&self) -> HealthReport {
        let progress = progress(&self.metrics);
        let mut now = self.lock();
        let flows = progress.rows > now.since.rows || progress.epochs > now.since.epochs;
        if now.report.phase == Phase::Starting && flows {
            now.report = HealthReport { phase: Phase::Ready, reason: String::new() };
        }
        let report = now.report.clone();
        drop(now);
        match self.metrics.waits().longest() {
            Some((waited, what)) if report.phase == Phase::Ready && waited >= WAIT_SHOWN_AFTER => HealthReport {
                phase: Phase::Waiting,
                reason: shortened(&format!("waiting for {what} ({} s now)", waited.as_secs())),
            },
            _ => report,
        }
    }

    fn set(&self, phase: Phase, reason: String) {
        let reason = shortened(&reason);
        let since = progress(&self.metrics);
        *self.lock() = Now { report: HealthReport { phase, reason }, since };
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

fn progress(metrics: &Metrics) -> Progress {
    Progress {
        rows: metrics.nodes().values().map(|n| n.rows_in).sum(),
        epochs: metrics.run().epochs_committed.load(Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(health: &Health) -> Phase {
        health.report().phase
    }

    /// A start becomes ready by itself when an epoch is committed, and a restart has to earn it anew.
    #[test]
    fn an_epoch_makes_ready_once_per_start() {
        let metrics = Metrics::default();
        let health = Health::new(metrics.clone());
        assert_eq!(phase(&health), Phase::Starting);
        metrics.run().epochs_committed.fetch_add(1, Ordering::Relaxed);
        assert_eq!(health.report(), HealthReport { phase: Phase::Ready, reason: String::new() });

        health.failing("kafka is away");
        metrics.run().epochs_committed.fetch_add(1, Ordering::Relaxed);
        assert_eq!(phase(&health), Phase::Failing, "a commit that was under way does not heal a failure");
        health.starting("restoring epoch 2");
        assert_eq!(health.report().reason, "restoring epoch 2");
        assert_eq!(phase(&health), Phase::Starting, "epochs of before the restart count for nothing");
        metrics.run().epochs_committed.fetch_add(1, Ordering::Relaxed);
        assert_eq!(phase(&health), Phase::Ready);
    }

    /// A reason of any length is kept short.
    #[test]
    fn a_reason_is_bounded() {
        let health = Health::new(Metrics::default());
        health.failing("ä".repeat(3 * REASON_CHARS_MAX));
        assert_eq!(health.report().reason.chars().count(), REASON_CHARS_MAX);
    }
}
