//! The generator behind the sources: makes records when they are due, and says where in their streams they lie.

use std::time::{Duration, Instant};

use super::pace::{Due, Pace};
use super::records::{Record, Records, STREAMS};
use super::run::{Filled, Simulator};

/// Records that are made at a time, about.
const CHUNK_RECORDS: u64 = 1_024;
/// After everything due is out, nothing is made for so long: it gathers single records into batches.
const LINGER_MS: u64 = 10;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Index into [`STREAMS`].
    pub(super) stream: usize,
    /// The records of a stream go to its partitions in turn.
    pub(super) partition: usize,
    /// How many records of the stream went to this partition before.
    pub(super) offset: i64,
}

/// What came of making records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// There were some.
    Records,
    /// None is due.
    NotDue,
    /// There will be none any more.
    End,
}

/// A run of the simulator, record by record, at its pace.
#[derive(Debug)]
pub(super) struct Feed {
    simulator: Simulator,
    records: Records,
    partitions: u64,
    pace: Pace,
    /// How many records of each stream were made.
    made: [u64; STREAMS.len()],
    /// How many of each stream some source has given before the restart: they were due then, and come without pace.
    old: [u64; STREAMS.len()],
    /// The latest event time of the old records.
    old_ms: Option<i64>,
    /// When the pace began, and the pace from there.
    clock: Option<(Instant, Pace)>,
    /// Records made since then, over all streams.
    sent: u64,
    not_before: Option<Instant>,
    is_over: bool,
}

impl Feed {
    pub(super) fn new(simulator: Simulator, pace: Pace, partitions: u32, old: [u64; STREAMS.len()]) -> Self {
        Self {
            simulator,
            records: Records::new(),
            partitions: u64::from(partitions),
            pace,
            made: [0; STREAMS.len()],
            old,
            old_ms: None,
            clock: None,
            sent: 0,
            not_before: None,
            is_over: false,
        }
    }

    /// Makes about [`CHUNK_RECORDS`] records at most and passes each to `put`.
    pub(super) fn advance(&mut self, now: Instant, put: impl FnMut(Place, &Record<'_>)) -> Fed {
        if self.is_over {
            return Fed::End;
        }
        if self.not_before.is_some_and(|time| now < time) {
            return Fed::NotDue;
        }
        let old = self.old_to_come();
        let due = if old > 0 { Due { records: old, until_ms: None } } else { self.due(now) };
        let filled = match due.records.min(CHUNK_RECORDS) {
            0 => Filled::Waiting,
            max => self.simulator.next_records_until(max as usize, due.until_ms, &mut self.records),
        };
        match filled {
            Filled::Records => {
                self.hand_out(old > 0, put);
                Fed::Records
            }
            Filled::Waiting => {
                self.not_before = Some(now + Duration::from_millis(LINGER_MS));
                Fed::NotDue
            }
            Filled::End => {
                self.is_over = true;
                Fed::End
            }
        }
    }

    /// At least so many records must be made until all streams are where they were before the restart.
    fn old_to_come(&self) -> u64 {
        self.old.iter().zip(&self.made).map(|(old, made)| old.saturating_sub(*made)).max().unwrap_or(0)
    }

    fn due(&mut self, now: Instant) -> Due {
        let (began, pace) = self.clock.get_or_insert_with(|| (now, from_there(self.pace, self.old_ms)));
        pace.due(now.saturating_duration_since(*began), self.sent)
    }

    fn hand_out(&mut self, is_old: bool, mut put: impl FnMut(Place, &Record<'_>)) {
        for record in self.records.iter() {
            let number = self.made[record.stream];
            self.made[record.stream] += 1;
            let (partition, offset) = ((number % self.partitions) as usize, (number / self.partitions) as i64);
            put(Place { stream: record.stream, partition, offset }, &record);
        }
        if is_old {
            self.old_ms = self.old_ms.max(self.records.iter().map(|record| record.time_ms).max());
        } else {
            self.sent += self.records.len() as u64;
        }
    }
}

/// The pace after a restart: a clock goes on from the old records, if it would begin before them.
fn from_there(pace: Pace, old_ms: Option<i64>) -> Pace {
    match pace {
        Pace::Clock { start_ms, speedup } => {
            Pace::Clock { start_ms: old_ms.unwrap_or(start_ms).max(start_ms), speedup }
        }
        other => other,
    }
}
