//! De-duplication as an operator of the engine.

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{SortOptions, concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use sluice_engine::state::{KeyEncoder, Restored, RowId, RowLog, Snapshot, SnapshotMode, key_hashes};
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

use super::index::{Entry, KeyIndex, Outcome, Shown};
use crate::order::OrderColumn;

/// Which rows of which keys. Input and output have the same columns.
#[derive(Debug, Clone)]
pub struct DedupeSpec {
    /// The input's schema.
    pub schema: SchemaRef,
    /// PARTITION BY: indices into the input.
    pub keys: Vec<usize>,
    /// ORDER BY. An order that leaves rows of a key equal leaves the choice among them open, as it does in SQL.
    pub order: Vec<OrderColumn>,
}

/// One row for each key over a stream of rows that are never taken back.
pub struct Dedupe {
    encoder: KeyEncoder,
    order: Vec<OrderColumn>,
    ranks: RowConverter,
    index: KeyIndex,
    log: RowLog,
    schema: SchemaRef,
}

impl Dedupe {
    /// An operator without rows.
    ///
    /// # Errors
    /// `Config` when a column's type has no order.
    pub fn new(spec: DedupeSpec) -> Result<Self> {
        let type_of = |i: usize| spec.schema.field(i).data_type().clone();
        let encoder = KeyEncoder::new(spec.keys.clone(), spec.keys.iter().map(|k| type_of(*k)).collect())?;
        let mut fields: Vec<SortField> = Vec::new();
        for o in &spec.order {
            let options = SortOptions { descending: o.descending, nulls_first: o.nulls_first };
            fields.push(SortField::new_with_options(type_of(o.column), options));
        }
        Ok(Self {
            encoder,
            order: spec.order,
            ranks: RowConverter::new(fields)?,
            index: KeyIndex::default(),
            log: RowLog::new(spec.schema.clone(), true),
            schema: spec.schema,
        })
    }

    /// Takes rows in: those of them that are shown now, and the rows of earlier batches whose place they took.
    fn take(&mut self, rows: &RecordBatch) -> Result<(RecordBatch, Vec<RowId>)> {
        let keys = self.encoder.encode(rows.columns())?;
        let order: Vec<ArrayRef> = self.order.iter().map(|o| rows.column(o.column).clone()).collect();
        let ranks = self.ranks.convert_columns(&order)?;
        let mut shown: Vec<Option<Entry>> = vec![None; rows.num_rows()];
        let mut replaced = Vec::new();
        for row in 0..rows.num_rows() {
            match self.index.offer(keys.row(row).as_ref(), ranks.row(row).as_ref(), row as u32) {
                Outcome::New(entry) => shown[row] = Some(entry),
                Outcome::Replaces(entry, before) => {
                    shown[row] = Some(entry);
                    match before {
                        Shown::Fresh(other) => shown[other as usize] = None,
                        Shown::Logged(id) => replaced.push(id),
                    }
                }
                Outcome::Loses => {}
            }
        }
        let winners: BooleanArray = shown.iter().map(|s| Some(s.is_some())).collect();
        let new =
            if winners.true_count() == rows.num_rows() { rows.clone() } else { filter_record_batch(rows, &winners)? };
        let first = self.log.append(new.clone())?;
        for (n, entry) in shown.into_iter().flatten().enumerate() {
            self.index.set_shown(entry, first.plus(n));
        }
        Ok((new, replaced))
    }
}

impl Operator for Dedupe {
    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        if batch.weights().is_some_and(|w| w.values().iter().any(|w| *w < 0)) {
            return Err(Error::bug("de-duplication was planned over rows that can be taken back"));
        }
        let (new, replaced) = self.take(batch.rows())?;
        if new.num_rows() == 0 {
            return Ok(());
        }
        if replaced.is_empty() {
            out.emit(Batch::insert(new).with_bounds(batch.bounds()));
            return Ok(());
        }
        let old = self.log.fetch(&replaced)?;
        let weights = [vec![-1i64; old.num_rows()], vec![1; new.num_rows()]].concat();
        out.emit(Batch::weighted(concat_batches(&self.schema, [&old, &new])?, Int64Array::from(weights)));
        Ok(())
    }

    fn state_only_grows(&self) -> bool {
        true
    }

    fn snapshot(&mut self, _mode: SnapshotMode) -> Result<Snapshot> {
        self.log.save()
    }

    /// Which row a key shows does not depend on the order in which rows are offered, so offering all that were ever
    /// shown brings the state back.
    fn restore(&mut self, state: Restored) -> Result<()> {
        for batch in state.pieces.into_iter().flat_map(|p| p.batches) {
            if batch.schema().fields() != self.schema.fields() {
                return Err(Error::config("the saved rows have other columns than the model has now"));
            }
            let hashes = key_hashes(batch.columns(), self.encoder.columns())?;
            let own: BooleanArray = hashes.into_iter().map(|h| Some(state.share.owns(h))).collect();
            self.take(&filter_record_batch(&batch, &own)?)?;
        }
        // They are in the snapshots that they came from.
        self.log.save()?;
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.index.bytes() + self.log.bytes()
    }
}
