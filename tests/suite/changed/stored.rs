//! Tests of a table's rows as a source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use sluice_engine::{Batch, Polled, Position, Source, SourceContext};
use sluice_operators::sink::delta::{DeltaConfig, WriteMode, overwrite};
use sluice_operators::source::stored::{StoredSource, StoredTable};
use sluice_operators::store::Store;

/// Longest wait for a table in a folder.
const PATIENCE: Duration = Duration::from_secs(20);

fn rows(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

fn table(store: &Store, path: &str) -> Arc<StoredTable> {
    let make = Arc::new(|rows| Ok(Batch::insert(rows)));
    StoredTable::new(store.clone(), path, tokio::runtime::Handle::current(), make)
}

fn sources(table: &Arc<StoredTable>, workers: usize) -> Vec<StoredSource> {
    let context = |worker| SourceContext { name: "stored/t".into(), worker, workers, until_idle: true };
    (0..workers).map(|worker| table.source(&context(worker))).collect()
}

/// All values that the sources give until all are at their end.
async fn values(mut sources: Vec<StoredSource>) -> Vec<i64> {
    sources.iter_mut().for_each(|s| s.open(&Position::default()).unwrap());
    let (mut values, mut ended, begun) = (Vec::new(), vec![false; sources.len()], Instant::now());
    while !ended.iter().all(|e| *e) {
        assert!(begun.elapsed() < PATIENCE, "the end does not come");
        for (source, ended) in sources.iter_mut().zip(&mut ended) {
            match source.poll(1, 1).unwrap() {
                Polled::Batch(batch) => values.extend(batch.column(0).as_primitive::<Int64Type>().values()),
                Polled::Idle => tokio::time::sleep(Duration::from_millis(1)).await,
                Polled::End => *ended = true,
            }
        }
    }
    values.sort_unstable();
    values
}

/// Each row of a table comes once, on one of the workers, however many batches there are, and then the end; a table that is
/// not there has no rows.
#[tokio::test(flavor = "multi_thread")]
async fn each_row_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let schema = rows([]).schema();
    let mut config = DeltaConfig::new(store.clone(), "gold/t", "test/t", schema, WriteMode::Append);
    config.target_file_bytes = 1 << 10;
    let batches = (0..40).map(|i| Ok(rows(i * 100..(i + 1) * 100)));
    overwrite(&config, 1, batches).await.unwrap();
    for workers in [1, 3] {
        let table = table(&store, "gold/t");
        assert_eq!(values(sources(&table, workers)).await, (0..4_000).collect::<Vec<_>>(), "{workers} workers");
    }
    assert_eq!(values(sources(&table(&store, "gold/none"), 2)).await, Vec::<i64>::new());
}

/// What cannot be made of a row ends the run with the table's name, and is not taken for the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let config = DeltaConfig::new(store.clone(), "gold/t", "test/t", rows([]).schema(), WriteMode::Append);
    overwrite(&config, 1, [Ok(rows([1]))]).await.unwrap();
    let make = Arc::new(|_| Err(sluice_engine::Error::data("a value does not fit")));
    let table = StoredTable::new(store, "gold/t", tokio::runtime::Handle::current(), make);
    let mut source = sources(&table, 1).remove(0);
    source.open(&Position::default()).unwrap();
    let begun = Instant::now();
    let error = loop {
        match source.poll(1, 1) {
            Ok(Polled::Idle) => tokio::time::sleep(Duration::from_millis(1)).await,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        assert!(begun.elapsed() < PATIENCE, "the error does not come");
    };
    assert!(error.to_string().contains("delta table gold/t"), "{error}");
}
