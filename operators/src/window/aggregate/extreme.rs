//! `min(x)` and `max(x)`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, new_null_array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use sluice_engine::state::SnapshotMode;
use sluice_engine::state::bits::{from_bits, has_bits, to_bits};
use sluice_engine::{Error, Result};

use super::accumulator::{GroupAccumulator, Rows};
use super::saved::{damaged, save_each, save_value, saved_bytes, saved_values};

/// What a group takes in a snapshot, about, in bytes.
const SAVED_VALUE_BYTES: usize = 24;

/// The accumulator of `min` (`max`, with `largest`) over values of a type.
///
/// # Errors
/// When the type has no order.
pub(super) fn extreme(value: &DataType, largest: bool, append_only: bool) -> Result<Box<dyn GroupAccumulator>> {
    let value_type = value.clone();
    Ok(if has_bits(value) {
        Box::new(Extreme { values: Bits { value_type }, largest, append_only, groups: vec![] })
    } else if *value == DataType::Utf8 {
        Box::new(Extreme { values: Text, largest, append_only, groups: vec![] })
    } else {
        let converter = RowConverter::new(vec![SortField::new(value_type.clone())])?;
        let values = Bytes { converter, value_type };
        Box::new(Extreme { values, largest, append_only, groups: vec![] })
    })
}

/// How values are kept.
trait Values: Send {
    type Key: Ord + Clone + Send;
    /// What a batch's values are while they are taken in.
    type Batch;

    fn batch(&self, values: &ArrayRef) -> Result<Self::Batch>;
    /// Compares the value of a row with one that is kept.
    fn compare(batch: &Self::Batch, row: usize, held: &Self::Key) -> std::cmp::Ordering;
    fn key(batch: &Self::Batch, row: usize) -> Self::Key;
    fn array(&self, keys: &[Option<&Self::Key>]) -> Result<ArrayRef>;
    fn save(key: &Self::Key, bytes: &mut Vec<u8>);
    fn load(bytes: &[u8]) -> Option<Self::Key>;
    fn heap_bytes(key: &Self::Key) -> usize;
}

struct Bits {
    value_type: DataType,
}

impl Values for Bits {
    type Key = u64;
    type Batch = Vec<u64>;

    fn batch(&self, values: &ArrayRef) -> Result<Vec<u64>> {
        to_bits(values)
    }

    fn compare(batch: &Vec<u64>, row: usize, held: &u64) -> std::cmp::Ordering {
        batch[row].cmp(held)
    }

    fn key(batch: &Vec<u64>, row: usize) -> u64 {
        batch[row]
    }

    fn array(&self, keys: &[Option<&u64>]) -> Result<ArrayRef> {
        from_bits(&self.value_type, &keys.iter().map(|k| k.copied()).collect::<Vec<_>>())
    }

    fn save(key: &u64, bytes: &mut Vec<u8>) {
        bytes.extend(key.to_le_bytes());
    }

    fn load(bytes: &[u8]) -> Option<u64> {
        bytes.try_into().ok().map(u64::from_le_bytes)
    }

    fn heap_bytes(_key: &u64) -> usize {
        0
    }
}

/// Strings as they are: their bytes compare as they do.
struct Text;

impl Values for Text {
    type Key = Box<str>;
    type Batch = StringArray;

    fn batch(&self, values: &ArrayRef) -> Result<StringArray> {
        let texts = values.as_string_opt::<i32>();
        Ok(texts.ok_or_else(|| Error::bug(format!("strings were expected, not {}", values.data_type())))?.clone())
    }

    fn compare(batch: &StringArray, row: usize, held: &Box<str>) -> std::cmp::Ordering {
        batch.value(row).cmp(held)
    }

    fn key(batch: &StringArray, row: usize) -> Box<str> {
        batch.value(row).into()
    }

    fn array(&self, keys: &[Option<&Box<str>>]) -> Result<ArrayRef> {
        Ok(Arc::new(keys.iter().map(|k| k.map(|k| k.as_ref())).collect::<StringArray>()))
    }

    fn save(key: &Box<str>, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(key.as_bytes());
    }

    fn load(bytes: &[u8]) -> Option<Box<str>> {
        std::str::from_utf8(bytes).ok().map(Into::into)
    }

