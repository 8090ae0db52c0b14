//! Rows to a Delta table's data files.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use sluice_benches::inputs::{BATCH_ROWS, bronze_batches};
use sluice_engine::{Sink, SinkContext};
use sluice_operators::sink::delta::{DeltaConfig, WriteMode};
use sluice_operators::store::Store;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// One and a half row groups of 131,072 rows, so that one is closed on the way and one at the end.
const BATCHES: usize = if cfg!(debug_assertions) { 2 } else { 24 };

/// One worker's half of an epoch of a bronze table: simulated listens (20 declared columns and the eight of bronze) encoded
/// as Parquet and written to a local folder, `prepare` and its uploads included. The commit is not in it: it is once for an
/// epoch, however many rows. Only this thread encodes, so this is CPU time but for the last file's write.
pub fn benches(criterion: &mut Criterion) {
    let rows = BATCHES * BATCH_ROWS;
    let batches = bronze_batches(BATCHES).expect("the simulator runs");
    let runtime = Runtime::new().expect("threads can be started");
    let mut group = criterion.benchmark_group("operators::sink::delta");
    group.throughput(Throughput::Elements(rows as u64)).sample_size(10);
    for partition_by in [None, Some("_date")] {
        let id = format!("append/columns=28/rows={rows}{}", if partition_by.is_some() { "/by-date" } else { "" });
        group.bench_function(BenchmarkId::from_parameter(id), |bench| {
            let lake = || {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let schema = batches[0].schema();
                let store = Store::open(&folder.path().to_string_lossy()).expect("a local folder");
                let config = DeltaConfig::new(store, "bronze/listens", "bench/listens", schema, WriteMode::Append);
                let context = SinkContext {
                    name: "listens".into(),
                    worker: 0,
                    workers: 1,
                    generation: 1,
                    runtime: runtime.handle().clone(),
                };
                let sink = config.partitioned_by(partition_by).build(&context).expect("the columns can be stored");
                (folder, sink)
            };
            let run = |(folder, mut sink): (TempDir, Box<dyn Sink>)| {
                for batch in &batches {
                    sink.write(batch.clone()).expect("rows can be encoded");
                }
                let uploads = sink.prepare(1).expect("files can be closed");
                let part = runtime.block_on(uploads).expect("files can be written");
                (folder, sink, part)
            };
            bench.iter_batched(lake, run, BatchSize::PerIteration);
        });
    }
    group.finish();
}
