//! What the planner puts where Spark's casts and divisions are not DataFusion's.

use std::hash::Hash;
use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::compute::kernels::cmp::eq;
use datafusion::arrow::compute::{CastOptions, cast_with_options, nullif};
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::parse;
use crate::sql::types::timestamp;

/// The name of [`divisor`].
pub(in crate::sql) const DIVISOR: &str = "sluice_divisor";

/// Arrow's casts, NULL for what does not fit.
const SAFE: CastOptions<'static> =
    CastOptions { safe: true, format_options: datafusion::arrow::util::display::FormatOptions::new() };

/// A cast to a type as Spark does it with ANSI off.
pub(in crate::sql) fn spark_cast(to: &DataType) -> ScalarUDF {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(SparkCast { name: format!("sluice_cast[{to}]"), to: to.clone(), signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SparkCast {
    name: String,
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for SparkCast {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.first() {
            Some(ColumnarValue::Array(array)) => Ok(ColumnarValue::Array(converted(array, &self.to)?)),
            Some(ColumnarValue::Scalar(scalar)) => {
                let one = converted(&scalar.to_array()?, &self.to)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
            None => plan_err!("a value was expected"),
        }
    }
}

/// Whether Spark has such a cast, and the reason if not.
pub(in crate::sql) fn refused(from: &DataType, to: &DataType) -> Option<String> {
    let no = || Some(format!("a value of type {from} cannot be cast to {to}"));
    match (from, to) {
        (f, DataType::Date32) if f.is_numeric() || matches!(f, DataType::Boolean) => no(),
        (DataType::List(f), DataType::List(t)) => refused(f.data_type(), t.data_type()),
        (DataType::Struct(f), DataType::Struct(t)) if f.len() == t.len() => {
            f.iter().zip(t.iter()).find_map(|(f, t)| refused(f.data_type(), t.data_type()))
        }
        (DataType::Map(..), DataType::Map(..)) => None,
        (DataType::Null, _) => None,
        (_, t) if t.is_nested() => no(),
        (f, t) if f.is_nested() && !matches!(t, DataType::Utf8) => no(),
        _ => None,
    }
}

/// A column as another type: NULL where a text is no such value, the low bits of a whole number that is too long, the
/// nearest whole number of a double.
pub(in crate::sql) fn converted(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    match from {
        DataType::Utf8 => of_text(array.as_string(), to),
        DataType::LargeUtf8 | DataType::Utf8View => converted(&arrow(array, &DataType::Utf8)?, to),
        _ if *to == DataType::Utf8 => to_text(array),
        DataType::Float32 | DataType::Float64 if to.is_integer() => of_double(array, to),
        DataType::Float32 | DataType::Float64 if to.is_decimal() => of_text(to_text(array)?.as_string(), to),
        DataType::Float32 | DataType::Float64 if is_time(to) => {
            let doubles = arrow(array, &DataType::Float64)?;
            let micros = doubles
                .as_primitive::<Float64Type>()
                .unary_opt::<_, Int64Type>(|v| v.is_finite().then_some((v * parse::SECOND_US as f64) as i64));
            arrow(&(Arc::new(micros) as ArrayRef), to)
        }
        f if f.is_integer() && *to == timestamp() => {
            let seconds = arrow(array, &DataType::Int64)?;
            let seconds = seconds.as_primitive::<Int64Type>();
            let micros = seconds.unary_opt::<_, Int64Type>(|v| v.checked_mul(parse::SECOND_US));
            arrow(&(Arc::new(micros) as ArrayRef), to)
        }
        f if f.is_integer() && to.is_integer() => narrowed(&arrow(array, &DataType::Int64)?, to),
        DataType::Decimal128(..) if to.is_integer() => {
            let scale = match from {
                DataType::Decimal128(_, s) => 10i128.pow(u32::from(s.unsigned_abs())),
                _ => 1,
            };
            let longs = array.as_primitive::<Decimal128Type>().unary::<_, Int64Type>(|v| (v / scale) as i64);
            narrowed(&(Arc::new(longs) as ArrayRef), to)
        }
        DataType::Decimal128(..) if is_time(to) => {
            let micros = arrow(array, &DataType::Decimal128(38, 6))?;
            let micros = micros.as_primitive::<Decimal128Type>().unary_opt::<_, Int64Type>(|v| i64::try_from(v).ok());
            arrow(&(Arc::new(micros) as ArrayRef), to)
        }
        DataType::Decimal128(..) if matches!(to, DataType::Boolean) => {
            let values = array.as_primitive::<Decimal128Type>().iter();
            Ok(Arc::new(values.map(|v| v.map(|v| v != 0)).collect::<BooleanArray>()))
        }
        DataType::Boolean if to.is_decimal() => {
            let numbers = array.as_boolean().iter().map(|v| v.map(i32::from)).collect::<Int32Array>();
            arrow(&(Arc::new(numbers) as ArrayRef), to)
        }
        DataType::Boolean if is_time(to) => {
            let micros = array.as_boolean().iter().map(|v| v.map(i64::from)).collect::<Int64Array>();
            arrow(&(Arc::new(micros) as ArrayRef), to)
        }
        f if is_time(f) && to.is_decimal() => {
            let micros = arrow(&arrow(array, &timestamp())?, &DataType::Int64)?;
            let exact = micros.as_primitive::<Int64Type>().unary::<_, Decimal128Type>(i128::from);
            arrow(&(Arc::new(exact.with_precision_and_scale(38, 6)?) as ArrayRef), to)
        }
        f if is_time(f) && matches!(to, DataType::Boolean | DataType::Int8 | DataType::Int16) => {
            let micros = arrow(&arrow(array, &timestamp())?, &DataType::Int64)?;
            if matches!(to, DataType::Boolean) {
                return arrow(&micros, to);
            }
            let seconds = micros.as_primitive::<Int64Type>().unary::<_, Int64Type>(|v| v.div_euclid(parse::SECOND_US));
            narrowed(&(Arc::new(seconds) as ArrayRef), to)
        }
        DataType::Date32 if to.is_numeric() || matches!(to, DataType::Boolean) => Ok(new_null_array(to, array.len())),
        DataType::List(_) => of_list(array, to),
        DataType::Struct(_) => of_struct(array, to),
        DataType::Map(..) => of_map(array, to),
        _ => arrow(array, to),
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

fn arrow(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(array, to, &SAFE)?)
}

/// The low bits of a BIGINT.
fn narrowed(longs: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let longs = longs.as_primitive::<Int64Type>();
    Ok(match to {
        DataType::Int8 => Arc::new(longs.unary::<_, Int8Type>(|v| v as i8)),
        DataType::Int16 => Arc::new(longs.unary::<_, Int16Type>(|v| v as i16)),
        DataType::Int32 => Arc::new(longs.unary::<_, Int32Type>(|v| v as i32)),
        _ => arrow(&(Arc::new(longs.clone()) as ArrayRef), to)?,
    })
}

fn of_double(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let doubles = arrow(array, &DataType::Float64)?;
    let doubles = doubles.as_primitive::<Float64Type>();
    Ok(match to {
        DataType::Int64 => Arc::new(doubles.unary::<_, Int64Type>(|v| v as i64)),
        DataType::Int32 => Arc::new(doubles.unary::<_, Int32Type>(|v| v as i32)),
        // Java goes by way of an int.
        DataType::Int16 => Arc::new(doubles.unary::<_, Int16Type>(|v| v as i32 as i16)),
        _ => Arc::new(doubles.unary::<_, Int8Type>(|v| v as i32 as i8)),
    })
}

fn of_text(texts: &StringArray, to: &DataType) -> Result<ArrayRef> {
    macro_rules! read {
        ($array:ty, $f:expr) => {
            Arc::new(texts.iter().map(|t| t.and_then($f)).collect::<$array>())
        };
    }
    Ok(match to {
        DataType::Boolean => read!(BooleanArray, parse::boolean),
        DataType::Int8 => read!(Int8Array, |t| i8::try_from(parse::whole_number(t)?).ok()),
        DataType::Int16 => read!(Int16Array, |t| i16::try_from(parse::whole_number(t)?).ok()),
        DataType::Int32 => read!(Int32Array, |t| i32::try_from(parse::whole_number(t)?).ok()),
        DataType::Int64 => read!(Int64Array, parse::whole_number),
        DataType::Float64 => read!(Float64Array, parse::double),
        DataType::Float32 => read!(Float32Array, |t| {
            let number = parse::trimmed(t).trim_end_matches(['d', 'D', 'f', 'F']);
            parse::double(t).map(|v| number.parse::<f32>().unwrap_or(v as f32))
        }),
        DataType::Decimal128(p, s) => {
            let values = texts.iter().map(|t| parse::decimal(t?, *p, *s)).collect::<Decimal128Array>();
            Arc::new(values.with_precision_and_scale(*p, *s)?)
        }
        DataType::Date32 => read!(Date32Array, parse::date),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let times = texts.iter().map(|t| t.and_then(parse::time)).collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        other => arrow(&(Arc::new(texts.clone()) as ArrayRef), other)?,
    })
}

/// A column as texts.
fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    if array.data_type().is_nested() {
        let texts = (0..array.len()).map(|row| array.is_valid(row).then(|| shown(array, row)).transpose());
        return Ok(Arc::new(texts.collect::<Result<StringArray>>()?));
    }
    macro_rules! written {
        ($type:ty, $f:expr) => {
            Arc::new(array.as_primitive::<$type>().iter().map(|v| v.map($f)).collect::<StringArray>())
        };
    }
    Ok(match array.data_type() {
        DataType::Float64 => written!(Float64Type, parse::double_text),
        DataType::Float32 => written!(Float32Type, parse::float_text),
        DataType::Date32 => written!(Date32Type, parse::date_text),
        DataType::Decimal128(_, scale) => written!(Decimal128Type, |v| parse::decimal_text(v, *scale)),
        DataType::Timestamp(..) => {
            let times = arrow(array, &timestamp())?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            Arc::new(times.iter().map(|v| v.map(parse::time_text)).collect::<StringArray>())
        }
        DataType::Binary => {
            let texts = array.as_binary::<i32>().iter().map(|v| v.map(|v| String::from_utf8_lossy(v).into_owned()));
            Arc::new(texts.collect::<StringArray>())
        }
        _ => arrow(array, &DataType::Utf8)?,
    })
}

/// A value in a list, a struct or a map, as Spark shows it.
fn shown(array: &ArrayRef, row: usize) -> Result<String> {
    if array.is_null(row) {
        return Ok("null".into());
    }
    let joined = |items: Vec<Result<String>>| {
        Ok::<_, DataFusionError>(items.into_iter().collect::<Result<Vec<_>>>()?.join(", "))
    };
    Ok(match array.data_type() {
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            format!("[{}]", joined((0..items.len()).map(|at| shown(&items, at)).collect())?)
        }
        DataType::Struct(_) => {
            format!("{{{}}}", joined(array.as_struct().columns().iter().map(|c| shown(c, row)).collect())?)
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let entry = |at| Ok(format!("{} -> {}", shown(entries.column(0), at)?, shown(entries.column(1), at)?));
            format!("{{{}}}", joined((0..entries.len()).map(entry).collect())?)
        }
        _ => to_text(&array.slice(row, 1))?.as_string::<i32>().value(0).to_owned(),
    })
}

fn of_list(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let (lists, DataType::List(field)) = (array.as_list::<i32>(), to) else { return arrow(array, to) };
    let values = converted(lists.values(), field.data_type())?;
    Ok(Arc::new(ListArray::try_new(field.clone(), lists.offsets().clone(), values, lists.nulls().cloned())?))
}

fn of_struct(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let (structs, DataType::Struct(fields)) = (array.as_struct(), to) else { return arrow(array, to) };
    let columns = structs.columns().iter().zip(fields.iter()).map(|(c, f)| converted(c, f.data_type()));
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns.collect::<Result<_>>()?, structs.nulls().cloned())?))
}

