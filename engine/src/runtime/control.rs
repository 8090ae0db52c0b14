//! What coordinator and workers tell each other: barrier requests go down through atomics, reports come up through a bounded channel.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::commit::CommitLane;
use crate::error::Error;
use crate::frame::{Barrier, BarrierKind};
use crate::graph::NodeId;
use crate::sink::PrepareFuture;
use crate::source::{Position, Positions};
use crate::state::{Frozen, Snapshot};

/// Asks a running graph to stop after a last epoch. Cheap to clone; safe to call from a signal handler's thread.
#[derive(Debug, Clone, Default)]
pub struct StopHandle {
    stop: Arc<AtomicBool>,
}

impl StopHandle {
    /// Asks to stop: what was read is committed, then the run ends.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// True once somebody has asked.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// The coordinator's wishes, read by all workers between batches.
///
/// One barrier is under way at a time: the coordinator writes the next one only after all stages have reported the last.
#[derive(Default)]
pub(super) struct Control {
    sequence: AtomicU64,
    epoch: AtomicU64,
    durable: AtomicBool,
    last: AtomicBool,
    abort: AtomicBool,
    /// For each node: shall the next snapshot be a full one?
    full: Vec<AtomicBool>,
    /// Rows that sources have given since the start.
    rows: AtomicU64,
    /// Sources give nothing more once they have given so many rows.
    rows_max: AtomicU64,
    acknowledged: Mutex<Arc<Positions>>,
    acknowledged_epoch: AtomicU64,
}

impl Control {
    pub fn new(nodes: usize) -> Self {
        Self { full: (0..nodes).map(|_| AtomicBool::new(true)).collect(), ..Self::default() }
    }

    fn request(&self, barrier: Barrier) {
        self.epoch.store(barrier.epoch, Ordering::Relaxed);
        self.durable.store(barrier.kind == BarrierKind::Epoch, Ordering::Relaxed);
        self.last.store(barrier.last, Ordering::Relaxed);
        self.sequence.store(barrier.sequence, Ordering::Release);
    }

    /// Asks for a barrier that is due. An epoch comes when nothing is being committed: the lane then says which snapshots
    /// are full. Until the next one sources give no more than `rows_max` rows in all.
    pub fn ask(&self, barrier: Barrier, rows_max: u64, lane: Option<&CommitLane>) {
        self.set_rows_max(rows_max);
        if let Some(lane) = lane.filter(|_| barrier.kind == BarrierKind::Epoch) {
            lane.choose_modes(self);
        }
        self.request(barrier);
    }

    /// The barrier that a source which has passed `seen` must send now.
    pub fn requested(&self, seen: u64) -> Option<Barrier> {
        let sequence = self.sequence.load(Ordering::Acquire);
        (sequence > seen).then(|| Barrier {
            epoch: self.epoch.load(Ordering::Relaxed),
            sequence,
            kind: if self.durable.load(Ordering::Relaxed) { BarrierKind::Epoch } else { BarrierKind::Tick },
            last: self.last.load(Ordering::Relaxed),
        })
    }

    pub fn set_full(&self, node: NodeId, full: bool) {
        self.full[node.0].store(full, Ordering::Release);
    }

    pub fn wants_full(&self, node: NodeId) -> bool {
        self.full[node.0].load(Ordering::Acquire)
    }

    pub fn add_rows(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// From now on sources wait when they have given so many rows since the start.
    pub fn set_rows_max(&self, rows: u64) {
        self.rows_max.store(rows, Ordering::Relaxed);
    }

    /// False while sources shall wait: the epochs before must be committed first.
    pub fn may_read(&self) -> bool {
        self.rows() < self.rows_max.load(Ordering::Relaxed)
    }

    pub fn abort(&self) {
        self.abort.store(true, Ordering::Release);
    }

    pub fn is_aborted(&self) -> bool {
        self.abort.load(Ordering::Acquire)
    }

    pub fn acknowledge(&self, epoch: u64, positions: Positions) {
        *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(positions);
        self.acknowledged_epoch.store(epoch, Ordering::Release);
    }

    /// Positions made durable by an epoch newer than `seen`.
    pub fn acknowledged(&self, seen: u64) -> Option<(u64, Arc<Positions>)> {
        let epoch = self.acknowledged_epoch.load(Ordering::Acquire);
        (epoch > seen).then(|| (epoch, self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

/// What one node hands over when an epoch ends.
pub(super) enum NodeReport {
    Position(NodeId, Position),
    State { node: NodeId, full: bool, snapshot: Snapshot, frozen: Option<Frozen> },
    Prepared(NodeId, PrepareFuture),
}

/// What workers report.
pub(super) enum Event {
    /// A stage has passed a barrier.
    StageDone { barrier: Barrier, reports: Vec<NodeReport> },
    /// All sources of a worker are at their end.
    SourcesEnded,
    /// A worker has failed; the run is over.
    Failed(Error),
}
