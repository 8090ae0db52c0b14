//! One run of the simulator for all the sources of a graph.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use sluice_engine::{Error, Result};

use super::config::SimulatorConfig;
use super::error::SimulatorError;
use super::feed::{Fed, Feed};
use super::identity::Identity;
use super::options::Options;
use super::pace::Pace;
use super::queues::{Queues, Seat};
use super::run::Simulator;

/// Partitions of a stream.
const PARTITIONS_MAX: u32 = 4_096;
/// A poll makes records for so long at most.
const POLL_MS_MAX: u64 = 5;

/// What the simulator's sources give.
#[derive(Debug, Clone)]
pub struct SimulatorSourceConfig {
    /// The site.
    pub config: SimulatorConfig,
    /// The run. A run with `events_max` or `end_ms` ends, and its sources with it.
    pub options: Options,
    /// How fast the records come. For real time: [`Pace::Clock`] that starts now, with `options.start_ms` now.
    pub pace: Pace,
    /// Partitions of each stream, from 1 to 4096. Workers beyond this number get no records.
    pub partitions: u32,
}

impl SimulatorSourceConfig {
    /// Partitions of each stream when nothing else is said.
    pub const PARTITIONS_DEFAULT: u32 = 4;

    /// As fast as it can, with the default number of partitions.
    pub fn new(config: SimulatorConfig, options: Options) -> Self {
        Self { config, options, pace: Pace::Unlimited, partitions: Self::PARTITIONS_DEFAULT }
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.options.events_max.is_some() || self.options.end_ms.is_some()
    }

    fn check(&self) -> Result<()> {
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            let problem = format!("is {}; it must be from 1 to {PARTITIONS_MAX}", self.partitions);
            return Err(wrong(SimulatorError::option("partitions", problem)));
        }
        let (option, speed) = match self.pace {
            Pace::Unlimited => return Ok(()),
            Pace::Rate { records_per_second } => ("rate", records_per_second),
            Pace::Clock { speedup, .. } => ("speedup", speedup),
        };
        if speed.is_finite() && speed > 0.0 {
            return Ok(());
        }
        Err(wrong(SimulatorError::option(option, format!("is {speed}; it must be above 0"))))
    }
}

/// One run of the simulator, shared by the sources of all streams on all workers: make one for each graph and hand it
/// to each [`super::SimulatorSource`].
///
/// The run is made once, and each record goes into the queue of the source that reads its stream and partition. The
/// queues are bounded: while one of them is full, nothing is made, so that the streams go on together. Streams that no
/// source reads are dropped. When all sources are gone, the run is forgotten, and new ones begin it again.
#[derive(Debug)]
pub struct SharedSimulator {
    config: SimulatorSourceConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: Queues,
    prepared: Option<Prepared>,
    feed: Option<Feed>,
}

/// A run that waits for the first poll.
#[derive(Debug)]
struct Prepared {
    simulator: Simulator,
    identity: Identity,
    /// The identity is that of a position, which all others must have too.
    is_resumed: bool,
}

/// What a poll took.
pub(super) enum Taken {
    Rows(RecordBatch),
    Nothing,
    End,
}

impl SharedSimulator {
    /// Checks the configuration.
    ///
    /// # Errors
    /// `Config` when an option is out of range.
    pub fn new(config: SimulatorSourceConfig) -> Result<Arc<Self>> {
        config.check()?;
        Simulator::new(config.config.clone(), config.options.clone()).map_err(wrong)?;
        Ok(Arc::new(Self { config, state: Mutex::default() }))
    }

    pub(super) fn config(&self) -> &SimulatorSourceConfig {
        &self.config
    }

    /// Adds a source.
    pub(super) fn join(&self, stream: usize, worker: usize, workers: usize) -> Result<Arc<Seat>> {
        let mut state = self.lock()?;
        if state.feed.is_some() {
            return Err(Error::bug("a source of the simulator was made after its run had begun"));
        }
        let seat = state.queues.add(stream, worker, workers);
        seat.ok_or_else(|| Error::bug("two sources of the simulator share a stream and a worker, or two graphs a run"))
    }

