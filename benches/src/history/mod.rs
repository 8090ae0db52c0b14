//! Does history cost? The same rows into an operator with little history and into one with ten times as much.

mod operators;

use std::fmt::Write as _;

use anyhow::Context;
use sluice_engine::state::SnapshotMode;
use sluice_engine::{Batch, Emitter, Operator};

use operators::{Measured, STRATEGIES, Strategy};

/// Rows of the shorter history, unless another number is asked for.
pub const ROWS: usize = 1_000_000;
/// Rows of a batch, and batches between two barriers.
const BATCH_ROWS: usize = 4096;
const BATCHES_A_BARRIER: usize = 4;
/// Rows that are measured.
const MEASURED_ROWS: usize = 1 << 19;
/// Longer history by this much.
const TIMES: usize = 10;

/// Measures all strategies with `rows` rows of history and with ten times as many, in turns, so that the machine's moods hit
/// both. Gives a table: CPU time for a row, its ratio, and bytes of state for a row of history.
///
/// # Errors
/// When an operator refuses the rows.
pub fn report(rows: usize) -> anyhow::Result<String> {
    let mut text = String::from("history costs: CPU time for a row with little and with long history, and state\n\n");
    let long = rows * TIMES;
    writeln!(text, "{:<28} {:>12} {:>12} {:>7} {:>14}", "strategy", mega(rows), mega(long), "ratio", "state a row")?;
    for strategy in STRATEGIES {
        let mut few = Fed::new(*strategy, rows)?;
        let mut many = Fed::new(*strategy, long)?;
        let (mut short_ns, mut long_ns) = (0, 0);
        for _ in 0..MEASURED_ROWS / (BATCH_ROWS * BATCHES_A_BARRIER) {
            short_ns += few.measure()?;
            long_ns += many.measure()?;
        }
        let of_row = |ns: u64| ns as f64 / MEASURED_ROWS as f64;
        writeln!(
            text,
            "{:<28} {:>9.0} ns {:>9.0} ns {:>7.2} {:>8.1} bytes",
            strategy.name,
            of_row(short_ns),
            of_row(long_ns),
            long_ns as f64 / short_ns as f64,
            many.operator.state_bytes() as f64 / many.rows as f64
        )?;
    }
    Ok(text)
}

fn mega(rows: usize) -> String {
    format!("{} M rows", rows as f64 / 1e6)
}

/// An operator and the rows that it has had.
struct Fed {
    strategy: Strategy,
    operator: Box<dyn Operator>,
    rows: usize,
}

impl Fed {
    fn new(strategy: Strategy, history: usize) -> anyhow::Result<Self> {
        let mut fed = Self { strategy, operator: (strategy.make)()?, rows: 0 };
        if let Some(first) = strategy.dimension {
            fed.push(1, first()?)?;
        }
        while fed.rows < history {
            let batches = fed.next_batches()?;
            fed.feed(batches)?;
        }
        Ok(fed)
    }

    fn next_batches(&mut self) -> anyhow::Result<Vec<Batch>> {
        (0..BATCHES_A_BARRIER)
            .map(|_| {
                let batch = operators::rows(self.rows, BATCH_ROWS);
                self.rows += BATCH_ROWS;
                batch
            })
            .collect()
    }

    fn push(&mut self, input: usize, batch: Batch) -> anyhow::Result<()> {
        let mut sent = Vec::new();
        Ok(self.operator.on_batch(input, batch, &mut Emitter::new(&mut sent))?)
    }

    /// Batches, a barrier and a snapshot.
    fn feed(&mut self, batches: Vec<Batch>) -> anyhow::Result<()> {
        for batch in batches {
            self.push(0, batch)?;
        }
        let watermark = operators::time_of(self.rows) - operators::LATENESS_US;
        let mut sent = Vec::new();
        self.operator.on_barrier(Some(watermark), &mut Emitter::new(&mut sent))?;
        if self.strategy.measured == Measured::WithFreezing && self.operator.freeze(watermark)?.is_some() {
            self.operator.snapshot(SnapshotMode::Full)?;
        }
        self.operator.snapshot(SnapshotMode::Delta)?;
        Ok(())
    }

    /// The CPU time of this thread for the next rows, in nanoseconds.
    fn measure(&mut self) -> anyhow::Result<u64> {
        let batches = self.next_batches()?;
        let before = cpu_ns()?;
        self.feed(batches)?;
        Ok(cpu_ns()? - before)
    }
}

/// Time that this thread has run, in nanoseconds (Linux, `proc_pid_schedstat(5)`).
fn cpu_ns() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("no /proc/thread-self/schedstat")?;
    let run = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
    run.context("/proc/thread-self/schedstat is not as expected")
}
