//! How a key is turned into bytes and into a hash, in one place: the exchange that sends a row to its worker, the
//! operator that looks the key up and the restore that shares keys out must agree.

use std::hash::{BuildHasher, Hasher};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use foldhash::fast::{FixedState, FoldHasher};

use super::bits::{has_bits, to_bits};
use crate::error::Result;

/// What stands for a null in a key's hash.
const NULL: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hashes of keys, one for each row: what shares rows out among workers. `columns` are those of a batch, `picked` the
/// key's among them. Fixed within a build; nothing on disk depends on it.
///
/// # Errors
/// When a column's type has no order (a map).
pub fn key_hashes(columns: &[ArrayRef], picked: &[usize]) -> Result<Vec<u64>> {
    let rows = columns.first().map_or(0, |c| c.len());
    let mut hashes = vec![0; rows];
    for &i in picked {
        hash_column(&columns[i], &mut hashes)?;
    }
    Ok(hashes)
}

fn hasher() -> FoldHasher<'static> {
    FixedState::with_seed(0x51_71CE).build_hasher()
}

fn mix(hash: &mut u64, value: impl FnOnce(&mut FoldHasher<'static>)) {
    let mut hasher = hasher();
    hasher.write_u64(*hash);
    value(&mut hasher);
    *hash = hasher.finish();
}

fn hash_column(column: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    let nulls = column.logical_nulls();
    let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    if has_bits(column.data_type()) {
        for (row, (hash, bits)) in hashes.iter_mut().zip(to_bits(column)?).enumerate() {
            mix(hash, |h| h.write_u64(if valid(row) { bits } else { NULL }));
        }
    } else if let Some(texts) = column.as_string_opt::<i32>() {
        for (row, hash) in hashes.iter_mut().enumerate() {
            mix(hash, |h| if valid(row) { h.write(texts.value(row).as_bytes()) } else { h.write_u64(NULL) });
        }
    } else {
        let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(column))?;
        hashes.iter_mut().zip(&rows).for_each(|(hash, row)| mix(hash, |h| h.write(row.data())));
    }
    Ok(())
}

/// The hash of a key's bytes. Fixed within a build; nothing on disk depends on it.
pub fn key_hash(bytes: &[u8]) -> u64 {
    let mut hasher = hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Turns key columns into comparable bytes (arrow-row); equal keys have equal bytes, NULL equals NULL.
pub struct KeyEncoder {
    converter: RowConverter,
    columns: Vec<usize>,
}

impl KeyEncoder {
    /// An encoder for `columns` (indices into a batch) with these types, in the same order.
    ///
    /// # Errors
    /// When a type has no order (a map).
    pub fn new(columns: Vec<usize>, types: Vec<DataType>) -> Result<Self> {
        let converter = RowConverter::new(types.into_iter().map(SortField::new).collect())?;
        Ok(Self { converter, columns })
    }

    /// The keys of a batch's columns, a row for each.
    ///
    /// # Errors
    /// When the columns do not have the declared types.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        let picked: Vec<ArrayRef> = self.columns.iter().map(|&i| columns[i].clone()).collect();
        Ok(self.converter.convert_columns(&picked)?)
    }

    /// The columns' indices.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Bytes of keys back into columns.
    ///
    /// # Errors
    /// When the bytes were not made by an encoder of the same types.
    pub fn decode<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        Ok(self.converter.convert_rows(keys.map(|k| parser.parse(k)))?)
    }
}
