//! Each event once: the first step of every fact.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use sluice_benches::inputs::{BATCH_ROWS, Numbers, bronze_batches};
use sluice_engine::{Batch, Emitter, Operator};
use sluice_operators::order::OrderColumn;
use sluice_operators::transform::dedupe::{Dedupe, DedupeSpec};

/// So many that chunks of the row log are closed and compressed several times (65,536 rows each).
const BATCHES: usize = if cfg!(debug_assertions) { 4 } else { 32 };

/// The columns of `fact_listens` before and after copies are gone: key, order, and what is carried.
const COLUMNS: [&str; 15] = [
    "sessionId",
    "itemInSession",
    "ts",
    "userId",
    "level",
    "artist",
    "song",
    "duration",
    "city",
    "state",
    "zip",
    "_topic",
    "_partition",
    "_offset",
    "_timestamp",
];

/// One row for each `(sessionId, itemInSession)`, the first to arrive, from an empty state on: as it grows in the music
/// project. Without copies every row is new, which is what a healthy stream costs; with one in ten it shows that copies are
/// cheaper than rows.
pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("operators::transform::dedupe");
    let rows = BATCHES * BATCH_ROWS;
    group.throughput(Throughput::Elements(rows as u64)).sample_size(20);
    for copies_percent in [0, 10] {
        let batches = batches(copies_percent);
        let spec = spec(&batches[0].schema());
        let id = BenchmarkId::from_parameter(format!("copies={copies_percent}%/columns=15/rows={rows}"));
        group.bench_function(id, |bench| {
            let new = || Dedupe::new(spec.clone()).expect("the columns have an order");
            let run = |mut dedupe: Dedupe| {
                let mut sent = Vec::new();
                for batch in &batches {
                    dedupe.on_batch(0, batch.clone(), &mut Emitter::new(&mut sent)).expect("rows only appear");
                }
                let shown: usize = sent.iter().map(|(_, batch)| batch.len()).sum();
                assert!(copies_percent > 0 || shown == rows, "{shown} of {rows} rows are shown");
                (dedupe, sent)
            };
            bench.iter_batched(new, run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn batches(copies_percent: usize) -> Vec<Batch> {
    let mut numbers = Numbers::new(copies_percent as u64);
    let narrow = |batch: Batch| -> RecordBatch {
        let index = |name: &&str| batch.schema().index_of(name).expect("a column of bronze");
        batch.rows().project(&COLUMNS.iter().map(index).collect::<Vec<_>>()).expect("columns of bronze")
    };
    let mut spoil = |rows: RecordBatch| {
        // A copy takes the place of the row: the key before it comes twice, and one key is missing.
        let copy = |row: usize| row.saturating_sub(usize::from(numbers.below(100) < copies_percent)) as u32;
        Batch::insert(rows).take(&(0..BATCH_ROWS).map(copy).collect::<UInt32Array>()).expect("rows that are there")
    };
    let bronze = bronze_batches(BATCHES).expect("the simulator runs");
    bronze.into_iter().map(|batch| spoil(narrow(batch))).collect()
}

fn spec(schema: &SchemaRef) -> DedupeSpec {
    let column = |name: &str| schema.index_of(name).expect("a column of the rows");
    let order = |name| OrderColumn { column: column(name), descending: false, nulls_first: true };
    DedupeSpec {
        schema: schema.clone(),
        keys: vec![column("sessionId"), column("itemInSession")],
        order: vec![order("_timestamp"), order("_partition"), order("_offset")],
    }
}
