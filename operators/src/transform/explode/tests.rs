//! Tests of explode.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, Int64Array, NullBufferBuilder, OffsetSizeTrait, RecordBatch,
    StringArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use proptest::prelude::*;
use sluice_engine::{Batch, Emitter, ErrorKind, Operator, TimeBounds};

use super::{BATCH_ROWS_MAX, Explode, in_parts};

/// The values that a list holds, whether it is NULL for all that, and the row's weight.
type Row = (Vec<Option<i64>>, bool, i64);
/// (name, element, name again, weight).
type Exploded = (String, Option<i64>, String, i64);

fn lists<O: OffsetSizeTrait>(rows: &[Row]) -> ArrayRef {
    let (mut ends, mut values, mut nulls) = (vec![O::usize_as(0)], Vec::new(), NullBufferBuilder::new(rows.len()));
    for (list, is_null, _) in rows {
        values.extend_from_slice(list);
        ends.push(O::usize_as(values.len()));
        nulls.append(!is_null);
    }
    let field = Arc::new(Field::new("item", DataType::Int64, true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    Arc::new(GenericListArray::<O>::new(field, offsets, Arc::new(Int64Array::from(values)), nulls.finish()))
}

fn batch(rows: &[Row], list: ArrayRef, weighted: bool) -> Batch {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows.len()).map(|i| format!("row {i}"))));
    let rows_only = RecordBatch::try_from_iter_with_nullable([("name", names, true), ("list", list, true)]).unwrap();
    let weights = weighted.then(|| rows.iter().map(|row| row.2).collect::<Vec<_>>().into());
    Batch::with_weights_of(rows_only, weights).with_bounds(Some(TimeBounds { min_us: 1, max_us: 2 }))
}

fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![text("name"), Field::new("element", DataType::Int64, true), text("again")]))
}

fn explode(input: Batch) -> Vec<Batch> {
    let mut sent = Vec::new();
    Explode::new(vec![0, 1, 0], 1, schema()).on_batch(0, input, &mut Emitter::new(&mut sent)).unwrap();
    sent.into_iter().map(|(_, batch)| batch).collect()
}

fn read(batches: &[Batch]) -> Vec<Exploded> {
    let mut all = Vec::new();
    for batch in batches {
        assert!(batch.len() <= BATCH_ROWS_MAX && batch.bounds().is_some());
        let elements = batch.column(1).as_primitive::<Int64Type>();
        let text = |column: usize, i| batch.column(column).as_string::<i32>().value(i).to_owned();
        for i in 0..batch.len() {
            all.push((text(0, i), elements.is_valid(i).then(|| elements.value(i)), text(2, i), batch.weight(i)));
        }
    }
    all
}

/// The same by brute force, of the rows `from..to`.
fn expected(rows: &[Row], weighted: bool, from: usize, to: usize) -> Vec<Exploded> {
    let mut all = Vec::new();
    for (i, (list, is_null, weight)) in rows.iter().enumerate().take(to).skip(from) {
        for element in list.iter().filter(|_| !is_null) {
            let name = format!("row {i}");
            all.push((name.clone(), *element, name, if weighted { *weight } else { 1 }));
        }
    }
    all
}

proptest! {
    /// Any lists (NULL ones that lie on values too), whole or a slice, weighted or not, small or large offsets, give
    /// what brute force gives.
    #[test]
    fn as_by_brute_force(
        rows in prop::collection::vec(
            (prop::collection::vec(any::<Option<i64>>(), 0..5), prop::bool::weighted(0.3), -3i64..4), 0..30),
        is_large: bool,
        weighted: bool,
        (from, to) in (0usize..30, 0usize..30),
    ) {
        let list = if is_large { lists::<i64>(&rows) } else { lists::<i32>(&rows) };
        let whole = batch(&rows, list, weighted);
        prop_assert_eq!(read(&explode(whole.clone())), expected(&rows, weighted, 0, rows.len()));

        let (from, to) = (from.min(to).min(rows.len()), from.max(to).min(rows.len()));
        let weights = whole.weights().map(|weights| weights.slice(from, to - from));
        let part = Batch::with_weights_of(whole.rows().slice(from, to - from), weights).with_bounds(whole.bounds());
        prop_assert_eq!(read(&explode(part)), expected(&rows, weighted, from, to));
    }
}

/// Many elements come in several batches of bounded size, with nothing lost between them.
#[test]
fn many_elements_come_in_several_batches() {
    let list: Vec<_> = (0..BATCH_ROWS_MAX as i64).map(Some).collect();
    let rows: Vec<Row> = vec![(list.clone(), false, 1), (list, false, -1), (vec![Some(5)], false, 2)];
    let batches = explode(batch(&rows, lists::<i32>(&rows), true));
    assert_eq!(batches.len(), 3);
    assert_eq!(read(&batches), expected(&rows, true, 0, 3));
}

/// When no row is left, nothing is emitted; and rows without columns keep their number.
#[test]
fn nothing_left_and_no_columns() {
    let rows: Vec<Row> = vec![(vec![], false, 1), (vec![Some(1), None], true, 1)];
    assert!(explode(batch(&rows, lists::<i32>(&rows), false)).is_empty());

    let rows: Vec<Row> = vec![(vec![Some(1), None], false, 1)];
    let (mut sent, empty) = (Vec::new(), Arc::new(Schema::empty()));
    let input = batch(&rows, lists::<i32>(&rows), false);
    Explode::new(vec![], 1, empty).on_batch(0, input, &mut Emitter::new(&mut sent)).unwrap();
    assert_eq!(sent[0].1.len(), 2);
}

/// Rows that overflow a column's offsets are made in halves, in order.
#[test]
fn overflow_is_halved() {
    let mut made = Vec::new();
    let mut make = |range: std::ops::Range<usize>| match range.len() {
        0..=3 => Ok(RecordBatch::new_empty(schema())),
        _ => Err(ArrowError::OffsetOverflowError(1 << 31)),
    };
    in_parts(10..20, &mut make, &mut made).unwrap();
    assert_eq!(made.into_iter().map(|(range, _)| range).collect::<Vec<_>>(), [10..12, 12..15, 15..17, 17..20]);
}

/// A column that is no list is a planner's fault, told as such.
#[test]
fn no_list() {
    let rows: Vec<Row> = vec![(vec![Some(1)], false, 1)];
    let input = batch(&rows, lists::<i32>(&rows), false);
    let error = Explode::new(vec![0], 0, schema()).on_batch(0, input, &mut Emitter::new(&mut Vec::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bug);
    assert!(error.to_string().contains("not of Utf8"), "{error}");
}
