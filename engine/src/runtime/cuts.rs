//! When the streams are cut, and which barrier is under way: arithmetic only. Time is told to it and nothing waits in it,
//! so that a clock on the wall and a simulated one drive the same decisions.

use std::time::Instant;

use super::commit::Epoch;
use super::control::{Event, NodeReport};
use super::run::RunConfig;
use crate::error::{Error, Result};
use crate::frame::{Barrier, BarrierKind};

/// Sources wait once they have given this many epochs' rows since the newest epoch's barrier, because the epochs before are
/// still being committed.
pub(super) const EPOCHS_AHEAD_MAX: u64 = 2;

/// A barrier that has not passed all stages yet.
struct UnderWay {
    barrier: Barrier,
    done: usize,
    reports: Vec<NodeReport>,
    since: Instant,
    rows: u64,
}

/// The cuts of one run. One barrier is under way at a time; ticks go on while an epoch is being committed, the next epoch
/// waits for it.
pub(super) struct Cuts {
    config: RunConfig,
    stages: usize,
    under_way: Option<UnderWay>,
    sequence: u64,
    epoch: u64,
    workers_ended: usize,
    last_tick: Instant,
    last_epoch: Instant,
    rows_at_tick: u64,
    rows_at_epoch: u64,
    finished: bool,
}

impl Cuts {
    /// The cuts of a run with so many stages on all workers together, whose first epoch is `epoch`.
    pub fn new(config: RunConfig, epoch: u64, stages: usize, now: Instant) -> Self {
        Self {
            config,
            stages,
            under_way: None,
            sequence: 0,
            epoch,
            workers_ended: 0,
            last_tick: now,
            last_epoch: now,
            rows_at_tick: 0,
            rows_at_epoch: 0,
            finished: false,
        }
    }

    /// How many rows the sources may have given, since the start, before the next epoch's barrier.
    pub fn rows_max(&self) -> u64 {
        self.rows_at_epoch + EPOCHS_AHEAD_MAX * self.config.epoch_rows_max
    }

    /// True once the last barrier has passed everywhere: only its commit is left to wait for.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the run may go on: one that makes a part anew cannot end before its time.
    ///
    /// # Errors
    /// `Transient` when it is stopped.
    pub fn refuse_if_stopped(&self) -> Result<()> {
        let is_early = self.config.rebuild.is_some() && self.under_way.is_none() && !self.finished;
        if is_early && self.config.stop.is_stopped() {
            let what =
                "the run was stopped while tables were rebuilt; nothing has changed, and the next start rebuilds them";
            return Err(Error::transient(what));
        }
        Ok(())
    }

    /// Takes a worker's report; gives the epoch that it completes.
    pub fn on_event(&mut self, event: Event) -> Result<Option<Epoch>> {
        match event {
            Event::Failed(error) => return Err(error),
            Event::SourcesEnded => self.workers_ended += 1,
            Event::StageDone { barrier, reports } => {
                let under_way = self.under_way.as_mut().filter(|u| u.barrier == barrier);
                let under_way = under_way.ok_or_else(|| Error::bug("a stage passed a barrier nobody asked for"))?;
                under_way.done += 1;
                under_way.reports.extend(reports);
                if under_way.done == self.stages {
                    return Ok(self.barrier_done());
                }
            }
        }
        Ok(None)
    }

    fn barrier_done(&mut self) -> Option<Epoch> {
        let done = self.under_way.take().filter(|done| done.barrier.kind == BarrierKind::Epoch)?;
        self.finished = done.barrier.last;
        self.epoch += 1;
        Some(Epoch { barrier: done.barrier, reports: done.reports, rows: done.rows, since: done.since })
    }

    /// The barrier that is due `now`, if one is; it is under way from now on. `rows` have come from the sources so far.
    /// `free` is false while an epoch is being committed; `wanted` is true when somebody wants an epoch, though no rows
    /// may have come.
    pub fn next(&mut self, now: Instant, rows: u64, free: bool, wanted: bool) -> Option<Barrier> {
        if self.under_way.is_some() || self.finished {
            return None;
        }
        // Half of a table that is made anew must not be committed: who is stopped then, fails.
        let stopped = self.config.rebuild.is_none() && self.config.stop.is_stopped();
        let ending = stopped || self.workers_ended == self.config.workers;
        let wanted = rows > self.rows_at_epoch || wanted;
        let epoch_due = wanted && now.saturating_duration_since(self.last_epoch) >= self.config.epoch
            || rows - self.rows_at_epoch >= self.config.epoch_rows_max;
        let tick_due = rows > self.rows_at_tick && now.saturating_duration_since(self.last_tick) >= self.config.tick;
        let kind = if free && (ending || epoch_due) {
            BarrierKind::Epoch
        } else if tick_due && !ending {
            BarrierKind::Tick
        } else {
            return None;
        };
        self.sequence += 1;
        self.last_tick = now;
        self.rows_at_tick = rows;
        if kind == BarrierKind::Epoch {
            self.last_epoch = now;
            self.rows_at_epoch = rows;
        }
        let last = ending && kind == BarrierKind::Epoch;
        let barrier = Barrier { epoch: self.epoch, sequence: self.sequence, kind, last };
        self.under_way = Some(UnderWay { barrier, done: 0, reports: vec![], since: now, rows });
        Some(barrier)
    }
}
