//! The product as a whole.

use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use sluice_operators::store::Store;
use sluice_pipelines::compile::{Pipeline, plan_project};
use sluice_pipelines::daemon::{RunOptions, run_pipeline};
use sluice_pipelines::project::{Project, Simulator, SourceSettings};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Simulated records of one run.
const EVENTS: u64 = if cfg!(debug_assertions) { 500 } else { 200_000 };

/// The music project from the simulator, in this process, to its bronze, silver and gold tables in a local folder,
/// everything committed; with as many workers as there are cores. The start is in it (some 50 Delta tables are made) and so
/// is the simulator. For CPU time and memory of the real program over a real broker use `sluice-bench kafka`.
pub fn benches(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads can be started");
    let pipeline = runtime.block_on(music());
    let mut group = criterion.benchmark_group("pipelines::music");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function(BenchmarkId::from_parameter(format!("events={EVENTS}")), |bench| {
        let lake = || tempfile::tempdir().expect("a temporary folder");
        let run = |lake: TempDir| {
            let store = Store::open(&lake.path().to_string_lossy()).expect("a local folder");
            let options = RunOptions { until_idle: true, ..RunOptions::default() };
            let run = run_pipeline(pipeline.clone(), store, options, || Box::new(|_| {}));
            let summary = runtime.block_on(run).expect("the pipeline runs to its end");
            // More by the end of the last event, and by the rows that models hold as constants.
            assert!((EVENTS..EVENTS + 100).contains(&summary.rows), "{} rows were read", summary.rows);
            lake
        };
        bench.iter_batched(lake, run, BatchSize::PerIteration);
    });
    group.finish();
}

/// The music project as planned, reading from the simulator and writing to nothing but the lake.
async fn music() -> Arc<Pipeline> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/music");
    let mut project = Project::load(&folder, |_| None).unwrap_or_else(|faults| panic!("{faults}"));
    for settings in project.settings.sources.values_mut() {
        *settings = SourceSettings::Simulator(Simulator { events: Some(EVENTS), ..Simulator::default() });
    }
    project.settings.clickhouse = None;
    Arc::new(plan_project(project).await.unwrap_or_else(|faults| panic!("{faults}")))
}
