//! Aggregates that look at the values themselves: `min`, `max`, `count(distinct)`.
//!
//! Values are kept as arrow-row bytes: one code for every type, and bytes compare as the values do.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, Int64Array, new_null_array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows as EncodedRows, SortField};
use sluice_engine::{Error, Result};

use super::accumulator::{GroupAccumulator, Rows};

/// Values and how often each is there.
type Counted = BTreeMap<Box<[u8]>, i64>;

fn converter(value: &DataType) -> Result<RowConverter> {
    Ok(RowConverter::new(vec![SortField::new(value.clone())])?)
}

fn encode(converter: &RowConverter, rows: &Rows<'_>) -> Result<EncodedRows> {
    let values = rows.values.ok_or_else(|| Error::bug("an aggregate without an argument"))?;
    Ok(converter.convert_columns(std::slice::from_ref(values))?)
}

fn count(counted: &mut Counted, value: &[u8], weight: i64) {
    if let Some(n) = counted.get_mut(value) {
        *n += weight;
        if *n == 0 {
            counted.remove(value);
        }
    } else if weight != 0 {
        counted.insert(value.into(), weight);
    }
}

/// Counted values as bytes: for each its length (u32), its count (i64) and itself.
fn save_counted(counted: &Counted) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (value, n) in counted {
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(n.to_le_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

fn load_counted(mut bytes: &[u8]) -> Result<Counted> {
    let damaged = || Error::data("the saved state of an aggregate is damaged");
    let mut counted = Counted::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(12).ok_or_else(damaged)?;
        let length = u32::from_le_bytes(head[..4].try_into().map_err(|_| damaged())?) as usize;
        let n = i64::from_le_bytes(head[4..].try_into().map_err(|_| damaged())?);
        let (value, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        counted.insert(value.into(), n);
        bytes = rest;
    }
    Ok(counted)
}

fn saved_bytes(saved: &ArrayRef) -> Result<&BinaryArray> {
    saved.as_binary_opt::<i32>().ok_or_else(|| Error::data("the saved state of an aggregate is damaged"))
}

fn heap_bytes(counted: &Counted) -> usize {
    // A B-tree node's share for an entry is about its size again.
    counted.keys().map(|k| k.len() + 48).sum()
}

/// `min(x)` or `max(x)`.
pub struct Extreme {
    value_type: DataType,
    converter: RowConverter,
    largest: bool,
    append_only: bool,
    /// All values with counts; when nothing is ever taken back, only the extreme one.
    groups: Vec<Counted>,
}

impl Extreme {
    /// The extreme of values of this type.
    ///
    /// # Errors
    /// When the type has no order.
    pub fn new(value: &DataType, largest: bool, append_only: bool) -> Result<Self> {
        Ok(Self { value_type: value.clone(), converter: converter(value)?, largest, append_only, groups: vec![] })
    }

    fn extreme(&self, group: u32) -> Option<&[u8]> {
        let counted = &self.groups[group as usize];
        let entry = if self.largest { counted.last_key_value() } else { counted.first_key_value() };
        entry.map(|(k, _)| k.as_ref())
    }
}

impl GroupAccumulator for Extreme {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, Default::default);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        let encoded = encode(&self.converter, rows)?;
        let (groups, append_only, largest) = (&mut self.groups, self.append_only, self.largest);
        rows.each(|row, group, weight| {
            let value = encoded.row(row);
            let counted = &mut groups[group];
            if !append_only {
                return count(counted, value.as_ref(), weight);
            }
            let best = counted.first_key_value().map(|(k, _)| k.as_ref());
            if best.is_none_or(|b| if largest { value.as_ref() > b } else { value.as_ref() < b }) {
                counted.clear();
                counted.insert(value.as_ref().into(), 1);
            }
        });
        Ok(())
    }

    fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
        // A NULL for groups without a value: its encoding is that of a NULL of the type.
        let null = self.converter.convert_columns(&[new_null_array(&self.value_type, 1)])?;
        let parser = self.converter.parser();
        let rows = groups.iter().map(|g| match self.extreme(*g) {
            Some(value) => parser.parse(value),
            None => null.row(0),
        });
        let mut columns = self.converter.convert_rows(rows.collect::<Vec<_>>())?;
        columns.pop().ok_or_else(|| Error::bug("one column was encoded"))
    }

    fn save(&self, groups: &[u32]) -> Result<ArrayRef> {
        let saved = groups.iter().map(|g| save_counted(&self.groups[*g as usize]));
        Ok(Arc::new(BinaryArray::from_iter_values(saved)))
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef) -> Result<()> {
        for (group, bytes) in groups.iter().zip(saved_bytes(saved)?.iter().flatten()) {
            self.groups[*group as usize] = load_counted(bytes)?;
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.groups.iter().map(heap_bytes).sum::<usize>() + self.groups.capacity() * size_of::<Counted>()
    }
}

/// `count(distinct x)`.
pub struct CountDistinct {
    converter: RowConverter,
    append_only: bool,
    groups: Vec<Counted>,
}

impl CountDistinct {
    /// The number of different values of this type.
    ///
    /// # Errors
    /// When the type cannot be encoded.
    pub fn new(value: &DataType, append_only: bool) -> Result<Self> {
        Ok(Self { converter: converter(value)?, append_only, groups: vec![] })
    }
}

impl GroupAccumulator for CountDistinct {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, Default::default);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        let encoded = encode(&self.converter, rows)?;
        let (groups, append_only) = (&mut self.groups, self.append_only);
        rows.each(|row, group, weight| {
            let value = encoded.row(row);
            if !append_only {
                count(&mut groups[group], value.as_ref(), weight);
            } else if !groups[group].contains_key(value.as_ref()) {
                groups[group].insert(value.as_ref().into(), 1);
            }
        });
        Ok(())
    }

    fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
        Ok(Arc::new(groups.iter().map(|g| self.groups[*g as usize].len() as i64).collect::<Int64Array>()))
    }

    fn save(&self, groups: &[u32]) -> Result<ArrayRef> {
        let saved = groups.iter().map(|g| save_counted(&self.groups[*g as usize]));
        Ok(Arc::new(BinaryArray::from_iter_values(saved)))
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef) -> Result<()> {
        for (group, bytes) in groups.iter().zip(saved_bytes(saved)?.iter().flatten()) {
            self.groups[*group as usize] = load_counted(bytes)?;
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.groups.iter().map(heap_bytes).sum::<usize>() + self.groups.capacity() * size_of::<Counted>()
    }
}
