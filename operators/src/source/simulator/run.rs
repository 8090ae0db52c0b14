//! The simulator itself: users in a queue, ordered by their next event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::catalog::Catalog;
use super::config::SimulatorConfig;
use super::error::SimulatorError;
use super::event::EventWriter;
use super::fault::Injector;
use super::options::Options;
use super::people::People;
use super::random::{Alias, Random};
use super::records::Records;
use super::truth::Truth;
use super::user::{Step, User, World, YEAR_MS};

/// What came of filling a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The batch holds records.
    Records,
    /// The next event is later than was asked for.
    Waiting,
    /// The run is over.
    End,
}

/// A run of the simulator: gives the records of all users, ordered by event time (unless faults hold some back).
#[derive(Debug)]
pub struct Simulator {
    world: World,
    random: Random,
    users: Vec<User>,
    /// Places in `users` that are free again.
    free: Vec<u32>,
    queue: BinaryHeap<Reverse<(i64, u32)>>,
    newcomers: Newcomers,
    writer: EventWriter,
    injector: Option<Injector>,
    /// Records of the event at hand, before faults.
    clean: Records,
    truth: Truth,
    sessions: u64,
    records: u64,
    records_max: u64,
    end_ms: i64,
    keyed: bool,
}

/// The users who come later, as a Poisson process.
#[derive(Debug)]
struct Newcomers {
    next_ms: i64,
    start: usize,
    /// New users per user and millisecond.
    rate_per_ms: f64,
    next_id: u64,
}

impl Newcomers {
    fn plan(&mut self, after_ms: i64, users: usize, random: &mut Random) {
        self.next_ms = if self.rate_per_ms > 0.0 {
            let mean_ms = 1.0 / (self.rate_per_ms * users.max(1) as f64);
            after_ms.saturating_add((random.exponential(mean_ms) as i64).max(1))
        } else {
            i64::MAX
        };
    }
}

impl Simulator {
    /// Sets a run up: draws the users who are there at the start.
    ///
    /// # Errors
    /// [`SimulatorError::Option`] when an option is out of range, or when users shall come later and the
    /// configuration does not say how they begin.
    pub fn new(config: SimulatorConfig, options: Options) -> Result<Self, SimulatorError> {
        options.check()?;
        let newcomer_start = match config.newcomer_start {
            None if options.growth_rate > 0.0 => {
                let problem = "is above 0, but the configuration has no new-session for new-user-auth and -level";
                return Err(SimulatorError::option("growth_rate", problem));
            }
            start => start.unwrap_or(0),
        };
        let seed = options.seed.unwrap_or(config.seed);
        let tag = options.tag.as_ref().or(config.tag.as_ref());
        let mut simulator = Self {
            random: Random::new(seed),
            users: Vec::with_capacity(options.users),
            free: Vec::new(),
            queue: BinaryHeap::with_capacity(options.users),
            newcomers: Newcomers {
                next_ms: i64::MAX,
                start: newcomer_start,
                rate_per_ms: options.growth_rate / YEAR_MS,
                next_id: config.first_user_id + options.users as u64,
            },
            writer: EventWriter::new(tag.map(String::as_str)),
            injector: (!options.faults.is_none()).then(|| Injector::new(options.faults, seed)),
            clean: Records::new(),
            truth: Truth::default(),
            sessions: 0,
            records: 0,
            records_max: options.events_max.unwrap_or(u64::MAX),
            end_ms: options.end_ms.unwrap_or(i64::MAX),
            keyed: options.keyed,
            world: World {
                chain: config.chain,
                rhythm: config.rhythm,
                catalog: Catalog::shared(),
                people: People::load(),
                alpha_s: config.alpha_s,
                beta_s: config.beta_s,
                attrition_per_ms: options.attrition_rate / YEAR_MS,
            },
        };
        let initial = (&config.initial, config.initial_starts.as_slice());
        simulator.settle(initial, config.first_user_id, &options);
        Ok(simulator)
    }

    fn settle(&mut self, (draw, starts): (&Alias, &[usize]), first_id: u64, options: &Options) {
        for id in first_id..first_id + options.users as u64 {
            let start = starts[draw.draw(&mut self.random)];
            if let Some(user) = User::settled(&self.world, id, start, options.start_ms, &mut self.random) {
                self.queue.push(Reverse((user.next_ms, self.users.len() as u32)));
                self.users.push(user);
            }
        }
        self.newcomers.plan(options.start_ms, self.users.len(), &mut self.random);
    }

