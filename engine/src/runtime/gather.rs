//! Nodes whose rows are all on one worker, because they are gathered there.

use crate::error::Result;
use crate::frame::{BarrierKind, Batch};
use crate::graph::{Exchange, Graph, Node};
use crate::operator::{Emitter, Operator};
use crate::state::{Frozen, Restored, Share, Snapshot, SnapshotMode};

/// The worker to which a node's gathered input goes.
pub(super) fn gathers_on(node: &Node, workers: usize) -> usize {
    (crate::state::key_hash(node.name.as_bytes()) % workers as u64) as usize
}

/// For each node the worker on which all its rows are; none where they are shared out.
///
/// A node is at home on one worker when each of its inputs is gathered, or stays on its worker and comes from a node that
/// is at home there.
pub(super) fn homes(graph: &Graph, workers: usize) -> Vec<Option<usize>> {
    let mut homes: Vec<Option<usize>> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let mut of_inputs = node.inputs.iter().map(|input| match input.exchange {
            Exchange::Gather => Some(gathers_on(node, workers)),
            Exchange::Forward => homes[input.from.0],
            Exchange::Hash(_) => None,
        });
        let first = of_inputs.next().flatten();
        homes.push(if of_inputs.all(|home| home == first) { first } else { None });
    }
    homes
}

/// An operator with a home: the instance there gets all of the state back, the others none, whatever the keys' hashes.
pub(super) struct AtHome {
    operator: Box<dyn Operator>,
    here: bool,
}

impl AtHome {
    /// `here` is true for the instance on the worker where the rows are.
    pub fn new(operator: Box<dyn Operator>, here: bool) -> Self {
        Self { operator, here }
    }
}

impl Operator for AtHome {
    fn begin_epoch(&mut self, epoch: u64) {
        self.operator.begin_epoch(epoch);
    }

    fn on_batch(&mut self, input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        self.operator.on_batch(input, batch, out)
    }

    fn on_barrier(&mut self, watermark: Option<i64>, out: &mut Emitter<'_>) -> Result<()> {
        self.operator.on_barrier(watermark, out)
    }

    fn own_watermark(&mut self, barrier: BarrierKind) -> Option<i64> {
        self.operator.own_watermark(barrier)
    }

    fn freeze(&mut self, watermark: i64) -> Result<Option<Frozen>> {
        self.operator.freeze(watermark)
    }

    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        self.operator.snapshot(mode)
    }

    fn state_only_grows(&self) -> bool {
        self.operator.state_only_grows()
    }

    fn restore(&mut self, state: Restored) -> Result<()> {
        if !self.here {
            return Ok(());
        }
        self.operator.restore(Restored { share: Share { worker: 0, workers: 1 }, ..state })
    }

    fn state_bytes(&self) -> usize {
        self.operator.state_bytes()
    }
}
