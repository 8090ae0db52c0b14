//! The groups of an aggregate: key bytes to a dense index.

use hashbrown::HashTable;
use sluice_engine::state::key_hash;

/// Keys (arrow-row bytes) numbered in the order in which they first came. Numbers are never given back.
#[derive(Default)]
pub struct Groups {
    /// Half of the key's hash, which tells most keys apart without a look at their bytes, and the group.
    index: HashTable<(u32, u32)>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// 64 bits of which the table uses the highest and the lowest.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Groups {
    /// The number of a key, a new one if it was never seen.
    pub fn intern(&mut self, key: &[u8]) -> u32 {
        let half = key_hash(key) as u32;
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some((_, found)) = self.index.find(spread(half), |e| e.0 == half && slice(bytes, ends, e.1) == key) {
            return *found;
        }
        let group = self.ends.len() as u32;
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.index.insert_unique(spread(half), (half, group), |e| spread(e.0));
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
        self.bytes.capacity() + self.ends.capacity() * 8 + self.index.capacity() * 9
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], group: u32) -> &'a [u8] {
    let group = group as usize;
    let start = if group == 0 { 0 } else { ends[group - 1] };
    &bytes[start..ends[group]]
}
