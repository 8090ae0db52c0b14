use std::sync::atomic::Ordering;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt8Type, UInt64Type};
use arrow::ipc::reader::StreamReader;

use super::super::inserter::tests::{Pretended, QUICK};
use super::super::target::tests::config;
use super::*;

fn sink(server: &Arc<Pretended>) -> ClickHouseSink {
    let fields = vec![Field::new("k", DataType::Utf8, true), Field::new("v", DataType::Int64, true)];
    let mut config = config();
    (config.schema, config.key) = (Arc::new(Schema::new(fields)), vec!["k".into()]);
    let target = Arc::new(Target::new(config).unwrap());
    let runtime = tokio::runtime::Handle::current();
    let context = SinkContext { name: "t".into(), worker: 3, workers: 4, generation: 2, runtime: runtime.clone() };
    let inserter = Inserter::start(&runtime, target.shown(), server.insert(), QUICK, Default::default());
    ClickHouseSink::with_inserter(target, inserter, &context).unwrap()
}

fn write(sink: &mut ClickHouseSink, changes: &[(&str, i64, i64)]) {
    let keys: StringArray = changes.iter().map(|c| Some(c.0)).collect();
    let values: Int64Array = changes.iter().map(|c| Some(c.1)).collect();
    let rows = RecordBatch::try_new(sink.target.config.schema.clone(), vec![Arc::new(keys), Arc::new(values)]).unwrap();
    sink.write(Batch::weighted(rows, changes.iter().map(|c| Some(c.2)).collect())).unwrap();
}

/// A row as ClickHouse gets it: key, value, version, deleted, epoch.
type Row = (String, Option<i64>, u64, u8, u64);

fn rows(block: &Block) -> Vec<Row> {
    let batches: Vec<RecordBatch> =
        StreamReader::try_new(&block.bytes[..], None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1, "a block is one batch, so that it becomes one part");
    let b = &batches[0];
    let u64s = |i: usize| b.column(i).as_primitive::<UInt64Type>();
    let row = |i: usize| {
        let value = b.column(1).as_primitive::<Int64Type>();
        let value = arrow::array::Array::is_valid(value, i).then(|| value.value(i));
        let deleted = b.column(3).as_primitive::<UInt8Type>().value(i);
        (b.column(0).as_string::<i32>().value(i).to_owned(), value, u64s(2).value(i), deleted, u64s(4).value(i))
    };
    (0..b.num_rows()).map(row).collect()
}

fn version(sequence: u64) -> u64 {
    Stamp { generation: 2, sequence, epoch: 0 }.version().unwrap()
}

/// Shows what is inserted for an update, an insert, a delete and a change that is taken back; how it is stamped; and
/// what the epoch's part counts.
#[tokio::test]
async fn a_flush_inserts_net_changes_with_their_stamp() {
    let server = Arc::new(Pretended::default());
    let mut sink = sink(&server);
    write(&mut sink, &[("new", 1, 1), ("old", 1, -1), ("gone", 5, -1), ("same", 7, 1)]);
    write(&mut sink, &[("same", 7, -1), ("old", 2, 1)]);
    sink.flush(9, 4).unwrap();
    let part = sink.prepare(9).unwrap().await.unwrap();
    assert_eq!(*part.downcast::<Written>().unwrap(), Written { rows: 2, tombstones: 1 });
    let tried = server.tried.lock().unwrap();
    assert_eq!(tried.len(), 1);
    let expected = [("new", Some(1), 0), ("old", Some(2), 0), ("gone", None, 1)];
    assert_eq!(rows(&tried[0]), expected.map(|(k, v, deleted)| (k.to_owned(), v, version(4), deleted, 9)));
    assert_eq!(tried[0].token, "music/top_songs/generation=2/epoch=9/sequence=4/worker=3/block=1");
}

/// Shows that, with ClickHouse away, flushes do not wait, changes go on being added up by key, memory does not grow
/// with the changes, and the epoch is prepared when ClickHouse is back, with the last values.
#[tokio::test]
async fn while_clickhouse_is_away_changes_add_up() {
    let server = Arc::new(Pretended::default());
    server.away.store(true, Ordering::SeqCst);
    let mut sink = sink(&server);
    write(&mut sink, &[("a", 0, 1), ("b", 0, 1)]);
    let mut bytes = Vec::new();
    for sequence in 1..=200i64 {
        sink.flush(1, sequence as u64).unwrap();
        write(&mut sink, &[("a", sequence - 1, -1), ("a", sequence, 1)]);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        bytes.push(sink.memory_bytes());
    }
    assert_eq!(bytes[100..].iter().max(), bytes[100..].iter().min(), "memory stays where it is");
    sink.flush(1, 201).unwrap();
    let prepared = tokio::spawn(sink.prepare(1).unwrap());
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert!(!prepared.is_finished(), "nothing is prepared while clickhouse is away");
    server.away.store(false, Ordering::SeqCst);
    prepared.await.unwrap().unwrap();
    let tried = server.tried.lock().unwrap();
    let last = rows(tried.last().unwrap());
    assert_eq!(last, [("a".to_owned(), Some(200), version(201), 0, 1)]);
    assert_eq!(sink.memory_bytes(), 0);
}

/// Shows that an error of the inserting task ends the run at the next flush, and that a key with two rows does so at
/// once.
#[tokio::test]
async fn errors_end_the_run() {
    let server = Arc::new(Pretended::default());
    server.faults.lock().unwrap().push_back(super::super::client::Fault::Refused);
    let mut refused = sink(&server);
    write(&mut refused, &[("a", 1, 1)]);
    refused.flush(1, 1).unwrap();
    assert!(refused.prepare(1).unwrap().await.is_err());
    write(&mut refused, &[("a", 2, 1)]);
    assert!(refused.flush(1, 2).is_err());
    let mut doubled = sink(&server);
    write(&mut doubled, &[("a", 1, 1), ("a", 2, 1)]);
    assert_eq!(doubled.flush(1, 1).unwrap_err().kind(), sluice_engine::ErrorKind::Data);
}

/// Shows that a prepared epoch is waited for also when the worker's half is gone by then.
#[tokio::test]
async fn a_prepared_epoch_outlives_the_sink() {
    let server = Arc::new(Pretended::default());
    server.away.store(true, Ordering::SeqCst);
    let mut sink = sink(&server);
    write(&mut sink, &[("a", 1, 1)]);
    sink.flush(1, 1).unwrap();
    let prepared = sink.prepare(1).unwrap();
    drop(sink);
    server.away.store(false, Ordering::SeqCst);
    assert!(prepared.await.is_ok());
}
