//! The decoder as an operator: raw batches in; bronze rows out by port 0, rejects by port 1.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::{cast, max, min, take, take_record_batch};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::physical_expr::PhysicalExpr;
use sluice_engine::{BarrierKind, Batch, Emitter, Error, Operator, Result, TimeBounds};

use super::config::Field;
use super::decoder::JsonDecoder;
use super::event_time::{EventTimes, event_times, timestamp};
use super::progress::Progress;

/// The output port of rows that could be decoded.
pub const DECODED: usize = 0;
/// The output port of records that could not.
pub const REJECTED: usize = 1;

/// Columns that a raw batch brings and a bronze row keeps: topic, partition, offset, timestamp, key.
const META: usize = 5;
const PAYLOAD: usize = 5;
/// Which of these columns is the partition.
const PARTITION: usize = 1;

/// Columns that every bronze table has beside the stream's own, in order, after them.
fn meta_fields() -> Vec<ArrowField> {
    let nullable = |name, t| ArrowField::new(name, t, true);
    vec![
        nullable("_topic", DataType::Utf8),
        nullable("_partition", DataType::Int32),
        nullable("_offset", DataType::Int64),
        nullable("_timestamp", timestamp()),
        nullable("_key", DataType::Binary),
    ]
}

/// The columns of a bronze table: the stream's, then `_topic string, _partition int, _offset bigint, _timestamp timestamp,
/// _key binary, _rescued string, _epoch bigint, _date date`.
pub fn bronze_schema(fields: &[Field]) -> SchemaRef {
    let own = fields.iter().map(|f| ArrowField::new(&f.name, f.data_type.clone(), true));
    let rest = [
        ArrowField::new("_rescued", DataType::Utf8, true),
        ArrowField::new("_epoch", DataType::Int64, true),
        ArrowField::new("_date", DataType::Date32, true),
    ];
    Arc::new(Schema::new(own.chain(meta_fields()).chain(rest).collect::<Vec<_>>()))
}

/// The columns of the rejects' table: `stream string, _topic string, _partition int, _offset bigint, _timestamp timestamp,
/// _key binary, payload binary, reason string, _epoch bigint, replayed bigint`: the epoch in which it was decoded after all.
pub fn rejects_schema() -> SchemaRef {
    let mut fields = vec![ArrowField::new("stream", DataType::Utf8, true)];
    fields.extend(meta_fields());
    fields.push(ArrowField::new("payload", DataType::Binary, true));
    fields.push(ArrowField::new("reason", DataType::Utf8, true));
    fields.push(ArrowField::new("_epoch", DataType::Int64, true));
    fields.push(ArrowField::new("replayed", DataType::Int64, true));
    Arc::new(Schema::new(fields))
}

/// What is decoded and how.
#[derive(Clone)]
pub struct DecodeSpec {
    /// The stream's name, for its rejects.
    pub stream: String,
    /// The declared fields.
    pub fields: Vec<Field>,
    /// The event time, a timestamp over the columns of [`bronze_schema`] without `_date` and `_epoch`; `_date` is its UTC date.
    pub event_time: Option<Arc<dyn PhysicalExpr>>,
    /// How much older than the newest row of its partition a row may be before it is late.
    pub watermark: Duration,
}

/// Decodes raw batches.
pub struct DecodeJson {
    spec: DecodeSpec,
    decoder: JsonDecoder,
    bronze: SchemaRef,
    rejects: SchemaRef,
    epoch: i64,
    progress: Progress,
}

impl DecodeJson {
    /// A decoder of these fields.
    ///
    /// # Errors
    /// `Config` when a field cannot be read from JSON.
    pub fn new(spec: DecodeSpec) -> Result<Self> {
        let decoder = JsonDecoder::new(spec.fields.clone(), None)
            .map_err(|e| Error::config(e.to_string()).at(format!("stream {:?}", spec.stream)))?;
        let progress = Progress::new(spec.watermark);
        Ok(Self { bronze: bronze_schema(&spec.fields), rejects: rejects_schema(), progress, spec, decoder, epoch: 0 })
    }

    /// The same with another bound for the size of a record, in bytes; larger ones are rejected.
    #[must_use]
    pub fn with_record_bytes_max(mut self, record_bytes_max: usize) -> Self {
        self.decoder = self.decoder.with_record_bytes_max(record_bytes_max);
        self
    }

