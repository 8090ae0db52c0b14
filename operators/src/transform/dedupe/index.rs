//! Which row each key shows: key and rank bytes in one arena, about 70 bytes a key.

use hashbrown::HashTable;
use sluice_engine::state::{RowId, key_hash};

/// Where the row that a key shows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Row of the batch that is being taken in.
    Fresh(u32),
    /// Row of the log.
    Logged(RowId),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key_start: usize,
    rank_start: usize,
    key_len: u32,
    rank_len: u32,
    shown: Shown,
}

/// The keys and what each shows.
#[derive(Default)]
pub struct KeyIndex {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
}

/// What came of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The key's first row.
    New(u32),
    /// It takes the place of another row.
    Replaces(u32, Shown),
    /// The row that is shown stands before it.
    Loses,
}

impl KeyIndex {
    /// Offers a row: key bytes, rank bytes, and which row of the current batch it is.
    pub fn offer(&mut self, key: &[u8], rank: &[u8], row: u32) -> Outcome {
        let hash = key_hash(key);
        let (entries, arena) = (&self.entries, &self.arena);
        let found = self.table.find(hash, |e| key_of(entries, arena, *e) == key).copied();
        let Some(index) = found else {
            let index = self.entries.len() as u32;
            let key_start = self.push(key);
            let rank_start = self.push(rank);
            let (key_len, rank_len) = (key.len() as u32, rank.len() as u32);
            self.entries.push(Entry { key_start, rank_start, key_len, rank_len, shown: Shown::Fresh(row) });
            let (entries, arena) = (&self.entries, &self.arena);
            self.table.insert_unique(hash, index, |e| key_hash(key_of(entries, arena, *e)));
            return Outcome::New(index);
        };
        let entry = self.entries[index as usize];
        let shown_rank = &self.arena[entry.rank_start..entry.rank_start + entry.rank_len as usize];
        if rank >= shown_rank {
            return Outcome::Loses;
        }
        let rank_start = if rank.len() == shown_rank.len() {
            self.arena[entry.rank_start..entry.rank_start + rank.len()].copy_from_slice(rank);
            entry.rank_start
        } else {
            self.push(rank)
        };
        self.entries[index as usize] =
            Entry { rank_start, rank_len: rank.len() as u32, shown: Shown::Fresh(row), ..entry };
        Outcome::Replaces(index, entry.shown)
    }

    /// Says where the row that a key shows is kept.
    pub fn set_shown(&mut self, index: u32, row: RowId) {
        self.entries[index as usize].shown = Shown::Logged(row);
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>() + self.table.capacity() * 5
    }

    fn push(&mut self, bytes: &[u8]) -> usize {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        start
    }
}

fn key_of<'a>(entries: &[Entry], arena: &'a [u8], index: u32) -> &'a [u8] {
    let entry = &entries[index as usize];
    &arena[entry.key_start..entry.key_start + entry.key_len as usize]
}
