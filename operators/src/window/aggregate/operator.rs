//! The aggregate as an operator of the engine.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, filter_record_batch, take};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use sluice_engine::state::{Frozen, KeyEncoder, Restored, Snapshot, SnapshotMode};
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

use super::accumulator::{AggregateCall, GroupAccumulator, Rows, accumulator};
use super::groups::Groups;
use super::time::{TimeKey, Times};
use crate::distinct::distinct;

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
    /// By what groups grow old; none when they stay in memory for ever.
    pub time: Option<TimeKey>,
}

/// Marks on a group, reset at barriers and snapshots.
const CHANGED: u8 = 1;
const UNSAVED: u8 = 2;
/// Has a row in `old`.
const SHOWN: u8 = 4;

/// GROUP BY over a stream of changes.
pub struct Aggregate {
    pub(super) spec: AggregateSpec,
    pub(super) encoder: KeyEncoder,
    pub(super) groups: Groups,
    pub(super) times: Option<Times>,
    /// Rows in each group; a group without rows has no row in the result.
    pub(super) rows: Vec<i64>,
    pub(super) marks: Vec<u8>,
    pub(super) accumulators: Vec<Box<dyn GroupAccumulator>>,
    changed: Vec<u32>,
    pub(super) unsaved: Vec<u32>,
    /// Rows that the groups in `changed` have shown so far, in their order; groups that showed none have none.
    old: Vec<RecordBatch>,
    /// The next full snapshot, made already.
    pub(super) ready: Option<RecordBatch>,
}

impl Aggregate {
    /// An aggregate without groups.
    ///
    /// # Errors
    /// `Config` when a function does not take its argument's type.
    pub fn new(spec: AggregateSpec) -> Result<Self> {
        let types: Vec<DataType> =
            spec.schema.fields().iter().take(spec.keys.len()).map(|f| f.data_type().clone()).collect();
        let times = spec.time.clone().and_then(|time| Times::new(time, &types));
        let encoder = KeyEncoder::new((0..types.len()).collect(), types)?;
        let accumulators = accumulators(&spec)?;
        Ok(Self {
            spec,
            encoder,
            groups: Groups::default(),
            times,
            rows: vec![],
            marks: vec![],
            accumulators,
            changed: vec![],
            unsaved: vec![],
            old: vec![],
            ready: None,
        })
    }

    /// The groups of rows, given their keys and times; new ones where there are none.
    pub(super) fn intern(&mut self, keys: &arrow::row::Rows, times: Option<&[i64]>) -> Vec<u32> {
        let mut groups = Vec::with_capacity(keys.num_rows());
        for (row, key) in keys.iter().enumerate() {
            let group = self.groups.intern(key.as_ref());
            if let (Some(times), Some(of_rows)) = (&mut self.times, times)
                && group as usize == times.len()
            {
                times.push(of_rows[row]);
            }
            groups.push(group);
        }
        self.rows.resize(self.groups.len(), 0);
        self.marks.resize(self.groups.len(), 0);
        for accumulator in &mut self.accumulators {
            accumulator.resize(self.groups.len());
        }
        groups
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
                    *mark |= SHOWN;
                    shown.push(group);
                }
            }
            self.mark_unsaved(group);
        }
        if !shown.is_empty() {
            self.old.push(self.results(&shown)?);
        }
        Ok(())
    }

    /// Marks a group as one of which the next snapshot tells.
    pub(super) fn mark_unsaved(&mut self, group: u32) {
        let mark = &mut self.marks[group as usize];
        if *mark & UNSAVED == 0 {
            *mark |= UNSAVED;
            self.unsaved.push(group);
        }
    }

    fn results(&self, groups: &[u32]) -> Result<RecordBatch> {
        let mut columns = self.encoder.decode(groups.iter().map(|g| self.groups.key(*g)))?;
        for (accumulator, call) in self.accumulators.iter().zip(&self.spec.calls) {
            columns.push(cast(&accumulator.output(groups)?, &call.output_type)?);
        }
        Ok(RecordBatch::try_new(self.spec.schema.clone(), columns)?)
    }

    /// DISTINCT over rows that only come changes only when a group comes: other rows of it are not even counted.
    fn see(&mut self, groups: &[u32]) -> Result<()> {
        let rows = &self.rows;
        let new: Vec<u32> = groups.iter().copied().filter(|g| rows[*g as usize] == 0).collect();
        self.mark(&new)?;
        new.iter().for_each(|g| self.rows[*g as usize] = 1);
        Ok(())
    }
}

