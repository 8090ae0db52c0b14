//! A source of known rows and an operator whose answer is easy to know.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::frame::Batch;
use crate::operator::{Emitter, Operator};
use crate::source::{Polled, Position, Source, SourceContext, SplitPosition};
use crate::state::{Restored, Snapshot, SnapshotMode, key_hashes};

/// `key bigint, value bigint`.
pub fn numbers_schema() -> SchemaRef {
    let field = |name| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![field("key"), field("value")]))
}

fn numbers(rows: &[(i64, i64)]) -> Result<RecordBatch> {
    let keys: Int64Array = rows.iter().map(|r| r.0).collect::<Vec<_>>().into();
    let values: Int64Array = rows.iter().map(|r| r.1).collect::<Vec<_>>().into();
    Ok(RecordBatch::try_new(numbers_schema(), vec![Arc::new(keys), Arc::new(values)])?)
}

/// Gives `(n % keys, n)` for each n below `rows`, in `splits` splits by `n % splits`; ends when `until_idle`.
pub struct CountingSource {
    context: SourceContext,
    rows: i64,
    keys: i64,
    splits: i64,
    next: BTreeMap<i64, i64>,
}

impl CountingSource {
    /// A source of `rows` rows with `keys` different keys in `splits` splits.
    pub fn new(context: SourceContext, rows: i64, keys: i64, splits: i64) -> Self {
        Self { context, rows, keys, splits, next: BTreeMap::new() }
    }
}

impl Source for CountingSource {
    fn open(&mut self, resume: &Position) -> Result<()> {
        for split in (0..self.splits).filter(|s| *s as usize % self.context.workers == self.context.worker) {
            let next = resume.0.get(&split.to_string()).map_or(split, |p| p.next);
            self.next.insert(split, next);
        }
        Ok(())
    }

    fn poll(&mut self, rows: usize, _bytes: usize) -> Result<Polled> {
        let Some((_, next)) = self.next.iter_mut().find(|(_, next)| **next < self.rows) else {
            return Ok(if self.context.until_idle { Polled::End } else { Polled::Idle });
        };
        let mut out = Vec::new();
        while *next < self.rows && out.len() < rows {
            out.push((*next % self.keys, *next));
            *next += self.splits;
        }
        Ok(Polled::Batch(Batch::insert(numbers(&out)?)))
    }

    fn position(&self) -> Position {
        let split =
            |(s, next): (&i64, &i64)| (s.to_string(), SplitPosition { next: *next, detail: serde_json::Value::Null });
        Position(self.next.iter().map(split).collect())
    }
}

/// `select key, sum(value) group by key`, with retractions at each barrier.
pub struct SumByKey {
    sums: BTreeMap<i64, i64>,
    shown: BTreeMap<i64, i64>,
    unsaved: BTreeMap<i64, i64>,
}

impl SumByKey {
    /// An operator without state yet.
    ///
    /// # Errors
    /// Never: the key's type has an order.
    pub fn new() -> Result<Self> {
        Ok(Self { sums: BTreeMap::new(), shown: BTreeMap::new(), unsaved: BTreeMap::new() })
    }
}

fn int64(batch: &RecordBatch, column: usize) -> Result<&Int64Array> {
    batch.column(column).as_any().downcast_ref().ok_or_else(|| Error::bug("a bigint column was expected"))
}

impl Operator for SumByKey {
    fn on_batch(&mut self, _input: usize, batch: Batch, _out: &mut Emitter<'_>) -> Result<()> {
        let (keys, values) = (int64(batch.rows(), 0)?, int64(batch.rows(), 1)?);
        for i in 0..batch.len() {
            *self.sums.entry(keys.value(i)).or_default() += values.value(i) * batch.weight(i);
        }
        Ok(())
    }

    fn on_barrier(&mut self, _watermark: Option<i64>, out: &mut Emitter<'_>) -> Result<()> {
        let mut rows = Vec::new();
        let mut weights = Vec::new();
        for (key, sum) in &self.sums {
            let shown = self.shown.insert(*key, *sum);
            if shown == Some(*sum) {
                continue;
            }
            if let Some(old) = shown {
                rows.push((*key, old));
                weights.push(-1);
            }
            rows.push((*key, *sum));
            weights.push(1);
            self.unsaved.insert(*key, *sum);
        }
        out.emit(Batch::weighted(numbers(&rows)?, Int64Array::from(weights)));
        Ok(())
    }

    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        let unsaved = std::mem::take(&mut self.unsaved);
        let rows = if mode == SnapshotMode::Full { &self.sums } else { &unsaved };
        let rows: Vec<_> = rows.iter().map(|(k, v)| (*k, *v)).collect();
        Ok(Snapshot::of(vec![numbers(&rows)?]))
    }

    fn restore(&mut self, state: Restored) -> Result<()> {
        for batch in state.pieces.iter().flat_map(|p| &p.batches) {
            let hashes = key_hashes(batch.columns(), &[0])?;
            let (keys, values) = (int64(batch, 0)?, int64(batch, 1)?);
            for (i, hash) in hashes.into_iter().enumerate() {
                if state.share.owns(hash) {
                    self.sums.insert(keys.value(i), values.value(i));
                    self.shown.insert(keys.value(i), values.value(i));
                }
            }
        }
        Ok(())
    }
}
