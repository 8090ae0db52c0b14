//! Random epochs of weighted changes against a multiset of rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use proptest::collection::vec;
use proptest::prelude::*;
use sluice_engine::Batch;

use super::table::{Lake, Running, batch, counted, table, weighted};
use crate::sink::delta::{DeltaConfig, WriteMode};

/// Indices into the values of each column.
type Row = (usize, usize, usize, usize);

const DAYS: [Option<i32>; 3] = [None, Some(0), Some(-1)];
const PLACES: [Option<&str>; 5] = [None, Some("a b"), Some("50%/x"), Some("é"), Some("__HIVE_DEFAULT_PARTITION__")];
const KEYS: [Option<i64>; 4] = [None, Some(1), Some(i64::MIN), Some(7)];
const VALUES: [Option<f64>; 5] = [None, Some(0.0), Some(-0.0), Some(f64::NAN), Some(1.5)];

/// One change: a row that appears, or (`take`) one of those that are there, which goes.
#[derive(Debug, Clone)]
struct Change {
    row: Row,
    take: Option<usize>,
}

#[derive(Debug, Clone)]
struct Case {
    mode: WriteMode,
    partitions: usize,
    key: bool,
    target_file_bytes: usize,
    epochs: Vec<(Vec<Change>, bool)>,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let row = (0..DAYS.len(), 0..PLACES.len(), 0..KEYS.len(), 0..VALUES.len());
    let change = (row, proptest::option::of(0usize..1000)).prop_map(|(row, take)| Change { row, take });
    vec(change, 0..24)
}

fn case() -> impl Strategy<Value = Case> {
    let modes = prop_oneof![Just(WriteMode::Changes), Just(WriteMode::Upsert)];
    let sizes = prop_oneof![Just(1usize), Just(2_000), Just(1 << 20)];
    (modes, 0usize..3, any::<bool>(), sizes, vec((changes(), any::<bool>()), 1..6)).prop_map(
        |(mode, partitions, key, target_file_bytes, epochs)| Case { mode, partitions, key, target_file_bytes, epochs },
    )
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("day", DataType::Date32, true),
        Field::new("place", DataType::Utf8, true),
        Field::new("key", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("yes", DataType::Boolean, true),
    ]))
}

fn to_batch(changes: &[(Row, i64)]) -> Batch {
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(changes.iter().map(|(r, _)| DAYS[r.0]).collect::<Date32Array>()),
        Arc::new(changes.iter().map(|(r, _)| PLACES[r.1]).collect::<StringArray>()),
        Arc::new(changes.iter().map(|(r, _)| KEYS[r.2]).collect::<Int64Array>()),
        Arc::new(changes.iter().map(|(r, _)| VALUES[r.3]).collect::<Float64Array>()),
        Arc::new(changes.iter().map(|(r, _)| KEYS[r.2].map(|k| k == 7)).collect::<BooleanArray>()),
    ];
    weighted(batch(&schema(), columns), changes.iter().map(|(_, w)| *w).collect())
}

/// Rows of the multiset as the table would show them.
fn shown(model: &BTreeMap<Row, i64>) -> BTreeMap<String, i64> {
    let rows: Vec<(Row, i64)> = model.iter().flat_map(|(r, n)| (0..*n).map(|_| (*r, 1))).collect();
    counted(&[to_batch(&rows).rows().clone()])
}

/// The epoch's changes with weights; the multiset has them done after it.
fn play(model: &mut BTreeMap<Row, i64>, changes: &[Change]) -> Vec<(Row, i64)> {
    let mut played = Vec::new();
    for change in changes {
        let there: Vec<Row> = model.keys().copied().collect();
        let (row, weight) = match change.take {
            Some(n) if !there.is_empty() => (there[n % there.len()], -1),
            _ => (change.row, 1 + (change.row.0 as i64 + change.row.3 as i64) % 3),
        };
        played.push((row, weight));
        let count = model.entry(row).or_default();
        *count += weight;
        if *count == 0 {
            model.remove(&row);
        }
    }
    // The order within an epoch means nothing.
    played.reverse();
    played
}

async fn check(case: Case) {
    let lake = Lake::new();
    let config = lake.config(&schema(), case.mode).partitioned_by(["day", "place"].into_iter().take(case.partitions));
    let config = if case.key { config.keyed_by(["key", "day"]) } else { config };
    let config = DeltaConfig { target_file_bytes: case.target_file_bytes, row_group_rows: 3, ..config };
    let mut model = BTreeMap::new();
    let mut run = Running::start(&config, 2);
    sluice_engine::Committer::recover(&mut run.committer, None).await.unwrap();
    for (i, (changes, reopen)) in case.epochs.iter().enumerate() {
        let epoch = i as u64 + 1;
        let played = play(&mut model, changes);
        let middle = played.len() / 2;
        let token = run.epoch(epoch, vec![to_batch(&played[..middle]), to_batch(&played[middle..])]).await;
        assert_eq!(table(&lake.store).await.1, shown(&model), "after epoch {epoch}");
        if *reopen {
            run = Running::start_as(&config, 2, epoch + 1);
            sluice_engine::Committer::recover(&mut run.committer, Some((epoch, token))).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// After each epoch the table is the multiset, whatever the mode, partitions, key, file size, and restarts.
    #[test]
    fn the_table_is_the_multiset(case in case()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(case));
    }
}
