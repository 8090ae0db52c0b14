//! A stage: all nodes of one level on one worker, stepped as a unit.
//!
//! A step takes one frame from one entry (a source or a ring) and pushes its rows through the whole stage. Barriers are aligned at
//! the entries: an entry that has reached the next barrier is not read until all have; then the barrier goes through
//! the nodes in topological order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::{Control, NodeReport};
use super::edge::OutEdge;
use super::marks::Marks;
use super::shelf::{Shelf, Shelved};
use crate::channel::Ring;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{Barrier, BarrierKind, Batch, Frame};
use crate::graph::NodeId;
use crate::metrics::NodeMetrics;
use crate::operator::{Emitter, Operator};
use crate::sink::Sink;
use crate::source::{Polled, Source};
use crate::state::{Share, SnapshotMode};

/// Longest wait between two tries of a source that reports a transient error, in seconds.
const SOURCE_RETRY_MAX_S: u64 = 5;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Something moved.
    Advanced,
    /// Nothing to do, or no room to put it.
    Blocked,
    /// The last barrier has passed; the stage must not be stepped again.
    Finished,
}

/// A barrier that has passed a stage, and what its nodes hand over.
pub(super) type Passed = (Barrier, Vec<NodeReport>);

/// Where rows of an output port go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Local { slot: usize, input: usize },
    Edge(usize),
}

pub(super) enum NodeRun {
    Source,
    Operator(Box<dyn Operator>),
    Sink(Box<dyn Sink>),
}

/// A node inside a stage.
pub(super) struct Slot {
    pub id: NodeId,
    pub name: String,
    pub run: NodeRun,
    /// Targets by output port.
    pub outputs: Vec<Vec<Target>>,
    pub metrics: Arc<NodeMetrics>,
    /// Which keys are this instance's.
    pub share: Share,
}

impl Slot {
    fn shelved<'a>(&self, shelf: &'a Shelf, worker: usize) -> Shelved<'a> {
        Shelved { shelf, node: self.id, worker, share: self.share }
    }
}

pub(super) enum EntryKind {
    Source { source: Box<dyn Source>, slot: usize, not_before: Option<Instant>, tries: u32 },
    Ring { ring: Ring, slot: usize, input: usize },
}

/// Where frames come into a stage.
pub(super) struct Entry {
    pub kind: EntryKind,
    pub at: Option<Barrier>,
    pub ended: bool,
    pub watermark: Option<i64>,
}

impl Entry {
    pub fn new(kind: EntryKind) -> Self {
        Self { kind, at: None, ended: false, watermark: None }
    }
}

/// A stage on one worker.
pub(super) struct Stage {
    pub entries: Vec<Entry>,
    pub slots: Vec<Slot>,
    pub edges: Vec<OutEdge>,
    pub control: Arc<Control>,
    pub shelf: Arc<Shelf>,
    pub worker: usize,
    /// Rows and bytes that a source may give in one poll.
    pub batch_rows: usize,
    pub batch_bytes: usize,
    pub seen: u64,
    pub acknowledged: u64,
    pub next_entry: usize,
}

impl Stage {
    /// One unit of work at the time `now`. A barrier that has passed is returned with the nodes' reports.
    pub fn step(&mut self, now: Instant) -> Result<(Step, Option<Passed>)> {
        let mut room = true;
        for edge in &mut self.edges {
            room &= edge.drain();
        }
        if !room {
            return Ok((Step::Blocked, None));
        }
        self.acknowledge();
        let mut advanced = false;
        for _ in 0..self.entries.len() {
            let i = self.next_entry;
            self.next_entry = (i + 1) % self.entries.len();
            advanced |= self.step_entry(i, now)?;
            if advanced {
                break;
            }
        }
        if let Some(barrier) = self.aligned()? {
            let reports = self.pass(barrier)?;
            let step = if barrier.last { Step::Finished } else { Step::Advanced };
            return Ok((step, Some((barrier, reports))));
        }
        Ok((if advanced { Step::Advanced } else { Step::Blocked }, None))
    }

    /// True when it has sources.
    pub fn has_sources(&self) -> bool {
        self.entries.iter().any(|e| matches!(e.kind, EntryKind::Source { .. }))
    }

    /// True when all sources of this stage are at their end (false for a stage without sources).
    pub fn sources_ended(&self) -> bool {
        let mut sources = self.entries.iter().filter(|e| matches!(e.kind, EntryKind::Source { .. })).peekable();
        sources.peek().is_some() && sources.all(|e| e.ended)
    }

