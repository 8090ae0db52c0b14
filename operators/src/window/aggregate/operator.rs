//! The aggregate as an operator of the engine.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::physical_expr::PhysicalExpr;
use sluice_engine::state::{KeyEncoder, Restored, Snapshot, SnapshotMode, key_hash};
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

use super::accumulator::{AggregateCall, GroupAccumulator, Rows, accumulator};
use super::groups::Groups;

/// What to group by and what to compute.
#[derive(Debug, Clone)]
pub struct AggregateSpec {
    /// Expressions over the input's columns; at least one.
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    /// The calls; none for DISTINCT.
    pub calls: Vec<AggregateCall>,
    /// The output: keys first, then a column for each call.
    pub schema: SchemaRef,
    /// True when the input never takes a row back.
    pub append_only: bool,
}

/// Marks on a group, reset at barriers and snapshots.
const CHANGED: u8 = 1;
const UNSAVED: u8 = 2;

/// GROUP BY over a stream of changes.
pub struct Aggregate {
    spec: AggregateSpec,
    encoder: KeyEncoder,
    groups: Groups,
    /// Rows in each group; a group without rows has no row in the result.
    rows: Vec<i64>,
    marks: Vec<u8>,
    accumulators: Vec<Box<dyn GroupAccumulator>>,
    changed: Vec<u32>,
    unsaved: Vec<u32>,
    /// Rows shown so far of the groups in `changed`.
    old: Vec<RecordBatch>,
}

impl Aggregate {
    /// An aggregate without groups.
    ///
    /// # Errors
    /// `Config` when a function does not take its argument's type.
    pub fn new(spec: AggregateSpec) -> Result<Self> {
        let types: Vec<DataType> =
            spec.schema.fields().iter().take(spec.keys.len()).map(|f| f.data_type().clone()).collect();
        let encoder = KeyEncoder::new((0..types.len()).collect(), types)?;
        let accumulators = spec.calls.iter().map(|c| accumulator(c, spec.append_only)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            spec,
            encoder,
            groups: Groups::default(),
            rows: vec![],
            marks: vec![],
            accumulators,
            changed: vec![],
            unsaved: vec![],
            old: vec![],
        })
    }

    fn intern(&mut self, keys: &[ArrayRef]) -> Result<Vec<u32>> {
        let encoded = self.encoder.encode(keys)?;
        let groups: Vec<u32> = encoded.iter().map(|k| self.groups.intern(k.as_ref())).collect();
        self.rows.resize(self.groups.len(), 0);
        self.marks.resize(self.groups.len(), 0);
        for accumulator in &mut self.accumulators {
            accumulator.resize(self.groups.len());
        }
        Ok(groups)
    }

    /// Marks groups as changed, and keeps the rows that those shown so far must take back.
    fn mark(&mut self, groups: &[u32]) -> Result<()> {
        let mut shown = Vec::new();
        for &group in groups {
            let mark = &mut self.marks[group as usize];
            if *mark & CHANGED == 0 {
                *mark |= CHANGED;
                self.changed.push(group);
                if self.rows[group as usize] > 0 {
                    shown.push(group);
                }
            }
            if *mark & UNSAVED == 0 {
                *mark |= UNSAVED;
                self.unsaved.push(group);
            }
        }
        if !shown.is_empty() {
            self.old.push(self.results(&shown)?);
        }
        Ok(())
    }

    fn results(&self, groups: &[u32]) -> Result<RecordBatch> {
        let mut columns = self.encoder.decode(groups.iter().map(|g| self.groups.key(*g)))?;
        for accumulator in &self.accumulators {
            columns.push(accumulator.output(groups)?);
        }
        Ok(RecordBatch::try_new(self.spec.schema.clone(), columns)?)
    }

    /// DISTINCT changes only when a group comes or goes; other rows of it need no mark.
    fn count_distinct_rows(&mut self, groups: &[u32], batch: &Batch) -> Result<()> {
        for (row, &group) in groups.iter().enumerate() {
            let (before, weight) = (self.rows[group as usize], batch.weight(row));
            if self.spec.append_only && before > 0 {
                continue;
            }
            if before <= 0 || before + weight <= 0 || self.marks[group as usize] & UNSAVED == 0 {
                self.mark(&[group])?;
            }
            self.rows[group as usize] += weight;
        }
        Ok(())
    }
}

