//! Which row each key shows: about 70 bytes a key.

use hashbrown::HashTable;
use sluice_engine::state::{Arena, Place, RowId};
use xxhash_rust::xxh3::xxh3_128;

/// Where the row that a key shows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Row of the batch that is being taken in.
    Fresh(u32),
    /// Row of the log.
    Logged(RowId),
}

/// Set in the number of a row of the batch that is being taken in.
const FRESH: u64 = 1 << 63;

impl Shown {
    fn to_bytes(self) -> [u8; 8] {
        match self {
            Shown::Fresh(row) => u64::from(row) | FRESH,
            Shown::Logged(row) => row.number(),
        }
        .to_le_bytes()
    }

    fn of(number: u64) -> Self {
        if number & FRESH == 0 { Shown::Logged(RowId::of(number)) } else { Shown::Fresh(number as u32) }
    }
}

/// What is kept of a key: its hash of 128 bits (among 10^9 keys two are taken for one with a probability of 10^-21), what it
/// shows, and that row's rank.
const HASH: usize = 0;
const SHOWN: usize = 16;
const RANK_LENGTH: usize = 24;
const RANK: usize = 28;

/// A key's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry(Place);

/// The keys and what each shows.
#[derive(Default)]
pub struct KeyIndex {
    table: HashTable<Place>,
    entries: Arena,
}

/// What came of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The key's first row.
    New(Entry),
    /// It takes the place of another row.
    Replaces(Entry, Shown),
    /// The row that is shown stands before it.
    Loses,
}

fn table_hash(hash: &[u8]) -> u64 {
    hash.first_chunk().map_or(0, |low| u64::from_le_bytes(*low))
}

impl KeyIndex {
    /// Offers a row: key bytes, rank bytes, and which row of the current batch it is.
    pub fn offer(&mut self, key: &[u8], rank: &[u8], row: u32) -> Outcome {
        let hash = xxh3_128(key).to_le_bytes();
        let entries = &self.entries;
        let found = self.table.find(table_hash(&hash), |e| entries.get(*e, HASH, SHOWN) == hash).copied();
        let Some(place) = found else {
            let length = (rank.len() as u32).to_le_bytes();
            let place = self.entries.push(&[&hash, &Shown::Fresh(row).to_bytes(), &length, rank]);
            let entries = &self.entries;
            self.table.insert_unique(table_hash(&hash), place, |e| table_hash(entries.get(*e, HASH, SHOWN)));
            return Outcome::New(Entry(place));
        };
        let shown_rank = self.rank(place);
        if rank >= shown_rank {
            return Outcome::Loses;
        }
        let same_length = rank.len() == shown_rank.len();
        let before = self.shown(place);
        if same_length {
            self.entries.get_mut(place, RANK, rank.len()).copy_from_slice(rank);
            self.entries.get_mut(place, SHOWN, 8).copy_from_slice(&Shown::Fresh(row).to_bytes());
            return Outcome::Replaces(Entry(place), before);
        }
        let length = (rank.len() as u32).to_le_bytes();
        let moved = self.entries.push(&[&hash, &Shown::Fresh(row).to_bytes(), &length, rank]);
        if let Some(entry) = self.table.find_mut(table_hash(&hash), |e| *e == place) {
            *entry = moved;
        }
        Outcome::Replaces(Entry(moved), before)
    }

    /// Says where the row that a key shows is kept.
    pub fn set_shown(&mut self, entry: Entry, row: RowId) {
        self.entries.get_mut(entry.0, SHOWN, 8).copy_from_slice(&Shown::Logged(row).to_bytes());
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.entries.bytes() + self.table.capacity() * (size_of::<Place>() + 1)
    }

    fn shown(&self, place: Place) -> Shown {
        let bytes = self.entries.get(place, SHOWN, 8).first_chunk();
        Shown::of(bytes.map_or(0, |b| u64::from_le_bytes(*b)))
    }

    fn rank(&self, place: Place) -> &[u8] {
        let length = self.entries.get(place, RANK_LENGTH, 4).first_chunk();
        self.entries.get(place, RANK, length.map_or(0, |l| u32::from_le_bytes(*l)) as usize)
    }
}