    /// The rows that `good` (all, when none is named) of the raw batch became; without their dates.
    fn bronze_rows(&mut self, raw: &RecordBatch, good: Option<&UInt32Array>) -> Result<RecordBatch> {
        let mut columns = self.decoder.finish();
        let rescued = columns.pop().ok_or_else(|| Error::bug("the decoder gave no _rescued column"))?;
        for column in &raw.columns()[..META] {
            columns.push(match good {
                Some(rows) => take(column, rows, None)?,
                None => column.clone(),
            });
        }
        let rows = rescued.len();
        columns.push(rescued);
        columns.push(Arc::new(Int64Array::from_value(self.epoch, rows)));
        columns.push(new_null_array(&DataType::Date32, rows));
        Ok(RecordBatch::try_new(self.bronze.clone(), columns)?)
    }

    /// The rows with their dates and bounds, and those that have no event time, with the reason: they are left out.
    fn dated(&mut self, rows: RecordBatch) -> Result<(Batch, Vec<(u32, String)>)> {
        let Some(expr) = &self.spec.event_time else { return Ok((Batch::insert(rows), vec![])) };
        let EventTimes { times, faulty } = event_times(expr, &rows);
        let micros = times.as_primitive::<TimestampMicrosecondType>();
        self.progress.note(micros, rows.column(self.spec.fields.len() + PARTITION).as_primitive());
        let bounds = min(micros).zip(max(micros)).map(|(min_us, max_us)| TimeBounds { min_us, max_us });
        let mut columns = rows.columns().to_vec();
        if let Some(date) = columns.last_mut() {
            *date = cast(&times, &DataType::Date32)?;
        }
        let mut rows = RecordBatch::try_new(self.bronze.clone(), columns)?;
        if !faulty.is_empty() {
            rows = take_record_batch(&rows, &range_but(0..rows.num_rows(), &faulty))?;
        }
        Ok((Batch::insert(rows).with_bounds(bounds), faulty))
    }

    fn reject_batch(&self, raw: &RecordBatch, rejected: &[(u32, String)]) -> Result<RecordBatch> {
        let rows = UInt32Array::from(rejected.iter().map(|r| r.0).collect::<Vec<_>>());
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from_iter_values(rejected.iter().map(|_| self.spec.stream.as_str())))];
        for column in &raw.columns()[..=PAYLOAD] {
            columns.push(take(column, &rows, None)?);
        }
        columns.push(Arc::new(StringArray::from_iter_values(rejected.iter().map(|r| r.1.as_str()))));
        columns.push(Arc::new(Int64Array::from_value(self.epoch, rejected.len())));
        columns.push(new_null_array(&DataType::Int64, rejected.len()));
        Ok(RecordBatch::try_new(self.rejects.clone(), columns)?)
    }
}

/// The numbers of a range, those of the rejected left out.
fn range_but(range: std::ops::Range<usize>, rejected: &[(u32, String)]) -> UInt32Array {
    let bad: std::collections::HashSet<u32> = rejected.iter().map(|r| r.0).collect();
    let rows = (range.start as u32..range.end as u32).filter(|r| !bad.contains(r));
    UInt32Array::from(rows.collect::<Vec<_>>())
}

impl Operator for DecodeJson {
    fn begin_epoch(&mut self, epoch: u64) {
        self.epoch = epoch as i64;
    }

    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let raw = batch.rows();
        let payloads: &BinaryArray = raw.column(PAYLOAD).as_binary_opt().ok_or_else(|| Error::bug("no raw batch"))?;
        let mut start = 0;
        while start < payloads.len() {
            let mut rejected = Vec::new();
            let rest = (start..payloads.len()).map(|i| payloads.is_valid(i).then(|| payloads.value(i)));
            let done =
                self.decoder.decode_all(rest, |row, reason| rejected.push(((start + row) as u32, reason.to_string())));
            if done == 0 {
                return Err(Error::bug("a record does not fit into an empty batch"));
            }
            let whole = rejected.is_empty() && done == payloads.len();
            let good = (!whole).then(|| range_but(start..start + done, &rejected));
            if !self.decoder.is_empty() {
                let rows = self.bronze_rows(raw, good.as_ref())?;
                let (dated, faulty) = self.dated(rows)?;
                let place = |row: u32| good.as_ref().map_or(row, |good| good.value(row as usize));
                rejected.extend(faulty.into_iter().map(|(row, reason)| (place(row), reason)));
                rejected.sort_by_key(|r| r.0);
                if !dated.is_empty() {
                    out.emit_to(DECODED, dated);
                }
            }
            if !rejected.is_empty() {
                out.emit_to(REJECTED, Batch::insert(self.reject_batch(raw, &rejected)?));
            }
            start += done;
        }
        Ok(())
    }

    fn own_watermark(&mut self, barrier: BarrierKind) -> Option<i64> {
        self.spec.event_time.as_ref().map(|_| self.progress.watermark(barrier))
    }

    fn state_bytes(&self) -> usize {
        self.decoder.bytes()
    }
}
