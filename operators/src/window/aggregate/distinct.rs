//! `count(distinct x)`: one hash table of (group, value) for all groups.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use hashbrown::{HashTable, hash_table};
use sluice_engine::state::bits::to_bits;
use sluice_engine::state::{SnapshotMode, key_hash};
use sluice_engine::{Error, Result};

use super::accumulator::{GroupAccumulator, Rows};
use super::groups::Groups;
use super::saved::{save_each, save_value, saved_bytes, saved_values};

/// What a pair takes in a snapshot, about, in bytes.
const SAVED_PAIR_BYTES: usize = 16;

/// A value of a group and how often it is there: 16 bytes.
#[derive(Debug, Clone, Copy)]
struct Pair {
    group: u32,
    /// The number of the value ([`Numbers`]).
    value: u32,
    /// Twice the count, and 1 when a snapshot must tell of the pair.
    count_and_mark: i64,
}

impl Pair {
    fn count(self) -> i64 {
        self.count_and_mark >> 1
    }
}

/// What number a value has, for all groups.
enum Numbers {
    /// Values of 32 bits and fewer are their own numbers.
    Bits,
    /// Others are numbered as they come.
    Interned { converter: RowConverter, values: Groups },
}

impl Numbers {
    fn of(value: &DataType) -> Result<Self> {
        use DataType::{Boolean, Date32, Int8, Int16, Int32};
        if matches!(value, Boolean | Int8 | Int16 | Int32 | Date32) {
            return Ok(Numbers::Bits);
        }
        let converter = RowConverter::new(vec![SortField::new(value.clone())])?;
        Ok(Numbers::Interned { converter, values: Groups::default() })
    }

    /// The numbers of a column's values; those of rows that do not count are without meaning.
    fn number(&mut self, column: &ArrayRef, rows: &Rows<'_>) -> Result<Vec<u32>> {
        Ok(match self {
            // The order-keeping bits of a narrow number differ in their lower half alone.
            Numbers::Bits => to_bits(column)?.into_iter().map(|bits| bits as u32).collect(),
            Numbers::Interned { converter, values } => {
                let encoded = converter.convert_columns(std::slice::from_ref(column))?;
                let mut numbers = vec![0; column.len()];
                rows.each(|row, _, _| numbers[row] = values.intern(encoded.row(row).data()));
                numbers
            }
        })
    }

    /// A value's bytes, for a snapshot.
    fn save(&self, value: u32, bytes: &mut Vec<u8>) {
        match self {
            Numbers::Bits => bytes.extend(value.to_le_bytes()),
            Numbers::Interned { values, .. } => bytes.extend_from_slice(values.key(value)),
        }
    }

    fn load(&mut self, bytes: &[u8]) -> Result<u32> {
        match self {
            Numbers::Bits => Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| super::saved::damaged())?)),
            Numbers::Interned { values, .. } => Ok(values.intern(bytes)),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Numbers::Bits => 0,
            Numbers::Interned { values, .. } => values.memory_bytes(),
        }
    }
}

/// `count(distinct x)`.
pub(super) struct CountDistinct {
    append_only: bool,
    numbers: Numbers,
    pairs: HashTable<Pair>,
    /// Different values of each group.
    counts: Vec<i64>,
    /// Pairs that changed since the last snapshot, and perhaps went.
    unsaved: Vec<(u32, u32)>,
}

fn pair_hash(group: u32, value: u32) -> u64 {
    key_hash(&(u64::from(group) << 32 | u64::from(value)).to_le_bytes())
}

impl CountDistinct {
    /// The number of different values of this type.
    ///
    /// # Errors
    /// When the type cannot be encoded.
    pub(super) fn new(value: &DataType, append_only: bool) -> Result<Self> {
        Ok(Self { append_only, numbers: Numbers::of(value)?, pairs: HashTable::new(), counts: vec![], unsaved: vec![] })
    }

    fn add(&mut self, group: u32, value: u32, weight: i64) {
        let same = |p: &Pair| p.group == group && p.value == value;
        match self.pairs.entry(pair_hash(group, value), same, |p| pair_hash(p.group, p.value)) {
            hash_table::Entry::Occupied(mut entry) => {
                if self.append_only {
                    return;
                }
                let pair = entry.get_mut();
                if pair.count_and_mark & 1 == 0 {
                    self.unsaved.push((group, value));
                }
                pair.count_and_mark = (pair.count() + weight) << 1 | 1;
                if pair.count() == 0 {
                    entry.remove();
                    self.counts[group as usize] -= 1;
                }
            }
            hash_table::Entry::Vacant(entry) => {
                if weight == 0 {
                    return;
                }
                entry.insert(Pair { group, value, count_and_mark: weight << 1 | 1 });
                self.counts[group as usize] += 1;
                self.unsaved.push((group, value));
            }
        }
    }

    /// How often a value is there, and that a snapshot has told of it.
    fn settle(&mut self, group: u32, value: u32) -> i64 {
        let pair = self.pairs.find_mut(pair_hash(group, value), |p| p.group == group && p.value == value);
        pair.map_or(0, |pair| {
            pair.count_and_mark &= !1;
            pair.count()
        })
    }

