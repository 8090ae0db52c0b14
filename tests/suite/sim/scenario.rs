//! A scenario: a storm in which records come, runs start, fail and crash; then a calm in which the last run reads the rest;
//! then the tables are compared.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use sluice_engine::ErrorKind;

use super::fault::{Fault, Faults};
use super::graph::Lake;
use super::plant::Plant;
use super::process::{End, Process, Start};
use super::random::Random;
use super::world::World;

/// Runs that are alive at once, at most.
const ALIVE_MAX: usize = 2;
/// Actions of the calm, at most: a run that needs more does not end.
const CALM_ACTIONS_MAX: usize = 200_000;
/// Runs that the calm starts, at most: the first may find that an older one still publishes; and one that was alone from its
/// start on is the last, as others may show rows late.
const CALM_RUNS_MAX: usize = 5;
/// Records of a scenario, at most.
const RECORDS_MAX: u64 = 300;
/// Records of a short one, at most.
const RECORDS_SHORT: u64 = 40;
/// Actions of the storm: fewest and most; of the short one that is played again for each of its steps.
const STORM_ACTIONS: (u64, u64) = (800, 2_400);
const STORM_ACTIONS_SHORT: u64 = 250;

/// Chance that a second run starts beside the first in a crowded scenario, out of a thousand actions.
const SECOND_CROWDED: u64 = 30;

/// What became of a scenario.
pub struct Outcome {
    pub violations: Vec<String>,
    pub trace: Vec<String>,
    pub hash: u64,
    /// Steps at which something could have gone wrong.
    pub steps: Vec<String>,
    pub crashes: usize,
    pub failures: usize,
    pub fenced: usize,
    pub epochs: u64,
}

/// What is decided before it begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Script {
    pub seed: u64,
    pub plant: Option<Plant>,
    /// One fault at this step, and no others; one run at a time.
    pub only: Option<(u64, Fault)>,
    /// No fault at all; one run at a time.
    pub quiet: bool,
    /// A second run soon starts beside the first, again and again.
    pub crowded: bool,
}

struct Scenario {
    lake: Lake,
    world: World,
    now: Instant,
    alive: Vec<Process>,
    started: usize,
    /// Chance that a second run starts beside the first, out of a thousand actions.
    second: u64,
    /// The short scenario of one run at a time.
    alone: bool,
    keys: u64,
    partitions: usize,
    left: u64,
    ends: Vec<End>,
    /// Runs that have ended by themselves.
    done: Vec<usize>,
}

/// Plays a scenario to its end; a panic is a violation.
pub fn play(script: Script) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _entered = runtime.enter();
    let world = World::of(script.seed);
    let mut scenario = Scenario::of(script, world.clone());
    let played = catch_unwind(AssertUnwindSafe(|| {
        scenario.storm();
        scenario.calm();
        scenario.lake.check();
    }));
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        world.violation(format!("a panic: {}", text.unwrap_or_default()));
    }
    let (trace, hash) = world.trace();
    let count = |wanted: fn(&End) -> bool| scenario.ends.iter().filter(|e| wanted(e)).count();
    Outcome {
        violations: world.violations(),
        trace,
        hash,
        steps: world.steps(),
        crashes: count(|e| matches!(e, End::Crashed)),
        failures: count(|e| matches!(e, End::Failed(_))),
        fenced: count(|e| matches!(e, End::Failed(ErrorKind::Fenced))),
        epochs: scenario.lake.ledger.newest_epoch(),
    }
}

