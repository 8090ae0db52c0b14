//! The groups of an aggregate: key bytes to a dense index.

use hashbrown::HashTable;
use sluice_engine::state::{Arena, Place, key_hash};

/// Keys (arrow-row bytes) numbered in the order in which they first came. Numbers are never given back.
#[derive(Default)]
pub struct Groups {
    /// Half of the key's hash, which tells most keys apart without a look at their bytes, and the group.
    index: HashTable<(u32, u32)>,
    keys: Arena,
    /// Where each key is, and its length in bytes.
    places: Vec<(Place, u32)>,
}

/// 64 bits of which the table uses the highest and the lowest.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Groups {
    /// The number of a key, a new one if it was never seen.
    pub fn intern(&mut self, key: &[u8]) -> u32 {
        let half = key_hash(key) as u32;
        if let Some((_, found)) = self.index.find(spread(half), |e| e.0 == half && self.key(e.1) == key) {
            return *found;
        }
        let group = self.places.len() as u32;
        self.places.push((self.keys.push(&[key]), key.len() as u32));
        self.index.insert_unique(spread(half), (half, group), |e| spread(e.0));
        group
    }

    /// True when the key was seen.
    pub fn contains(&self, key: &[u8]) -> bool {
        let half = key_hash(key) as u32;
        self.index.find(spread(half), |e| e.0 == half && self.key(e.1) == key).is_some()
    }

    /// The bytes of a group's key.
    pub fn key(&self, group: u32) -> &[u8] {
        let (place, length) = self.places[group as usize];
        self.keys.get(place, 0, length as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.keys.bytes() + self.places.capacity() * size_of::<(Place, u32)>() + self.index.capacity() * 9
    }
}
