//! Filter and projection in one step: weights pass through. No state.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

/// Keeps the rows for which `predicate` is true and computes `columns` of them.
pub struct Map {
    predicate: Option<Arc<dyn PhysicalExpr>>,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl Map {
    /// `columns` are expressions over the input; `schema` names and types their results.
    pub fn new(
        predicate: Option<Arc<dyn PhysicalExpr>>,
        columns: Vec<Arc<dyn PhysicalExpr>>,
        schema: SchemaRef,
    ) -> Self {
        Self { predicate, columns, schema }
    }
}

fn evaluate(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef> {
    let value = expr.evaluate(rows).and_then(|v| v.into_array(rows.num_rows()));
    value.map_err(|e| Error::data(format!("{expr} failed")).because(e))
}

/// The rows that pass, with their weights.
fn keep(batch: Batch, predicate: &Arc<dyn PhysicalExpr>) -> Result<Batch> {
    let passes = evaluate(predicate, batch.rows())?;
    let passes: &BooleanArray =
        passes.as_boolean_opt().ok_or_else(|| Error::bug(format!("{predicate} is no condition")))?;
    if passes.null_count() == 0 && passes.true_count() == batch.len() {
        return Ok(batch);
    }
    let rows = filter_record_batch(batch.rows(), passes)?;
    let weights = match batch.weights() {
        Some(w) => Some(Int64Array::from(filter(w, passes)?.to_data())),
        None => None,
    };
    Ok(Batch::with_weights_of(rows, weights).with_bounds(batch.bounds()))
}

use arrow::array::Array;

impl Operator for Map {
    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let batch = match &self.predicate {
            Some(predicate) => keep(batch, predicate)?,
            None => batch,
        };
        if batch.is_empty() {
            return Ok(());
        }
        let columns = self.columns.iter().map(|c| evaluate(c, batch.rows())).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        out.emit(Batch::with_weights_of(rows, batch.weights().cloned()).with_bounds(batch.bounds()));
        Ok(())
    }
}
