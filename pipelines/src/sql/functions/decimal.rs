//! Arithmetic of decimals with Spark's precision: exact, then rounded half up, NULL when it does not fit.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::sql::coercion::DIGITS_MAX;

/// Digits after the point that a result keeps when it has too many.
const SCALE_KEPT_MIN: i16 = 6;

/// An operator of two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::sql) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    /// `div`: the whole part, as a BIGINT.
    Whole,
}

impl Arithmetic {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "sluice_decimal_add",
            Self::Subtract => "sluice_decimal_subtract",
            Self::Multiply => "sluice_decimal_multiply",
            Self::Divide => "sluice_decimal_divide",
            Self::Remainder => "sluice_decimal_remainder",
            Self::Whole => "sluice_decimal_div",
        }
    }

    /// Spark's precision and scale, before they are made to fit.
    fn exact(self, (p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> (i16, i16) {
        let (p1, s1, p2, s2) = (i16::from(p1), i16::from(s1), i16::from(p2), i16::from(s2));
        let scale = s1.max(s2);
        match self {
            Self::Add | Self::Subtract => ((p1 - s1).max(p2 - s2) + scale + 1, scale),
            Self::Multiply => (p1 + p2 + 1, s1 + s2),
            Self::Divide => {
                let scale = (s1 + p2 + 1).max(SCALE_KEPT_MIN);
                (p1 - s1 + s2 + scale, scale)
            }
            Self::Remainder => ((p1 - s1).min(p2 - s2) + scale, scale),
            Self::Whole => (p1 - s1 + s2, 0),
        }
    }

    /// The type of a result.
    pub(in crate::sql) fn result(self, left: (u8, i8), right: (u8, i8)) -> DataType {
        let (precision, scale) = self.exact(left, right);
        let max = i16::from(DIGITS_MAX);
        let (precision, scale) = if self == Self::Whole {
            return DataType::Int64;
        } else if precision <= max {
            (precision, scale)
        } else {
            let kept = (max - (precision - scale)).max(scale.min(SCALE_KEPT_MIN));
            (max, kept)
        };
        DataType::Decimal128(precision.max(1) as u8, scale as i8)
    }

    /// Whether DataFusion's own operator has this result, and always one.
    pub(in crate::sql) fn is_plain(self, left: (u8, i8), right: (u8, i8)) -> bool {
        let fits = self.exact(left, right).0 <= i16::from(DIGITS_MAX);
        matches!(self, Self::Add | Self::Subtract | Self::Multiply) && fits
    }

    /// The exact result at a scale, rounded half up; none for a division by zero.
    fn of(self, (left, s1): (i128, i8), (right, s2): (i128, i8), scale: i8) -> Option<i256> {
        let (left, right) = (i256::from_i128(left), i256::from_i128(right));
        let to = i16::from(s1.max(s2));
        let (l, r) = (scaled(left, to - i16::from(s1))?, scaled(right, to - i16::from(s2))?);
        match self {
            Self::Add => rounded(l.checked_add(r)?, to - i16::from(scale)),
            Self::Subtract => rounded(l.checked_sub(r)?, to - i16::from(scale)),
            Self::Multiply => rounded(left.checked_mul(right)?, i16::from(s1) + i16::from(s2) - i16::from(scale)),
            Self::Remainder => rounded(l.checked_rem(r)?, to - i16::from(scale)),
            Self::Whole => l.checked_div(r),
            Self::Divide => {
                let up = i16::from(scale) + i16::from(s2) - i16::from(s1);
                let (l, r) = if up >= 0 { (scaled(left, up)?, right) } else { (left, scaled(right, -up)?) };
                divided(l, r)
            }
        }
    }
}

fn scaled(value: i256, digits: i16) -> Option<i256> {
    let factor = i256::from_i128(10).checked_pow(u32::try_from(digits).ok()?)?;
    value.checked_mul(factor)
}

fn rounded(value: i256, digits: i16) -> Option<i256> {
    if digits <= 0 {
        return scaled(value, -digits);
    }
    divided(value, scaled(i256::ONE, digits)?)
}

/// A quotient, rounded half away from zero.
fn divided(value: i256, by: i256) -> Option<i256> {
    let (quotient, rest) = (value.checked_div(by)?, value.checked_rem(by)?);
    let is_half = rest.wrapping_abs().checked_mul(i256::from_i128(2))? >= by.wrapping_abs();
    let away = if value.is_negative() == by.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    if is_half { quotient.checked_add(away) } else { Some(quotient) }
}

/// A sum by a count, with more digits after the point, rounded half up.
pub(super) fn average(sum: i128, count: i64, digits: i8) -> Option<i128> {
    divided(scaled(i256::from_i128(sum), i16::from(digits))?, i256::from_i128(i128::from(count)))?.to_i128()
}

/// The function for an operator; its arguments are decimals.
pub(in crate::sql) fn function(operator: Arithmetic) -> ScalarUDF {
    ScalarUDF::from(Decimals { operator, signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Decimals {
    operator: Arithmetic,
    signature: Signature,
}

fn digits(data_type: &DataType) -> Result<(u8, i8)> {
    match data_type {
        DataType::Decimal128(p, s) => Ok((*p, *s)),
        other => Err(DataFusionError::Plan(format!("{other} is no decimal"))),
    }
}

impl ScalarUDFImpl for Decimals {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [left, right] => Ok(self.operator.result(digits(left)?, digits(right)?)),
            _ => Err(DataFusionError::Plan("two decimals were expected".into())),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let ((_, s1), (_, s2)) = (digits(arrays[0].data_type())?, digits(arrays[1].data_type())?);
        let (left, right) = (arrays[0].as_primitive::<Decimal128Type>(), arrays[1].as_primitive::<Decimal128Type>());
        let (result, scale, precision) = match args.return_field.data_type() {
            DataType::Decimal128(p, s) => (DataType::Decimal128(*p, *s), *s, u32::from(*p)),
            _ => (DataType::Int64, 0, 0),
        };
        let limit = 10i128.checked_pow(precision).unwrap_or(i128::MAX);
        let values = left.iter().zip(right.iter()).map(|(l, r)| {
            let value = self.operator.of((l?, s1), (r?, s2), scale)?;
            value.to_i128()
        });
        let array: ArrayRef = match result {
            DataType::Decimal128(p, s) => {
                let fit = values.map(|v| v.filter(|v| v.unsigned_abs() < limit.unsigned_abs()));
                Arc::new(fit.collect::<Decimal128Array>().with_precision_and_scale(p, s)?)
            }
            // Spark takes the low bits.
            _ => Arc::new(values.map(|v| v.map(|v| v as i64)).collect::<Int64Array>()),
        };
        if is_constant {
            return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}
