//! Every type that can be stored, and many partitions at once.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Int8Array, Int16Array, Int32Array,
    Int64Array, LargeStringArray, ListBuilder, MapBuilder, RecordBatch, StringBuilder, StringViewArray, StructArray,
    TimestampMillisecondArray,
};
use arrow::array::{DictionaryArray, Int64Builder};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use sluice_engine::{Batch, ErrorKind};

use super::table::{Lake, Running, counted, table, weighted};
use crate::sink::delta::{DeltaConfig, WriteMode};
use crate::store::read_all;

fn columns() -> Vec<(&'static str, ArrayRef)> {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("x"), None]);
    list.append_null();
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("k");
    map.values().append_value(1);
    map.append(true).unwrap();
    map.append(false).unwrap();
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![Some(4), None]));
    let fields = vec![Field::new("in", DataType::Int64, true)];
    let decimal = Decimal128Array::from(vec![Some(-12_345_678_901_234_567_890_i128), Some(5)]);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("d"), None].into_iter().collect();
    vec![
        ("i8", Arc::new(Int8Array::from(vec![Some(i8::MIN), None]))),
        ("i16", Arc::new(Int16Array::from(vec![Some(i16::MIN), None]))),
        ("i32", Arc::new(Int32Array::from(vec![Some(i32::MIN), None]))),
        ("i64", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX)]))),
        ("f32", Arc::new(Float32Array::from(vec![Some(f32::INFINITY), Some(0.1)]))),
        ("yes", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None]).with_timezone("+00:00"))),
        ("amount", Arc::new(decimal.with_precision_and_scale(38, 4).unwrap())),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\xff\x00"[..]), None]))),
        ("large", Arc::new(LargeStringArray::from(vec![Some("é"), Some("")]))),
        ("view", Arc::new(StringViewArray::from(vec![Some("a long string that is not inlined at all"), None]))),
        ("dict", Arc::new(dictionary)),
        ("list", Arc::new(list.finish())),
        ("map", Arc::new(map.finish())),
        ("struct", Arc::new(StructArray::new(fields.into(), vec![inner], Some(vec![true, false].into())))),
    ]
}

fn rows() -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns().into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

/// Rows of every type are stored, read back with the table's types, also from a checkpoint alone, and taken back.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_stored_and_taken_back() {
    for partition in ["i16", "day", "at", "amount", "yes", "large"] {
        let lake = Lake::new();
        let config =
            lake.config(&rows().schema(), WriteMode::Changes).partitioned_by([partition]).keyed_by(["i64", "at"]);
        let mut run = Running::recovered(&config, None).await;
        run.epoch(1, vec![Batch::insert(rows())]).await;
        let (_, read) = read_all(&lake.store, "gold/t").await.unwrap();
        let counts = counted(&read);
        assert_eq!(counts.len(), 2, "{counts:?}");
        let first = counts.keys().find(|r| r.starts_with("-128|")).unwrap().replace("1969-12-31T23:59:59.999Z", "-1ms");
        let expected = "-128|-32768|-2147483648|-9223372036854775808|inf|true|1969-12-31|-1ms|\
                        -1234567890123456.7890|ff00|é|a long string that is not inlined at all|d|[x, NULL]|{k: 1}|{in: 4}";
        assert_eq!(first, expected);
        run.committer.maintain().await.unwrap();
        for version in 0..2 {
            lake.store.delete(&format!("gold/t/_delta_log/{version:020}.json")).await.unwrap();
        }
        assert_eq!(table(&lake.store).await, (1, counts));
        run.epoch(2, vec![weighted(Batch::insert(rows().slice(0, 1)), vec![-1])]).await;
        assert_eq!(table(&lake.store).await.1.len(), 1);
        run.epoch(3, vec![weighted(Batch::insert(rows().slice(1, 1)), vec![-1])]).await;
        assert_eq!(table(&lake.store).await.1.len(), 0);
    }
}

/// What cannot be stored is refused with the column's name and the way out.
#[tokio::test]
async fn other_types_are_refused() {
    let lake = Lake::new();
    let refused = |field: Field, partition: &[&str], part: &str| {
        let fields = vec![Field::new("n", DataType::Int64, true), field];
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let config = lake.config(&schema, WriteMode::Append).partitioned_by(partition.iter().copied());
        let e = config.table_schema().unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Config);
        assert!(e.to_string().contains(part), "{e}");
    };
    let field = |t: DataType| Field::new("x", t, true);
    refused(field(DataType::Timestamp(TimeUnit::Microsecond, None)), &[], "column \"x\"");
    refused(field(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))), &[], "nanoseconds would be lost");
    refused(field(DataType::UInt64), &[], "cast it in the model");
    refused(field(DataType::Float64), &["x"], "cannot divide files");
    refused(field(DataType::Int64), &["y"], "there are n, x");
    refused(field(DataType::Int64), &["n", "x"], "every column is a partition column");
    refused(Field::new("a b", DataType::Int64, true), &[], "does not allow");
    refused(Field::new("N", DataType::Int64, true), &[], "is there twice");
}

/// More partitions than files may be open at once: files are closed, not dropped, and no row is lost.
#[tokio::test(flavor = "multi_thread")]
async fn more_partitions_than_open_files() {
    let lake = Lake::new();
    let schema: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("part", DataType::Int64, true), Field::new("n", DataType::Int64, true)]));
    let config: DeltaConfig = lake.config(&schema, WriteMode::Append).partitioned_by(["part"]);
    let mut run = Running::recovered(&config, None).await;
    let batch = |n: i64| {
        let part: ArrayRef = Arc::new((0..150).map(|i| Some(i * 7 % 150)).collect::<Int64Array>());
        let n: ArrayRef = Arc::new(Int64Array::from(vec![n; 150]));
        Batch::insert(RecordBatch::try_new(schema.clone(), vec![part, n]).unwrap())
    };
    run.epoch(1, (0..3).map(batch).collect()).await;
    let (_, rows) = table(&lake.store).await;
    assert_eq!((rows.len(), rows.values().sum::<i64>()), (450, 450));
}
