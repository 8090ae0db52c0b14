//! What one side of a join holds: its rows, found by key.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
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
    /// How many rows of the other side it matches, with their weights, where the join counts them.
    pub matched: i64,
    content: u128,
}

/// A key's bytes.
pub type Key = Box<[u8]>;

/// Rows of a key that are looked through one by one; more have an index.
const LOOKED_THROUGH_MAX: usize = 16;

/// The rows of one key.
#[derive(Default)]
struct OfKey {
    held: Vec<Held>,
    /// Where each content is, once there are many.
    index: HashMap<u128, u32, FixedState>,
}

impl OfKey {
    fn find(&self, content: u128) -> Option<usize> {
        if self.held.len() <= LOOKED_THROUGH_MAX {
            return self.held.iter().position(|h| h.content == content);
        }
        self.index.get(&content).map(|at| *at as usize)
    }

    /// Adds the weight of a row; one that comes to nothing is forgotten.
    fn change(&mut self, row: Held) {
        let Some(at) = self.find(row.content) else {
            self.held.push(row);
            if self.held.len() == LOOKED_THROUGH_MAX + 1 {
                self.index = self.held.iter().enumerate().map(|(at, h)| (h.content, at as u32)).collect();
            } else if self.held.len() > LOOKED_THROUGH_MAX {
                self.index.insert(row.content, self.held.len() as u32 - 1);
            }
            return;
        };
        self.held[at].weight += row.weight;
        if self.held[at].weight != 0 {
            return;
        }
        let was_indexed = self.held.len() > LOOKED_THROUGH_MAX;
        self.held.swap_remove(at);
        if self.held.len() <= LOOKED_THROUGH_MAX {
            self.index = HashMap::default();
        } else if was_indexed {
            self.index.remove(&row.content);
            if let Some(moved) = self.held.get(at) {
                self.index.insert(moved.content, at as u32);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.held.capacity() * size_of::<Held>() + self.index.capacity() * 24
    }
}

/// The rows of one side.
pub struct Side {
    schema: SchemaRef,
    encoder: KeyEncoder,
    /// A NULL in a key is a value like others; otherwise it matches nothing.
    nulls_match: bool,
    content: RowConverter,
    log: RowLog,
    keys: HashMap<Key, OfKey, FixedState>,
    key_bytes: usize,
}

impl Side {
    /// A side without rows, keyed by these columns.
    ///
    /// # Errors
    /// `Config` when a column's type has no order.
    pub fn new(schema: SchemaRef, keys: Vec<usize>, nulls_match: bool) -> Result<Self> {
        let types = keys.iter().map(|k| schema.field(*k).data_type().clone()).collect();
        let content = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(Self {
            schema: schema.clone(),
            nulls_match,
            encoder: KeyEncoder::new(keys, types)?,
            content: RowConverter::new(content)?,
            log: RowLog::new(schema, false),
            keys: HashMap::default(),
            key_bytes: 0,
        })
    }

    /// The columns of this side, then those of another.
    pub fn beside(&self, right: &Side) -> SchemaRef {
        let fields = self.schema.fields().iter().chain(right.schema.fields()).enumerate();
        let fields = fields.map(|(i, f)| Field::new(format!("c{i}"), f.data_type().clone(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The keys of a batch of this side: bytes, or none where a key column is NULL and that matches nothing.
    pub fn keys_of(&self, rows: &RecordBatch) -> Result<Vec<Option<Key>>> {
        if self.encoder.columns().is_empty() {
            return Ok(vec![Some(Key::default()); rows.num_rows()]);
        }
        let encoded = self.encoder.encode(rows.columns())?;
        let nulls: Vec<_> = self.encoder.columns().iter().map(|c| rows.column(*c).logical_nulls()).collect();
        let is_null = |row: usize| !self.nulls_match && nulls.iter().flatten().any(|n| n.is_null(row));
        Ok((0..rows.num_rows()).map(|i| (!is_null(i)).then(|| encoded.row(i).as_ref().into())).collect())
    }

    /// The rows of a key.
    pub fn held(&self, key: &[u8]) -> &[Held] {
        self.keys.get(key).map_or(&[], |rows| &rows.held)
    }

    /// One of the rows of a key.
    pub fn held_mut(&mut self, key: &[u8], n: usize) -> Option<&mut Held> {
        self.keys.get_mut(key)?.held.get_mut(n)
    }

    /// Takes changes in; `matched`: how many rows of the other side each matches. Rows without a key are not kept: they
    /// never match.
    ///
    /// # Errors
    /// `Bug` when a row is taken back that is not there.
    pub fn apply(&mut self, batch: &Batch, keys: &[Option<Key>], matched: &[i64]) -> Result<()> {
        let first = self.log.append(batch.rows().clone())?;
        let contents = self.content.convert_columns(batch.rows().columns())?;
        for (row, key) in keys.iter().enumerate() {
            let Some(key) = key else { continue };
            let content = xxh3_128(contents.row(row).as_ref());
            let weight = batch.weight(row);
            if !self.keys.contains_key(key) {
                self.key_bytes += key.len();
            }
            let rows = self.keys.entry(key.clone()).or_default();
            rows.change(Held { row: first.plus(row), weight, matched: matched[row], content });
            if rows.held.is_empty() {
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
        let held: Vec<&Held> = self.keys.values().flat_map(|rows| &rows.held).collect();
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
        let held: usize = self.keys.values().map(OfKey::bytes).sum();
        self.log.bytes() + held + self.key_bytes + self.keys.capacity() * 48
    }
}
