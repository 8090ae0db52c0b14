//! Tests of the source of constant rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use sluice_engine::{Polled, Position, Source, SourceContext};

use super::ConstantSource;

fn source(values: &[i64], worker: usize, until_idle: bool) -> ConstantSource {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    let rows = RecordBatch::try_from_iter([("value", column)]).unwrap();
    ConstantSource::new(rows, SourceContext { name: "seed".into(), worker, workers: 2, until_idle })
}

/// Rows of the next poll; `None` for idle, and an error for the end.
fn poll(source: &mut ConstantSource) -> Result<Option<usize>, &'static str> {
    match source.poll(1, 1).unwrap() {
        Polled::Batch(batch) => Ok(Some(batch.len())),
        Polled::Idle => Ok(None),
        Polled::End => Err("end"),
    }
}

/// The rows come once, then the source is idle; a restart from before them gives them, one from after them does not.
#[test]
fn rows_come_once() {
    let mut first = source(&[1, 2, 3], 0, false);
    first.open(&Position::default()).unwrap();
    let before = first.position();
    assert_eq!(first.lag_rows(), Some(3));
    assert_eq!([poll(&mut first), poll(&mut first), poll(&mut first)], [Ok(Some(3)), Ok(None), Ok(None)]);
    assert_eq!(first.lag_rows(), Some(0));
    let after = first.position();
    assert_eq!((before.0["rows"].next, after.0["rows"].next), (0, 1));

    for (resume, gives) in [(before, Some(3)), (after.clone(), None)] {
        let mut again = source(&[1, 2, 3], 0, false);
        again.open(&resume).unwrap();
        assert_eq!(poll(&mut again), Ok(gives));
        assert_eq!(again.position(), after);
    }
}

/// A run until idle ends after the rows.
#[test]
fn until_idle_ends() {
    let mut source = source(&[7], 0, true);
    source.open(&Position::default()).unwrap();
    assert_eq!([poll(&mut source), poll(&mut source), poll(&mut source)], [Ok(Some(1)), Err("end"), Err("end")]);
}

/// Other workers give nothing and have no split, so that worker 0 alone says whether the rows were given.
#[test]
fn other_workers_give_nothing() {
    for (until_idle, expected) in [(true, Err("end")), (false, Ok(None))] {
        let mut other = source(&[7], 1, until_idle);
        other.open(&Position::default()).unwrap();
        assert_eq!((poll(&mut other), other.lag_rows()), (expected, Some(0)));
        assert_eq!(other.position(), Position::default());
    }
}

/// A source without rows gives no batch, not even an empty one, and ends like any other.
#[test]
fn no_rows() {
    for (until_idle, expected) in [(true, Err("end")), (false, Ok(None))] {
        let mut empty = source(&[], 0, until_idle);
        empty.open(&Position::default()).unwrap();
        assert_eq!(poll(&mut empty), expected);
        assert_eq!(empty.position().0["rows"].next, 1);
    }
}
