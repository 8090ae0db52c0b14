//! What one side of a join holds: its rows, found by key.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sluice_engine::state::{KeyEncoder, RowId, RowLog};
use sluice_engine::{Batch, Error, Result};
use xxhash_rust::xxh3::xxh3_128;

/// A row of a key: where it is, how often it is there, and a hash of all its columns to find it when it is taken back.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub row: RowId,
    pub weight: i64,
    content: u128,
}

/// The rows of one side.
pub struct Side {
    encoder: KeyEncoder,
    /// Indices of the key columns that must not be NULL for a row to match.
    content: RowConverter,
    log: RowLog,
    keys: HashMap<Box<[u8]>, Vec<Held>, FixedState>,
    key_bytes: usize,
}

impl Side {
    /// A side without rows, keyed by these columns.
    ///
    /// # Errors
    /// `Config` when a column's type has no order.
    pub fn new(schema: SchemaRef, keys: Vec<usize>) -> Result<Self> {
        let types = keys.iter().map(|k| schema.field(*k).data_type().clone()).collect();
        let content = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(Self {
            encoder: KeyEncoder::new(keys, types)?,
            content: RowConverter::new(content)?,
            log: RowLog::new(schema, false),
            keys: HashMap::default(),
            key_bytes: 0,
        })
    }

    /// The keys of a batch of this side: bytes, or none where a key column is NULL (NULL matches nothing).
    pub fn keys_of(&self, rows: &RecordBatch) -> Result<Vec<Option<Box<[u8]>>>> {
        let encoded = self.encoder.encode(rows.columns())?;
        let nulls: Vec<_> = self.encoder.columns().iter().map(|c| rows.column(*c).logical_nulls()).collect();
        let is_null = |row: usize| nulls.iter().flatten().any(|n| n.is_null(row));
        Ok((0..rows.num_rows()).map(|i| (!is_null(i)).then(|| encoded.row(i).as_ref().into())).collect())
    }

    /// The rows of a key.
    pub fn held(&self, key: &[u8]) -> &[Held] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// How many rows a key has, with their weights.
    pub fn weight(&self, key: &[u8]) -> i64 {
        self.held(key).iter().map(|h| h.weight).sum()
    }

    /// Takes changes in. Rows without a key are not kept: they never match.
    ///
    /// # Errors
    /// `Bug` when a row is taken back that is not there.
    pub fn apply(&mut self, batch: &Batch, keys: &[Option<Box<[u8]>>]) -> Result<()> {
        let first = self.log.append(batch.rows().clone())?;
        let contents = self.content.convert_columns(batch.rows().columns())?;
        for (row, key) in keys.iter().enumerate() {
            let Some(key) = key else { continue };
            let content = xxh3_128(contents.row(row).as_ref());
            let weight = batch.weight(row);
            if !self.keys.contains_key(key) {
                self.key_bytes += key.len();
            }
            let held = self.keys.entry(key.clone()).or_default();
            match held.iter().position(|h| h.content == content) {
                Some(i) => {
                    held[i].weight += weight;
                    if held[i].weight == 0 {
                        held.swap_remove(i);
                    }
                }
                None => held.push(Held { row: first.plus(row), weight, content }),
            }
            if held.is_empty() {
                self.keys.remove(key);
            }
        }
        Ok(())
    }

    /// The rows with these ids.
    pub fn fetch(&self, ids: &[RowId]) -> Result<RecordBatch> {
        self.log.fetch(ids)
    }

    /// All rows and their weights, for a full snapshot.
    pub fn all(&self) -> Result<(RecordBatch, Vec<i64>)> {
        let held: Vec<&Held> = self.keys.values().flatten().collect();
        let rows = self.log.fetch(&held.iter().map(|h| h.row).collect::<Vec<_>>())?;
        Ok((rows, held.iter().map(|h| h.weight).collect()))
    }

    /// Fails when a row was taken back more often than it came: called at barriers, between which order is free.
    pub fn check(&self, key: &[u8]) -> Result<()> {
        if self.held(key).iter().any(|h| h.weight < 0) {
            return Err(Error::bug("a join was told to take back a row that it never got"));
        }
        Ok(())
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let held: usize = self.keys.values().map(|h| h.capacity() * size_of::<Held>()).sum();
        self.log.bytes() + held + self.key_bytes + self.keys.capacity() * 48
    }
}
