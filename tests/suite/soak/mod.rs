//! The real program on the real servers, while records come without pause: it is killed, and so are the servers, again and
//! again; afterwards everything must add up, by `sluice verify --deep` and by a count of the test's own.
//!
//! The test command runs a short form. The long one, with a line of a table for each fault:
//!
//!     SLUICE_SOAK_RUNS=50 cargo test --workspace --tests -- soak:: --nocapture
//!
//! `SLUICE_SOAK_RUNS` is how often the program is killed, and each server a tenth of it; `SLUICE_SOAK_SEED` draws other
//! moments; `SLUICE_SOAK_BINARY` is another program than the one built with the tests.

mod count;
mod daemon;
mod fault;
mod producer;
mod project;
mod world;

use std::time::Duration;

use fault::Fault;
use world::World;

/// How often the program is killed in the test command.
const RUNS: u32 = 5;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?} and must be a number")))
}

/// What came of a fault, over all its runs.
struct Line {
    fault: Fault,
    runs: usize,
    lost: u64,
    doubled: u64,
    recovered: Vec<Duration>,
}

impl Line {
    fn text(&self) -> String {
        let mut sorted = self.recovered.clone();
        sorted.sort();
        let seconds = |d: Option<&Duration>| d.map_or_else(|| "-".to_owned(), |d| format!("{:.1} s", d.as_secs_f64()));
        let (half, most) = (seconds(sorted.get(sorted.len() / 2)), seconds(sorted.last()));
        format!("| {} | {} | {} | {} | {half} | {most} |", self.fault.text(), self.runs, self.lost, self.doubled)
    }
}

/// Whatever is killed or frozen while records come: nothing is lost, nothing doubled, and the program goes on by itself.
#[test]
fn nothing_lost_nothing_doubled() -> anyhow::Result<()> {
    let long = setting("SLUICE_SOAK_RUNS");
    let runs = long.map_or(RUNS, |runs| runs as u32);
    let mut world = World::start(setting("SLUICE_SOAK_SEED").unwrap_or(1))?;
    let mut lines = Vec::new();
    let faults: &[Fault] = if long.is_some() { &Fault::ALL } else { &Fault::SHORT };
    for &fault in faults {
        let times = if fault == Fault::KillProgram { runs } else { (runs / 10).max(1) };
        let mut recovered = Vec::new();
        for _ in 0..times {
            let took = world.suffer(fault)?;
            println!("{}: goes on after {:.1} s", fault.text(), took.as_secs_f64());
            recovered.push(took);
        }
        let mut line = Line { fault, runs: recovered.len(), lost: 0, doubled: 0, recovered };
        if long.is_some() {
            (line.lost, line.doubled) = world.check()?;
        }
        lines.push(line);
    }
    let (lost, doubled) = world.check()?;
    println!("\n{}", world.summary()?);
    println!("\n| fault | runs | lost | doubled | goes on after (median) | at most |\n|---|---|---|---|---|---|");
    lines.iter().for_each(|line| println!("{}", line.text()));
    assert_eq!((lost, doubled), (0, 0), "records lost, and records doubled");
    assert!(lines.iter().all(|l| (l.lost, l.doubled) == (0, 0)), "see above");
    Ok(())
}
