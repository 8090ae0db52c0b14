//! A fact with a dimension.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use sluice_benches::inputs::{BATCH_ROWS, keyed_batches};
use sluice_engine::{Batch, Emitter, Operator};
use sluice_operators::join::equi::{EquiJoin, EquiJoinSpec, JoinKind};

const BATCHES: usize = if cfg!(debug_assertions) { 2 } else { 16 };
/// Rows of the dimension.
const KEYS: usize = if cfg!(debug_assertions) { 1_000 } else { 10_000 };

/// Fact rows that each find one row of a dimension that is there already; both sides are kept, as the join must take pairs
/// back when either changes. Shows what a row costs to be looked up, joined and remembered.
pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("operators::join::equi");
    let rows = BATCHES * BATCH_ROWS;
    group.throughput(Throughput::Elements(rows as u64)).sample_size(20);
    let facts = keyed_batches(BATCHES, KEYS).expect("rows can be made");
    let dimension = dimension();
    let spec = spec(&facts[0], &dimension);
    for (name, kind) in [("inner", JoinKind::Inner), ("left", JoinKind::Left)] {
        let spec = EquiJoinSpec { kind, ..spec.clone() };
        let id = BenchmarkId::from_parameter(format!("{name}/keys={KEYS}/rows={rows}"));
        group.bench_function(id, |bench| {
            let with_dimension = || {
                let mut join = EquiJoin::new(spec.clone()).expect("the keys have an order");
                join.on_batch(1, dimension.clone(), &mut Emitter::new(&mut Vec::new())).expect("the rows fit");
                join
            };
            let run = |mut join: EquiJoin| {
                let mut sent = Vec::new();
                for batch in &facts {
                    join.on_batch(0, batch.clone(), &mut Emitter::new(&mut sent)).expect("the rows fit");
                }
                assert_eq!(sent.iter().map(|(_, batch)| batch.len()).sum::<usize>(), rows);
                (join, sent)
            };
            bench.iter_batched(with_dimension, run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn dimension() -> Batch {
    let names: StringArray = (0..KEYS).map(|key| Some(format!("the name of {key}"))).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new((0..KEYS as i64).collect::<Int64Array>()), Arc::new(names)];
    let fields = [("id", DataType::Int64), ("name", DataType::Utf8)];
    let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    Batch::insert(RecordBatch::try_new(schema, columns).expect("two columns of one length"))
}

fn spec(fact: &Batch, dimension: &Batch) -> EquiJoinSpec {
    let (left, right) = (fact.schema(), dimension.schema());
    let fields: Vec<_> = left.fields().iter().chain(right.fields()).cloned().collect();
    EquiJoinSpec {
        kind: JoinKind::Inner,
        left,
        right,
        left_keys: vec![0],
        right_keys: vec![0],
        nulls_match: false,
        residual: None,
        schema: Arc::new(Schema::new(fields)),
    }
}