    /// Takes a source out, and what waits for it.
    pub(super) fn leave(&self, stream: usize, worker: usize) {
        // A panic elsewhere has ended the run already; then there is nothing to leave.
        if let Ok(mut state) = self.lock()
            && state.queues.remove(stream, worker)
        {
            *state = State::default();
        }
    }

    /// Says where a source goes on, and in which run.
    pub(super) fn open(
        &self,
        stream: usize,
        worker: usize,
        wanted: Vec<i64>,
        resumed: Option<&Identity>,
    ) -> Result<()> {
        let mut state = self.lock()?;
        let is_known = |prepared: &Prepared| resumed.is_none() || prepared.is_resumed;
        let prepared = match state.prepared.take().filter(is_known) {
            Some(prepared) => prepared,
            None => self.prepare(resumed)?,
        };
        let prepared = state.prepared.insert(prepared);
        if resumed.is_some_and(|resumed| *resumed != prepared.identity) {
            return Err(Error::config(
                "the simulator's records would not be those that were read before the restart (other seed, users, \
                 faults, partitions, configuration or version); give it the old options again, or begin with an empty \
                 lake",
            ));
        }
        state.queues.open(stream, worker, wanted);
        Ok(())
    }

    /// Draws the users of a run that begins where the positions say, or else the options.
    fn prepare(&self, resumed: Option<&Identity>) -> Result<Prepared> {
        let start_ms = resumed.map_or(self.config.options.start_ms, |resumed| resumed.start_ms);
        let options = Options { start_ms, ..self.config.options.clone() };
        let identity = Identity::of(&self.config, start_ms).map_err(wrong)?;
        let simulator = Simulator::new(self.config.config.clone(), options).map_err(wrong)?;
        Ok(Prepared { simulator, identity, is_resumed: resumed.is_some() })
    }

    /// Takes what waits for a source, after making records until there are about so many, or a queue is full, or none
    /// is due. Does not wait for another source that is doing the same.
    pub(super) fn take(&self, stream: usize, worker: usize, rows: usize, bytes: usize) -> Result<Taken> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::WouldBlock) => return Ok(Taken::Nothing),
            Err(TryLockError::Poisoned(_)) => return Err(panicked()),
        };
        let Some((feed, queues)) = state.running(&self.config) else { return Ok(Taken::Nothing) };
        let began = Instant::now();
        let mut now = began;
        let mut is_over = false;
        while now - began < Duration::from_millis(POLL_MS_MAX) && !queues.any_full() {
            if queues.of(stream, worker).is_none_or(|own| own.len() >= rows || own.bytes() >= bytes) {
                break;
            }
            match feed.advance(now, |place, record| queues.put(place, record)) {
                Fed::Records => now = Instant::now(),
                Fed::NotDue => break,
                Fed::End => {
                    is_over = true;
                    break;
                }
            }
        }
        queues.tell();
        match queues.of(stream, worker).filter(|own| own.len() > 0) {
            Some(own) => Ok(Taken::Rows(own.take())),
            None if is_over => Ok(Taken::End),
            None => Ok(Taken::Nothing),
        }
    }

    fn lock(&self) -> Result<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| panicked())
    }
}

impl State {
    /// The run, begun if all sources are open.
    fn running(&mut self, config: &SimulatorSourceConfig) -> Option<(&mut Feed, &mut Queues)> {
        if self.feed.is_none() && self.queues.all_open() {
            let Prepared { simulator, identity, .. } = self.prepared.take()?;
            self.queues.tell_identity(&identity.to_detail());
            self.feed = Some(Feed::new(simulator, config.pace, config.partitions, self.queues.old()));
        }
        Some((self.feed.as_mut()?, &mut self.queues))
    }
}

fn panicked() -> Error {
    Error::bug("the simulator panicked")
}

fn wrong(error: SimulatorError) -> Error {
    Error::config(error.to_string())
}