    /// True when everything that was sent has found room in the rings.
    pub fn drained(&mut self) -> bool {
        self.edges.iter_mut().all(OutEdge::drain)
    }

    fn step_entry(&mut self, i: usize, now: Instant) -> Result<bool> {
        let entry = &mut self.entries[i];
        if entry.at.is_some() {
            return Ok(false);
        }
        let (target, batch) = match &mut entry.kind {
            EntryKind::Source { source, slot, not_before, tries } => {
                if let Some(barrier) = self.control.requested(self.seen) {
                    entry.at = Some(barrier);
                    entry.watermark = source.watermark();
                    return Ok(true);
                }
                if entry.ended || !self.control.may_read() || not_before.is_some_and(|t| now < t) {
                    return Ok(false);
                }
                match source.poll(self.batch_rows, self.batch_bytes) {
                    Ok(Polled::Batch(batch)) => {
                        *tries = 0;
                        *not_before = None;
                        self.control.add_rows(batch.len());
                        (*slot, batch)
                    }
                    Ok(Polled::Idle) => return Ok(false),
                    Ok(Polled::End) => {
                        entry.ended = true;
                        return Ok(true);
                    }
                    Err(e) if e.kind() == ErrorKind::Transient => {
                        let wait = Duration::from_millis(100u64 << (*tries).min(6))
                            .min(Duration::from_secs(SOURCE_RETRY_MAX_S));
                        tracing::warn!(source = %self.slots[*slot].name, "{e}; trying again in {wait:?}");
                        *tries += 1;
                        *not_before = Some(now + wait);
                        return Ok(false);
                    }
                    Err(e) => return Err(e.at(format!("source {:?}", self.slots[*slot].name))),
                }
            }
            EntryKind::Ring { ring, slot, input } => match ring.pop() {
                Some(Frame::Data(batch)) => {
                    let target = Target::Local { slot: *slot, input: *input };
                    self.deliver(vec![(target, batch)])?;
                    return Ok(true);
                }
                Some(Frame::Watermark(t)) => {
                    entry.watermark = Some(t);
                    return Ok(true);
                }
                Some(Frame::Barrier(barrier)) => {
                    entry.at = Some(barrier);
                    return Ok(true);
                }
                Some(Frame::End) => {
                    entry.ended = true;
                    return Ok(true);
                }
                None => return Ok(false),
            },
        };
        self.slots[target].metrics.rows_in(batch.len());
        self.fan_out(target, vec![(0, batch)])?;
        Ok(true)
    }

    /// The barrier that all entries have reached.
    fn aligned(&mut self) -> Result<Option<Barrier>> {
        let Some(first) = self.entries.first().and_then(|e| e.at) else { return Ok(None) };
        for entry in &self.entries {
            match entry.at {
                None => return Ok(None),
                Some(b) if b != first => {
                    return Err(Error::bug(format!("barriers {first:?} and {b:?} met in a stage")));
                }
                Some(_) => {}
            }
        }
        Ok(Some(first))
    }

    fn pass(&mut self, barrier: Barrier) -> Result<Vec<NodeReport>> {
        let mut marks = Marks::of(&self.entries, self.slots.len(), self.edges.len());
        let epoch_ends = barrier.kind == BarrierKind::Epoch;
        let mut reports = Vec::new();
        for slot in 0..self.slots.len() {
            if let Some(report) = self.pass_slot(slot, barrier, &mut marks)? {
                reports.push(report);
            }
        }
        if epoch_ends {
            for entry in &self.entries {
                if let EntryKind::Source { source, slot, .. } = &entry.kind {
                    reports.push(NodeReport::Position(self.slots[*slot].id, source.position()));
                }
            }
        }
        for (i, edge) in self.edges.iter_mut().enumerate() {
            if let Some(t) = marks.of_edge(i) {
                edge.broadcast(Frame::Watermark(t));
            }
            edge.broadcast(Frame::Barrier(barrier));
            if barrier.last {
                edge.broadcast(Frame::End);
            }
        }
        if epoch_ends {
            self.begin_epoch(barrier.epoch + 1);
        }
        self.seen = barrier.sequence;
        self.entries.iter_mut().for_each(|e| e.at = None);
        Ok(reports)
    }

    /// Tells the operators which epoch the next rows belong to.
    pub fn begin_epoch(&mut self, epoch: u64) {
        for slot in &mut self.slots {
            if let NodeRun::Operator(operator) = &mut slot.run {
                operator.begin_epoch(epoch);
            }
        }
    }

