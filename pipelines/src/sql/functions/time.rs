//! Times: milliseconds to timestamps and back, parts of a date.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, TimestampMicrosecondArray};
use datafusion::arrow::compute::{DatePart, date_part};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature, SimpleScalarUDF, TypeSignature, Volatility};

use super::cast::converted;
use crate::sql::types::timestamp;

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        from_integer("timestamp_millis", 1_000),
        timestamp_micros(),
        unix_seconds(),
        to_integer("unix_millis", 1_000),
        unix_micros(),
        // Spark counts days of the week from Sunday = 1, Arrow from Sunday = 0.
        part("dayofweek", DatePart::DayOfWeekSunday0, 1),
        // Spark's weekday counts from Monday = 0.
        part("weekday", DatePart::DayOfWeekMonday0, 0),
        part("dayofmonth", DatePart::Day, 0),
        part("day", DatePart::Day, 0),
        part("dayofyear", DatePart::DayOfYear, 0),
        part("month", DatePart::Month, 0),
        part("quarter", DatePart::Quarter, 0),
        part("weekofyear", DatePart::Week, 0),
        part("year", DatePart::Year, 0),
    ]
}

/// A timestamp from microseconds since 1970.
pub(in crate::sql) fn timestamp_micros() -> ScalarUDF {
    from_integer("timestamp_micros", 1)
}

/// Whole seconds since 1970.
pub(in crate::sql) fn unix_seconds() -> ScalarUDF {
    to_integer("unix_seconds", 1_000_000)
}

/// Microseconds since 1970.
pub(in crate::sql) fn unix_micros() -> ScalarUDF {
    to_integer("unix_micros", 1)
}

/// A function of one argument that works on arrays.
pub(super) fn unary(
    name: &str,
    arguments: Vec<DataType>,
    result: DataType,
    f: impl Fn(&ArrayRef) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let call = move |args: &[ColumnarValue]| match args {
        [ColumnarValue::Array(array)] => f(array).map(ColumnarValue::Array),
        [ColumnarValue::Scalar(scalar)] => {
            let one = f(&scalar.to_array()?)?;
            Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&one, 0)?))
        }
        _ => Err(DataFusionError::Plan("one argument was expected".into())),
    };
    let forms = arguments.into_iter().map(|a| TypeSignature::Exact(vec![a])).collect();
    let signature = Signature::one_of(forms, Volatility::Immutable);
    ScalarUDF::from(SimpleScalarUDF::new_with_signature(name, signature, result, Arc::new(call)))
}

fn from_integer(name: &'static str, unit_us: i64) -> ScalarUDF {
    unary(name, vec![DataType::Int64], timestamp(), move |array| {
        let micros = array.as_primitive::<Int64Type>().iter().map(|v| match v {
            Some(v) => v.checked_mul(unit_us).map(Some).ok_or_else(|| {
                DataFusionError::Execution(format!("{name}({v}) is no timestamp: it overflows microseconds"))
            }),
            None => Ok(None),
        });
        let micros = TimestampMicrosecondArray::from_iter(micros.collect::<Result<Vec<_>>>()?);
        Ok(Arc::new(micros.with_timezone("UTC")))
    })
}

fn to_integer(name: &str, unit_us: i64) -> ScalarUDF {
    unary(name, vec![timestamp()], DataType::Int64, move |array| {
        let micros = array.as_primitive::<TimestampMicrosecondType>();
        Ok(Arc::new(micros.iter().map(|v| v.map(|v| v.div_euclid(unit_us))).collect::<Int64Array>()))
    })
}

fn part(name: &str, part: DatePart, add: i32) -> ScalarUDF {
    unary(name, vec![DataType::Date32, timestamp(), DataType::Utf8], DataType::Int32, move |array| {
        let parts = date_part(&converted(array, &DataType::Date32)?, part)?;
        let parts = parts.as_primitive::<datafusion::arrow::datatypes::Int32Type>();
        Ok(Arc::new(parts.iter().map(|v| v.map(|v| v + add)).collect::<Int32Array>()))
    })
}
