//! What the benches read: genuine and simulated records, and rows of them. The same at every run.

use std::sync::Arc;

use anyhow::{Context, ensure};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, TimeUnit};
use sluice_engine::{Batch, Emitter, Operator};
use sluice_operators::decode::json::{DECODED, DecodeJson, DecodeSpec, Field};
use sluice_operators::source::raw::RawBatchBuilder;
use sluice_operators::source::simulator::{Options, Records, STREAMS, Simulator, SimulatorConfig};

/// Rows of a batch as the engine cuts them; far fewer in the dev profile, where benches only show that they run.
pub const BATCH_ROWS: usize = if cfg!(debug_assertions) { 256 } else { 8192 };

/// Records of the genuine event simulator, a line each.
const PAGE_VIEWS: &str = include_str!("../../operators/src/decode/json/tests/data/page_view_events.jsonl");

/// Users of the simulated site: enough that neighbouring records are of different sessions.
const USERS: usize = 10_000;

/// Numbers that no branch predictor knows by heart (xorshift); the same sequence for each seed.
pub struct Numbers(u64);

impl Numbers {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 88_172_645_463_325_252)
    }

    /// The next number, below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }
}

/// `count` genuine page views of about 430 bytes, each where an allocation put it, as a broker's client has them.
pub fn page_view_lines(count: usize) -> Vec<Vec<u8>> {
    let lines: Vec<&str> = PAGE_VIEWS.split_inclusive('\n').collect();
    let mut numbers = Numbers::new(0);
    (0..count).map(|_| lines[numbers.below(lines.len())].as_bytes().to_vec()).collect()
}

/// The columns of page views, as the music project declares them.
pub fn page_view_fields() -> Vec<Field> {
    use DataType::{Float64, Int32, Int64, Utf8};
    let columns = [
        ("ts", Int64),
        ("sessionId", Int64),
        ("page", Utf8),
        ("auth", Utf8),
        ("method", Utf8),
        ("status", Int32),
        ("level", Utf8),
        ("itemInSession", Int32),
        ("city", Utf8),
        ("zip", Utf8),
        ("state", Utf8),
        ("userAgent", Utf8),
        ("lon", Float64),
        ("lat", Float64),
        ("userId", Int32),
        ("lastName", Utf8),
        ("firstName", Utf8),
        ("gender", Utf8),
        ("registration", Int64),
        ("tag", Utf8),
        ("artist", Utf8),
        ("song", Utf8),
        ("duration", Float64),
    ];
    columns.map(|(name, data_type)| Field { name: name.into(), data_type }).into()
}

/// The columns of listens: those of page views without page, method and status.
pub fn listen_fields() -> Vec<Field> {
    let not_there = ["page", "method", "status"];
    page_view_fields().into_iter().filter(|field| !not_there.contains(&field.name.as_str())).collect()
}

/// `batches` raw batches of [`BATCH_ROWS`] simulated records of one stream.
///
/// # Errors
/// When there is no such stream.
pub fn raw_batches(stream: &str, batches: usize) -> anyhow::Result<Vec<RecordBatch>> {
    let index = STREAMS.iter().position(|name| *name == stream).with_context(|| format!("no stream {stream:?}"))?;
    let options = Options { users: USERS, ..Options::default() };
    let mut simulator = Simulator::new(SimulatorConfig::example(), options)?;
    let mut builder = RawBatchBuilder::new(stream);
    let (mut records, mut made, mut offset) = (Records::new(), Vec::new(), 0);
    while made.len() < batches {
        ensure!(simulator.next_records(BATCH_ROWS, &mut records), "the simulator came to an end");
        for record in records.iter().filter(|record| record.stream == index) {
            builder.push(0, offset, Some(record.time_ms * 1000), None, Some(record.payload));
            offset += 1;
            if builder.len() == BATCH_ROWS {
                made.push(builder.finish());
            }
        }
    }
    made.truncate(batches);
    Ok(made)
}

/// Bronze rows of simulated listens: 20 declared columns and the eight that every bronze table has.
///
/// # Errors
/// When a simulated record cannot be decoded.
pub fn bronze_batches(batches: usize) -> anyhow::Result<Vec<Batch>> {
    let spec = DecodeSpec {
        stream: "listen_events".into(),
        fields: listen_fields(),
        event_time: None,
        watermark: std::time::Duration::ZERO,
    };
    let mut decoder = DecodeJson::new(spec)?;
    let mut sent = Vec::new();
    for raw in raw_batches("listen_events", batches)? {
        decoder.on_batch(0, Batch::insert(raw), &mut Emitter::new(&mut sent))?;
    }
    ensure!(sent.iter().all(|(port, _)| *port == DECODED), "a simulated record was rejected");
    Ok(sent.into_iter().map(|(_, batch)| batch).collect())
}

/// Rows `key bigint, value double, time timestamp` with keys below `keys`, evenly spread.
///
/// # Errors
/// Never: the columns fit the schema.
pub fn keyed_batches(batches: usize, keys: usize) -> anyhow::Result<Vec<Batch>> {
    let schema = Arc::new(Schema::new(vec![
        ArrowField::new("key", DataType::Int64, true),
        ArrowField::new("value", DataType::Float64, true),
        ArrowField::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
    ]));
    let mut numbers = Numbers::new(keys as u64);
    let mut batch = || {
        let keys: Int64Array = (0..BATCH_ROWS).map(|_| numbers.below(keys) as i64).collect();
        let values: Float64Array = (0..BATCH_ROWS).map(|_| numbers.below(600_000) as f64 / 1000.0).collect();
        let times = (0..BATCH_ROWS).map(|_| 1_735_689_600_000_000 + numbers.below(86_400_000_000) as i64);
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(values), Arc::new(times)];
        Ok(Batch::insert(RecordBatch::try_new(schema.clone(), columns)?))
    };
    (0..batches).map(|_| batch()).collect()
}
