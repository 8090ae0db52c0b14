//! The simulator as a source: one stream, one worker's partitions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use sluice_engine::source::SplitPosition;
use sluice_engine::{Batch, Error, Polled, Position, Result, Source, SourceContext};

use super::generator::{SharedSimulator, Taken};
use super::identity::Identity;
use super::queues::Seat;
use super::records::STREAMS;
use crate::source::raw::{OFFSET, PARTITION, PAYLOAD};

/// Gives the records of one stream of a simulated site as raw batches ([`crate::source::raw`]), as if they came from a
/// topic of the stream's name.
///
/// The records of a stream go to its partitions in turn, and worker `w` of `n` reads the partitions `p` with
/// `p % n == w`. `_offset` counts the records of a partition from 0. `_timestamp` is the event time: what a producer
/// that sends its events at once would have set as their time of creation. `_key` is the session's number when the run
/// is keyed, else null. The same configuration and options give the same records with the same offsets, whatever the
/// number of workers and the pace.
///
/// **Restart.** Nothing is kept of the records, so a run that goes on from a position makes all of them again from the
/// seed and drops those before the position: some seconds for each ten million. The positions also hold when the run
/// began and a hash of its first records: a run goes on with its own beginning, whatever `start_ms` it is given now, and
/// refuses to go on with records that are not the same ones. `events_max` and `end_ms` may change over a restart, but
/// not with faults. The pace begins anew behind the old records; a clock that starts now makes up for the time in which
/// nothing ran, at once.
///
/// **End.** A run with an end ([`super::Options::events_max`], [`super::Options::end_ms`]) ends, whether the graph runs
/// until idle or not; one without an end cannot be read until idle.
#[derive(Debug)]
pub struct SimulatorSource {
    shared: Arc<SharedSimulator>,
    stream: usize,
    context: SourceContext,
    /// The next offset of each partition of the stream; only its own ones grow.
    next: Vec<i64>,
    /// The run's identity as it was before the restart; null at the first start.
    resumed: serde_json::Value,
    /// What was taken and not yet given.
    pending: Option<RecordBatch>,
    seat: Arc<Seat>,
}

impl SimulatorSource {
    /// A source of the stream of this name (one of [`STREAMS`]). All sources of a graph must be made before the first
    /// one is polled.
    ///
    /// # Errors
    /// `Config` when there is no such stream, or when a run without an end is to be read until idle; `Bug` when the
    /// stream has a source on this worker already.
    pub fn new(shared: Arc<SharedSimulator>, stream: &str, context: SourceContext) -> Result<Self> {
        let Some(stream) = STREAMS.iter().position(|name| *name == stream) else {
            let known = STREAMS.join(", ");
            return Err(Error::config(format!("the simulator has no stream \"{stream}\"; it has {known}")));
        };
        if context.until_idle && !shared.config().is_bounded() {
            return Err(Error::config(
                "the simulator never comes to an end, so it cannot be read until idle; give it a number of events or an \
                 end",
            ));
        }
        let seat = shared.join(stream, context.worker, context.workers)?;
        let next = vec![0; shared.config().partitions as usize];
        Ok(Self { shared, stream, context, next, resumed: serde_json::Value::Null, pending: None, seat })
    }

    /// Gives as much of what was taken as the budget allows, one record at least.
    fn give(&mut self, taken: RecordBatch, rows: usize, bytes: usize) -> Batch {
        let given = fitting(&taken, rows, bytes);
        let batch = taken.slice(0, given);
        let partitions = batch.column(PARTITION).as_primitive::<Int32Type>().values();
        let offsets = batch.column(OFFSET).as_primitive::<Int64Type>().values();
        for (partition, offset) in partitions.iter().zip(offsets) {
            self.next[*partition as usize] = offset + 1;
        }
        self.pending = (given < taken.num_rows()).then(|| taken.slice(given, taken.num_rows() - given));
        Batch::insert(batch)
    }

    /// Takes a split's position over; gives the run that it belongs to. A split of a run that had not begun has none.
    fn resume(&mut self, split: &str, position: &SplitPosition) -> Result<Option<Identity>> {
        let identity = Identity::from_detail(&position.detail);
        let has_begun = position.next > 0 || !position.detail.is_null();
        let place = split.parse().ok().and_then(|partition: usize| self.next.get_mut(partition));
        match place {
            Some(next) if identity.is_some() || !has_begun => *next = position.next.max(0),
            _ => {
                return Err(Error::config(format!(
                    "the position of split \"{split}\" is not one of this simulator (other partitions, or another kind \
                     of source); give it the old options again, or begin with an empty lake"
                )));
            }
        }
        Ok(identity)
    }

    fn own_partitions(&self) -> impl Iterator<Item = usize> {
        (self.context.worker..self.next.len()).step_by(self.context.workers)
    }
}

/// How many rows of a batch are within the budget, but 1 at least.
fn fitting(batch: &RecordBatch, rows: usize, bytes: usize) -> usize {
    let ends = batch.column(PAYLOAD).as_binary::<i32>().value_offsets();
    let within = ends[1..].partition_point(|end| (end - ends[0]) as usize <= bytes);
    within.min(rows).clamp(1, batch.num_rows())
}

impl Source for SimulatorSource {
    fn open(&mut self, resume: &Position) -> Result<()> {
        let mut resumed = None;
        for (split, position) in &resume.0 {
            resumed = self.resume(split, position)?.or(resumed);
        }
        self.resumed = resumed.as_ref().map_or(serde_json::Value::Null, Identity::to_detail);
        let SourceContext { worker, workers, .. } = self.context;
        let own = |(partition, next): (usize, &i64)| if partition % workers == worker { *next } else { 0 };
        let wanted = self.next.iter().enumerate().map(own).collect();
        self.shared.open(self.stream, worker, wanted, resumed.as_ref())
    }

    fn poll(&mut self, rows: usize, bytes: usize) -> Result<Polled> {
        let (rows, bytes) = (rows.max(1), bytes.max(1));
        let taken = match self.pending.take() {
            Some(pending) => Taken::Rows(pending),
            None => self.shared.take(self.stream, self.context.worker, rows, bytes)?,
        };
        Ok(match taken {
            Taken::Rows(taken) => Polled::Batch(self.give(taken, rows, bytes)),
            Taken::Nothing => Polled::Idle,
            Taken::End => Polled::End,
        })
    }

    fn position(&self) -> Position {
        let detail = self.seat.identity.get().unwrap_or(&self.resumed);
        let split = |p: usize| (p.to_string(), SplitPosition { next: self.next[p], detail: detail.clone() });
        Position(self.own_partitions().map(split).collect())
    }

    fn lag_rows(&self) -> Option<u64> {
        let pending = self.pending.as_ref().map_or(0, RecordBatch::num_rows);
        Some(self.seat.waiting.load(Ordering::Relaxed) + pending as u64)
    }
}

impl Drop for SimulatorSource {
    fn drop(&mut self) {
        self.shared.leave(self.stream, self.context.worker);
    }
}
