//! Which rows of a batch fail, and how they are shown.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::datatypes::{DataType, Field};
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use sluice_engine::{Batch, Result};

use super::{FailedSpec, Unmapped};

/// A batch whose failing rows were found.
#[derive(Default)]
pub(super) struct Apart {
    /// What the good rows became, in their order.
    pub(super) mapped: Vec<Batch>,
    /// The rows that fail.
    pub(super) failed: Vec<u32>,
    /// Why each of them does.
    pub(super) reasons: Vec<String>,
}

/// Finds the failing rows by halving what fails: a batch of n rows is mapped in at most 2n pieces, of n * log2(n) rows in
/// all, and in few when few rows fail.
pub(super) fn set_apart(batch: &Batch, map: &mut impl FnMut(&Batch) -> Result<Batch, Unmapped>) -> Result<Apart> {
    let mut apart = Apart::default();
    halve(batch, 0, batch.len(), map, &mut apart)?;
    Ok(apart)
}

fn halve(
    batch: &Batch,
    start: usize,
    length: usize,
    map: &mut impl FnMut(&Batch) -> Result<Batch, Unmapped>,
    apart: &mut Apart,
) -> Result<()> {
    match map(&slice(batch, start, length)) {
        Ok(mapped) => apart.mapped.push(mapped),
        Err(Unmapped::Broken(error)) => return Err(error),
        Err(Unmapped::Failing(why)) if length <= 1 => {
            apart.failed.push(start as u32);
            apart.reasons.push(why);
        }
        Err(Unmapped::Failing(_)) => {
            let half = length / 2;
            halve(batch, start, half, map, apart)?;
            halve(batch, start + half, length - half, map, apart)?;
        }
    }
    Ok(())
}

fn slice(batch: &Batch, start: usize, length: usize) -> Batch {
    let weights = batch.weights().map(|w| w.slice(start, length));
    Batch::with_weights_of(batch.rows().slice(start, length), weights).with_bounds(batch.bounds())
}

/// What the reason of a row begins with for which an expression of `model` fails.
pub fn reason_begins(model: &str) -> String {
    format!("model {model:?}: ")
}

impl FailedSpec {
    /// The failing rows of a batch, with their weights.
    pub(super) fn rows(&self, batch: &Batch, apart: &Apart) -> Result<Batch> {
        let failed = batch.take(&UInt32Array::from(apart.failed.clone()))?;
        let (payloads, unwritable) = payloads(failed.rows());
        let reason = |why: &String| match &unwritable {
            None => format!("{}{why}", reason_begins(&self.model)),
            Some(error) => {
                format!("{}{why} (and the row cannot be written as JSON: {error})", reason_begins(&self.model))
            }
        };
        let reasons: ArrayRef = Arc::new(StringArray::from_iter_values(apart.reasons.iter().map(reason)));
        let column = |field: &Arc<Field>| match field.name().as_str() {
            "payload" => payloads.clone(),
            "reason" => reasons.clone(),
            name => {
                let found = failed.rows().column_by_name(name).filter(|_| name.starts_with('_'));
                let found = found.filter(|column| column.data_type() == field.data_type());
                found.cloned().unwrap_or_else(|| new_null_array(field.data_type(), failed.len()))
            }
        };
        let columns = self.schema.fields().iter().map(column).collect();
        let rows = RecordBatch::try_new(self.schema.clone(), columns)?;
        let weights = failed.weights().map(|w| Int64Array::from(w.to_data()));
        Ok(Batch::with_weights_of(rows, weights))
    }
}

/// Each row as a JSON object; NULLs, and why, when they cannot be written.
pub(super) fn payloads(rows: &RecordBatch) -> (ArrayRef, Option<String>) {
    let mut text = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut text);
    let written = writer.write(rows).and_then(|()| writer.finish());
    drop(writer);
    // Inside of JSON a line break is always escaped.
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').take(rows.num_rows()).collect();
    match written {
        Ok(()) if lines.len() == rows.num_rows() => (Arc::new(BinaryArray::from_vec(lines)), None),
        Ok(()) => (new_null_array(&DataType::Binary, rows.num_rows()), Some("a row has no line".into())),
        Err(error) => (new_null_array(&DataType::Binary, rows.num_rows()), Some(error.to_string())),
    }
}
