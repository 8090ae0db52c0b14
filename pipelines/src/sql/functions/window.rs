//! Event-time windows: which windows a time falls into. The arithmetic is that of `operators::window::assign`.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, ListArray, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use sluice_operators::window::assign::{hops, window_start};

use crate::sql::types::timestamp;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let start = |args: &[ColumnarValue]| {
        let (times, size) = (times(&args[0])?, micros(&args[1])?);
        in_reach(&times, size)?;
        map(&args[0], &times, |t| window_start(t, size))
    };
    let end = |args: &[ColumnarValue]| {
        let (times, size) = (times(&args[0])?, micros(&args[1])?);
        in_reach(&times, size)?;
        map(&args[0], &times, |t| window_start(t, size) + size)
    };
    let list = DataType::List(Arc::new(Field::new("element", timestamp(), true)));
    let two = vec![timestamp(), DataType::Int64];
    let three = vec![timestamp(), DataType::Int64, DataType::Int64];
    let udf = |name: &str, args, result, f| create_udf(name, args, result, Volatility::Immutable, f);
    vec![
        udf("sluice_window_start", two.clone(), timestamp(), Arc::new(start)),
        udf("sluice_window_end", two.clone(), timestamp(), Arc::new(end)),
        udf(
            "sluice_span_end",
            two,
            timestamp(),
            Arc::new(|args: &[ColumnarValue]| {
                let (times, size) = (times(&args[0])?, micros(&args[1])?);
                in_reach(&times, size)?;
                map(&args[0], &times, |t| t + size)
            }),
        ),
        udf("sluice_hops", three, list, Arc::new(hop_lists)),
    ]
}

fn times(value: &ColumnarValue) -> Result<TimestampMicrosecondArray> {
    let array: ArrayRef = value.clone().into_array(1)?;
    Ok(array.as_primitive::<TimestampMicrosecondType>().clone())
}

fn micros(value: &ColumnarValue) -> Result<i64> {
    let value = match value {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(v))) => Some(*v),
        ColumnarValue::Array(a) if !a.is_empty() => Some(a.as_primitive::<Int64Type>().value(0)),
        _ => None,
    };
    value.filter(|v| *v > 0).ok_or_else(|| DataFusionError::Plan("a window's size must be a positive constant".into()))
}

/// A window's ends must be timestamps too.
fn in_reach(times: &TimestampMicrosecondArray, size: i64) -> Result<()> {
    let fits = |t: i64| t.checked_sub(size).is_some() && t.checked_add(size).is_some();
    match times.iter().flatten().find(|t| !fits(*t)) {
        None => Ok(()),
        Some(t) => Err(DataFusionError::Execution(format!("{t} microseconds since 1970 have no window of {size}"))),
    }
}

fn map(like: &ColumnarValue, times: &TimestampMicrosecondArray, f: impl Fn(i64) -> i64) -> Result<ColumnarValue> {
    let result: TimestampMicrosecondArray = times.iter().map(|t| t.map(&f)).collect();
    let array: ArrayRef = Arc::new(result.with_timezone("UTC"));
    match like {
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(array)),
        ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)),
    }
}

fn hop_lists(args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let (times, size, slide) = (times(&args[0])?, micros(&args[1])?, micros(&args[2])?);
    in_reach(&times, size)?;
    let mut starts = TimestampMicrosecondBuilder::new();
    let mut lengths = Vec::with_capacity(times.len());
    for time in times.iter() {
        let before = starts.len();
        if let Some(time) = time {
            hops(time, size, slide).for_each(|s| starts.append_value(s));
        }
        lengths.push(starts.len() - before);
    }
    let values = Arc::new(starts.finish().with_timezone("UTC"));
    let field = Arc::new(Field::new("element", timestamp(), true));
    let lists = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, None)?;
    match &args[0] {
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(Arc::new(lists))),
        ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&lists, 0)?)),
    }
}
