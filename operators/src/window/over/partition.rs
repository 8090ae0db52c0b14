//! The rows of one partition, in order, and what a change of some of them reaches.

use std::collections::BTreeMap;
use std::collections::btree_map::{Entry as Slot, Range};
use std::iter::Peekable;
use std::ops::Bound;

use sluice_engine::{Error, Result};

use super::block::Block;
use super::spec::{OverSpec, Reach};

/// Bytes that hold the length of a row's rank, at the end of its key.
const RANK_LENGTH_BYTES: usize = 4;

/// A row as bytes that compare as the order has it: its order columns (arrow-row), all its columns (arrow-row), and the
/// length of the former.
pub type RowKey = Box<[u8]>;

/// What running functions have come to at each of some rows, in order (arrow-row).
pub type CarriedRows = Vec<Box<[u8]>>;

/// Makes a row's key.
pub fn row_key(rank: &[u8], row: &[u8]) -> RowKey {
    let length = (rank.len() as u32).to_le_bytes();
    [rank, row, &length].concat().into()
}

fn rank_length(key: &[u8]) -> usize {
    let length = key.last_chunk::<RANK_LENGTH_BYTES>();
    length.map_or(0, |l| u32::from_le_bytes(*l) as usize)
}

/// The bytes of the order columns: equal for peers.
pub fn rank_of(key: &[u8]) -> &[u8] {
    &key[..rank_length(key)]
}

/// The bytes of all columns.
pub fn row_of(key: &[u8]) -> &[u8] {
    &key[rank_length(key)..key.len() - RANK_LENGTH_BYTES]
}

/// A row that is there.
#[derive(Debug, Default)]
pub struct Held {
    /// How often.
    pub weight: i64,
    /// What running functions have come to at its last copy (arrow-row); empty when there are none.
    pub carried: Box<[u8]>,
}

/// What a row takes beside its bytes, about.
const LOOSE_ROW_BYTES: usize = 72;
/// Rows that are not packed although they have not been near a change for long.
const LOOSE_ROWS: usize = 16;
/// Rows in a block.
const BLOCK_ROWS: usize = 64;

/// The rows of a partition.
#[derive(Debug, Default)]
pub struct Partition {
    /// The first rows, packed.
    blocks: Vec<Block>,
    /// Of the blocks.
    block_bytes: usize,
    /// All rows behind those.
    rows: BTreeMap<RowKey, Held>,
    /// Changes since the last barrier.
    pending: BTreeMap<RowKey, i64>,
    /// What running functions have come to is not known: the rows have just been restored.
    carries_nothing: bool,
}

/// A row near a change: as it was, and as it is.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// How often it was there.
    pub old: usize,
    /// How often it is there.
    pub new: usize,
}

/// What the changes of a partition reach.
#[derive(Debug)]
pub struct Region<'a> {
    /// Rows in order: some that results depend on, those whose results may change, and again some of the former.
    pub entries: Vec<Entry<'a>>,
    /// Which of the entries may change.
    pub changing: std::ops::Range<usize>,
    /// What running functions have come to before the first entry that may change; none at the partition's start.
    pub carried: Option<&'a [u8]>,
}

/// How far the changes of a partition reach: the farthest of its functions.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    before: usize,
    after: usize,
    all: bool,
    peers: bool,
    /// Some function goes on from row to row, so that a change reaches the end.
    pub carries: bool,
    /// Only so many rows are wanted.
    first_rows: Option<usize>,
}

impl Extent {
    /// True when every change reaches, or is computed from, the partition's first row.
    fn is_whole(&self) -> bool {
        self.all || self.first_rows.is_some()
    }

    /// That of a spec's functions.
    pub fn of(spec: &OverSpec) -> Extent {
        let first_rows = spec.first_rows.map(|n| n as usize);
        let mut extent = Extent { before: 0, after: 0, all: false, peers: false, carries: false, first_rows };
        for call in &spec.calls {
            extent.peers |= call.function.sees_peers();
            match call.function.reach() {
                Some(Reach::Rows { before, after }) => {
                    extent.before = extent.before.max(before);
                    extent.after = extent.after.max(after);
                }
                Some(Reach::All) => extent.all = true,
                // The first rows are always computed from the very first.
                None => extent.carries = first_rows.is_none(),
            }
        }
        extent
    }
}

impl Partition {
    /// Takes a change in; true when it is the first since the last barrier.
    pub fn change(&mut self, key: RowKey, weight: i64) -> bool {
        let first = self.pending.is_empty();
        *self.pending.entry(key).or_default() += weight;
        first
    }

