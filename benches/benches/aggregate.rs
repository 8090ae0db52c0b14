//! GROUP BY, kept up to date.

use std::hint::black_box;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use sluice_benches::inputs::{BATCH_ROWS, keyed_batches};
use sluice_engine::state::SnapshotMode;
use sluice_engine::{Emitter, Operator};
use sluice_operators::window::aggregate::{Aggregate, AggregateCall, AggregateKind, AggregateSpec};

/// Batches between two barriers: at 100,000 events a second, a tick of half a second has six.
const BATCHES: usize = 8;

/// `count(*), sum(double), min(timestamp)` by a bigint key over rows that are never taken back, in the steady state: all
/// groups are known, and each round has a barrier at which those that changed show their old and new rows, and a snapshot
/// of what changed. Few groups show the cost of a row; many show what the changes at a barrier cost and what the caches miss.
pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("operators::window::aggregate");
    let rows = BATCHES * BATCH_ROWS;
    group.throughput(Throughput::Elements(rows as u64));
    for groups in [100, 10_000, 100_000] {
        let batches = keyed_batches(BATCHES, groups).expect("rows can be made");
        let mut aggregate = Aggregate::new(spec()).expect("the calls take these types");
        let mut round = || {
            let mut sent = Vec::new();
            let mut out = Emitter::new(&mut sent);
            for batch in &batches {
                aggregate.on_batch(0, batch.clone(), &mut out).expect("the rows fit");
            }
            aggregate.on_barrier(None, &mut out).expect("the groups can be shown");
            let saved = aggregate.snapshot(SnapshotMode::Delta).expect("the groups can be saved");
            (sent, saved)
        };
        round();
        let id = BenchmarkId::from_parameter(format!("groups={groups}/rows={rows}"));
        group.bench_function(id, |bench| bench.iter(|| black_box(round())));
    }
    group.finish();
}

fn spec() -> AggregateSpec {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let column = |name, index| Arc::new(Column::new(name, index)) as Arc<dyn PhysicalExpr>;
    let call = |kind, argument: Option<Arc<dyn PhysicalExpr>>, argument_type: DataType, output_type: DataType| {
        AggregateCall { kind, argument, argument_type, filter: None, output_type }
    };
    let fields = [("key", DataType::Int64), ("n", DataType::Int64), ("total", DataType::Float64), ("first", time())];
    let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
    AggregateSpec {
        keys: vec![column("key", 0)],
        calls: vec![
            call(AggregateKind::Count, None, DataType::Null, DataType::Int64),
            call(AggregateKind::Sum, Some(column("value", 1)), DataType::Float64, DataType::Float64),
            call(AggregateKind::Min, Some(column("time", 2)), time(), time()),
        ],
        schema: Arc::new(Schema::new(fields.to_vec())),
        append_only: true,
        time: None,
    }
}
