//! The net change of each key: what is left of many changes when they are added up.
//!
//! Weights of identical rows are summed, so the order in which changes came does not matter. A key's row with positive
//! weight is its new value; a key with only negative rows is gone; a key whose weights all cancel out has not changed.
//! Rows and keys are kept in Arrow's row format: compact, comparable byte by byte, and readable back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hashbrown::HashMap;
use sluice_engine::{Batch, Error, Result};

use super::target::Target;

/// Keys that are shown in an error, at most.
const KEYS_SHOWN_MAX: usize = 3;

/// What an entry costs besides its bytes: the slot, the vector, and allocators' rounding. An estimate.
const ENTRY_BYTES: usize = 128;

/// Changes that have not been sent yet, by key.
pub(super) struct Staged {
    target: Arc<Target>,
    keys: RowConverter,
    rows: RowConverter,
    slots: HashMap<Box<[u8]>, Slot, foldhash::fast::RandomState>,
    bytes: usize,
}

/// One key's rows and their weights, none of which is zero.
#[derive(Default)]
struct Slot {
    rows: Vec<(Box<[u8]>, i64)>,
    /// The key is to be written even when no row is left of it.
    gone: bool,
}

/// Rows to be written: the model's columns, new values first, then the keys that are gone with nulls beside them.
pub(super) struct Net {
    pub columns: Vec<ArrayRef>,
    /// How many of the rows are new values.
    pub upserts: usize,
    /// How many are gone.
    pub tombstones: usize,
}

impl Staged {
    /// # Errors
    /// `Bug` when Arrow cannot encode a type that the target allows.
    pub(super) fn new(target: Arc<Target>) -> Result<Self> {
        let field = |t: &DataType| SortField::new(t.clone());
        let keys = RowConverter::new(target.key.iter().map(|i| field(&target.columns[*i].wire)).collect())?;
        let rows = RowConverter::new(target.columns.iter().map(|c| field(&c.wire)).collect())?;
        Ok(Self { target, keys, rows, slots: HashMap::default(), bytes: 0 })
    }

    /// Adds changes.
    ///
    /// # Errors
    /// `Bug` when the batch is not of the model's columns.
    pub(super) fn add(&mut self, batch: &Batch) -> Result<()> {
        let columns = self.target.wire_columns(batch.rows())?;
        let keys: Vec<ArrayRef> = self.target.key.iter().map(|i| columns[*i].clone()).collect();
        let (keys, rows) = (self.keys.convert_columns(&keys)?, self.rows.convert_columns(&columns)?);
        for i in 0..batch.len() {
            let weight = batch.weight(i);
            if weight != 0 {
                self.add_row(keys.row(i).data(), rows.row(i).data(), weight);
            }
        }
        Ok(())
    }

    /// Marks keys (columns of the key, in wire types): those that get no row until they are sent are written as gone.
    ///
    /// # Errors
    /// `Bug` when the columns are not the key's.
    pub(super) fn touch(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let keys = self.keys.convert_columns(keys)?;
        for key in &keys {
            let slot = self.slots.entry_ref(key.data()).or_insert_with(|| {
                self.bytes += key.data().len() + ENTRY_BYTES;
                Slot::default()
            });
            slot.gone = true;
        }
        Ok(())
    }

    fn add_row(&mut self, key: &[u8], row: &[u8], weight: i64) {
        let row_bytes = row.len() + ENTRY_BYTES / 2;
        let slot = self.slots.entry_ref(key).or_insert_with(|| {
            self.bytes += key.len() + ENTRY_BYTES;
            Slot::default()
        });
        match slot.rows.iter().position(|(r, _)| **r == *row) {
            None => {
                slot.rows.push((row.into(), weight));
                self.bytes += row_bytes;
            }
            Some(i) => {
                // Saturation would need 2^63 equal rows; a wrap would turn an appearance into a deletion.
                slot.rows[i].1 = slot.rows[i].1.saturating_add(weight);
                if slot.rows[i].1 == 0 {
                    slot.rows.swap_remove(i);
                    self.bytes -= row_bytes;
                }
            }
        }
        if slot.rows.is_empty() && !slot.gone {
            self.slots.remove(key);
            self.bytes -= key.len() + ENTRY_BYTES;
        }
    }

    /// True when nothing has changed.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of memory that the staged changes hold; an estimate.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// Takes everything out, ordered by key, in pieces of at most this many keys and bytes (a piece has at least one
    /// key).
    pub(super) fn take_pieces(&mut self, keys_max: usize, bytes_max: usize) -> Vec<Piece> {
        let mut slots: Vec<_> = std::mem::take(&mut self.slots).into_iter().collect();
        self.bytes = 0;
        slots.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut pieces: Vec<Piece> = Vec::new();
        for entry in slots {
            let bytes = entry_bytes(&entry);
            match pieces.last_mut() {
                Some(p) if p.slots.len() < keys_max && p.bytes + bytes <= bytes_max => p.push(entry, bytes),
                _ => {
                    let mut piece = Piece::default();
                    piece.push(entry, bytes);
                    pieces.push(piece);
                }
            }
        }
        pieces
    }

