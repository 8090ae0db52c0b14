//! Decides when the streams are cut, and hands complete epochs to the commit lane.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::commit::{CommitLane, Epoch};
use super::control::{Control, Event, NodeReport};
use super::run::RunConfig;
use crate::error::{Error, Result};
use crate::frame::{Barrier, BarrierKind};

/// Sources wait once they have given this many epochs' rows since the newest barrier, because the epochs before are still
/// being committed.
pub(super) const EPOCHS_AHEAD_MAX: u64 = 2;
/// How often the coordinator looks whether a barrier is due, when nothing else wakes it.
const LOOK_MS: u64 = 5;
/// How long a run that has failed waits for the commit that is under way, in seconds.
const COMMIT_WAIT_MAX_S: u64 = 60;
/// How long it waits for such a commit to be gone once it is given up, in seconds.
const COMMIT_ABORT_WAIT_MAX_S: u64 = 5;

pub(super) struct Coordinator {
    config: RunConfig,
    control: Arc<Control>,
    events: mpsc::Receiver<Event>,
    /// At home while no epoch is being committed.
    lane: Option<CommitLane>,
    committing: Option<JoinHandle<(CommitLane, Result<()>)>>,
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

/// A barrier that has not passed all stages yet.
struct UnderWay {
    barrier: Barrier,
    done: usize,
    reports: Vec<NodeReport>,
    since: Instant,
    rows: u64,
}

impl Coordinator {
    pub fn new(
        config: RunConfig,
        control: Arc<Control>,
        events: mpsc::Receiver<Event>,
        lane: CommitLane,
        stages: usize,
    ) -> Self {
        let now = Instant::now();
        control.set_rows_max(EPOCHS_AHEAD_MAX * config.epoch_rows_max);
        Self {
            epoch: lane.epoch() + 1,
            config,
            control,
            events,
            lane: Some(lane),
            committing: None,
            stages,
            under_way: None,
            sequence: 0,
            workers_ended: 0,
            last_tick: now,
            last_epoch: now,
            rows_at_tick: 0,
            rows_at_epoch: 0,
            finished: false,
        }
    }

    /// Runs until the last epoch is committed. Returns the newest committed epoch.
    ///
    /// When it returns, nothing is being committed any more: the next start would be fenced by a commit that is still
    /// under way, or commit beside it.
    pub async fn drive(mut self) -> Result<u64> {
        let result = self.cut_until_the_end().await;
        if result.is_err() {
            self.control.abort();
            self.wait_for_commit().await;
        }
        result
    }

    /// Waits until the commit that is under way is over, one way or another; what becomes of it, the next start finds out.
    async fn wait_for_commit(&mut self) {
        let Some(mut task) = self.committing.take() else { return };
        match tokio::time::timeout(Duration::from_secs(COMMIT_WAIT_MAX_S), &mut task).await {
            Ok(Ok((_, Ok(())))) => tracing::debug!("the commit that was under way when the run failed is done"),
            Ok(Ok((_, Err(e)))) => {
                tracing::warn!("the commit that was under way when the run failed has failed too: {e}")
            }
            Ok(Err(e)) => tracing::error!("the commit that was under way when the run failed panicked: {e}"),
            Err(_) => {
                tracing::warn!(
                    "the commit that was under way when the run failed is given up after {COMMIT_WAIT_MAX_S} s"
                );
                task.abort();
                // It ends where it next waits; a commit that never does is left behind.
                let _ = tokio::time::timeout(Duration::from_secs(COMMIT_ABORT_WAIT_MAX_S), task).await;
            }
        }
    }

    async fn cut_until_the_end(&mut self) -> Result<u64> {
        let mut look = tokio::time::interval(Duration::from_millis(LOOK_MS));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Once the last barrier has passed, the workers are gone and only the commit is left to wait for.
                event = self.events.recv(), if !self.finished => match event {
                    Some(event) => self.on_event(event)?,
                    None => return Err(Error::bug("all workers have stopped before the last epoch")),
                },
                _ = look.tick() => {}
            }
            self.collect_commit().await?;
            if self.finished && self.committing.is_none() {
                return Ok(self.lane.as_ref().map_or(0, CommitLane::epoch));
            }
            self.request_barrier();
        }
    }

    fn on_event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Failed(error) => return Err(error),
            Event::SourcesEnded => self.workers_ended += 1,
            Event::StageDone { barrier, reports } => {
                let under_way = self.under_way.as_mut().filter(|u| u.barrier == barrier);
                let under_way = under_way.ok_or_else(|| Error::bug("a stage passed a barrier nobody asked for"))?;
                under_way.done += 1;
                under_way.reports.extend(reports);
                if under_way.done == self.stages {
                    self.barrier_done()?;
                }
            }
        }
        Ok(())
    }

    fn barrier_done(&mut self) -> Result<()> {
        let Some(done) = self.under_way.take() else { return Ok(()) };
        if done.barrier.kind == BarrierKind::Epoch {
            let lane = self.lane.take().ok_or_else(|| Error::bug("two epochs are being committed at once"))?;
            let epoch = Epoch { barrier: done.barrier, reports: done.reports, rows: done.rows, since: done.since };
            self.committing = Some(tokio::spawn(lane.commit(epoch, self.control.clone())));
            self.finished = done.barrier.last;
            self.epoch += 1;
        }
        Ok(())
    }

    async fn collect_commit(&mut self) -> Result<()> {
        let Some(task) = self.committing.take_if(|t| t.is_finished()) else { return Ok(()) };
        let (lane, result) = task.await.map_err(|e| Error::bug("committing an epoch panicked").because(e))?;
        self.lane = Some(lane);
        result
    }

    fn request_barrier(&mut self) {
        if self.under_way.is_some() || self.finished {
            return;
        }
        let rows = self.control.rows();
        let ending = self.config.stop.is_stopped() || self.workers_ended == self.config.workers;
        let free = self.lane.is_some();
        let wanted = rows > self.rows_at_epoch || self.lane.as_ref().is_some_and(CommitLane::wants_epoch);
        let epoch_due = wanted && self.last_epoch.elapsed() >= self.config.epoch
            || rows - self.rows_at_epoch >= self.config.epoch_rows_max;
        let tick_due = rows > self.rows_at_tick && self.last_tick.elapsed() >= self.config.tick;
        let kind = if free && (ending || epoch_due) {
            BarrierKind::Epoch
        } else if tick_due && !ending {
            BarrierKind::Tick
        } else {
            return;
        };
        let now = Instant::now();
        self.sequence += 1;
        self.last_tick = now;
        self.rows_at_tick = rows;
        if kind == BarrierKind::Epoch {
            self.last_epoch = now;
            self.rows_at_epoch = rows;
            self.control.set_rows_max(rows + EPOCHS_AHEAD_MAX * self.config.epoch_rows_max);
            if let Some(lane) = &self.lane {
                lane.choose_modes(&self.control);
            }
        }
        let barrier =
            Barrier { epoch: self.epoch, sequence: self.sequence, kind, last: ending && kind == BarrierKind::Epoch };
        self.under_way = Some(UnderWay { barrier, done: 0, reports: vec![], since: now, rows });
        self.control.request(barrier);
    }
}
