//! What was really sent: counts for each stream, and a line for each fault.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::SimulatorError;
use super::fault::{Fault, InjectedFault};
use super::records::{Records, STREAMS};

/// What went into one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamTruth {
    /// All records, with those that faults added.
    pub records: u64,
    /// Records that came a second time; each is counted once, for its repetition.
    pub duplicates: u64,
    /// Records that came late.
    pub late: u64,
    /// Broken copies.
    pub malformed: u64,
    /// Records with spoilt song text (repetitions of such included).
    pub mojibake: u64,
}

impl StreamTruth {
    /// Good records, each once: what a table without duplicates must hold.
    pub fn distinct(&self) -> u64 {
        self.records - self.duplicates - self.malformed
    }

    pub(super) fn count(&mut self, fault: Fault) {
        match fault {
            Fault::Duplicate => self.duplicates += 1,
            Fault::Late(_) => self.late += 1,
            Fault::Malformed(_) => self.malformed += 1,
            Fault::Mojibake(_) => self.mojibake += 1,
        }
    }
}

/// What went into the four streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Truth {
    /// In the order of [`STREAMS`].
    pub streams: [StreamTruth; 4],
}

impl Truth {
    /// All records of all streams.
    pub fn records(&self) -> u64 {
        self.streams.iter().map(|stream| stream.records).sum()
    }

    /// The content of `truth.json`.
    pub fn to_json(&self) -> Value {
        let streams: serde_json::Map<String, Value> = STREAMS
            .iter()
            .zip(&self.streams)
            .map(|(name, stream)| {
                let counts = json!({
                    "records": stream.records,
                    "distinct": stream.distinct(),
                    "duplicates": stream.duplicates,
                    "late": stream.late,
                    "malformed": stream.malformed,
                    "mojibake": stream.mojibake,
                });
                ((*name).to_owned(), counts)
            })
            .collect();
        json!({ "version": 1, "streams": streams })
    }
}

/// Writes `truth.jsonl` (a line for each fault) and, at the end, `truth.json` (the counts) into a folder.
#[derive(Debug)]
pub struct TruthWriter {
    dir: PathBuf,
    lines: BufWriter<File>,
}

impl TruthWriter {
    /// Creates `<dir>/truth.jsonl`, and the folder if need be.
    ///
    /// # Errors
    /// [`SimulatorError::File`] when that fails.
    pub fn create(dir: &Path) -> Result<Self, SimulatorError> {
        std::fs::create_dir_all(dir).map_err(|error| SimulatorError::file(dir, error))?;
        let path = dir.join("truth.jsonl");
        let file = File::create(&path).map_err(|error| SimulatorError::file(&path, error))?;
        Ok(Self { dir: dir.to_owned(), lines: BufWriter::new(file) })
    }

    /// Appends the faults of a batch.
    ///
    /// # Errors
    /// [`SimulatorError::File`] when the disk refuses them.
    pub fn add(&mut self, records: &Records) -> Result<(), SimulatorError> {
        for injected in records.injected() {
            writeln!(self.lines, "{}", line(injected))
                .map_err(|error| SimulatorError::file(self.dir.join("truth.jsonl"), error))?;
        }
        Ok(())
    }

    /// Ends the lines and writes `<dir>/truth.json`.
    ///
    /// # Errors
    /// [`SimulatorError::File`] when the disk refuses it.
    pub fn finish(mut self, truth: &Truth) -> Result<(), SimulatorError> {
        self.lines.flush().map_err(|error| SimulatorError::file(self.dir.join("truth.jsonl"), error))?;
        let path = self.dir.join("truth.json");
        std::fs::write(&path, format!("{:#}\n", truth.to_json())).map_err(|error| SimulatorError::file(&path, error))
    }
}

/// One line of `truth.jsonl`.
fn line(injected: &InjectedFault) -> Value {
    let (kind, detail) = match injected.fault {
        Fault::Duplicate => ("duplicate", Value::Null),
        Fault::Late(ms) => ("late", json!({ "late_by_ms": ms })),
        Fault::Malformed(how) => ("malformed", json!({ "how": how.name() })),
        Fault::Mojibake(depth) => ("mojibake", json!({ "depth": depth })),
    };
    let mut line = json!({
        "stream": STREAMS[injected.stream],
        "index": injected.index,
        "kind": kind,
        "sessionId": injected.session,
        "itemInSession": injected.item,
    });
    if let (Some(line), Value::Object(detail)) = (line.as_object_mut(), detail) {
        line.extend(detail);
    }
    line
}