    fn heap_bytes(key: &Box<str>) -> usize {
        key.len()
    }
}

struct Bytes {
    value_type: DataType,
    converter: RowConverter,
}

impl Values for Bytes {
    type Key = Box<[u8]>;
    type Batch = arrow::row::Rows;

    fn batch(&self, values: &ArrayRef) -> Result<arrow::row::Rows> {
        Ok(self.converter.convert_columns(std::slice::from_ref(values))?)
    }

    fn compare(batch: &arrow::row::Rows, row: usize, held: &Box<[u8]>) -> std::cmp::Ordering {
        batch.row(row).as_ref().cmp(held)
    }

    fn key(batch: &arrow::row::Rows, row: usize) -> Box<[u8]> {
        batch.row(row).as_ref().into()
    }

    fn array(&self, keys: &[Option<&Box<[u8]>>]) -> Result<ArrayRef> {
        // A NULL for groups without a value: its encoding is that of a NULL of the type.
        let null = self.converter.convert_columns(&[new_null_array(&self.value_type, 1)])?;
        let parser = self.converter.parser();
        let rows = keys.iter().map(|k| k.map_or(null.row(0), |k| parser.parse(k)));
        let mut columns = self.converter.convert_rows(rows)?;
        columns.pop().ok_or_else(|| Error::bug("one column was encoded"))
    }

    fn save(key: &Box<[u8]>, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(key);
    }

    fn load(bytes: &[u8]) -> Option<Box<[u8]>> {
        Some(bytes.into())
    }

    fn heap_bytes(key: &Box<[u8]>) -> usize {
        key.len()
    }
}

/// A group's values and how often each is there; most groups have one.
#[derive(Clone, Default)]
enum Held<K> {
    #[default]
    Nothing,
    One(K, i64),
    // Boxed, because few groups have it and it is bigger than the others.
    #[allow(clippy::box_collection)]
    Many(Box<BTreeMap<K, i64>>),
}

impl<K: Ord> Held<K> {
    fn extreme(&self, largest: bool) -> Option<&K> {
        match self {
            Held::Nothing => None,
            Held::One(key, _) => Some(key),
            Held::Many(all) => {
                let entry = if largest { all.last_key_value() } else { all.first_key_value() };
                entry.map(|(key, _)| key)
            }
        }
    }

    fn each(&self, mut f: impl FnMut(&K, i64)) {
        match self {
            Held::Nothing => {}
            Held::One(key, n) => f(key, *n),
            Held::Many(all) => all.iter().for_each(|(key, n)| f(key, *n)),
        }
    }

    fn count(&mut self, key: K, weight: i64) {
        match self {
            Held::Nothing => *self = Held::One(key, weight),
            Held::One(held, n) if *held == key => {
                *n += weight;
                if *n == 0 {
                    *self = Held::Nothing;
                }
            }
            Held::One(..) => {
                let Held::One(held, n) = std::mem::take(self) else { return };
                *self = Held::Many(Box::new(BTreeMap::from([(held, n), (key, weight)])));
            }
            Held::Many(all) => {
                match all.entry(key) {
                    Entry::Vacant(entry) => drop(entry.insert(weight)),
                    Entry::Occupied(mut entry) => {
                        *entry.get_mut() += weight;
                        if *entry.get() == 0 {
                            entry.remove();
                        }
                    }
                }
                if all.is_empty() {
                    *self = Held::Nothing;
                }
            }
        }
    }
}

/// `min(x)` or `max(x)`: all values with counts; when nothing is ever taken back, only the extreme one.
struct Extreme<V: Values> {
    values: V,
    largest: bool,
    append_only: bool,
    groups: Vec<Held<V::Key>>,
}