    /// Clears `out` and fills it with the next records: whole events until there are `max` or more (three more at most,
    /// and what faults add). `false` when the run is over; `out` is empty then and only then.
    pub fn next_records(&mut self, max: usize, out: &mut Records) -> bool {
        self.next_records_until(max, None, out) == Filled::Records
    }

    /// As [`Simulator::next_records`], but with events up to `until_ms` (event time, included) only.
    pub fn next_records_until(&mut self, max: usize, until_ms: Option<i64>, out: &mut Records) -> Filled {
        out.clear();
        out.keyed = self.keyed;
        let (max, until_ms) = (max.max(1), until_ms.unwrap_or(i64::MAX));
        let mut is_over = false;
        while out.len() < max {
            match self.next_event_ms() {
                None => {
                    is_over = true;
                    break;
                }
                Some(next_ms) if next_ms > until_ms => break,
                Some(next_ms) if next_ms == self.newcomers.next_ms => self.welcome(),
                Some(_) => self.write_event(out),
            }
        }
        if is_over && let Some(injector) = &mut self.injector {
            injector.drain(max, out, &mut self.truth);
        }
        match (out.is_empty(), is_over) {
            (false, _) => Filled::Records,
            (true, true) => Filled::End,
            (true, false) => Filled::Waiting,
        }
    }

    /// Event time of what comes next, in milliseconds since 1970; `None` when the run is over.
    pub fn next_event_ms(&self) -> Option<i64> {
        if self.records >= self.records_max {
            return None;
        }
        let next_ms = self.queue.peek().map_or(i64::MAX, |next| next.0.0).min(self.newcomers.next_ms);
        (next_ms < self.end_ms).then_some(next_ms)
    }

    /// Ends the run: no further event comes, but records that faults hold back still do.
    pub fn stop(&mut self) {
        self.records_max = self.records;
    }

    /// What went out so far, with the faults.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Users who are there now.
    pub fn users(&self) -> usize {
        self.queue.len()
    }

    /// Are faults asked for?
    pub fn has_faults(&self) -> bool {
        self.injector.is_some()
    }

    fn welcome(&mut self) {
        let (now_ms, id) = (self.newcomers.next_ms, self.newcomers.next_id);
        let user = User::newcomer(&self.world, id, self.newcomers.start, now_ms, &mut self.random);
        let place = self.free.pop().unwrap_or(self.users.len() as u32);
        match self.users.get_mut(place as usize) {
            Some(free) => *free = user,
            None => self.users.push(user),
        }
        self.queue.push(Reverse((now_ms, place)));
        self.newcomers.next_id += 1;
        self.newcomers.plan(now_ms, self.queue.len(), &mut self.random);
    }

    /// Writes the event of the user who is next, and moves this user on.
    fn write_event(&mut self, out: &mut Records) {
        let Some(mut next) = self.queue.peek_mut() else { return };
        let place = next.0.1;
        let user = &mut self.users[place as usize];
        if user.session == 0 {
            self.sessions += 1;
            user.session = self.sessions;
        }
        self.records += match &mut self.injector {
            None => write_clean(&mut self.writer, user, &self.world, out, &mut self.truth),
            Some(injector) => {
                let song = user.song.filter(|_| self.world.chain.state(user.state).is_song);
                let can_spoil = song.is_some_and(|song| !self.world.catalog.song(song).is_ascii);
                let mojibake = if can_spoil { injector.mojibake() } else { 0 };
                self.clean.clear();
                self.writer.write(user, &self.world, mojibake, &mut self.clean);
                injector.pass(&self.clean, out, &mut self.truth);
                self.clean.len() as u64
            }
        };
        match user.step(&self.world, &mut self.random) {
            Step::Stays => next.0.0 = user.next_ms,
            Step::Leaves => {
                PeekMut::pop(next);
                self.free.push(place);
            }
        }
    }
}

/// Writes an event straight into the output; gives the number of its records.
fn write_clean(writer: &mut EventWriter, user: &User, world: &World, out: &mut Records, truth: &mut Truth) -> u64 {
    let before = out.len();
    writer.write(user, world, 0, out);
    for entry in &out.entries[before..] {
        truth.streams[entry.stream].records += 1;
    }
    (out.len() - before) as u64
}
