//! Functions that the planner puts where Spark's arithmetic and casts are not DataFusion's.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, new_null_array};
use datafusion::arrow::compute::kernels::cmp::eq;
use datafusion::arrow::compute::nullif;
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::time::unary;

/// The name of [`divisor`].
pub(in crate::sql) const DIVISOR: &str = "sluice_divisor";

/// A text as a whole number, as Spark casts it: blanks around it do not count, and a fraction is cut off. NULL for any
/// other text.
pub(in crate::sql) fn text_to_bigint() -> ScalarUDF {
    unary("sluice_text_to_bigint", vec![DataType::Utf8], DataType::Int64, |array| {
        let texts = array.as_string::<i32>();
        Ok(Arc::new(texts.iter().map(|text| text.and_then(whole_number)).collect::<Int64Array>()))
    })
}

fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim_matches(|c: char| c <= ' ' || c == '\u{7f}');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Spark takes ".5" for 0, but not "." or a sign alone.
    if whole.is_empty() && !fraction.is_empty() { Some(0) } else { whole.parse().ok() }
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

#[cfg(test)]
mod tests {
    use super::whole_number;

    /// Texts that Spark casts to whole numbers, and such that it does not.
    #[test]
    fn whole_numbers() {
        let good = [("12", 12), (" -7\t", -7), ("+3", 3), ("12.9", 12), ("-1.5", -1), (".5", 0), ("1.", 1)];
        for (text, number) in good {
            assert_eq!(whole_number(text), Some(number), "{text:?}");
        }
        for text in ["", " ", ".", "-", "a", "1a", "1e3", "1.a", "1.-2", "9223372036854775808", "1 2"] {
            assert_eq!(whole_number(text), None, "{text:?}");
        }
    }
}