impl Scenario {
    fn of(script: Script, world: World) -> Self {
        let alone = script.quiet || script.only.is_some();
        let drawn = world.random(|r: &mut Random| {
            let faults = Faults::of(r);
            let partitions = 1 + r.below(5) as usize;
            (
                faults,
                partitions,
                r.below(2) == 0,
                1 + r.below(12),
                r.pick(&[0, 0, 2, 10]),
                20 + r.below(RECORDS_MAX - 20),
            )
        });
        let (faults, partitions, gathered, keys, second, left) = drawn;
        world.set_faults(match (script.quiet, script.only) {
            (true, _) => Faults { delayed: faults.delayed, ..Faults::NONE },
            (_, Some(only)) => Faults { delayed: faults.delayed, at: Some(only), ..Faults::NONE },
            _ => faults,
        });
        Self {
            lake: Lake::of(world.clone(), partitions, gathered, script.plant),
            world,
            now: Instant::now(),
            alive: vec![],
            started: 0,
            second: match (alone, script.crowded) {
                (true, _) => 0,
                (_, true) => SECOND_CROWDED,
                _ => second,
            },
            alone,
            keys,
            partitions,
            left: if alone { left.min(RECORDS_SHORT) } else { left },
            ends: vec![],
            done: vec![],
        }
    }

    fn storm(&mut self) {
        let (least, most) = STORM_ACTIONS;
        let drawn = least + self.world.random(|r| r.below(most - least));
        let actions = if self.alone { STORM_ACTIONS_SHORT } else { drawn };
        for _ in 0..actions {
            self.pass_time();
            if self.left > 0 && self.world.random(|r| r.per_mille(150)) {
                self.append();
            }
            let starts = match self.alive.len() {
                0 => 300,
                n if n < ALIVE_MAX => self.second,
                _ => 0,
            };
            if self.world.random(|r| r.per_mille(starts)) {
                self.start(false);
            }
            if !self.alive.is_empty() {
                let one = self.world.random(|r| r.below(self.alive.len() as u64)) as usize;
                if self.world.random(|r| r.per_mille(1)) {
                    self.world.note(format!("{} is asked to stop", self.alive[one].pid));
                    self.alive[one].stop.stop();
                }
                self.act(one);
            }
        }
    }

    /// No faults any more: old runs are asked to stop, a new one reads what is left.
    fn calm(&mut self) {
        self.world.note("calm");
        self.world.set_faults(Faults::NONE);
        while self.left > 0 {
            self.append();
        }
        self.alive.iter().for_each(|p| p.stop.stop());
        for _ in 0..CALM_RUNS_MAX {
            let (new, is_alone) = (self.started, self.alive.is_empty());
            self.start(true);
            for _ in 0..CALM_ACTIONS_MAX {
                if self.alive.is_empty() {
                    break;
                }
                self.pass_time();
                let one = self.world.random(|r| r.below(self.alive.len() as u64)) as usize;
                self.act(one);
            }
            if let Some(stuck) = self.alive.first() {
                return self.world.violation(format!("run {} does not come to its end", stuck.pid));
            }
            // The others were asked to stop before all was read.
            if is_alone && self.done.contains(&new) {
                return;
            }
        }
        self.world.violation("no run reads the rest");
    }

    fn pass_time(&mut self) {
        let micros = self.world.random(|r| if r.per_mille(20) { r.below(300_000) } else { r.below(1_500) });
        self.now += Duration::from_micros(micros);
    }

    /// A record; some are the same as one that was there before.
    fn append(&mut self) {
        self.left -= 1;
        let (keys, partitions) = (self.keys, self.partitions as u64);
        let (partition, key, value) = self.world.random(|r| {
            // Few values, so that records are repeated and sums go back to where they were.
            (r.below(partitions) as usize, r.below(keys) as i64, r.below(7) as i64 - 3)
        });
        self.lake.log.append(partition, (key, value));
    }

    fn start(&mut self, until_idle: bool) {
        let start = self.world.random(|r| Start {
            workers: 1 + r.below(3) as usize,
            batch_rows: r.pick(&[1, 3, 20]),
            epoch_ms: r.pick(&[4, 15, 40]),
            until_idle,
        });
        self.alive.push(Process::start(&self.lake, self.started, start, self.now));
        self.started += 1;
    }

    fn act(&mut self, one: usize) {
        let Some(end) = self.alive[one].act(self.now) else { return };
        let gone = self.alive.remove(one);
        if matches!(end, End::Done) {
            self.done.push(gone.pid);
        }
        self.ends.push(end);
    }
}
