//! JSON records to columns: the first and hottest step of every pipeline.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use sluice_benches::inputs::{BATCH_ROWS, page_view_fields, page_view_lines, raw_batches};
use sluice_engine::{Batch, Emitter, Operator};
use sluice_operators::decode::json::{DecodeJson, DecodeSpec, JsonDecoder};

pub fn benches(criterion: &mut Criterion) {
    decoder(criterion);
    operator(criterion);
}

/// The decoder alone, over genuine page views: all 23 columns, and four of them (what a table that needs few columns would
/// cost if nothing else were kept). The difference is what the values cost; the rest is finding them.
fn decoder(criterion: &mut Criterion) {
    let lines = page_view_lines(BATCH_ROWS);
    let few = ["ts", "sessionId", "page", "level"];
    let mut group = criterion.benchmark_group("operators::decode::json");
    group.throughput(Throughput::Elements(BATCH_ROWS as u64));
    for columns in [23, 4] {
        let projected: Vec<bool> =
            page_view_fields().iter().map(|field| columns == 23 || few.contains(&field.name.as_str())).collect();
        assert_eq!(projected.iter().filter(|is_wanted| **is_wanted).count(), columns);
        let mut decoder = JsonDecoder::new(page_view_fields(), Some(projected)).expect("the fields can be decoded");
        let id = BenchmarkId::from_parameter(format!("columns={columns}/rows={BATCH_ROWS}"));
        group.bench_function(id, |bench| {
            bench.iter(|| {
                let payloads = lines.iter().map(|line| Some(line.as_slice()));
                let done = decoder.decode_all(payloads, |_, reason| panic!("{reason}"));
                assert_eq!(done, BATCH_ROWS);
                black_box(decoder.finish())
            });
        });
    }
    group.finish();
}

/// The operator as a graph runs it: raw batches of simulated page views in, bronze rows (31 columns) out. Against the
/// decoder alone it shows what the rows' origin and the bookkeeping add.
fn operator(criterion: &mut Criterion) {
    const BATCHES: usize = 8;
    let raw = raw_batches("page_view_events", BATCHES).expect("the simulator runs");
    let spec = DecodeSpec {
        stream: "page_view_events".into(),
        fields: page_view_fields(),
        event_time: None,
        watermark: std::time::Duration::ZERO,
    };
    let mut decode = DecodeJson::new(spec).expect("the fields can be decoded");
    let mut group = criterion.benchmark_group("operators::decode::json::operator");
    group.throughput(Throughput::Elements((BATCHES * BATCH_ROWS) as u64));
    let id = BenchmarkId::from_parameter(format!("columns=23/rows={}", BATCHES * BATCH_ROWS));
    group.bench_function(id, |bench| {
        let input = || raw.iter().cloned().map(Batch::insert).collect::<Vec<_>>();
        let run = |batches: Vec<Batch>| {
            let mut sent = Vec::new();
            for batch in batches {
                decode.on_batch(0, batch, &mut Emitter::new(&mut sent)).expect("simulated records are good");
            }
            assert_eq!(sent.iter().map(|(_, batch)| batch.len()).sum::<usize>(), BATCHES * BATCH_ROWS);
            sent
        };
        bench.iter_batched(input, run, BatchSize::LargeInput);
    });
    group.finish();
}
