//! Rounding and logarithms.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::cast::converted;
use super::rows::{Any, Arguments, Double, function, same_type};
use crate::sql::coercion::DIGITS_MAX;

/// Digits to which is rounded, before or after the point, at most.
const PLACES_MAX: i32 = 38;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let of_double = |name, f| function(name, &[Double], 1, DataType::Float64, f);
    vec![
        round("round", Mode::HalfUp),
        round("bround", Mode::HalfEven),
        round("sluice_ceil", Mode::Up),
        round("sluice_floor", Mode::Down),
        of_double("ln", |a| a.map(|row| above(0.0, a.double(0, row)).map(f64::ln))),
        of_double("log10", |a| a.map(|row| above(0.0, a.double(0, row)).map(f64::log10))),
        of_double("log2", |a| a.map(|row| above(0.0, a.double(0, row)).map(f64::log2))),
        of_double("log1p", |a| a.map(|row| above(-1.0, a.double(0, row)).map(f64::ln_1p))),
        of_double("sqrt", |a| a.map(|row| a.double(0, row).map(f64::sqrt))),
        of_double("sign", |a| a.map(|row| a.double(0, row).map(sign))),
        of_double("signum", |a| a.map(|row| a.double(0, row).map(sign))),
        function("log", &[Double, Double], 1, DataType::Float64, |a| {
            a.map(|row| {
                let positive = |at| above(0.0, a.double(at, row));
                if a.count() == 1 { positive(0).map(f64::ln) } else { Some(positive(1)?.ln() / positive(0)?.ln()) }
            })
        }),
        function("e", &[], 0, DataType::Float64, |a| a.map(|_| Some(std::f64::consts::E))),
        function("isnan", &[Double], 1, DataType::Boolean, |a| {
            a.map(|row| Some(a.double(0, row).is_some_and(f64::is_nan)))
        }),
        same_type("positive", &[Any], 1, |a| Ok(a.array(0).clone())),
        same_type("sluice_try_add", &[Any, Any], 2, |a| checked(a, i64::checked_add)),
        same_type("sluice_try_subtract", &[Any, Any], 2, |a| checked(a, i64::checked_sub)),
        same_type("sluice_try_multiply", &[Any, Any], 2, |a| checked(a, i64::checked_mul)),
    ]
}

/// A result of two whole numbers of one type, NULL when it does not fit.
fn checked(a: &Arguments, f: fn(i64, i64) -> Option<i64>) -> Result<ArrayRef> {
    let of = a.array(0).data_type().clone();
    if !of.is_integer() || *a.array(1).data_type() != of {
        return plan_err!("try_add(), try_subtract() and try_multiply() take whole numbers; others never overflow");
    }
    let (left, right) = (converted(a.array(0), &DataType::Int64)?, converted(a.array(1), &DataType::Int64)?);
    let (left, right) = (left.as_primitive::<Int64Type>(), right.as_primitive::<Int64Type>());
    let longs = a.map(|row| {
        let both = (left.is_valid(row) && right.is_valid(row)).then(|| (left.value(row), right.value(row)));
        both.and_then(|(l, r)| f(l, r))
    })?;
    // What does not fit is NULL.
    Ok(datafusion::arrow::compute::cast(&longs, &of)?)
}

/// A number that is above a limit, or none at all.
fn above(limit: f64, value: Option<f64>) -> Option<f64> {
    value.filter(|v| *v > limit || v.is_nan())
}

fn sign(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() { value } else { value.signum() }
}

/// Which way a number goes that lies between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    HalfUp,
    HalfEven,
    Up,
    Down,
}

impl Mode {
    /// `value / 10^digits`, rounded.
    fn divided(self, value: i128, digits: u32) -> i128 {
        let Some(by) = 10i128.checked_pow(digits) else { return 0 };
        let (quotient, rest) = (value.div_euclid(by), value.rem_euclid(by));
        let is_up = match self {
            Self::Up => rest > 0,
            Self::Down => false,
            // Halves go away from zero.
            Self::HalfUp => rest > by - rest || (rest == by - rest && value > 0),
            Self::HalfEven => rest > by - rest || (rest == by - rest && quotient % 2 != 0),
        };
        if rest == 0 { quotient } else { quotient + i128::from(is_up) }
    }

