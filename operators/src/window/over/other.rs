//! Functions that DataFusion evaluates, a partition at a time.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array, new_empty_array};
use arrow::compute::{concat, take_record_batch};
use datafusion::physical_expr::window::WindowExpr;
use sluice_engine::{Error, Result};

use super::view::View;

/// The results for the wanted rows of a view.
///
/// # Errors
/// `Data` when DataFusion refuses the rows.
pub fn evaluate(expr: &Arc<dyn WindowExpr>, rows: &RecordBatch, view: &View) -> Result<ArrayRef> {
    let failed = |e| Error::data(format!("the window function {} failed", expr.name())).because(e);
    let all = take_record_batch(rows, &UInt32Array::from(view.of.clone()))?;
    let mut results = Vec::new();
    for slice in view.slices.iter().filter(|s| !s.wanted.is_empty()) {
        let partition = all.slice(slice.rows.start, slice.rows.len());
        let result = expr.evaluate(&partition).map_err(failed)?;
        results.push(result.slice(slice.wanted.start - slice.rows.start, slice.wanted.len()));
    }
    let Some(_) = results.first() else {
        return Ok(new_empty_array(expr.field().map_err(failed)?.data_type()));
    };
    Ok(concat(&results.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
}
