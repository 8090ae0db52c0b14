//! The equi-join as an operator of the engine. Input 0 is the left side, input 1 the right.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{filter, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sluice_engine::state::{Restored, RowId, Snapshot, SnapshotMode, key_hashes};
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

use super::side::Side;

/// Which rows a join gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs that match.
    Inner,
    /// Pairs that match, and left rows without a match beside NULLs.
    Left,
}

/// What to join by.
#[derive(Debug, Clone)]
pub struct EquiJoinSpec {
    /// Which rows.
    pub kind: JoinKind,
    /// The left input's schema.
    pub left: SchemaRef,
    /// The right input's schema.
    pub right: SchemaRef,
    /// Key columns of the left input; of the same types as the right's.
    pub left_keys: Vec<usize>,
    /// Key columns of the right input.
    pub right_keys: Vec<usize>,
    /// A further condition over the pair (left columns, then right ones); only for inner joins.
    pub residual: Option<Arc<dyn PhysicalExpr>>,
    /// The output: left columns, then right ones.
    pub schema: SchemaRef,
}

/// Changes of a side since the last snapshot.
type Unsaved = Vec<Batch>;

/// An equi-join over two streams of changes.
pub struct EquiJoin {
    spec: EquiJoinSpec,
    sides: [Side; 2],
    unsaved: [Unsaved; 2],
    touched: [Vec<Box<[u8]>>; 2],
}

impl EquiJoin {
    /// A join without rows.
    ///
    /// # Errors
    /// `Config` when a column's type has no order, or a left join has a residual condition.
    pub fn new(spec: EquiJoinSpec) -> Result<Self> {
        if spec.kind == JoinKind::Left && spec.residual.is_some() {
            return Err(Error::config("a left join with a condition beside equality is not supported as a stream"));
        }
        let left = Side::new(spec.left.clone(), spec.left_keys.clone())?;
        let right = Side::new(spec.right.clone(), spec.right_keys.clone())?;
        Ok(Self { spec, sides: [left, right], unsaved: Default::default(), touched: Default::default() })
    }

    /// Pairs of rows of `batch` (side `input`) with the other side as it stands.
    fn pairs(&self, input: usize, batch: &Batch, keys: &[Option<Box<[u8]>>], out: &mut Emitter<'_>) -> Result<()> {
        let other = &self.sides[1 - input];
        let (mut own_rows, mut other_rows, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (row, key) in keys.iter().enumerate() {
            for held in key.as_ref().map_or(&[][..], |k| other.held(k)) {
                own_rows.push(row as u32);
                other_rows.push(held.row);
                weights.push(batch.weight(row) * held.weight);
            }
        }
        if own_rows.is_empty() {
            return Ok(());
        }
        let own = take_record_batch(batch.rows(), &UInt32Array::from(own_rows))?;
        let others = other.fetch(&other_rows)?;
        let (left, right) = if input == 0 { (&own, &others) } else { (&others, &own) };
        let columns: Vec<ArrayRef> = left.columns().iter().chain(right.columns()).cloned().collect();
        let rows = RecordBatch::try_new(self.spec.schema.clone(), columns)?;
        let (rows, weights) = self.residual(rows, Int64Array::from(weights))?;
        out.emit(Batch::weighted(rows, weights));
        Ok(())
    }

    fn residual(&self, rows: RecordBatch, weights: Int64Array) -> Result<(RecordBatch, Int64Array)> {
        let Some(condition) = &self.spec.residual else { return Ok((rows, weights)) };
        let passes = condition.evaluate(&rows).and_then(|v| v.into_array(rows.num_rows()));
        let passes = passes.map_err(|e| Error::data(format!("{condition} failed")).because(e))?;
        let passes: &BooleanArray = passes.as_boolean();
        Ok((filter_record_batch(&rows, passes)?, filter(&weights, passes)?.as_primitive::<Int64Type>().clone()))
    }

    /// Left rows of `batch` that have no match, beside NULLs.
    fn unmatched(&self, batch: &Batch, keys: &[Option<Box<[u8]>>], out: &mut Emitter<'_>) -> Result<()> {
        let right = &self.sides[1];
        let alone = |k: &Option<Box<[u8]>>| k.as_ref().is_none_or(|k| right.weight(k) == 0);
        let rows: Vec<u32> = (0..keys.len()).filter(|i| alone(&keys[*i])).map(|i| i as u32).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let batch = batch.take(&UInt32Array::from(rows))?;
        out.emit(self.beside_nulls(batch.rows(), batch.weights_or_ones())?);
        Ok(())
    }

    fn beside_nulls(&self, left: &RecordBatch, weights: Int64Array) -> Result<Batch> {
        let nulls = self.spec.right.fields().iter().map(|f| new_null_array(f.data_type(), left.num_rows()));
        let columns = left.columns().iter().cloned().chain(nulls).collect();
        Ok(Batch::weighted(RecordBatch::try_new(self.spec.schema.clone(), columns)?, weights))
    }

    /// Left rows of keys that have just got their first match, or lost their last: their row beside NULLs goes or comes.
    fn rematch(&self, before: HashMap<&[u8], i64, FixedState>, out: &mut Emitter<'_>) -> Result<()> {
        let (left, right) = (&self.sides[0], &self.sides[1]);
        let (mut rows, mut weights): (Vec<RowId>, Vec<i64>) = Default::default();
        for (key, before) in before {
            let sign = match (before == 0, right.weight(key) == 0) {
                (true, false) => -1,
                (false, true) => 1,
                _ => continue,
            };
            for held in left.held(key) {
                rows.push(held.row);
                weights.push(sign * held.weight);
            }
        }
        if !rows.is_empty() {
            out.emit(self.beside_nulls(&left.fetch(&rows)?, Int64Array::from(weights))?);
        }
        Ok(())
    }
}

impl Operator for EquiJoin {
    fn on_batch(&mut self, input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let keys = self.sides[input].keys_of(batch.rows())?;
        self.pairs(input, &batch, &keys, out)?;
        let left_join = self.spec.kind == JoinKind::Left;
        if left_join && input == 0 {
            self.unmatched(&batch, &keys, out)?;
        }
        let mut before: HashMap<&[u8], i64, FixedState> = HashMap::default();
        if left_join && input == 1 {
            for key in keys.iter().flatten() {
                before.entry(key).or_insert_with(|| self.sides[1].weight(key));
            }
        }
        self.sides[input].apply(&batch, &keys)?;
        self.rematch(before, out)?;
        self.touched[input].extend(keys.into_iter().flatten());
        self.unsaved[input].push(batch);
        Ok(())
    }

