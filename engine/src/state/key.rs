//! How a key is turned into bytes and into a hash, in one place: the exchange that sends a row to its worker, the
//! operator that looks the key up and the restore that shares keys out must agree.

use std::hash::{BuildHasher, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use foldhash::fast::FixedState;

use crate::error::Result;

/// The hash of a key's bytes. Fixed within a build; nothing on disk depends on it.
pub fn key_hash(bytes: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(0x51_71CE).build_hasher();
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
