//! The groups of an aggregate: key bytes to a dense index.

use hashbrown::HashTable;
use sluice_engine::state::key_hash;

/// Keys (arrow-row bytes) numbered in the order in which they first came. Numbers are never given back.
#[derive(Default)]
pub struct Groups {
    index: HashTable<u32>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Groups {
    /// The number of a key, a new one if it was never seen.
    pub fn intern(&mut self, key: &[u8]) -> u32 {
        let hash = key_hash(key);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(found) = self.index.find(hash, |g| slice(bytes, ends, *g) == key) {
            return *found;
        }
        let group = self.ends.len() as u32;
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.index.insert_unique(hash, group, |g| key_hash(slice(bytes, ends, *g)));
        group
    }

    /// The bytes of a group's key.
    pub fn key(&self, group: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, group)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 8 + self.index.capacity() * 5
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], group: u32) -> &'a [u8] {
    let group = group as usize;
    let start = if group == 0 { 0 } else { ends[group - 1] };
    &bytes[start..ends[group]]
}
