//! A set of offsets: a bit each where they lie close together, two bytes each where they do not.

use std::collections::BTreeMap;
use std::ops::Range;

/// Offsets in a block.
const BLOCK_OFFSETS: i64 = 1 << 16;
/// A block with more offsets than this is kept as bits.
const FEW_MAX: usize = 4096;
/// Words of a block's bits.
const WORDS: usize = BLOCK_OFFSETS as usize / 64;

enum Block {
    /// In order.
    Few(Vec<u16>),
    Many(Box<[u64; WORDS]>),
}

/// Offsets of one partition.
#[derive(Default)]
pub(super) struct OffsetSet {
    blocks: BTreeMap<i64, Block>,
}

impl OffsetSet {
    /// Adds an offset; false when it is there already.
    pub(super) fn insert(&mut self, offset: i64) -> bool {
        let (block, place) = (offset.div_euclid(BLOCK_OFFSETS), offset.rem_euclid(BLOCK_OFFSETS) as u16);
        let block = self.blocks.entry(block).or_insert_with(|| Block::Few(Vec::new()));
        block.insert(place)
    }

    /// The offsets, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = i64> {
        self.blocks.iter().flat_map(|(block, places)| places.iter().map(move |p| block * BLOCK_OFFSETS + i64::from(p)))
    }

    /// The parts of `within` that hold none, in order.
    pub(super) fn gaps(&self, within: Range<i64>) -> Vec<Range<i64>> {
        let (mut gaps, mut next) = (Vec::new(), within.start);
        for offset in self.iter().filter(|o| within.contains(o)).chain([within.end]) {
            if offset > next {
                gaps.push(next..offset);
            }
            next = offset + 1;
        }
        gaps
    }
}

impl Block {
    fn insert(&mut self, place: u16) -> bool {
        match self {
            Block::Few(places) => match places.binary_search(&place) {
                Ok(_) => return false,
                Err(at) => places.insert(at, place),
            },
            Block::Many(words) => {
                let (word, bit) = (&mut words[usize::from(place) / 64], 1u64 << (place % 64));
                let is_new = *word & bit == 0;
                *word |= bit;
                return is_new;
            }
        }
        if let Block::Few(places) = self
            && places.len() > FEW_MAX
        {
            let mut words = Box::new([0; WORDS]);
            places.iter().for_each(|p| words[usize::from(*p) / 64] |= 1u64 << (p % 64));
            *self = Block::Many(words);
        }
        true
    }

    fn iter(&self) -> Box<dyn Iterator<Item = u16> + '_> {
        match self {
            Block::Few(places) => Box::new(places.iter().copied()),
            Block::Many(words) => {
                Box::new((0..=u16::MAX).filter(|p| words[usize::from(*p) / 64] & (1 << (p % 64)) != 0))
            }
        }
    }
}

/// How many ranges a text names.
const NAMED_MAX: usize = 5;

/// Offsets as people write them: `3, 7-9 and 12 more`. Counts single offsets.
pub(super) fn named(ranges: &[Range<i64>]) -> String {
    let shown = ranges.iter().take(NAMED_MAX).map(|r| match r.end - r.start {
        1 => r.start.to_string(),
        _ => format!("{}-{}", r.start, r.end - 1),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more: i64 = ranges.iter().skip(NAMED_MAX).map(|r| r.end - r.start).sum();
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Single offsets, in order, as ranges.
pub(super) fn ranges(offsets: impl IntoIterator<Item = i64>) -> Vec<Range<i64>> {
    let mut ranges: Vec<Range<i64>> = Vec::new();
    for offset in offsets {
        match ranges.last_mut() {
            Some(last) if last.end == offset => last.end += 1,
            _ => ranges.push(offset..offset + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A set holds what was put into it, dense or sparse, in any order, and its gaps are what is left.
    #[test]
    fn as_a_set_of_numbers() {
        for step in [1, 3, 501] {
            let (mut set, mut other) = (OffsetSet::default(), BTreeSet::new());
            let offsets = (0..30_000).map(|i: i64| (i * 7_919) % 30_000 * step).filter(|o| o % 10 != 3);
            for offset in offsets.chain([3 * step, 3 * step]) {
                assert_eq!(set.insert(offset), other.insert(offset), "{offset}");
            }
            assert!(set.iter().eq(other.iter().copied()));
            let end = 40_000;
            let free: Vec<i64> = (0..end).filter(|o| !other.contains(o)).collect();
            assert_eq!(set.gaps(0..end), ranges(free));
        }
        assert_eq!(OffsetSet::default().gaps(5..5), []);
    }

    /// A text names the first ranges and counts the rest.
    #[test]
    fn words() {
        assert_eq!(named(&ranges([3, 7, 8, 9])), "3, 7-9");
        assert_eq!(named(&ranges((0..20).map(|i| i * 2))), "0, 2, 4, 6, 8 and 15 more");
    }
}