pub(super) fn accumulators(spec: &AggregateSpec) -> Result<Vec<Box<dyn GroupAccumulator>>> {
    spec.calls.iter().map(|c| accumulator(c, spec.append_only)).collect()
}

fn evaluate(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef> {
    let value = expr.evaluate(rows).and_then(|v| v.into_array(rows.num_rows()));
    value.map_err(|e| Error::data(format!("{expr} failed")).because(e))
}

impl Operator for Aggregate {
    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let keys = self.spec.keys.iter().map(|k| evaluate(k, batch.rows())).collect::<Result<Vec<_>>>()?;
        let encoded = self.encoder.encode(&keys)?;
        let times = self.times.as_ref().map(|t| t.of_rows(&keys)).transpose()?;
        if let Some(times) = &times {
            self.thaw(&encoded, times, out)?;
        }
        let groups = self.intern(&encoded, times.as_deref());
        if self.accumulators.is_empty() && self.spec.append_only {
            return self.see(&groups);
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
        if changed.is_empty() {
            return Ok(());
        }
        let mut alive = Vec::with_capacity(changed.len());
        // For each old row the new one of the same group.
        let mut successors = Vec::new();
        for group in changed {
            let mark = &mut self.marks[group as usize];
            let is_alive = self.rows[group as usize] > 0;
            if *mark & SHOWN != 0 {
                successors.push(is_alive.then_some(alive.len() as u32));
            }
            *mark &= !(CHANGED | SHOWN);
            if is_alive {
                alive.push(group);
            }
        }
        let old = std::mem::take(&mut self.old);
        let new = self.results(&alive)?;
        if successors.is_empty() {
            out.emit(Batch::insert(new));
            return Ok(());
        }
        let old = concat_batches(&self.spec.schema, &old)?;
        out.emit(differences(old, new, &successors, self.spec.keys.len())?);
        Ok(())
    }

    fn freeze(&mut self, watermark: i64) -> Result<Option<Frozen>> {
        self.freeze_closed(watermark)
    }

    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        let unsaved = std::mem::take(&mut self.unsaved);
        for group in &unsaved {
            self.marks[*group as usize] &= !UNSAVED;
        }
        let saved = match (mode, self.ready.take()) {
            (SnapshotMode::Full, Some(ready)) => ready,
            (SnapshotMode::Full, None) => self.save(&self.remembered(), mode)?,
            (SnapshotMode::Delta, _) => self.save(&unsaved, mode)?,
        };
        Ok(Snapshot::of(vec![saved]))
    }

    fn restore(&mut self, state: Restored) -> Result<()> {
        if let Some(times) = &mut self.times {
            times.set_cold_until(state.cold_until);
        }
        for batch in state.pieces.iter().flat_map(|p| &p.batches) {
            let own = self.own(batch, state.share)?;
            self.load(&filter_record_batch(batch, &own)?, true)?;
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        let accumulators: usize = self.accumulators.iter().map(|a| a.bytes()).sum();
        let times = self.times.as_ref().map_or(0, Times::memory_bytes);
        self.groups.memory_bytes() + self.rows.capacity() * 9 + times + accumulators
    }
}

/// Old rows with -1 and new rows with +1, but not those that are the same in both. `successors` are the new rows of the old
/// rows' groups; the first `keys` columns are those of the group.
fn differences(old: RecordBatch, new: RecordBatch, successors: &[Option<u32>], keys: usize) -> Result<Batch> {
    let pairs: (Vec<u32>, Vec<u32>) =
        successors.iter().enumerate().filter_map(|(i, s)| Some((i as u32, (*s)?))).unzip();
    let (before, after) = (UInt32Array::from(pairs.0), UInt32Array::from(pairs.1));
    let mut differs = vec![false; before.len()];
    for (old, new) in old.columns().iter().zip(new.columns()).skip(keys) {
        let distinct = distinct(&take(old, &before, None)?, &take(new, &after, None)?)?;
        differs.iter_mut().zip(distinct.values()).for_each(|(all, one)| *all |= one);
    }
    let (mut gone, mut come) = (vec![true; old.num_rows()], vec![true; new.num_rows()]);
    for ((old, new), differs) in before.values().iter().zip(after.values()).zip(differs) {
        (gone[*old as usize], come[*new as usize]) = (differs, differs);
    }
    let gone = filter_record_batch(&old, &BooleanArray::from(gone))?;
    let come = filter_record_batch(&new, &BooleanArray::from(come))?;
    let weights = [vec![-1i64; gone.num_rows()], vec![1; come.num_rows()]].concat();
    Ok(Batch::weighted(concat_batches(&old.schema(), [&gone, &come])?, Int64Array::from(weights)))
}