    fn on_barrier(&mut self, _watermark: Option<i64>, _out: &mut Emitter<'_>) -> Result<()> {
        for (side, touched) in self.sides.iter().zip(&mut self.touched) {
            for key in touched.drain(..) {
                side.check(&key)?;
            }
        }
        Ok(())
    }

    /// One batch for each side; its columns are the side's, then the weight, then which side it is.
    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        let unsaved = std::mem::take(&mut self.unsaved);
        let mut pieces = Vec::new();
        for (i, unsaved) in unsaved.into_iter().enumerate() {
            let schema = if i == 0 { &self.spec.left } else { &self.spec.right };
            let (rows, weights) = match mode {
                SnapshotMode::Full => self.sides[i].all()?,
                SnapshotMode::Delta => {
                    let batch = Batch::concat(schema, &unsaved)?;
                    (batch.rows().clone(), batch.weights_or_ones().values().to_vec())
                }
            };
            pieces.push((rows, weights));
        }
        Ok(Snapshot::of(vec![encode_sides(&self.spec, pieces)?]))
    }

    fn restore(&mut self, state: Restored) -> Result<()> {
        for batch in state.pieces.iter().flat_map(|p| &p.batches) {
            for (i, changes) in decode_sides(&self.spec, batch)?.into_iter().enumerate() {
                let columns = if i == 0 { &self.spec.left_keys } else { &self.spec.right_keys };
                let hashes = key_hashes(changes.rows().columns(), columns)?;
                let own: Vec<u32> =
                    (0..hashes.len() as u32).filter(|n| state.share.owns(hashes[*n as usize])).collect();
                let changes = changes.take(&UInt32Array::from(own))?;
                let keys = self.sides[i].keys_of(changes.rows())?;
                self.sides[i].apply(&changes, &keys)?;
            }
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        let unsaved: usize = self.unsaved.iter().flatten().map(Batch::memory_bytes).sum();
        self.sides.iter().map(Side::bytes).sum::<usize>() + unsaved
    }
}

/// Both sides in one batch, because a snapshot has one schema: left columns, right columns, `weight`, `side`.
fn encode_sides(spec: &EquiJoinSpec, pieces: Vec<(RecordBatch, Vec<i64>)>) -> Result<RecordBatch> {
    let lengths: Vec<usize> = pieces.iter().map(|p| p.0.num_rows()).collect();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (i, (rows, _)) in pieces.iter().enumerate() {
        for column in rows.columns() {
            let nulls = new_null_array(column.data_type(), lengths[1 - i]);
            let both: [&dyn arrow::array::Array; 2] = if i == 0 { [column, &nulls] } else { [&nulls, column] };
            columns.push(arrow::compute::concat(&both)?);
        }
    }
    columns.push(Arc::new(pieces.iter().flat_map(|p| p.1.iter().copied()).collect::<Int64Array>()));
    let sides = [vec![0i64; lengths[0]], vec![1; lengths[1]]].concat();
    columns.push(Arc::new(Int64Array::from(sides)));
    let nullable = |f: &Arc<Field>, i: usize| Field::new(format!("c{i}"), f.data_type().clone(), true);
    let fields = spec.left.fields().iter().chain(spec.right.fields()).enumerate().map(|(i, f)| nullable(f, i));
    let counts = ["weight", "side"].map(|name| Field::new(name, DataType::Int64, false));
    let schema = Schema::new(fields.chain(counts).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

fn decode_sides(spec: &EquiJoinSpec, batch: &RecordBatch) -> Result<[Batch; 2]> {
    let (left, right) = (spec.left.fields().len(), spec.right.fields().len());
    if batch.num_columns() != left + right + 2 {
        return Err(Error::config("the saved state is that of another join"));
    }
    let damaged = || Error::data("the saved state of a join is damaged");
    let weights = batch.column(left + right).as_primitive_opt::<Int64Type>().ok_or_else(damaged)?;
    let sides = batch.column(left + right + 1).as_primitive_opt::<Int64Type>().ok_or_else(damaged)?;
    let split = sides.values().iter().filter(|s| **s == 0).count();
    let piece = |schema: &SchemaRef, columns: &[ArrayRef], from: usize, len: usize| {
        let columns = columns.iter().map(|c| c.slice(from, len)).collect();
        let rows = RecordBatch::try_new(schema.clone(), columns)?;
        Ok::<_, Error>(Batch::weighted(rows, weights.slice(from, len)))
    };
    let columns = batch.columns();
    Ok([
        piece(&spec.left, &columns[..left], 0, split)?,
        piece(&spec.right, &columns[left..left + right], split, batch.num_rows() - split)?,
    ])
}
