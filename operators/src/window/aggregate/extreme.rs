//! `min(x)` and `max(x)`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::{ArrayRef, new_null_array};
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

    fn load(&mut self, groups: &[u32], saved: &ArrayRef) -> Result<()> {
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
