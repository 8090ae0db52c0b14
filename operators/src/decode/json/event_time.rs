//! When the rows of a stream happened, and which of them cannot say so.
//!
//! The event time is an expression of the user's over the row. A value that it cannot take (milliseconds that overflow a
//! timestamp) is a bad record like any other: it is rejected, and its neighbours are not.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::physical_expr::PhysicalExpr;

/// Event times from here on have a date that every reader of the tables knows: 0001-01-01 00:00 UTC, in microseconds.
const FIRST_US: i64 = -62_135_596_800_000_000;
/// And up to here: 9999-12-31 23:59:59.999999 UTC.
const LAST_US: i64 = 253_402_300_799_999_999;

/// The type of event times.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The event times of rows.
pub(super) struct EventTimes {
    /// One for each row; null where the expression is, and for the faulty rows.
    pub(super) times: ArrayRef,
    /// Rows that have none, with the reason.
    pub(super) faulty: Vec<(u32, String)>,
}

/// Computes the event times of `rows`, all at once; only when that fails one by one, to find the rows that are to blame.
pub(super) fn event_times(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> EventTimes {
    if let Ok(times) = evaluate(expr, rows) {
        let micros = times.as_primitive::<TimestampMicrosecondType>();
        if min(micros).is_none_or(|t| t >= FIRST_US) && max(micros).is_none_or(|t| t <= LAST_US) {
            return EventTimes { times, faulty: Vec::new() };
        }
    }
    let mut faulty = Vec::new();
    let mut times = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let time = evaluate(expr, &rows.slice(row, 1)).and_then(|time| in_range(&time));
        times.push(time.unwrap_or_else(|why| {
            faulty.push((row as u32, format!("no event time: {why}")));
            None
        }));
    }
    let times = TimestampMicrosecondArray::from(times).with_data_type(timestamp());
    EventTimes { times: Arc::new(times), faulty }
}

fn evaluate(expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef, String> {
    let times = expr.evaluate(rows).and_then(|v| v.into_array(rows.num_rows()));
    let times = times.map_err(|e| e.strip_backtrace().replace("Execution error: ", ""))?;
    cast(&times, &timestamp()).map_err(|e| e.to_string())
}

fn in_range(time: &ArrayRef) -> Result<Option<i64>, String> {
    let time = time.as_primitive::<TimestampMicrosecondType>();
    let micros = time.is_valid(0).then(|| time.value(0));
    if micros.is_none_or(|t| (FIRST_US..=LAST_US).contains(&t)) {
        return Ok(micros);
    }
    Err(format!("{} microseconds since 1970 lie outside of the years 1 to 9999", time.value(0)))
}
