//! Filter and projection in one step: weights pass through. No state.
//!
//! A row for which an expression fails does not spoil its neighbours: it leaves by a port of its own.

mod failing;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::physical_expr::PhysicalExpr;
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

pub use self::failing::reason_begins;
use self::failing::set_apart;

/// The output port of the rows that pass.
pub const MAPPED: usize = 0;
/// The output port of the rows for which an expression fails.
pub const FAILED: usize = 1;

/// How much of a failing expression its reason shows, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// How rows for which an expression fails are shown by the port [`FAILED`].
#[derive(Debug, Clone)]
pub struct FailedSpec {
    /// Whose expressions they are; it stands in the reason.
    pub model: String,
    /// The columns: `payload binary` gets the input row as JSON, `reason string` what failed. Others whose names begin
    /// with `_` get the input's column of the same name and type; all the rest is NULL.
    pub schema: SchemaRef,
}

/// Keeps the rows for which `predicate` is true and computes `columns` of them.
pub struct Map {
    predicate: Option<Arc<dyn PhysicalExpr>>,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    failed: Option<FailedSpec>,
    told: bool,
}

/// Why a batch was not mapped.
enum Unmapped {
    /// An expression fails for some row; in words.
    Failing(String),
    /// Not the rows' fault.
    Broken(Error),
}

impl From<Error> for Unmapped {
    fn from(error: Error) -> Self {
        Unmapped::Broken(error)
    }
}

impl From<ArrowError> for Unmapped {
    fn from(error: ArrowError) -> Self {
        Unmapped::Broken(error.into())
    }
}

impl Map {
    /// `columns` are expressions over the input; `schema` names and types their results. An expression that fails ends
    /// the run.
    pub fn new(
        predicate: Option<Arc<dyn PhysicalExpr>>,
        columns: Vec<Arc<dyn PhysicalExpr>>,
        schema: SchemaRef,
    ) -> Self {
        Self { predicate, columns, schema, failed: None, told: false }
    }

    /// The same, but rows for which an expression fails leave by the port [`FAILED`], with their weights.
    pub fn with_failed(mut self, failed: FailedSpec) -> Self {
        self.failed = Some(failed);
        self
    }

    /// The rows that pass; none of them may fail.
    fn map(&self, batch: &Batch) -> Result<Batch, Unmapped> {
        let kept = match &self.predicate {
            Some(predicate) => keep(batch, predicate)?,
            None => batch.clone(),
        };
        if kept.is_empty() {
            return Ok(Batch::insert(RecordBatch::new_empty(self.schema.clone())));
        }
        let columns = self.columns.iter().map(|c| evaluate(c, kept.rows())).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(kept.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(Batch::with_weights_of(rows, kept.weights().cloned()).with_bounds(kept.bounds()))
    }
}

/// An expression's values. A function that panics for a row has failed for it as well: it is often somebody else's.
fn evaluate(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef, Unmapped> {
    let value = catch_unwind(AssertUnwindSafe(|| expr.evaluate(rows).and_then(|v| v.into_array(rows.num_rows()))));
    match value {
        Ok(Ok(array)) => Ok(array),
        Ok(Err(error)) => Err(Unmapped::Failing(format!("{} failed: {}", short(expr), error.strip_backtrace()))),
        Err(_) => Err(Unmapped::Failing(format!("{} failed: it panicked", short(expr)))),
    }
}

fn short(expr: &Arc<dyn PhysicalExpr>) -> String {
    let mut text = expr.to_string();
    if let Some((end, _)) = text.char_indices().nth(SHOWN_CHARS_MAX) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// The rows that pass, with their weights.
fn keep(batch: &Batch, predicate: &Arc<dyn PhysicalExpr>) -> Result<Batch, Unmapped> {
    let passes = evaluate(predicate, batch.rows())?;
    let passes: &BooleanArray =
        passes.as_boolean_opt().ok_or_else(|| Error::bug(format!("{predicate} is no condition")))?;
    if passes.null_count() == 0 && passes.true_count() == batch.len() {
        return Ok(batch.clone());
    }
    let rows = filter_record_batch(batch.rows(), passes)?;
    let weights = match batch.weights() {
        Some(w) => Some(Int64Array::from(filter(w, passes)?.to_data())),
        None => None,
    };
    Ok(Batch::with_weights_of(rows, weights).with_bounds(batch.bounds()))
}

impl Operator for Map {
    fn begin_epoch(&mut self, _epoch: u64) {
        self.told = false;
    }

    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let why = match self.map(&batch) {
            Ok(mapped) => {
                out.emit_to(MAPPED, mapped);
                return Ok(());
            }
            Err(Unmapped::Broken(error)) => return Err(error),
            Err(Unmapped::Failing(why)) => why,
        };
        let Some(failed) = &self.failed else { return Err(Error::data(why)) };
        if !self.told {
            self.told = true;
            tracing::warn!(model = failed.model, why, "rows are put among the rejects");
        }
        let apart = set_apart(&batch, &mut |rows| self.map(rows))?;
        out.emit_to(MAPPED, Batch::concat(&self.schema, &apart.mapped)?);
        out.emit_to(FAILED, failed.rows(&batch, &apart)?);
        Ok(())
    }
}
