//! Writing a run into files: one for each stream.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::SimulatorError;
use super::pace::Pace;
use super::records::{Records, STREAMS};
use super::run::Simulator;
use super::send::{Stop, pump};
use super::truth::{Truth, TruthWriter};

/// Bytes that are gathered for a file before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes a run to `<dir>/<stream>.jsonl`, and `truth.json` and `truth.jsonl` beside them when faults are on. Files of
/// the same names are replaced. Goes on until the run is over, or until `stop` says so; either way the files are whole.
///
/// A record without a newline of its own (a malformed one) gets one, so that each record is a line.
///
/// # Errors
/// [`SimulatorError::File`] when a file cannot be made or written.
pub fn write_to_dir(
    simulator: &mut Simulator,
    dir: &Path,
    pace: &Pace,
    stop: Stop<'_>,
    mut on_progress: impl FnMut(&Truth),
) -> Result<Truth, SimulatorError> {
    std::fs::create_dir_all(dir).map_err(|error| SimulatorError::file(dir, error))?;
    let mut files = STREAMS.iter().map(|name| StreamFile::create(dir, name)).collect::<Result<Vec<_>, _>>()?;
    let mut truth = if simulator.has_faults() { Some(TruthWriter::create(dir)?) } else { None };
    pump(simulator, pace, stop, |simulator, records: &Records| {
        for record in records.iter() {
            files[record.stream].push(record.payload)?;
        }
        if let Some(truth) = &mut truth {
            truth.add(records)?;
        }
        on_progress(simulator.truth());
        Ok(())
    })?;
    for file in &mut files {
        file.flush()?;
    }
    if let Some(truth) = truth {
        truth.finish(simulator.truth())?;
    }
    Ok(*simulator.truth())
}

struct StreamFile {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

impl StreamFile {
    fn create(dir: &Path, stream: &str) -> Result<Self, SimulatorError> {
        let path = dir.join(format!("{stream}.jsonl"));
        let file = File::create(&path).map_err(|error| SimulatorError::file(&path, error))?;
        Ok(Self { path, file, buffer: Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 8) })
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), SimulatorError> {
        self.buffer.extend_from_slice(payload);
        if payload.last() != Some(&b'\n') {
            self.buffer.push(b'\n');
        }
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SimulatorError> {
        self.file.write_all(&self.buffer).map_err(|error| SimulatorError::file(&self.path, error))?;
        self.buffer.clear();
        Ok(())
    }
}
