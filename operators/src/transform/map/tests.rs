//! Rows that fail among rows that do not.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::{ColumnarValue, Operator as SqlOperator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, binary, lit};
use proptest::prelude::*;
use sluice_engine::{Batch, Emitter, ErrorKind, Operator};

use super::{FAILED, FailedSpec, MAPPED, Map};

/// Values from here on fail, and those from `PANICS` on panic.
const FAILS: i64 = 100;
const PANICS: i64 = 200;

/// Ten times the column `n`, for what is small enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Tenfold;

impl std::fmt::Display for Tenfold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tenfold(n)")
    }
}

impl PhysicalExpr for Tenfold {
    fn data_type(&self, _input: &Schema) -> DataFusionResult<DataType> {
        Ok(DataType::Int64)
    }

    fn nullable(&self, _input: &Schema) -> DataFusionResult<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        let tenfold = |n: i64| match n {
            n if n >= PANICS => panic!("{n} is much too large"),
            n if n >= FAILS => Err(DataFusionError::Execution(format!("{n} is too large"))),
            n => Ok(n * 10),
        };
        let column = batch.column(1).as_primitive::<Int64Type>();
        let values = column.iter().map(|n| n.map(tenfold).transpose()).collect::<DataFusionResult<Int64Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![]
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

fn batch(values: &[Option<i64>], weights: Option<Vec<i64>>) -> Batch {
    let field = |name: &str, t| Field::new(name, t, true);
    let schema = Schema::new(vec![field("_partition", DataType::Int32), field("n", DataType::Int64)]);
    let partitions: ArrayRef = Arc::new(Int32Array::from_iter_values(0..values.len() as i32));
    let numbers: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    let rows = RecordBatch::try_new(Arc::new(schema), vec![partitions, numbers]).unwrap();
    Batch::with_weights_of(rows, weights.map(Int64Array::from))
}

fn rejects() -> SchemaRef {
    let field = |name: &str, t| Field::new(name, t, true);
    Arc::new(Schema::new(vec![
        field("stream", DataType::Utf8),
        field("_partition", DataType::Int32),
        field("_offset", DataType::Int64),
        field("payload", DataType::Binary),
        field("reason", DataType::Utf8),
    ]))
}

fn map(predicate: Option<Arc<dyn PhysicalExpr>>) -> Map {
    let schema = Arc::new(Schema::new(vec![Field::new("tenfold", DataType::Int64, true)]));
    Map::new(predicate, vec![Arc::new(Tenfold)], schema)
}

fn run(mut map: Map, batch: Batch) -> (Vec<(i64, i64)>, Vec<Batch>) {
    let mut sent = Vec::new();
    map.on_batch(0, batch, &mut Emitter::new(&mut sent)).unwrap();
    let (mapped, failed): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(port, _)| *port == MAPPED);
    assert!(failed.iter().all(|(port, _)| *port == FAILED));
    let row = |(_, b): &(usize, Batch)| -> Vec<(i64, i64)> {
        let values = b.column(0).as_primitive::<Int64Type>().clone();
        (0..b.len()).map(|i| (values.value(i), b.weight(i))).collect()
    };
    (mapped.iter().flat_map(row).collect(), failed.into_iter().map(|(_, b)| b).collect())
}

fn with_failed(predicate: Option<Arc<dyn PhysicalExpr>>) -> Map {
    map(predicate).with_failed(FailedSpec { model: "gold.x".into(), schema: rejects() })
}

/// Shows that the failing rows leave by their port, with text, reason, place and weight, and the others by the usual one.
#[test]
fn failing_rows_leave_apart() {
    let values = [Some(1), Some(100), None, Some(3), Some(250)];
    let (mapped, failed) = run(with_failed(None), batch(&values, Some(vec![1, -1, 1, -1, 2])));
    assert_eq!(mapped.iter().map(|m| m.1).collect::<Vec<_>>(), [1, 1, -1]);
    assert_eq!((mapped[0].0, mapped[2].0), (10, 30));
    let [failed] = failed.as_slice() else { panic!("one batch: {failed:?}") };
    assert_eq!((failed.weight(0), failed.weight(1)), (-1, 2));
    assert_eq!(failed.column(3).as_binary::<i32>().value(0), br#"{"_partition":1,"n":100}"#);
    let reasons = failed.column(4).as_string::<i32>();
    assert_eq!(reasons.value(0), "model \"gold.x\": tenfold(n) failed: Execution error: 100 is too large");
    assert_eq!(reasons.value(1), "model \"gold.x\": tenfold(n) failed: it panicked");
    assert_eq!(failed.column(1).as_ref(), &Int32Array::from(vec![1, 4]) as &dyn arrow::array::Array);
    assert_eq!((failed.column(0).null_count(), failed.column(2).null_count()), (2, 2));
}

/// Shows that a row that the filter leaves out is not computed, and that a filter may fail too.
#[test]
fn filters_come_first() {
    let schema = batch(&[], None).schema();
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("n", 1));
    let small = binary(column, SqlOperator::Lt, lit(50i64), &schema).unwrap();
    let (mapped, failed) = run(with_failed(Some(small)), batch(&[Some(1), Some(100)], None));
    assert_eq!((mapped, failed.len()), (vec![(10, 1)], 0));
    let fails = binary(Arc::new(Tenfold), SqlOperator::Gt, lit(ScalarValue::Int64(Some(15))), &schema).unwrap();
    let (mapped, failed) = run(with_failed(Some(fails)), batch(&[Some(1), Some(100), Some(2)], None));
    assert_eq!((mapped, failed[0].len()), (vec![(20, 1)], 1));
}

/// Shows that without a port for them the failure is an error, of the data.
#[test]
fn without_a_port_it_is_an_error() {
    let error = map(None).on_batch(0, batch(&[Some(100)], None), &mut Emitter::new(&mut Vec::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("100 is too large"), "{error}");
}

/// Shows that texts with line breaks keep to their rows.
#[test]
fn payloads_are_one_to_a_row() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a\nb"), None, Some("\"c\"")]));
    let rows = RecordBatch::try_from_iter([("t", texts)]).unwrap();
    let (payloads, unwritable) = super::failing::payloads(&rows);
    assert_eq!(unwritable, None);
    let payloads = payloads.as_binary::<i32>();
    let text = |i| std::str::from_utf8(payloads.value(i)).unwrap();
    assert_eq!((text(0), text(1), text(2)), (r#"{"t":"a\nb"}"#, r#"{"t":null}"#, r#"{"t":"\"c\""}"#));
}

proptest! {
    /// Shows that each row is found on one of the sides, in order, wherever the failing ones lie.
    #[test]
    fn every_row_is_somewhere(values in proptest::collection::vec(0i64..150, 0..70)) {
        let (mapped, failed) = run(with_failed(None), batch(&values.iter().map(|v| Some(*v)).collect::<Vec<_>>(), None));
        let good: Vec<(i64, i64)> = values.iter().filter(|v| **v < FAILS).map(|v| (*v * 10, 1)).collect();
        prop_assert_eq!(mapped, good);
        let bad: Vec<i32> = (0..values.len()).filter(|i| values[*i] >= FAILS).map(|i| i as i32).collect();
        let found = failed.iter().flat_map(|b| b.column(1).as_primitive::<arrow::datatypes::Int32Type>().values().to_vec());
        prop_assert_eq!(found.collect::<Vec<_>>(), bad);
    }
}