    /// A double, by the digits with which it is written.
    fn double(self, value: f64, shortest: &str, places: i32) -> f64 {
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse::<i128>();
        let (Ok(digits), Ok(exponent)) = (digits, exponent.parse::<i32>()) else { return value };
        let shift = exponent - i32::try_from(fraction.len()).unwrap_or(0) + places;
        if shift >= 0 {
            return value;
        }
        let rounded = self.divided(digits, shift.unsigned_abs());
        let result = format!("{rounded}e{}", -places).parse().unwrap_or(value);
        if rounded == 0 && value.is_sign_negative() { -0.0 + 0.0 } else { result }
    }
}

fn round(name: &'static str, mode: Mode) -> ScalarUDF {
    ScalarUDF::from(Round { name, mode, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    name: &'static str,
    mode: Mode,
    signature: Signature,
}

impl Round {
    fn result(&self, of: &DataType, places: i32) -> DataType {
        let DataType::Decimal128(p, s) = of else { return of.clone() };
        let whole = i32::from(*p) - i32::from(*s) + 1;
        let max = i32::from(DIGITS_MAX);
        let (precision, scale) = if places < 0 {
            (whole.max(1 - places).min(max), 0)
        } else {
            let scale = places.min(i32::from(*s));
            ((whole + scale).min(max), scale)
        };
        DataType::Decimal128(precision as u8, scale as i8)
    }
}

fn places(scalar: Option<&ScalarValue>) -> i32 {
    match scalar.and_then(|s| s.cast_to(&DataType::Int32).ok()) {
        Some(ScalarValue::Int32(Some(places))) => places.clamp(-PLACES_MAX, PLACES_MAX),
        _ => 0,
    }
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let value = match arg_types.first() {
            Some(DataType::Null | DataType::Utf8) => DataType::Float64,
            Some(t) if t.is_numeric() => t.clone(),
            Some(other) => return plan_err!("{}() takes a number, not {other}", self.name),
            None => return plan_err!("{}() takes a number and perhaps a count of digits", self.name),
        };
        match arg_types.len() {
            1 => Ok(vec![value]),
            2 => Ok(vec![value, DataType::Int32]),
            given => plan_err!("{}() takes one or two arguments, not {given}", self.name),
        }
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let of = args.arg_fields.first().map_or(DataType::Null, |f| f.data_type().clone());
        let places = places(args.scalar_arguments.get(1).copied().flatten());
        Ok(Arc::new(Field::new(self.name, self.result(&of, places), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let places = match args.args.get(1) {
            None => 0,
            Some(ColumnarValue::Scalar(value)) if value.is_null() => {
                return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_field.data_type())?));
            }
            Some(ColumnarValue::Scalar(value)) => places(Some(value)),
            Some(ColumnarValue::Array(_)) => {
                return plan_err!("{}(): the count of digits must be a constant", self.name);
            }
        };
        let Some(value) = args.args.first() else { return plan_err!("{}() takes a number", self.name) };
        let is_constant = matches!(value, ColumnarValue::Scalar(_));
        let array = self.rounded(&value.to_array(1)?, args.return_field.data_type(), places)?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

impl Round {
    fn rounded(&self, array: &ArrayRef, to: &DataType, places: i32) -> Result<ArrayRef> {
        let mode = self.mode;
        Ok(match (array.data_type(), to) {
            (DataType::Float64, _) => Arc::new(
                array
                    .as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(|v| mode.double(v, &format!("{v:e}"), places)),
            ),
            (DataType::Float32, _) => Arc::new(
                array
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(|v| mode.double(f64::from(v), &format!("{v:e}"), places) as f32),
            ),
            (DataType::Decimal128(_, scale), DataType::Decimal128(p, s)) => {
                let dropped = (i32::from(*scale) - places).max(0).unsigned_abs();
                let factor = 10i128.pow(if places < 0 { places.unsigned_abs() } else { 0 });
                let kept = (i32::from(*s) - places.max(0).min(i32::from(*scale))).max(0).unsigned_abs();
                let values = array.as_primitive::<Decimal128Type>().unary_opt::<_, Decimal128Type>(|v| {
                    mode.divided(v, dropped).checked_mul(factor)?.checked_mul(10i128.checked_pow(kept)?)
                });
                Arc::new(values.with_precision_and_scale(*p, *s)?)
            }
            (t, _) if t.is_integer() && places < 0 => {
                let digits = places.unsigned_abs();
                let longs = converted(array, &DataType::Int64)?;
                let longs = longs.as_primitive::<Int64Type>().unary::<_, Int64Type>(|v| {
                    let factor = 10i128.checked_pow(digits).unwrap_or(0);
                    (mode.divided(i128::from(v), digits) * factor) as i64
                });
                converted(&(Arc::new(longs) as ArrayRef), t)?
            }
            _ => array.clone(),
        })
    }
}
