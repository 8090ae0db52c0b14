//! One process: it claims the pipeline, starts a run and moves it, until it ends, fails or crashes.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sluice_engine::runtime::{NoObserver, RunConfig, Stepped, StopHandle, claim};
use sluice_engine::{Error, ErrorKind, Result};

use super::executor::{poll_future, poll_once};
use super::graph::Lake;
use super::store::SimStore;
use super::world::Pid;

/// How a process has ended.
#[derive(Debug)]
pub enum End {
    Done,
    Failed(ErrorKind),
    Crashed,
}

enum State {
    Starting(BoxFuture<'static, Result<Stepped>>),
    Running(Box<Stepped>),
    /// It has failed and waits for the commit that is under way.
    Failing(Box<Stepped>, Error),
    Over,
}

/// A process, alive until [`Process::act`] says how it has ended.
pub struct Process {
    pub pid: Pid,
    pub stop: StopHandle,
    lake: Lake,
    state: State,
}

/// How a process is started.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    pub workers: usize,
    pub batch_rows: usize,
    pub epoch_ms: u64,
    pub until_idle: bool,
}

impl Process {
    pub fn start(lake: &Lake, pid: Pid, start: Start, now: Instant) -> Self {
        lake.world.note(format!("{pid} starts: {start:?}"));
        let config = RunConfig {
            workers: start.workers,
            batch_rows: start.batch_rows,
            tick: Duration::from_millis(2),
            epoch: Duration::from_millis(start.epoch_ms),
            until_idle: start.until_idle,
            ..RunConfig::new("p")
        };
        let (stop, own) = (config.stop.clone(), lake.clone());
        let store = Arc::new(SimStore::new(lake.files.clone(), lake.ledger.clone(), pid, lake.plant));
        let starting = async move {
            let claim = claim(store.as_ref(), "p", "simulation").await?;
            let (generation, epoch) = (claim.generation(), claim.epoch());
            own.world.note(format!("{pid} is run {generation} and begins at epoch {epoch}"));
            let graph = own.graph(pid, generation)?;
            Stepped::start(graph, claim, store, config, Box::new(NoObserver), now).await
        };
        Self { pid, stop, lake: lake.clone(), state: State::Starting(Box::pin(starting)) }
    }

    /// Moves the process a little, as chance says; how it has ended, if it has.
    pub fn act(&mut self, now: Instant) -> Option<End> {
        let end = self.advance(now);
        let end = if self.lake.world.has_crashed(self.pid) { Some(End::Crashed) } else { end };
        if let Some(end) = &end {
            self.lake.world.note(format!("{} ends: {end:?}", self.pid));
            self.state = State::Over;
        }
        end
    }

    fn advance(&mut self, now: Instant) -> Option<End> {
        let world = self.lake.world.clone();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Starting(mut starting) => match poll_future(&world, &mut starting) {
                Poll::Pending => self.state = State::Starting(starting),
                Poll::Ready(Ok(run)) => self.state = State::Running(Box::new(run)),
                Poll::Ready(Err(error)) => return Some(self.failed(&error)),
            },
            State::Running(mut run) => match self.advance_run(&mut run, now) {
                Ok(()) => match run.finished() {
                    Some(summary) => {
                        world.note(format!("{} is done: {summary:?}", self.pid));
                        return Some(End::Done);
                    }
                    None => self.state = State::Running(run),
                },
                Err(error) => self.state = State::Failing(run, error),
            },
            State::Failing(mut run, error) => match poll_once(&world, |cx| run.poll_commit(cx)) {
                Poll::Pending => self.state = State::Failing(run, error),
                Poll::Ready(_) => return Some(self.failed(&error)),
            },
            State::Over => {}
        }
        None
    }

    /// A few steps of a stage or one of each, a look for a cut, or a poll of the commit.
    fn advance_run(&self, run: &mut Stepped, now: Instant) -> Result<()> {
        let world = &self.lake.world;
        match world.random(|r| r.below(10)) {
            0..3 => {
                for (worker, stage) in run.stages() {
                    run.step(worker, stage, now)?;
                }
            }
            3..6 => {
                let stages = run.stages();
                let ((worker, stage), times) = world.random(|r| (r.pick(&stages), 1 + r.below(4)));
                for _ in 0..times {
                    run.step(worker, stage, now)?;
                }
            }
            6..8 => {
                if run.cut(now) {
                    world.note(format!("{} cuts", self.pid));
                }
            }
            _ => {
                if let Poll::Ready(result) = poll_once(world, |cx| run.poll_commit(cx)) {
                    result?;
                }
            }
        }
        Ok(())
    }

    /// An error is one that was simulated, or the word that another run has taken over.
    fn failed(&self, error: &Error) -> End {
        let world = &self.lake.world;
        world.note(format!("{} fails: {error}", self.pid));
        if !matches!(error.kind(), ErrorKind::Transient | ErrorKind::Fenced) && !world.has_crashed(self.pid) {
            world.violation(format!("a run fails: {error}"));
        }
        End::Failed(error.kind())
    }
}