    fn pass_slot(&mut self, index: usize, barrier: Barrier, marks: &mut Marks) -> Result<Option<NodeReport>> {
        let epoch_ends = barrier.kind == BarrierKind::Epoch;
        let slot = &mut self.slots[index];
        let cold = slot.shelved(&self.shelf, self.worker);
        let named = |e: Error| e.at(format!("node {:?}", slot.name));
        match &mut slot.run {
            NodeRun::Source => {
                marks.pass_on(index, slot, None);
                Ok(None)
            }
            NodeRun::Sink(sink) => {
                sink.flush(barrier.epoch, barrier.sequence).map_err(named)?;
                if !epoch_ends {
                    return Ok(None);
                }
                slot.metrics.set_state_bytes(sink.memory_bytes());
                let prepared = sink.prepare(barrier.epoch).map_err(named)?;
                Ok(Some(NodeReport::Prepared(slot.id, prepared)))
            }
            NodeRun::Operator(operator) => {
                let mut sent = Vec::new();
                let watermark = marks.at(index);
                operator.on_barrier(watermark, &mut Emitter::with_cold(&mut sent, &cold)).map_err(named)?;
                let own = operator.own_watermark(barrier.kind);
                let report = if epoch_ends {
                    slot.metrics.set_state_bytes(operator.state_bytes());
                    let full = self.control.wants_full(slot.id) && !operator.state_only_grows();
                    let frozen = match watermark.filter(|_| full) {
                        Some(watermark) => operator.freeze(watermark).map_err(named)?,
                        None => None,
                    };
                    if let Some(frozen) = &frozen {
                        self.shelf.put(slot.id, barrier.epoch, self.worker, frozen);
                    }
                    let mode = if full { SnapshotMode::Full } else { SnapshotMode::Delta };
                    let snapshot = operator.snapshot(mode).map_err(named)?;
                    Some(NodeReport::State { node: slot.id, full, snapshot, frozen })
                } else {
                    None
                };
                marks.pass_on(index, slot, own);
                self.fan_out(index, sent)?;
                Ok(report)
            }
        }
    }

    /// Sends what a node has made to the node's targets, and on through the stage.
    fn fan_out(&mut self, slot: usize, sent: Vec<(usize, Batch)>) -> Result<()> {
        let mut work = Vec::new();
        self.targets(slot, sent, &mut work);
        self.deliver(work)
    }

    fn targets(&self, slot: usize, sent: Vec<(usize, Batch)>, work: &mut impl Extend<(Target, Batch)>) {
        for (port, batch) in sent {
            self.slots[slot].metrics.rows_out(batch.len());
            if let Some(targets) = self.slots[slot].outputs.get(port) {
                work.extend(targets.iter().map(|t| (*t, batch.clone())));
            }
        }
    }

    fn deliver(&mut self, work: Vec<(Target, Batch)>) -> Result<()> {
        let mut work: VecDeque<(Target, Batch)> = work.into();
        while let Some((target, batch)) = work.pop_front() {
            let (index, input) = match target {
                Target::Edge(e) => {
                    self.edges[e].send(batch)?;
                    continue;
                }
                Target::Local { slot, input } => (slot, input),
            };
            let slot = &mut self.slots[index];
            slot.metrics.rows_in(batch.len());
            let cold = slot.shelved(&self.shelf, self.worker);
            let named = |e: Error| e.at(format!("node {:?}", slot.name));
            match &mut slot.run {
                NodeRun::Source => return Err(Error::bug(format!("source {:?} has an input", slot.name))),
                NodeRun::Sink(sink) => sink.write(batch).map_err(named)?,
                NodeRun::Operator(operator) => {
                    let mut sent = Vec::new();
                    operator.on_batch(input, batch, &mut Emitter::with_cold(&mut sent, &cold)).map_err(named)?;
                    self.targets(index, sent, &mut work);
                }
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self) {
        let Some((epoch, positions)) = self.control.acknowledged(self.acknowledged) else { return };
        self.acknowledged = epoch;
        for entry in &mut self.entries {
            if let EntryKind::Source { source, slot, .. } = &mut entry.kind {
                if let Some(position) = positions.get(&self.slots[*slot].name) {
                    source.acknowledge(position);
                }
                if let Some(lag) = source.lag_rows() {
                    self.slots[*slot].metrics.set_lag(lag);
                }
            }
        }
    }
}
