//! How fast genuine records are decoded. No test but a measurement:
//! `cargo test --release -p sluice-operators decode::json::tests::throughput -- --ignored --nocapture`

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::genuine::{PAGE_VIEWS, fields};
use super::*;

const BATCH_ROWS: usize = 8192;
/// Times that the records are decoded in one round: the clock of `busy` ticks every few milliseconds only.
const REPEATS: usize = 20;

/// `count` records, in an order that no branch predictor knows by heart, and in memory one after the other as a broker's
/// client has them.
fn records(count: usize) -> Vec<Vec<u8>> {
    let lines: Vec<&str> = PAGE_VIEWS.split_inclusive('\n').collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % lines.len()
    };
    (0..count).map(|_| lines[next()].as_bytes().to_vec()).collect()
}

/// The time that this thread has run: the machine may have other work. Wall time where the system does not tell.
fn busy(since: Instant) -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// Prints nanoseconds a record and records a second, for all columns and for four of them.
#[test]
#[ignore = "a measurement"]
fn page_views() {
    let records = records(8 * BATCH_ROWS);
    let bytes: usize = records.iter().map(Vec::len).sum();
    let some = |name: &str| ["ts", "sessionId", "page", "level"].contains(&name);
    for (name, projected) in [("all columns", None), ("4 columns", Some(fields().iter().map(|f| some(f.0)).collect()))]
    {
        let field = |(name, data_type): (&str, DataType)| Field { name: name.into(), data_type };
        let mut decoder = JsonDecoder::new(fields().into_iter().map(field).collect(), projected).unwrap();
        let mut round = || {
            let start = Instant::now();
            let before = busy(start);
            for batch in (0..REPEATS).flat_map(|_| records.chunks(BATCH_ROWS)) {
                let payloads = batch.iter().map(|record| Some(record.as_slice()));
                assert_eq!(decoder.decode_all(payloads, |_, reason| panic!("{reason}")), BATCH_ROWS);
                black_box(decoder.finish());
            }
            (busy(start) - before).as_secs_f64() / REPEATS as f64
        };
        let seconds = (0..5).map(|_| round()).fold(f64::INFINITY, f64::min);
        println!(
            "{name}: {:.0} ns/record, {:.2} M records/s, {:.2} GB/s",
            seconds / records.len() as f64 * 1e9,
            records.len() as f64 / seconds / 1e6,
            bytes as f64 / seconds / 1e9
        );
    }
}
