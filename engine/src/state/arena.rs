//! Bytes of many sizes, kept in chunks: growing copies nothing, and no more than a chunk is ever unused.

/// Bytes in a chunk; bigger content gets one of its own.
const CHUNK_BYTES: usize = 256 << 10;

/// Where content is in an [`Arena`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u64);

/// Grows and never shrinks.
#[derive(Debug, Default)]
pub struct Arena {
    chunks: Vec<Vec<u8>>,
}

impl Arena {
    /// Adds content that comes in parts.
    pub fn push(&mut self, parts: &[&[u8]]) -> Place {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        if self.chunks.last().is_none_or(|c| c.capacity() - c.len() < length) {
            self.chunks.push(Vec::with_capacity(length.max(CHUNK_BYTES)));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let place = Place((number as u64) << 32 | chunk.len() as u64);
        parts.iter().for_each(|p| chunk.extend_from_slice(p));
        place
    }

    /// The `length` bytes at `offset` of what was put at `place`.
    pub fn get(&self, place: Place, offset: usize, length: usize) -> &[u8] {
        let (chunk, start) = Self::split(place, offset);
        &self.chunks[chunk][start..start + length]
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, place: Place, offset: usize, length: usize) -> &mut [u8] {
        let (chunk, start) = Self::split(place, offset);
        &mut self.chunks[chunk][start..start + length]
    }

    fn split(place: Place, offset: usize) -> (usize, usize) {
        ((place.0 >> 32) as usize, (place.0 & 0xffff_ffff) as usize + offset)
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum::<usize>() + self.chunks.capacity() * size_of::<Vec<u8>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content of any size, beyond a chunk too, comes back and can be changed in place.
    #[test]
    fn content_comes_back() {
        let mut arena = Arena::default();
        let content = |n: usize| vec![n as u8; [0, 1, 40, 70_000, CHUNK_BYTES + 1][n % 5]];
        let places: Vec<Place> = (0..200).map(|n| arena.push(&[&[n as u8], &content(n)])).collect();
        for (n, place) in places.iter().enumerate() {
            assert_eq!(arena.get(*place, 0, 1), [n as u8]);
            assert_eq!(arena.get(*place, 1, content(n).len()), content(n));
        }
        arena.get_mut(places[3], 0, 1)[0] = 99;
        assert_eq!(arena.get(places[3], 0, 1), [99]);
        assert!(arena.bytes() > 40 * CHUNK_BYTES);
    }
}
