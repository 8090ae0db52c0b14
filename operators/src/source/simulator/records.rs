//! What the simulator gives: records of four streams in one reusable buffer.

use super::fault::InjectedFault;

/// The streams, by their index in [`Record::stream`]. Each is the name of a topic and of a file.
pub const STREAMS: [&str; 4] = ["listen_events", "status_change_events", "auth_events", "page_view_events"];

pub(super) const LISTEN: usize = 0;
pub(super) const STATUS_CHANGE: usize = 1;
pub(super) const AUTH: usize = 2;
pub(super) const PAGE_VIEW: usize = 3;

/// One record, as it goes to a topic or into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Index into [`STREAMS`].
    pub stream: usize,
    /// Event time in milliseconds since 1970, UTC.
    pub time_ms: i64,
    /// The record's key: the session's number, when the run is keyed.
    pub key: Option<u64>,
    /// One line of JSON with its newline; anything at all for a malformed record.
    pub payload: &'a [u8],
}

/// Where a record lies in the buffer, and which event it tells of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) stream: usize,
    pub(super) time_ms: i64,
    pub(super) session: u64,
    pub(super) item: u32,
    /// How often its song text was read as Latin-1; 0 for good text.
    pub(super) mojibake: u8,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A batch of records in the order in which they are to be sent. Cleared and filled again, it allocates nothing.
#[derive(Debug, Default)]
pub struct Records {
    pub(super) bytes: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    pub(super) injected: Vec<InjectedFault>,
    pub(super) keyed: bool,
}

impl Records {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there no record in it?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all payloads.
    pub fn payload_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Takes all records out; keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.injected.clear();
    }

    /// The records, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| Record {
            stream: entry.stream,
            time_ms: entry.time_ms,
            key: self.keyed.then_some(entry.session),
            payload: &self.bytes[entry.start..entry.end],
        })
    }

    /// The faults that were put into this batch, in order.
    pub fn injected(&self) -> &[InjectedFault] {
        &self.injected
    }

    /// Appends a record whose payload was just written to `bytes`, from `start` on.
    pub(super) fn finish(&mut self, entry: Entry) {
        self.entries.push(Entry { end: self.bytes.len(), ..entry });
    }
}