    /// Makes ready for [`region`](Self::region): forgets changes that cancel out, and unpacks the rows that the others reach.
    ///
    /// # Errors
    /// Only for bugs.
    pub fn open(&mut self, extent: &Extent) -> Result<()> {
        self.pending.retain(|_, weight| *weight != 0);
        let Some((first, _)) = self.pending.first_key_value() else { return Ok(()) };
        let first = first.clone();
        let whole = extent.is_whole() || (extent.carries && self.carries_nothing);
        while !self.blocks.is_empty() && (whole || !self.has_enough_before(&first, extent)) {
            if let Some(block) = self.blocks.pop() {
                self.block_bytes -= block.memory_bytes();
                self.rows.extend(block.rows()?);
            }
        }
        Ok(())
    }

    /// True when all rows that a change at `first` reaches or depends on are unpacked.
    fn has_enough_before(&self, first: &RowKey, extent: &Extent) -> bool {
        // Each group of peers is a row or more; one more row carries what functions had come to.
        let wanted = extent.before + extent.after + 2;
        let (mut seen, mut rank) = (0, rank_of(first));
        for (key, held) in self.rows.range::<RowKey, _>(..first).rev() {
            if !extent.peers {
                seen += held.weight as usize;
            } else if rank_of(key) != rank {
                seen += 1;
                rank = rank_of(key);
            }
            if seen >= wanted {
                return true;
            }
        }
        false
    }

    /// Packs all but the last rows.
    fn pack(&mut self) {
        while self.rows.len() >= LOOSE_ROWS + BLOCK_ROWS {
            let first = (0..BLOCK_ROWS).filter_map(|_| self.rows.pop_first()).collect::<Vec<_>>();
            let block = Block::of(first.into_iter());
            self.block_bytes += block.memory_bytes();
            self.blocks.push(block);
        }
    }

    /// Puts a row back that a snapshot told of.
    pub fn restore(&mut self, key: RowKey, weight: i64) {
        self.carries_nothing = true;
        let held = self.rows.entry(key).or_default();
        held.weight += weight;
    }

    /// Forgets rows that were taken back, after all pieces of a snapshot.
    ///
    /// # Errors
    /// `Data` when a row was taken back more often than it came.
    pub fn restored(&mut self) -> Result<()> {
        self.rows.retain(|_, held| held.weight != 0);
        if self.rows.values().any(|h| h.weight < 0) {
            return Err(Error::data("the saved state of a window function is damaged"));
        }
        self.pack();
        Ok(())
    }