impl<V: Values> GroupAccumulator for Extreme<V> {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, Held::Nothing);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        let values = rows.values.ok_or_else(|| Error::bug("an aggregate without an argument"))?;
        let batch = self.values.batch(values)?;
        let (groups, append_only, largest) = (&mut self.groups, self.append_only, self.largest);
        let better = if largest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
        rows.each(|row, group, weight| {
            let held = &mut groups[group];
            if !append_only {
                match held {
                    Held::One(key, n) if V::compare(&batch, row, key).is_eq() && *n + weight != 0 => *n += weight,
                    _ if weight != 0 => held.count(V::key(&batch, row), weight),
                    _ => {}
                }
                return;
            }
            if held.extreme(largest).is_none_or(|best| V::compare(&batch, row, best) == better) {
                *held = Held::One(V::key(&batch, row), 1);
            }
        });
        Ok(())
    }

    fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
        let keys: Vec<_> = groups.iter().map(|g| self.groups[*g as usize].extreme(self.largest)).collect();
        self.values.array(&keys)
    }

    fn save(&mut self, groups: &[u32], _mode: SnapshotMode) -> Result<ArrayRef> {
        save_each(groups, groups.len() * SAVED_VALUE_BYTES, |group, bytes| {
            self.groups[group as usize].each(|key, n| save_value(n, bytes, |bytes| V::save(key, bytes)));
        })
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef, _in_chain: bool) -> Result<()> {
        for (group, bytes) in groups.iter().zip(saved_bytes(saved)?.iter().flatten()) {
            let held = &mut self.groups[*group as usize];
            *held = Held::Nothing;
            for (value, n) in saved_values(bytes) {
                held.count(V::load(value?).ok_or_else(damaged)?, n);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let heap = |held: &Held<V::Key>| match held {
            Held::Nothing => 0,
            Held::One(key, _) => V::heap_bytes(key),
            // A B-tree node's share for an entry is about its size again.
            Held::Many(all) => all.keys().map(|k| V::heap_bytes(k) + 2 * size_of::<(V::Key, i64)>()).sum(),
        };
        self.groups.iter().map(heap).sum::<usize>() + self.groups.capacity() * size_of::<Held<V::Key>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BinaryArray, Int32Array, Int64Array};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A value as one of each kind: bits, text and other bytes.
    fn column(kind: usize, values: &[Option<i32>]) -> ArrayRef {
        let text = |v: &Option<i32>| v.map(|v| format!("{v:03}"));
        match kind {
            0 => Arc::new(values.iter().copied().collect::<Int32Array>()),
            1 => Arc::new(values.iter().map(text).collect::<StringArray>()),
            _ => Arc::new(BinaryArray::from_iter(values.iter().map(text))),
        }
    }

    proptest! {
        /// The extremes are those of a model, for each way of keeping values, and come back from a snapshot.
        #[test]
        fn extremes_and_snapshots(changes in prop::collection::vec((0u32..3, 0i32..5), 1..60), kind in 0usize..3, largest: bool, appends: bool, keep in 0usize..60) {
            let kind_type = column(kind, &[]).data_type().clone();
            let new = || {
                let mut new = extreme(&kind_type, largest, appends).expect("ordered");
                new.resize(3);
                new
            };
            let (mut ours, mut model) = (new(), BTreeMap::<(u32, i32), i64>::new());
            let taken_back: &[_] = if appends { &[] } else { &changes[..keep.min(changes.len() - 1)] };
            for (rows, weight) in [(changes.as_slice(), 1), (taken_back, -1)] {
                let groups: Vec<u32> = rows.iter().map(|c| c.0).collect();
                let values = column(kind, &rows.iter().map(|c| Some(c.1)).collect::<Vec<_>>());
                let weights = Int64Array::from(vec![weight; rows.len()]);
                rows.iter().for_each(|c| *model.entry(*c).or_insert(0) += weight);
                let rows = Rows { groups: &groups, values: Some(&values), filter: None, weights: Some(&weights) };
                ours.update(&rows).expect("updated");
            }
            let alive = |g: u32| model.iter().filter(move |((group, _), n)| *group == g && **n > 0).map(|((_, v), _)| *v);
            let expected: Vec<Option<i32>> = (0..3).map(|g| if largest { alive(g).max() } else { alive(g).min() }).collect();
            prop_assert_eq!(&ours.output(&[0, 1, 2]).expect("shown"), &column(kind, &expected));
            let mut restored = new();
            let saved = ours.save(&[0, 1, 2], SnapshotMode::Full).expect("saved");
            restored.load(&[0, 1, 2], &saved, true).expect("loaded");
            prop_assert_eq!(&restored.output(&[0, 1, 2]).expect("shown"), &column(kind, &expected));
        }
    }
}