    /// Pairs that a snapshot tells of, by group.
    fn take_unsaved(&mut self, mode: SnapshotMode) -> Vec<(u32, u32)> {
        let mut pairs = std::mem::take(&mut self.unsaved);
        if mode == SnapshotMode::Full {
            pairs = self.pairs.iter().map(|p| (p.group, p.value)).collect();
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

impl GroupAccumulator for CountDistinct {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        let values = rows.values.ok_or_else(|| Error::bug("an aggregate without an argument"))?;
        let numbers = self.numbers.number(values, rows)?;
        rows.each(|row, group, weight| self.add(group as u32, numbers[row], weight));
        Ok(())
    }

    fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
        Ok(Arc::new(groups.iter().map(|g| self.counts[*g as usize]).collect::<Int64Array>()))
    }

    /// For each group the values that changed (all, for a full snapshot): length (u32), count (i64), bytes. A count of
    /// zero says that the value went.
    fn save(&mut self, groups: &[u32], mode: SnapshotMode) -> Result<ArrayRef> {
        let pairs = self.take_unsaved(mode);
        let mut told = 0;
        let column = save_each(groups, pairs.len() * SAVED_PAIR_BYTES, |group, bytes| {
            let first = pairs.partition_point(|p| p.0 < group);
            for (_, value) in pairs[first..].iter().take_while(|p| p.0 == group) {
                save_value(self.settle(group, *value), bytes, |bytes| self.numbers.save(*value, bytes));
                told += 1;
            }
        })?;
        if told != pairs.len() {
            return Err(Error::bug("a group's values changed and the group did not"));
        }
        Ok(column)
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef, in_chain: bool) -> Result<()> {
        for (group, bytes) in groups.iter().zip(saved_bytes(saved)?.iter().flatten()) {
            for (value, count) in saved_values(bytes) {
                let value = self.numbers.load(value?)?;
                let held = self.pairs.find(pair_hash(*group, value), |p| p.group == *group && p.value == value);
                match held.map(|p| p.count()) {
                    Some(_) if self.append_only => {}
                    Some(held) => self.add(*group, value, count - held),
                    None => self.add(*group, value, count),
                }
                if in_chain {
                    self.settle(*group, value);
                }
            }
        }
        if in_chain {
            self.unsaved.clear();
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.numbers.memory_bytes()
            + self.pairs.capacity() * (size_of::<Pair>() + 1)
            + self.counts.capacity() * 8
            + self.unsaved.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int32Array;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// (group, value, comes or goes).
    type Change = (u32, i32, bool);

    fn counts_of(model: &BTreeMap<(u32, i32), i64>) -> Vec<i64> {
        (0..4).map(|g| model.iter().filter(|((group, _), n)| *group == g && **n != 0).count() as i64).collect()
    }

    fn update(distinct: &mut CountDistinct, changes: &[Change]) {
        let groups: Vec<u32> = changes.iter().map(|c| c.0).collect();
        let values: ArrayRef = Arc::new(changes.iter().map(|c| Some(c.1)).collect::<Int32Array>());
        let weights: Int64Array = changes.iter().map(|c| Some(if c.2 { 1 } else { -1 })).collect();
        let rows = Rows { groups: &groups, values: Some(&values), filter: None, weights: Some(&weights) };
        distinct.update(&rows).expect("updated");
    }

    proptest! {
        /// Counts are those of a model, and come back from deltas after a full snapshot or none.
        #[test]
        fn counts_and_snapshots(epochs in prop::collection::vec(prop::collection::vec((0u32..4, 0i32..6, any::<bool>()), 0..30), 1..6), full_at in 0usize..6) {
            let new = || {
                let mut distinct = CountDistinct::new(&DataType::Int32, false).expect("ordered");
                distinct.resize(4);
                distinct
            };
            let (mut distinct, mut model, mut chain) = (new(), BTreeMap::new(), Vec::new());
            for (n, changes) in epochs.iter().enumerate() {
                update(&mut distinct, changes);
                changes.iter().for_each(|(g, v, comes)| *model.entry((*g, *v)).or_insert(0) += if *comes { 1 } else { -1 });
                let mode = if n == full_at { SnapshotMode::Full } else { SnapshotMode::Delta };
                if n == full_at {
                    chain.clear();
                }
                chain.push(distinct.save(&[0, 1, 2, 3], mode).expect("saved"));
                let shown = distinct.output(&[0, 1, 2, 3]).expect("counts");
                let expected: ArrayRef = Arc::new(Int64Array::from(counts_of(&model)));
                prop_assert_eq!(&shown, &expected);
                let mut restored = new();
                chain.iter().for_each(|piece| restored.load(&[0, 1, 2, 3], piece, true).expect("loaded"));
                prop_assert_eq!(&restored.output(&[0, 1, 2, 3]).expect("counts"), &expected);
                // What was restored goes on as the original does.
                update(&mut restored, &[(0, 0, true)]);
                let mut after = model.clone();
                *after.entry((0, 0)).or_insert(0) += 1;
                let expected: ArrayRef = Arc::new(Int64Array::from(counts_of(&after)));
                prop_assert_eq!(&restored.output(&[0, 1, 2, 3]).expect("counts"), &expected);
            }
        }
    }
}