fn evaluate(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef> {
    let value = expr.evaluate(rows).and_then(|v| v.into_array(rows.num_rows()));
    value.map_err(|e| Error::data(format!("{expr} failed")).because(e))
}

impl Operator for Aggregate {
    fn on_batch(&mut self, _input: usize, batch: Batch, _out: &mut Emitter<'_>) -> Result<()> {
        let keys = self.spec.keys.iter().map(|k| evaluate(k, batch.rows())).collect::<Result<Vec<_>>>()?;
        let groups = self.intern(&keys)?;
        if self.accumulators.is_empty() {
            return self.count_distinct_rows(&groups, &batch);
        }
        self.mark(&groups)?;
        for (row, &group) in groups.iter().enumerate() {
            self.rows[group as usize] += batch.weight(row);
        }
        for (call, accumulator) in self.spec.calls.iter().zip(&mut self.accumulators) {
            let values = call.argument.as_ref().map(|a| evaluate(a, batch.rows())).transpose()?;
            let filter = call.filter.as_ref().map(|f| evaluate(f, batch.rows())).transpose()?;
            let filter: Option<&BooleanArray> = filter.as_ref().map(|f| f.as_boolean());
            let rows = Rows { groups: &groups, values: values.as_ref(), filter, weights: batch.weights() };
            accumulator.update(&rows)?;
        }
        Ok(())
    }

    fn on_barrier(&mut self, _watermark: Option<i64>, out: &mut Emitter<'_>) -> Result<()> {
        let changed = std::mem::take(&mut self.changed);
        for group in &changed {
            self.marks[*group as usize] &= !CHANGED;
        }
        let alive: Vec<u32> = changed.into_iter().filter(|g| self.rows[*g as usize] > 0).collect();
        let old = std::mem::take(&mut self.old);
        if alive.is_empty() && old.is_empty() {
            return Ok(());
        }
        let old = concat_batches(&self.spec.schema, &old)?;
        let new = self.results(&alive)?;
        if old.num_rows() == 0 {
            out.emit(Batch::insert(new));
            return Ok(());
        }
        emit_differences(&self.spec.schema, old, new, out)
    }

    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        let unsaved = std::mem::take(&mut self.unsaved);
        for group in &unsaved {
            self.marks[*group as usize] &= !UNSAVED;
        }
        let groups = match mode {
            SnapshotMode::Delta => unsaved,
            SnapshotMode::Full => (0..self.groups.len() as u32).filter(|g| self.rows[*g as usize] != 0).collect(),
        };
        let mut columns = self.encoder.decode(groups.iter().map(|g| self.groups.key(*g)))?;
        columns.push(Arc::new(groups.iter().map(|g| self.rows[*g as usize]).collect::<Int64Array>()));
        for accumulator in &self.accumulators {
            columns.push(accumulator.save(&groups)?);
        }
        let fields = columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Snapshot::of(vec![RecordBatch::try_new(schema, columns)?]))
    }

    fn restore(&mut self, state: Restored) -> Result<()> {
        let keys = self.spec.keys.len();
        for batch in state.pieces.iter().flat_map(|p| &p.batches) {
            if batch.num_columns() != keys + 1 + self.accumulators.len() {
                return Err(Error::config("the saved state is that of another aggregate"));
            }
            let encoded = self.encoder.encode(&batch.columns()[..keys])?;
            let own = encoded.iter().map(|k| state.share.owns(key_hash(k.as_ref())));
            let own = BooleanArray::from(own.collect::<Vec<_>>());
            let batch = arrow::compute::filter_record_batch(batch, &own)?;
            let groups = self.intern(&batch.columns()[..keys])?;
            let rows = batch.column(keys).as_primitive_opt::<Int64Type>();
            let rows = rows.ok_or_else(|| Error::data("the saved state of an aggregate is damaged"))?;
            groups.iter().zip(rows.values()).for_each(|(g, n)| self.rows[*g as usize] = *n);
            for (i, accumulator) in self.accumulators.iter_mut().enumerate() {
                accumulator.load(&groups, batch.column(keys + 1 + i))?;
            }
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        let accumulators: usize = self.accumulators.iter().map(|a| a.bytes()).sum();
        self.groups.memory_bytes() + self.rows.capacity() * 9 + accumulators
    }
}

/// Emits old rows with -1 and new rows with +1, but not those that are the same in both.
fn emit_differences(schema: &SchemaRef, old: RecordBatch, new: RecordBatch, out: &mut Emitter<'_>) -> Result<()> {
    let converter = RowConverter::new(schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect())?;
    let (old_rows, new_rows) = (converter.convert_columns(old.columns())?, converter.convert_columns(new.columns())?);
    let before: hashbrown::HashSet<&[u8], foldhash::fast::FixedState> = old_rows.iter().map(|r| r.data()).collect();
    let after: hashbrown::HashSet<&[u8], foldhash::fast::FixedState> = new_rows.iter().map(|r| r.data()).collect();
    let gone = BooleanArray::from(old_rows.iter().map(|r| !after.contains(r.data())).collect::<Vec<_>>());
    let come = BooleanArray::from(new_rows.iter().map(|r| !before.contains(r.data())).collect::<Vec<_>>());
    let gone = arrow::compute::filter_record_batch(&old, &gone)?;
    let come = arrow::compute::filter_record_batch(&new, &come)?;
    let weights = [vec![-1i64; gone.num_rows()], vec![1; come.num_rows()]].concat();
    out.emit(Batch::weighted(concat_batches(schema, [&gone, &come])?, Int64Array::from(weights)));
    Ok(())
}