    /// Puts pieces back that could not be sent; nothing may have been added since they were taken out.
    pub(super) fn put_back(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        for piece in pieces {
            self.bytes += piece.bytes;
            self.slots.extend(piece.slots);
        }
    }

    /// The rows to be written for a piece.
    ///
    /// # Errors
    /// `Data` when a key has more than one row: the model's key is not unique.
    pub(super) fn net(&self, piece: &Piece) -> Result<Net> {
        let mut upserts: Vec<&[u8]> = Vec::new();
        let mut gone: Vec<&[u8]> = Vec::new();
        let mut doubled: Vec<(&[u8], i64)> = Vec::new();
        for (key, slot) in &piece.slots {
            let mut positive = slot.rows.iter().filter(|(_, w)| *w > 0);
            match (positive.next(), positive.next()) {
                (None, _) => gone.push(key),
                (Some((row, 1)), None) => upserts.push(row),
                _ => doubled.push((key, slot.rows.iter().map(|(_, w)| (*w).max(0)).sum())),
            }
        }
        if !doubled.is_empty() {
            return Err(self.not_unique(&doubled));
        }
        Ok(Net { columns: self.decode(&upserts, &gone)?, upserts: upserts.len(), tombstones: gone.len() })
    }

    fn decode(&self, upserts: &[&[u8]], gone: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        let parser = self.rows.parser();
        let values = self.rows.convert_rows(upserts.iter().map(|r| parser.parse(r)))?;
        if gone.is_empty() {
            return Ok(values);
        }
        let keys = self.decode_keys(gone)?;
        let column = |(i, value): (usize, &ArrayRef)| {
            let below = match self.target.key.iter().position(|k| *k == i) {
                Some(k) => keys[k].clone(),
                None => new_null_array(value.data_type(), gone.len()),
            };
            Ok(concat(&[value.as_ref(), below.as_ref()])?)
        };
        values.iter().enumerate().map(column).collect()
    }

    fn decode_keys(&self, keys: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        let parser = self.keys.parser();
        Ok(self.keys.convert_rows(keys.iter().map(|k| parser.parse(k)))?)
    }

    pub(super) fn not_unique(&self, doubled: &[(&[u8], i64)]) -> Error {
        let shown = &doubled[..doubled.len().min(KEYS_SHOWN_MAX)];
        let keys: Vec<&[u8]> = shown.iter().map(|(key, _)| *key).collect();
        let texts = match self.decode_keys(&keys).and_then(|columns| show_rows(&columns, keys.len())) {
            Ok(texts) => texts,
            Err(e) => return e,
        };
        let list: Vec<_> = texts.iter().zip(shown).map(|(text, (_, n))| format!("({text}) has {n} rows")).collect();
        let more = if doubled.len() > shown.len() {
            format!(", and {} more", doubled.len() - shown.len())
        } else {
            String::new()
        };
        Error::data(format!(
            "clickhouse table {}: ({}) does not identify a row of model {}: {}{more}; \
             add the missing column to config(unique_key=...), or \
             group the model so that a key has one row",
            self.target.shown(),
            self.target.config.key.join(", "),
            self.target.config.table,
            list.join(", "),
        ))
    }
}

fn show_rows(columns: &[ArrayRef], rows: usize) -> Result<Vec<String>> {
    let options = FormatOptions::default().with_null("null");
    let formatters =
        columns.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options)).collect::<Result<Vec<_>, _>>()?;
    let row = |i: usize| formatters.iter().map(|f| f.value(i).to_string()).collect::<Vec<_>>().join(", ");
    Ok((0..rows).map(row).collect())
}

/// Keys with their changes, ordered by key.
#[derive(Default)]
pub(super) struct Piece {
    slots: Vec<(Box<[u8]>, Slot)>,
    bytes: usize,
}

impl Piece {
    fn push(&mut self, entry: (Box<[u8]>, Slot), bytes: usize) {
        self.bytes += bytes;
        self.slots.push(entry);
    }

    /// The keys in Arrow's row format.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.slots.iter().map(|(key, _)| &**key)
    }
}

/// What `Staged::bytes` has counted for the entry.
fn entry_bytes((key, slot): &(Box<[u8]>, Slot)) -> usize {
    key.len() + ENTRY_BYTES + slot.rows.iter().map(|(row, _)| row.len() + ENTRY_BYTES / 2).sum::<usize>()
}

#[cfg(test)]
#[path = "consolidate_tests.rs"]
mod tests;