fn of_map(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let (map, DataType::Map(field, is_sorted)) = (array.as_map(), to) else { return arrow(array, to) };
    let entries = of_struct(&(Arc::new(map.entries().clone()) as ArrayRef), field.data_type())?;
    let entries = entries.as_struct().clone();
    Ok(Arc::new(MapArray::try_new(field.clone(), map.offsets().clone(), entries, map.nulls().cloned(), *is_sorted)?))
}

/// A divisor: NULL in place of zero, so that what is divided by zero is NULL.
pub(in crate::sql) fn divisor() -> ScalarUDF {
    ScalarUDF::from(Divisor { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Divisor {
    signature: Signature,
}

impl ScalarUDFImpl for Divisor {
    fn name(&self) -> &str {
        DIVISOR
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.first() {
            Some(ColumnarValue::Array(array)) => Ok(ColumnarValue::Array(not_zero(array)?)),
            Some(ColumnarValue::Scalar(scalar)) => {
                let one = not_zero(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
            None => Err(DataFusionError::Plan("a divisor was expected".into())),
        }
    }
}

fn not_zero(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        // There are two zeros of these.
        DataType::Float64 => {
            Arc::new(array.as_primitive::<Float64Type>().unary_opt::<_, Float64Type>(|v| (v != 0.0).then_some(v)))
        }
        DataType::Float32 => {
            Arc::new(array.as_primitive::<Float32Type>().unary_opt::<_, Float32Type>(|v| (v != 0.0).then_some(v)))
        }
        DataType::Null => new_null_array(&DataType::Null, array.len()),
        other => {
            let zero = ScalarValue::new_zero(other)?.to_scalar()?;
            nullif(array, &eq(array, &zero)?)?
        }
    })
}
