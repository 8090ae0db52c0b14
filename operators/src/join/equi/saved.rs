//! A join's state as rows: a snapshot has one schema, so both sides are in one batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use sluice_engine::{Batch, Error, Result};

use super::spec::EquiJoinSpec;

/// Left columns, right columns, `weight`, `side`.
pub(super) fn encode_sides(spec: &EquiJoinSpec, pieces: Vec<(RecordBatch, Vec<i64>)>) -> Result<RecordBatch> {
    let lengths: Vec<usize> = pieces.iter().map(|p| p.0.num_rows()).collect();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (i, (rows, _)) in pieces.iter().enumerate() {
        for column in rows.columns() {
            let nulls = new_null_array(column.data_type(), lengths[1 - i]);
            let both: [&dyn Array; 2] = if i == 0 { [column, &nulls] } else { [&nulls, column] };
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

pub(super) fn decode_sides(spec: &EquiJoinSpec, batch: &RecordBatch) -> Result<[Batch; 2]> {
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
