//! What the terminal shows while a pipeline runs.
//!
//! On a terminal a small block is drawn in place; elsewhere one line of `key=value` at a time, which scripts can read. All of it goes to
//! stderr, so that stdout stays free for data. Nothing here reads a clock: times come with the snapshots.

mod block;
mod human;
mod lines;
mod rate;
mod terminal;

use std::time::Duration;

pub use human::{human_count, human_duration};
pub use rate::{Meter, Rates};
pub use terminal::{Output, Size, Terminal};

/// Shortest time between two drawings of the block.
const BLOCK_MS_MIN: u64 = 250;
/// Shortest time between two lines.
const LINE_MS_MIN: u64 = 2000;

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// What runs, in a word or two: `demo`, or the pipeline's name.
    pub title: String,
    /// Since the start.
    pub elapsed: Duration,
    /// Rows that all sources have given.
    pub rows: u64,
    /// Rows a second, of the last seconds and since the start.
    pub rates: Rates,
    /// The newest committed epoch; 0 before the first.
    pub epoch: u64,
    /// The sources, in the order in which they are shown.
    pub sources: Vec<SourceProgress>,
    /// The tables, in the order in which they are shown.
    pub tables: Vec<TableProgress>,
    /// A ranking to look at.
    pub top: Option<Top>,
}

/// A source's part of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceProgress {
    /// The source's name.
    pub name: String,
    /// Rows that it has given.
    pub rows: u64,
    /// Rows that wait in it, where that can be known.
    pub lag_rows: Option<u64>,
}

/// A table's part of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableProgress {
    /// The table's name.
    pub name: String,
    /// Rows that it holds.
    pub rows: u64,
}

/// A ranking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Top {
    /// What is ranked.
    pub title: String,
    /// Names with their counts, the greatest first.
    pub entries: Vec<(String, u64)>,
}

/// Shows snapshots, no more often than a reader can follow.
#[derive(Debug)]
pub struct Progress {
    terminal: Terminal,
    output: Output,
    quiet: bool,
    shown_at: Option<Duration>,
}

impl Progress {
    /// Progress on stderr: `Output::of_stderr()` says in which way. `quiet` shows nothing at all, notes excepted.
    pub fn new(output: Output, quiet: bool) -> Self {
        Self::on(Terminal::stderr(), output, quiet)
    }

    /// Progress on another terminal.
    pub fn on(terminal: Terminal, output: Output, quiet: bool) -> Self {
        Self { terminal, output, quiet, shown_at: None }
    }

    /// The terminal, for whoever writes between the drawings: give it to `tracing_subscriber` as its writer, and log lines
    /// appear above the block.
    pub fn terminal(&self) -> Terminal {
        self.terminal.clone()
    }

    /// True when `show` would show something: asked before a snapshot that is dear to take.
    pub fn is_due(&self, elapsed: Duration) -> bool {
        let pause = Duration::from_millis(match self.output {
            Output::Block { .. } => BLOCK_MS_MIN,
            Output::Lines => LINE_MS_MIN,
        });
        !self.quiet && self.shown_at.is_none_or(|shown| elapsed.saturating_sub(shown) >= pause || elapsed < shown)
    }

    /// Shows a snapshot, if it is time for one.
    pub fn show(&mut self, snapshot: &Snapshot) {
        if !self.is_due(snapshot.elapsed) {
            return;
        }
        self.shown_at = Some(snapshot.elapsed);
        match self.output {
            Output::Block { size } => self.terminal.draw(&block::running(snapshot, size())),
            Output::Lines => self.terminal.print(&lines::running(snapshot)),
        }
    }

    /// Says something that stays: above the block, or between the lines. Also when quiet.
    pub fn note(&self, text: &str) {
        self.terminal.print(&format!("{text}\n"));
    }

    /// Shows the end, whenever the last snapshot was.
    pub fn finish(self, last: &Snapshot) {
        if self.quiet {
            return;
        }
        match self.output {
            Output::Block { size } => {
                self.terminal.draw(&block::done(last, size()));
                self.terminal.keep();
            }
            Output::Lines => self.terminal.print(&lines::done(last)),
        }
    }
}

#[cfg(test)]
mod tests;
