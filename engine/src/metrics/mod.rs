//! Counters of a run: updated once for each batch, read by whoever shows them.

mod catalog;
mod waits;

pub use catalog::{CATALOG, MetricKind, MetricSpec};
pub use waits::{Waiting, Waits};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is counted for a node's instance on one worker.
#[derive(Debug, Default)]
pub struct NodeMetrics {
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    state_bytes: AtomicU64,
    lag_rows: AtomicU64,
}

impl NodeMetrics {
    pub(crate) fn rows_in(&self, rows: usize) {
        self.rows_in.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn rows_out(&self, rows: usize) {
        self.rows_out.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn set_state_bytes(&self, bytes: usize) {
        self.state_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn set_lag(&self, rows: u64) {
        self.lag_rows.store(rows, Ordering::Relaxed);
    }

    /// The numbers now.
    pub fn read(&self) -> NodeCounts {
        NodeCounts {
            rows_in: self.rows_in.load(Ordering::Relaxed),
            rows_out: self.rows_out.load(Ordering::Relaxed),
            state_bytes: self.state_bytes.load(Ordering::Relaxed),
            lag_rows: self.lag_rows.load(Ordering::Relaxed),
        }
    }
}

/// The numbers of a node at a moment: for [`Metrics::nodes`], summed over its instances on all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeCounts {
    /// Rows that came in (for a source: that it gave).
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Bytes of state or buffers.
    pub state_bytes: u64,
    /// Rows that wait in a source.
    pub lag_rows: u64,
}

/// A node's counters by worker. What goes up and down (state, lag) is set by each instance and not added to, so each has
/// its own.
type Instances = BTreeMap<usize, Arc<NodeMetrics>>;

/// All counters of a run. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    nodes: Arc<Mutex<BTreeMap<String, Instances>>>,
    refresh_failures: Arc<Mutex<BTreeMap<String, u64>>>,
    run: Arc<RunMetrics>,
    waits: Waits,
}

/// Counters of the run as a whole.
#[derive(Debug, Default)]
pub struct RunMetrics {
    /// The newest committed epoch.
    pub epoch: AtomicU64,
    /// Which start of the pipeline this is.
    pub generation: AtomicU64,
    /// Epochs committed since the start of this process.
    pub epochs_committed: AtomicU64,
    /// Milliseconds that the newest commit took, from barrier to last table.
    pub commit_millis: AtomicU64,
    /// Bytes of state written since the start of this process.
    pub snapshot_bytes: AtomicU64,
    /// How often rows came so late that state had to be read back, since the start of this process.
    pub thaws: AtomicU64,
}

impl Metrics {
    /// The counters of a node's instance on a worker, made at the first call.
    pub fn instance(&self, node: &str, worker: usize) -> Arc<NodeMetrics> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.entry(node.to_owned()).or_default().entry(worker).or_default().clone()
    }

    /// The counters of the run.
    pub fn run(&self) -> &RunMetrics {
        &self.run
    }

    /// Counts failed refreshes of a model; from the first call on, also with 0, the model is shown.
    pub fn refresh_failures(&self, model: &str, failures: u64) {
        let mut counts = self.refresh_failures.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(model.to_owned()).or_default() += failures;
    }

    /// How many refreshes of each model have failed since the start of this process.
    pub fn refresh_failure_counts(&self) -> BTreeMap<String, u64> {
        self.refresh_failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the run waits for.
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// The numbers of all nodes now, by name.
    pub fn nodes(&self) -> BTreeMap<String, NodeCounts> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.iter().map(|(name, instances)| (name.clone(), sum(instances))).collect()
    }
}

fn sum(instances: &Instances) -> NodeCounts {
    instances.values().map(|instance| instance.read()).fold(NodeCounts::default(), |sum, counts| NodeCounts {
        rows_in: sum.rows_in + counts.rows_in,
        rows_out: sum.rows_out + counts.rows_out,
        state_bytes: sum.state_bytes + counts.state_bytes,
        lag_rows: sum.lag_rows + counts.lag_rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// State and lag of a node are those of all its instances together, and the last word of each counts.
    #[test]
    fn a_node_is_the_sum_of_its_instances() {
        let metrics = Metrics::default();
        let (first, second) = (metrics.instance("n", 0), metrics.instance("n", 1));
        for (bytes, lag) in [(100, 7), (10, 1)] {
            first.set_state_bytes(bytes);
            first.set_lag(lag);
        }
        second.set_state_bytes(5);
        second.set_lag(2);
        second.rows_in(3);
        metrics.instance("n", 0).rows_in(4);
        let expected = NodeCounts { rows_in: 7, rows_out: 0, state_bytes: 15, lag_rows: 3 };
        assert_eq!(metrics.nodes()["n"], expected);
    }
}
