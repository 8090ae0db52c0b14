//! Drives a run on the wall's clock: asks for the cuts that are due, and hands complete epochs to the commit lane.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::commit::CommitLane;
use super::control::{Control, Event};
use super::cuts::Cuts;
use super::run::RunConfig;
use crate::error::{Error, Result};

/// How often the coordinator looks whether a barrier is due, when nothing else wakes it.
const LOOK_MS: u64 = 5;
/// How long a run that has failed waits for the commit that is under way, in seconds.
const COMMIT_WAIT_MAX_S: u64 = 60;
/// How long it waits for such a commit to be gone once it is given up, in seconds.
const COMMIT_ABORT_WAIT_MAX_S: u64 = 5;

pub(super) struct Coordinator {
    control: Arc<Control>,
    events: mpsc::Receiver<Event>,
    /// At home while no epoch is being committed.
    lane: Option<CommitLane>,
    committing: Option<JoinHandle<(CommitLane, Result<()>)>>,
    cuts: Cuts,
}

impl Coordinator {
    pub fn new(
        config: RunConfig,
        control: Arc<Control>,
        events: mpsc::Receiver<Event>,
        lane: CommitLane,
        stages: usize,
    ) -> Self {
        let cuts = Cuts::new(config, lane.epoch() + 1, stages, Instant::now());
        control.set_rows_max(cuts.rows_max());
        Self { control, events, lane: Some(lane), committing: None, cuts }
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
        } else if let Some(lane) = &mut self.lane {
            lane.end().await;
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
                event = self.events.recv(), if !self.cuts.is_finished() => match event {
                    Some(event) => self.on_event(event)?,
                    None => return Err(Error::bug("all workers have stopped before the last epoch")),
                },
                _ = look.tick() => {}
            }
            self.collect_commit().await?;
            if self.cuts.is_finished() && self.committing.is_none() {
                return Ok(self.lane.as_ref().map_or(0, CommitLane::epoch));
            }
            self.cuts.refuse_if_stopped()?;
            self.request_barrier();
        }
    }

    fn on_event(&mut self, event: Event) -> Result<()> {
        if let Some(epoch) = self.cuts.on_event(event)? {
            let lane = self.lane.take().ok_or_else(|| Error::bug("two epochs are being committed at once"))?;
            self.committing = Some(tokio::spawn(lane.commit(epoch, self.control.clone())));
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
        let wanted = self.lane.as_ref().is_some_and(CommitLane::wants_epoch);
        if let Some(barrier) = self.cuts.next(Instant::now(), self.control.rows(), self.lane.is_some(), wanted) {
            self.control.ask(barrier, self.cuts.rows_max(), self.lane.as_ref());
        }
    }
}
