//! A run that nothing drives but its owner: the same stages, cuts and commits as in [`run`](super::run), on the caller's
//! thread, in the caller's order and time. For simulation.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::{BoxFuture, FutureExt};

use super::commit::CommitLane;
use super::control::{Control, Event};
use super::cuts::Cuts;
use super::observer::Observer;
use super::run::{Claim, RunConfig, Summary};
use super::start::Recovered;
use super::steps::Steps;
use crate::checkpoint::CheckpointStore;
use crate::error::{Error, Result};
use crate::graph::Graph;

/// A started run that is moved by hand: its owner steps the stages, looks for cuts and polls the commit, each when it likes.
///
/// Dropping it is a crash. An error of any method is the end of the run; a run that ends by itself still polls the commit
/// that is under way to its end, as [`run`](super::run) does.
pub struct Stepped {
    workers: Vec<Steps>,
    control: Arc<Control>,
    cuts: Cuts,
    generation: u64,
    /// At home while no epoch is being committed.
    lane: Option<CommitLane>,
    committing: Option<BoxFuture<'static, (CommitLane, Result<()>)>>,
}

impl Stepped {
    /// Recovers and builds a graph, as `run` does before it starts its threads. `now` is the run's beginning.
    ///
    /// # Errors
    /// As `run`.
    ///
    /// # Panics
    /// Outside of a tokio runtime: sinks are given its handle, and state is encoded on its threads.
    pub async fn start(
        graph: Graph,
        claim: Claim,
        store: Arc<dyn CheckpointStore>,
        config: RunConfig,
        mut observer: Box<dyn Observer>,
        now: Instant,
    ) -> Result<Stepped> {
        let mut recovered = Recovered::of(graph, claim, &store, config).await?;
        let stages = recovered.build(tokio::runtime::Handle::current())?;
        observer.on_started();
        let (control, generation, config) = (recovered.control.clone(), recovered.generation, recovered.config.clone());
        let lane = recovered.into_lane(store, observer);
        let cuts = Cuts::new(config, lane.epoch() + 1, stages.iter().map(Vec::len).sum(), now);
        control.set_rows_max(cuts.rows_max());
        let workers = stages.into_iter().map(Steps::new).collect();
        Ok(Stepped { workers, control, cuts, generation, lane: Some(lane), committing: None })
    }

    /// How many stages there are: worker and stage of each.
    pub fn stages(&self) -> Vec<(usize, usize)> {
        let of = |(worker, steps): (usize, &Steps)| (0..steps.len()).map(move |stage| (worker, stage));
        self.workers.iter().enumerate().flat_map(of).collect()
    }

    /// One unit of work of a stage of a worker; true when something moved.
    ///
    /// # Errors
    /// What sources, operators and sinks report.
    pub fn step(&mut self, worker: usize, stage: usize, now: Instant) -> Result<bool> {
        let steps = &mut self.workers[worker];
        let (moved, passed) = steps.step(stage, now)?;
        for event in [passed, steps.ended()].into_iter().flatten() {
            self.on_event(event)?;
        }
        Ok(moved)
    }

    /// Asks for the barrier that is due `now`; true when one is.
    pub fn cut(&mut self, now: Instant) -> bool {
        let wanted = self.lane.as_ref().is_some_and(CommitLane::wants_epoch);
        let due = self.cuts.next(now, self.control.rows(), self.lane.is_some(), wanted);
        due.inspect(|barrier| self.control.ask(*barrier, self.cuts.rows_max(), self.lane.as_ref())).is_some()
    }

    /// Moves the commit that is under way; ready when there is none or it is done.
    ///
    /// # Errors
    /// What the commit reports.
    pub fn poll_commit(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(committing) = &mut self.committing else { return Poll::Ready(Ok(())) };
        let Poll::Ready((lane, result)) = committing.poll_unpin(cx) else { return Poll::Pending };
        self.committing = None;
        self.lane = Some(lane);
        Poll::Ready(result)
    }

    /// True while an epoch is being committed.
    pub fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// What the run has done, once its last epoch is committed.
    pub fn finished(&self) -> Option<Summary> {
        let lane = self.lane.as_ref().filter(|_| self.cuts.is_finished())?;
        Some(Summary { epoch: lane.epoch(), generation: self.generation, rows: self.control.rows() })
    }

    fn on_event(&mut self, event: Event) -> Result<()> {
        if let Some(epoch) = self.cuts.on_event(event)? {
            let lane = self.lane.take().ok_or_else(|| Error::bug("two epochs are being committed at once"))?;
            self.committing = Some(lane.commit(epoch, self.control.clone()).boxed());
        }
        Ok(())
    }
}
