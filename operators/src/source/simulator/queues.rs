//! What was made and not yet taken: one bounded queue for each source.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;

use super::feed::Place;
use super::json::push_u64;
use super::records::{Record, STREAMS};
use crate::source::raw::RawBatchBuilder;

/// A queue with so many records is full, and nothing more is made until it is taken. A chunk may pass the bound.
const QUEUE_ROWS_MAX: usize = 8_192;
/// A queue with so many bytes of payload is full. A chunk may pass the bound.
const QUEUE_BYTES_MAX: usize = 4 << 20;

/// What a source sees of the shared run without the lock.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Records in the source's queue.
    pub(super) waiting: AtomicU64,
    /// The run's identity, once it has begun.
    pub(super) identity: OnceLock<serde_json::Value>,
}

/// The records that wait for one source.
#[derive(Debug)]
pub(super) struct Queue {
    /// The first offset that the source wants of each partition; none before `open`.
    wanted: Option<Vec<i64>>,
    rows: RawBatchBuilder,
    seat: Arc<Seat>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    fn is_full(&self) -> bool {
        self.len() >= QUEUE_ROWS_MAX || self.bytes() >= QUEUE_BYTES_MAX
    }

    fn put(&mut self, place: Place, record: &Record<'_>, key: &mut Vec<u8>) {
        let is_wanted = self.wanted.as_ref().is_some_and(|wanted| place.offset >= wanted[place.partition]);
        if !is_wanted {
            return;
        }
        key.clear();
        if let Some(session) = record.key {
            push_u64(key, session);
        }
        let key = record.key.is_some().then_some(key.as_slice());
        let event_us = record.time_ms.saturating_mul(1_000);
        self.rows.push(place.partition as i32, place.offset, Some(event_us), key, Some(record.payload));
    }

    fn tell(&self) {
        self.seat.waiting.store(self.rows.len() as u64, Ordering::Relaxed);
    }

    /// Takes everything.
    pub(super) fn take(&mut self) -> RecordBatch {
        let rows = self.rows.finish();
        self.tell();
        rows
    }

    /// How many records of the stream the source had been given before a restart, up to the last of them.
    fn old(&self) -> u64 {
        let Some(wanted) = &self.wanted else { return 0 };
        let up_to = |(partition, next): (usize, &i64)| match u64::try_from(*next) {
            Ok(next @ 1..) => (next - 1) * wanted.len() as u64 + partition as u64 + 1,
            _ => 0,
        };
        wanted.iter().enumerate().map(up_to).max().unwrap_or(0)
    }
}

/// The queues of all sources. Partition `p` of a stream goes to the source on worker `p % workers`; records of a stream
/// or partition that no source reads are dropped.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// By stream and worker.
    by_stream: [Vec<Option<Queue>>; STREAMS.len()],
    key: Vec<u8>,
}

impl Queues {
    /// Adds a queue; `None` when there is one already, or the others are of another number of workers.
    pub(super) fn add(&mut self, stream: usize, worker: usize, workers: usize) -> Option<Arc<Seat>> {
        if worker >= workers || self.by_stream.iter().any(|queues| !queues.is_empty() && queues.len() != workers) {
            return None;
        }
        self.by_stream[stream].resize_with(workers, || None);
        let place = &mut self.by_stream[stream][worker];
        if place.is_some() {
            return None;
        }
        let seat = Arc::<Seat>::default();
        *place = Some(Queue { wanted: None, rows: RawBatchBuilder::new(STREAMS[stream]), seat: seat.clone() });
        Some(seat)
    }

    /// Takes a queue out; true when none is left.
    pub(super) fn remove(&mut self, stream: usize, worker: usize) -> bool {
        if let Some(place) = self.by_stream[stream].get_mut(worker) {
            *place = None;
        }
        self.all().next().is_none()
    }

    /// Says from where on the source wants its partitions, of which it names all.
    pub(super) fn open(&mut self, stream: usize, worker: usize, wanted: Vec<i64>) {
        if let Some(queue) = self.of(stream, worker) {
            queue.wanted = Some(wanted);
        }
    }

    pub(super) fn of(&mut self, stream: usize, worker: usize) -> Option<&mut Queue> {
        self.by_stream[stream].get_mut(worker)?.as_mut()
    }

    pub(super) fn all_open(&self) -> bool {
        self.all().all(|queue| queue.wanted.is_some())
    }

    pub(super) fn any_full(&self) -> bool {
        self.all().any(Queue::is_full)
    }

    /// How many records of each stream had been given before a restart.
    pub(super) fn old(&self) -> [u64; STREAMS.len()] {
        std::array::from_fn(|stream| self.by_stream[stream].iter().flatten().map(Queue::old).max().unwrap_or(0))
    }

    pub(super) fn put(&mut self, place: Place, record: &Record<'_>) {
        let queues = &mut self.by_stream[place.stream];
        let workers = queues.len().max(1);
        if let Some(Some(queue)) = queues.get_mut(place.partition % workers) {
            queue.put(place, record, &mut self.key);
        }
    }

    /// Tells all sources which run this is.
    pub(super) fn tell_identity(&self, identity: &serde_json::Value) {
        for queue in self.all() {
            queue.seat.identity.get_or_init(|| identity.clone());
        }
    }

    /// Makes the numbers of waiting records known.
    pub(super) fn tell(&self) {
        self.all().for_each(Queue::tell);
    }

    fn all(&self) -> impl Iterator<Item = &Queue> {
        self.by_stream.iter().flatten().flatten()
    }
}
