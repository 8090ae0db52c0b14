//! Rejects decoded once more: their rows go where all others go, and the rejects are marked.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use sluice_engine::state::Frozen;
use sluice_engine::{BarrierKind, Batch, Emitter, Error, Operator, Result};

use super::operator::{DecodeJson, REJECTED, rejects_schema};
use crate::source::raw::raw_schema;

/// Decodes rejects that can be decoded now. Each leaves as its bronze row by port 0, with its own topic, partition and
/// offset; by port 1 the reject is taken back, and comes again with the epoch in `replayed`.
pub struct DecodeReplayed {
    inner: DecodeJson,
    epoch: i64,
}

impl DecodeReplayed {
    /// Decodes with `inner`.
    pub fn new(inner: DecodeJson) -> Self {
        Self { inner, epoch: 0 }
    }
}

/// A batch of rejects as the raw batch that they came in.
///
/// # Errors
/// `Bug` when a column is missing.
pub fn raw_of_rejects(rejects: &RecordBatch) -> Result<RecordBatch> {
    let column = |name: &str| {
        let found = rejects.column_by_name(name).cloned();
        found.ok_or_else(|| Error::bug(format!("a batch of rejects has no column {name}")))
    };
    let schema = raw_schema();
    let columns = schema.fields().iter().map(|f| column(f.name())).collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

impl Operator for DecodeReplayed {
    fn begin_epoch(&mut self, epoch: u64) {
        self.epoch = epoch as i64;
        self.inner.begin_epoch(epoch);
    }

    fn on_batch(&mut self, input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let rejects = batch.rows();
        let mut sent = Vec::new();
        self.inner.on_batch(input, Batch::insert(raw_of_rejects(rejects)?), &mut Emitter::new(&mut sent))?;
        for (port, decoded) in sent {
            if port == REJECTED {
                return Err(Error::bug("a reject that could be decoded when it was looked for cannot be now"));
            }
            out.emit_to(port, decoded);
        }
        let schema = rejects_schema();
        let rows = rejects.num_rows();
        let marked = schema.fields().iter().zip(rejects.columns()).map(|(field, column)| match field.name().as_str() {
            "replayed" => Arc::new(Int64Array::from_value(self.epoch, rows)) as ArrayRef,
            _ => column.clone(),
        });
        let marked = marked.collect();
        let marked = RecordBatch::try_new(schema, marked)?;
        out.emit_to(REJECTED, Batch::weighted(rejects.clone(), Int64Array::from_value(-1, rows)));
        out.emit_to(REJECTED, Batch::insert(marked));
        Ok(())
    }

    fn own_watermark(&mut self, barrier: BarrierKind) -> Option<i64> {
        self.inner.own_watermark(barrier)
    }

    fn freeze(&mut self, watermark: i64) -> Result<Option<Frozen>> {
        self.inner.freeze(watermark)
    }

    fn state_bytes(&self) -> usize {
        self.inner.state_bytes()
    }
}
