//! Where frozen state is: what operators have given away, until it is in the store and from then on.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::checkpoint::{CheckpointStore, ColdSegment, checked_segment};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::NodeId;
use crate::metrics::Metrics;
use crate::state::{Cold, Frozen, Restored, Share, Snapshot};

/// Waits before a piece is read again from a store that is away, in milliseconds; the last one is for the run to end.
const RETRIES_MS: [u64; 6] = [100, 500, 2_000, 5_000, 10_000, 20_000];
/// Looks at the list for a piece that has been moved meanwhile.
const LOOKS_MAX: usize = 3;

#[derive(Clone)]
enum Place {
    /// Of an epoch that is not committed yet, frozen by a worker.
    Fresh {
        epoch: u64,
        worker: usize,
        state: Snapshot,
    },
    Stored(ColdSegment),
}

#[derive(Clone)]
struct Entry {
    first: i64,
    last: i64,
    place: Place,
}

/// The frozen state of all operators, by node; oldest first.
pub(super) struct Shelf {
    nodes: Vec<Mutex<Vec<Entry>>>,
    store: Arc<dyn CheckpointStore>,
    runtime: tokio::runtime::Handle,
    metrics: Metrics,
}

impl Shelf {
    /// A shelf for so many nodes, with nothing on it.
    pub fn new(
        nodes: usize,
        store: Arc<dyn CheckpointStore>,
        runtime: tokio::runtime::Handle,
        metrics: Metrics,
    ) -> Self {
        Self { nodes: (0..nodes).map(|_| Mutex::default()).collect(), store, runtime, metrics }
    }

    fn node(&self, node: NodeId) -> MutexGuard<'_, Vec<Entry>> {
        self.nodes[node.0].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts down what a worker's operator has frozen at the end of an epoch.
    pub fn put(&self, node: NodeId, epoch: u64, worker: usize, frozen: &Frozen) {
        let place = Place::Fresh { epoch, worker, state: frozen.state.clone() };
        self.node(node).push(Entry { first: frozen.first, last: frozen.last, place });
    }

    /// What of a node is in the store, now that `epoch` is committed.
    pub fn settle(&self, node: NodeId, epoch: u64, stored: &[ColdSegment]) {
        let mut entries = self.node(node);
        let later = |e: &Entry| matches!(e.place, Place::Fresh { epoch: of, .. } if of > epoch);
        let later: Vec<Entry> = entries.iter().filter(|e| later(e)).cloned().collect();
        let stored = stored.iter().map(|s| Entry { first: s.first, last: s.last, place: Place::Stored(s.clone()) });
        *entries = stored.chain(later).collect();
    }

    /// The pieces that may hold groups of these times.
    fn pieces(&self, node: NodeId, worker: usize, times: &[i64]) -> Result<Vec<Snapshot>> {
        for _ in 0..LOOKS_MAX {
            let entries = self.node(node).clone();
            let holds = |e: &&Entry| times.get(times.partition_point(|t| *t < e.first)).is_some_and(|t| *t <= e.last);
            let mut pieces = Vec::new();
            let mut moved = false;
            for entry in entries.iter().filter(holds) {
                match &entry.place {
                    // Nobody else's keys are this worker's.
                    Place::Fresh { worker: of, state, .. } if *of == worker => pieces.push(state.clone()),
                    Place::Fresh { .. } => {}
                    Place::Stored(segment) => match self.read(segment)? {
                        Some(piece) => pieces.push(piece),
                        None => moved = true,
                    },
                }
            }
            if !moved {
                return Ok(pieces);
            }
        }
        Err(Error::data("state that has left memory is not in the lake any more: a file below _sluice was deleted"))
    }

    fn read(&self, cold: &ColdSegment) -> Result<Option<Snapshot>> {
        let segment = &cold.segment;
        let range = segment.offset..segment.offset + segment.length;
        let mut waits = RETRIES_MS.iter();
        loop {
            // The store's futures want the runtime's timers and sockets around them.
            let _entered = self.runtime.enter();
            let got = futures::executor::block_on(self.store.get_range(&segment.pack, range.clone()));
            match (got, waits.next()) {
                (Err(e), Some(wait_ms)) if e.kind() == ErrorKind::Transient => {
                    tracing::warn!("state of a late row cannot be read back: {e}; trying again in {wait_ms} ms");
                    std::thread::sleep(Duration::from_millis(*wait_ms));
                }
                (Ok(Some(bytes)), _) => return Snapshot::decode(&checked_segment(bytes, segment)?).map(Some),
                (Ok(None), _) => return Ok(None),
                (Err(e), _) => return Err(e),
            }
        }
    }
}

/// The part of the shelf that an operator's instance sees.
pub(super) struct Shelved<'a> {
    pub shelf: &'a Shelf,
    pub node: NodeId,
    pub worker: usize,
    pub share: Share,
}

impl Cold for Shelved<'_> {
    fn thaw(&self, times: &[i64]) -> Result<Restored> {
        self.shelf.metrics.run().thaws.fetch_add(1, Ordering::Relaxed);
        let pieces = self.shelf.pieces(self.node, self.worker, times)?;
        Ok(Restored { pieces, share: self.share, cold_until: None })
    }
}
