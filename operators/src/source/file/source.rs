//! The source itself: files in turn, a budget of lines at a time.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use sluice_engine::error::{Error, Result};
use sluice_engine::frame::Batch;
use sluice_engine::source::{Polled, Position, Source, SourceContext};

use super::FileConfig;
use super::find::{self, Place};
use super::lines::{Line, Lines};
use super::tracked::Tracked;
use crate::source::raw::{BATCH_BYTES_MAX, RawBatchBuilder};

/// When all files have been read to their ends, their sizes are looked at this often, in milliseconds.
const GROWTH_LOOK_MS: u64 = 20;
/// With many files they are looked at more seldom, so that no more than this many are looked at in a millisecond.
const FILES_LOOKED_AT_PER_MS: u64 = 10;
/// New files are looked for this often, in milliseconds.
const FOLDER_LOOK_MS: u64 = 1_000;

/// Reads a worker's files of one stream. See the module's text.
pub struct FileSource {
    config: FileConfig,
    context: SourceContext,
    place: Option<Place>,
    files: Vec<Tracked>,
    /// The file that is being read, by its place in `files`.
    reading: Option<(usize, Lines)>,
    /// Where to look for the next file that has something.
    cursor: usize,
    batch: RawBatchBuilder,
    /// An error that came after lines of the same poll: it is for the next poll.
    pending: Option<Error>,
    looked_for_growth: Instant,
    looked_for_files: Instant,
    lines_read: u64,
    bytes_read: u64,
}

impl FileSource {
    /// A source that has not looked for its files yet.
    pub fn new(config: FileConfig, context: SourceContext) -> Self {
        let batch = RawBatchBuilder::new(&config.stream);
        let now = Instant::now();
        Self {
            config,
            context,
            place: None,
            files: Vec::new(),
            reading: None,
            cursor: 0,
            batch,
            pending: None,
            looked_for_growth: now,
            looked_for_files: now,
            lines_read: 0,
            bytes_read: 0,
        }
    }

    fn own(&self, number: i32) -> bool {
        number as usize % self.context.workers == self.context.worker
    }

    /// Finds files that grew, and new ones. Not with `until_idle`: then there is only what was there at `open`.
    fn look_around(&mut self) -> Result<()> {
        let pause_ms = GROWTH_LOOK_MS.max(self.files.len() as u64 / FILES_LOOKED_AT_PER_MS);
        if self.context.until_idle || self.looked_for_growth.elapsed() < Duration::from_millis(pause_ms) {
            return Ok(());
        }
        self.looked_for_growth = Instant::now();
        for file in &mut self.files {
            file.look(&self.config)?;
        }
        if self.looked_for_files.elapsed() >= Duration::from_millis(FOLDER_LOOK_MS) {
            self.looked_for_files = Instant::now();
            self.find_new()?;
        }
        Ok(())
    }

    fn find_new(&mut self) -> Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let found = place.files(&self.config)?;
        let known: HashSet<&str> = self.files.iter().map(|f| f.name.as_str()).collect();
        let new = found.into_iter().filter(|f| !known.contains(f.name.as_str()));
        let new: Vec<_> = new.map(|f| (place.number(&f.name), f)).collect();
        for (number, file) in new {
            if self.own(number) {
                tracing::info!(file = %file.name, stream = %self.config.stream, "a new file");
                self.files.push(Tracked::there(file, number, None, &self.config)?);
            }
        }
        Ok(())
    }

    /// Takes up to the budget of lines into the batch.
    fn fill(&mut self, rows: usize, bytes: usize) -> Result<()> {
        let bytes = bytes.min(BATCH_BYTES_MAX);
        while self.batch.len() < rows && self.batch.bytes() < bytes {
            let Some((i, mut lines)) = self.next_file()? else { return Ok(()) };
            if self.fill_from(i, &mut lines, rows, bytes)? {
                self.reading = Some((i, lines));
            } else {
                self.cursor = i + 1;
            }
        }
        Ok(())
    }

    /// The file to go on with, open; none when all have been read to their ends.
    fn next_file(&mut self) -> Result<Option<(usize, Lines)>> {
        if let Some(open) = self.reading.take() {
            return Ok(Some(open));
        }
        let count = self.files.len();
        let Some(i) = (0..count).map(|k| (self.cursor + k) % count).find(|i| self.files[*i].has_more()) else {
            return Ok(None);
        };
        Ok(Some((i, self.files[i].open(&self.config)?)))
    }

    /// Lines of one file; false when it has no more for now.
    fn fill_from(&mut self, i: usize, lines: &mut Lines, rows: usize, bytes: usize) -> Result<bool> {
        let file = &mut self.files[i];
        while self.batch.len() < rows && self.batch.bytes() < bytes {
            // A line that begins before the end that counts is read whole, even if it has grown since.
            if self.context.until_idle && file.next >= file.size {
                return Ok(false);
            }
            let begin = file.next;
            let line = lines.next(self.batch.payload_buffer(), self.context.until_idle);
            match line.map_err(|e| find::cannot_read(&file.path, e, &self.config))? {
                Line::Whole => self.batch.push_appended(file.number, begin as i64),
                Line::TooLong => return Err(file.too_long(&self.config)),
                Line::Unfinished => {
                    file.unfinished_at = file.size;
                    return Ok(false);
                }
                Line::None if file.next < file.size => return Err(file.shrank(file.next, &self.config)),
                Line::None => return Ok(false),
            }
            file.next = lines.at();
            file.size = file.size.max(file.next);
            self.lines_read += 1;
            self.bytes_read += file.next - begin;
        }
        Ok(true)
    }
}

impl Source for FileSource {
    fn open(&mut self, resume: &Position) -> Result<()> {
        let place = Place::of(&self.config)?;
        let found = place.files(&self.config)?;
        if found.is_empty() {
            return Err(find::none_found(&place, &self.config));
        }
        let mut files = Vec::new();
        for (name, position) in &resume.0 {
            let number = place.number(name);
            if self.own(number) && !found.iter().any(|f| f.name == *name) {
                files.push(Tracked::missing(name, number, position, &self.config)?);
            }
        }
        for file in found {
            let (number, position) = (place.number(&file.name), resume.0.get(&file.name));
            if self.own(number) {
                files.push(Tracked::there(file, number, position, &self.config)?);
            }
        }
        self.files = files;
        self.place = Some(place);
        Ok(())
    }

    fn poll(&mut self, rows: usize, bytes: usize) -> Result<Polled> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        if self.place.is_none() {
            return Err(Error::bug("file source polled before it was opened"));
        }
        let mut filled = self.fill(rows, bytes);
        if filled.is_ok() && self.batch.is_empty() {
            filled = self.look_around();
        }
        if !self.batch.is_empty() {
            self.pending = filled.err();
            return Ok(Polled::Batch(Batch::insert(self.batch.finish())));
        }
        filled?;
        Ok(if self.context.until_idle { Polled::End } else { Polled::Idle })
    }

    fn position(&self) -> Position {
        Position(self.files.iter().map(|f| (f.name.clone(), f.position())).collect())
    }

    /// An estimate, by the length of the lines so far: nobody has counted the lines that wait.
    fn lag_rows(&self) -> Option<u64> {
        let waiting: u64 = self.files.iter().map(|f| f.size.saturating_sub(f.next)).sum();
        if waiting == 0 {
            return Some(0);
        }
        let line_bytes = self.bytes_read.checked_div(self.lines_read)?.max(1);
        Some(waiting.div_ceil(line_bytes))
    }
}
