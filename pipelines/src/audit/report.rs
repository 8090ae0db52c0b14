//! What `sluice verify` found, as one screen.

use std::fmt;

/// What came of one look at a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It was not looked at, or there is nothing to look at.
    No,
    /// It adds up.
    Ok,
    /// It does not.
    Wrong,
    /// It could not be judged; a note says why.
    Unjudged,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Check::No => "-",
            Check::Ok => "ok",
            Check::Wrong => "WRONG",
            Check::Unjudged => "?",
        })
    }
}

/// A stream and its log.
#[derive(Debug, Clone)]
pub struct StreamLine {
    /// The bronze table.
    pub table: String,
    /// Partitions (or files) that were read.
    pub partitions: usize,
    /// Rows in bronze.
    pub bronze: u64,
    /// Records that wait in rejects.
    pub rejects: u64,
    /// Records that are in neither.
    pub lost: u64,
    /// Rows beyond the first of a record.
    pub doubled: u64,
}

/// A table.
#[derive(Debug, Clone)]
pub struct TableLine {
    /// Its name.
    pub table: String,
    /// Rows, as its log says.
    pub rows: i64,
    /// Files.
    pub files: i64,
    /// Rows and files held against the audit.
    pub audit: Check,
    /// The files' bytes held against their checksums.
    pub content: Check,
    /// Its rows held against the model's SQL as a batch (`--deep`).
    pub batch: Check,
    /// What ClickHouse shows held against it.
    pub clickhouse: Check,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The pipeline.
    pub pipeline: String,
    /// The lake.
    pub lake: String,
    /// The epoch that was looked at.
    pub epoch: u64,
    /// The start of the pipeline that committed it.
    pub generation: u64,
    /// The streams.
    pub streams: Vec<StreamLine>,
    /// The tables.
    pub tables: Vec<TableLine>,
    /// What does not add up, one text for each.
    pub faults: Vec<String>,
    /// What could not be judged, and what one should know.
    pub notes: Vec<String>,
}

impl Report {
    /// True when everything that could be judged adds up.
    pub fn adds_up(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "pipeline {:?}: epoch {}, generation {}, in {}\n",
            self.pipeline, self.epoch, self.generation, self.lake
        )?;
        let streams = self.streams.iter().map(|s| {
            let numbers =
                [(s.bronze + s.rejects).saturating_sub(s.doubled) + s.lost, s.bronze, s.rejects, s.lost, s.doubled];
            let cells = [s.table.clone(), s.partitions.to_string()];
            cells.into_iter().chain(numbers.map(grouped)).collect()
        });
        aligned(f, &["stream", "partitions", "records", "bronze", "rejects", "lost", "doubled"], streams.collect())?;
        writeln!(f)?;
        let tables = self.tables.iter().map(|t| {
            let checks = [t.audit, t.content, t.batch, t.clickhouse].map(|c| c.to_string());
            let cells = [t.table.clone(), grouped(t.rows.max(0) as u64), grouped(t.files.max(0) as u64)];
            cells.into_iter().chain(checks).collect()
        });
        aligned(f, &["table", "rows", "files", "audit", "content", "batch", "clickhouse"], tables.collect())?;
        writeln!(f)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "WRONG: {fault}"))?;
        match self.faults.len() {
            0 => write!(f, "everything adds up"),
            1 => write!(f, "1 thing does not add up"),
            n => write!(f, "{n} things do not add up"),
        }
    }
}

/// A whole number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns as wide as what is in them; all but the first stand to the right.
fn aligned(f: &mut fmt::Formatter<'_>, head: &[&str], rows: Vec<Vec<String>>) -> fmt::Result {
    let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let widths: Vec<usize> =
        (0..all[0].len()).map(|i| all.iter().map(|r| r[i].chars().count()).max().unwrap_or(0)).collect();
    for row in &all {
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match i {
                0 => write!(f, " {cell:<width$}")?,
                _ => write!(f, "  {cell:>width$}")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}
