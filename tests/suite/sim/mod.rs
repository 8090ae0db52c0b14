//! A simulation of the epoch protocol on one thread: seeded order of steps, faults at each of them, several processes.
//!
//! `SLUICE_SIM_SEEDS=N` plays N seeds in place of the usual number; `SLUICE_SIM_SEED=K` plays one and prints its trace.

mod early;
mod executor;
mod fault;
mod graph;
mod ledger;
mod log;
mod plant;
mod process;
mod random;
mod scenario;
mod store;
mod table;
mod world;

use fault::Fault;
use plant::Plant;
use scenario::{Outcome, Script, play};

/// Seeds that the test command plays.
const SEEDS: u64 = 1_000;
/// Seeds of crowded scenarios that the test command plays.
const CROWDED_SEEDS: u64 = 150;
/// Seeds in which a planted bug must be found at least once.
const PLANT_SEEDS: u64 = 1_000;
/// Lines of the trace that a failure shows.
const SHOWN_LINES: usize = 80;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?} and must be a number")))
}

fn assert_right(script: Script, outcome: &Outcome) {
    if outcome.violations.is_empty() {
        return;
    }
    let from = outcome.trace.len().saturating_sub(SHOWN_LINES);
    panic!(
        "{script:?}: {:#?}\nthe end of the trace (SLUICE_SIM_SEED={} prints all of it):\n{}",
        outcome.violations,
        script.seed,
        outcome.trace[from..].join("\n")
    );
}

/// Whatever the seed does to runs, store and tables: nothing is lost, nothing doubled, nothing visible before its manifest.
#[test]
fn nothing_lost_nothing_doubled() {
    if let Some(seed) = setting("SLUICE_SIM_SEED") {
        let script = Script { seed, ..Script::default() };
        let outcome = play(script);
        println!("{}\ntrace hash {:016x}", outcome.trace.join("\n"), outcome.hash);
        return assert_right(script, &outcome);
    }
    let (mut crashes, mut failures, mut fenced, mut epochs) = (0, 0, 0, 0);
    for seed in 0..setting("SLUICE_SIM_SEEDS").unwrap_or(SEEDS) {
        let script = Script { seed, ..Script::default() };
        let outcome = play(script);
        assert_right(script, &outcome);
        crashes += outcome.crashes;
        failures += outcome.failures;
        fenced += outcome.fenced;
        epochs += outcome.epochs;
    }
    println!("{epochs} epochs, {crashes} crashes, {failures} failures, {fenced} of them fenced");
    assert!(crashes > 0 && failures > fenced && fenced > 0, "the seeds do nothing of what they should");
}

/// The same where a second run starts beside the first again and again: what an overtaken one shows late is set back.
#[test]
fn crowds_neither_lose_nor_double() {
    for seed in 0..CROWDED_SEEDS {
        let script = Script { seed, crowded: true, ..Script::default() };
        assert_right(script, &play(script));
    }
}

/// A crash before and after each step of a run, one at a time, loses and doubles nothing.
#[test]
fn a_crash_at_every_step() {
    for seed in 0..2 {
        let whole = Script { seed, quiet: true, ..Script::default() };
        let outcome = play(whole);
        assert_right(whole, &outcome);
        let steps = outcome.steps.len() as u64;
        assert!(steps > 100, "a scenario of {steps} steps shows little");
        for step in 0..steps {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                let script = Script { seed, only: Some((step, fault)), ..Script::default() };
                assert_right(script, &play(script));
            }
        }
    }
}

/// One seed is one sequence of events.
#[test]
fn a_seed_replays() {
    for seed in 0..20 {
        let script = Script { seed, ..Script::default() };
        let (first, second) = (play(script), play(script));
        let differs = first.trace.iter().zip(&second.trace).position(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert!(first.trace.len() > 100, "seed {seed} does nothing");
    }
    let hash = |seed| play(Script { seed, ..Script::default() }).hash;
    assert_ne!(hash(1), hash(2));
}

/// Bugs that are put into the simulated parts are found: the checks can fail.
#[test]
fn planted_bugs_are_found() {
    let plants = [
        Plant::CommitBeforeManifest,
        Plant::CommitsAgain,
        Plant::OffsetOffByOne,
        Plant::NotSetBack,
        Plant::SetBackByEpochOnly,
        Plant::LateRowsStay,
    ];
    for plant in plants {
        // Some need two runs at once.
        let crowded = plant == Plant::LateRowsStay;
        let mut scripts =
            (0..PLANT_SEEDS).map(|seed| Script { seed, plant: Some(plant), crowded, ..Script::default() });
        let found = scripts.find(|script| !play(*script).violations.is_empty());
        let found = found.unwrap_or_else(|| panic!("{plant:?} is not found by {PLANT_SEEDS} seeds"));
        println!("{plant:?} is found by seed {}", found.seed);
    }
}