    /// What the changes since the last barrier reach; none when there are none.
    ///
    /// # Errors
    /// `Bug` when a row is taken back that is not there.
    pub fn region(&self, extent: &Extent) -> Result<Option<Region<'_>>> {
        let (Some((first, _)), Some((last, _))) = (self.pending.first_key_value(), self.pending.last_key_value())
        else {
            return Ok(None);
        };
        if let Some(wanted) = extent.first_rows {
            let entries = self.first(wanted)?;
            return Ok(Some(Region { changing: 0..entries.len(), entries, carried: None }));
        }
        let whole = extent.all || (extent.carries && self.carries_nothing);
        let (mut entries, context, carried) = self.before(first, extent, whole);
        let changing_to = self.from(first, last, extent, whole, &mut entries)?;
        Ok(Some(Region { entries, changing: context..changing_to, carried }))
    }

    /// The first rows, as many as are wanted: those that were, and those that are.
    fn first(&self, wanted: usize) -> Result<Vec<Entry<'_>>> {
        let (mut old, mut new) = (wanted, wanted);
        let mut entries = Vec::new();
        for entry in Merged::new(self, Bound::Unbounded) {
            let Entry { key, old: was, new: is } = entry?;
            let entry = Entry { key, old: was.min(old), new: is.min(new) };
            (old, new) = (old - entry.old, new - entry.new);
            entries.push(entry);
            if old == 0 && new == 0 {
                break;
            }
        }
        Ok(entries)
    }

    /// The rows before the first change that it reaches or that results depend on; how many of them are only the latter; and
    /// what running functions had come to before the others.
    fn before(&self, first: &RowKey, extent: &Extent, whole: bool) -> (Vec<Entry<'_>>, usize, Option<&[u8]>) {
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut rank = rank_of(first);
        let (mut reached, mut context_rows, mut context) = (0, 0, 0);
        let mut carried = None;
        for (key, held) in self.rows.range::<RowKey, _>(..first).rev() {
            let weight = held.weight as usize;
            let is_peer = extent.peers && rank_of(key) == rank;
            let is_reached = whole || (context == 0 && carried.is_none() && (reached < extent.after || is_peer));
            if is_reached {
                reached += weight;
                rank = rank_of(key);
            } else {
                carried.get_or_insert(&*held.carried);
                if context_rows >= extent.before {
                    break;
                }
                context_rows += weight;
                context += 1;
            }
            entries.push(Entry { key, old: weight, new: weight });
        }
        entries.reverse();
        (entries, context, carried)
    }

    /// Adds the rows from the first change on; gives how many of all entries may change.
    fn from<'a>(
        &'a self,
        first: &'a RowKey,
        last: &[u8],
        extent: &Extent,
        whole: bool,
        entries: &mut Vec<Entry<'a>>,
    ) -> Result<usize> {
        let (mut reached, mut context_rows) = (0, 0);
        let mut rank: &[u8] = rank_of(last);
        let mut changing_to = None;
        for entry in Merged::new(self, Bound::Included(first)) {
            let entry = entry?;
            if entry.key > last && !whole && !extent.carries {
                let is_peer = extent.peers && rank_of(entry.key) == rank;
                if changing_to.is_none() && (reached < extent.before || is_peer) {
                    reached += entry.new;
                    rank = rank_of(entry.key);
                } else {
                    changing_to.get_or_insert(entries.len());
                    if context_rows >= extent.after {
                        break;
                    }
                    context_rows += entry.new;
                }
            }
            entries.push(entry);
        }
        Ok(changing_to.unwrap_or(entries.len()))
    }

    /// Takes the changes in for good. `carried`: what running functions have come to at the last copy of each row that may
    /// have changed and is there, in order, from the row with this key on; none when they are not kept.
    pub fn settle(&mut self, extent: &Extent, from: Option<(RowKey, CarriedRows)>) {
        for (key, weight) in std::mem::take(&mut self.pending) {
            match self.rows.entry(key) {
                Slot::Occupied(mut slot) => {
                    slot.get_mut().weight += weight;
                    if slot.get().weight == 0 {
                        slot.remove();
                    }
                }
                Slot::Vacant(slot) => {
                    slot.insert(Held { weight, ..Held::default() });
                }
            }
        }
        if let Some((key, carried)) = from {
            self.carries_nothing = false;
            for (held, carried) in self.rows.range_mut(key..).map(|(_, held)| held).zip(carried) {
                held.carried = carried;
            }
        }
        if !extent.is_whole() {
            self.pack();
        }
    }

    /// True when no row is left.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.pending.is_empty() && self.blocks.is_empty()
    }

    /// Calls `f` with the key and the weight of each row.
    ///
    /// # Errors
    /// Only for bugs.
    pub fn each_row(&self, mut f: impl FnMut(&[u8], i64)) -> Result<()> {
        for block in &self.blocks {
            block.rows()?.iter().for_each(|(key, held)| f(key, held.weight));
        }
        self.rows.iter().for_each(|(key, held)| f(key, held.weight));
        Ok(())
    }

    /// Bytes of memory, about: loose rows as if all were as long as the last.
    pub fn memory_bytes(&self) -> usize {
        let row = self.rows.last_key_value().map_or(0, |(key, held)| key.len() + held.carried.len() + LOOSE_ROW_BYTES);
        self.rows.len() * row + self.block_bytes
    }
}

/// Rows and changes from a key on, in order.
struct Merged<'a> {
    rows: Peekable<Range<'a, RowKey, Held>>,
    changes: Peekable<Range<'a, RowKey, i64>>,
}

impl<'a> Merged<'a> {
    fn new(partition: &'a Partition, from: Bound<&RowKey>) -> Self {
        let bounds = (from, Bound::Unbounded);
        Self {
            rows: partition.rows.range::<RowKey, _>(bounds).peekable(),
            changes: partition.pending.range::<RowKey, _>(bounds).peekable(),
        }
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = Result<Entry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let key: &RowKey = match (self.rows.peek(), self.changes.peek()) {
            (Some((row, _)), Some((change, _))) => (*row).min(*change),
            (Some((row, _)), None) => row,
            (None, Some((change, _))) => change,
            (None, None) => return None,
        };
        let old = self.rows.next_if(|(k, _)| *k == key).map_or(0, |(_, held)| held.weight);
        let new = old + self.changes.next_if(|(k, _)| *k == key).map_or(0, |(_, weight)| *weight);
        Some(match (usize::try_from(old), usize::try_from(new)) {
            (Ok(old), Ok(new)) => Ok(Entry { key, old, new }),
            _ => Err(Error::bug("a window function was told to take back a row that it never got")),
        })
    }
}
