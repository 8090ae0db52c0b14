//! Numbers against the standard library's own reading of the same text.

use arrow::array::{Decimal128Array, Float32Array, Float64Array, Int64Array};
use arrow::datatypes::DataType::*;
use proptest::prelude::*;

use super::*;

/// The value that a column of some type gets from `text`, standing alone and standing at the very end of the payload.
fn read(data_type: arrow::datatypes::DataType, text: &str) -> Result<RecordBatch, RejectReason> {
    let mut decoder = decoder(&[("n", data_type)]);
    decoder.decode(Some(format!("{{\"n\":{text}}}").as_bytes()))?;
    decoder.decode(Some(format!("{{\"n\":{text}, \"more\":\"so that whole words can be read\"}}").as_bytes()))?;
    Ok(take(&mut decoder))
}

fn doubles(text: &str) -> Result<[f64; 2], RejectReason> {
    let batch = read(Float64, text)?;
    let values = batch.column(0).as_any().downcast_ref::<Float64Array>().unwrap();
    Ok([values.value(0), values.value(1)])
}

fn whole(text: &str) -> Result<[i64; 2], RejectReason> {
    let batch = read(Int64, text)?;
    let values = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
    Ok([values.value(0), values.value(1)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Shows that doubles are exactly rounded: bit for bit what the standard library reads.
    #[test]
    fn any_decimal_text(text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
        let expected: f64 = text.parse().unwrap();
        match doubles(&text) {
            Ok(values) => prop_assert_eq!(values.map(f64::to_bits), [expected.to_bits(); 2]),
            Err(_) => prop_assert!(expected.is_infinite()),
        }
    }

    /// Shows that every double comes back from its shortest text.
    #[test]
    fn any_double(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
        for text in [format!("{value:?}"), format!("{value:e}")] {
            prop_assert_eq!(doubles(&text).unwrap().map(f64::to_bits), [value.to_bits(); 2]);
        }
    }

    /// Shows that every float of 32 bits comes back from its shortest text, rounded once.
    #[test]
    fn any_float(value in any::<f32>().prop_filter("finite", |value| value.is_finite())) {
        let batch = read(Float32, &format!("{value:?}")).unwrap();
        let values = batch.column(0).as_any().downcast_ref::<Float32Array>().unwrap();
        prop_assert_eq!(values.value(0).to_bits(), value.to_bits());
    }

    /// Shows that whole numbers are right over the whole range, and beyond it refused, never wrapped.
    #[test]
    fn any_whole_number(value in prop_oneof![any::<i64>().prop_map(i128::from), any::<i128>(), -99_999_i128..99_999], shift in 0_u32..64) {
        let value = value >> shift;
        match i64::try_from(value) {
            Ok(expected) => {
                prop_assert_eq!(whole(&value.to_string()).unwrap(), [expected; 2]);
                prop_assert_eq!(whole(&format!("{value}.00")).unwrap(), [expected; 2]);
                prop_assert_eq!(whole(&format!("{}e-1", value * 10)).unwrap(), [expected; 2]);
            }
            Err(_) => {
                let is_out_of_range = matches!(whole(&value.to_string()), Err(RejectReason::OutOfRange { .. }));
                prop_assert!(is_out_of_range);
            }
        }
    }

    /// Shows that decimals keep every digit, and that digits after them round half up.
    #[test]
    fn any_decimal(digits in -99_999_999_999_999_999_999_999_999_999_999_999_i128..=99_999_999_999_999_999_999_999_999_999_999_999, more in "[0-9]{0,9}") {
        let sign = if digits < 0 { "-" } else { "" };
        let magnitude = digits.unsigned_abs();
        let text = format!("{sign}{}.{:06}{more}", magnitude / 1_000_000, magnitude % 1_000_000);
        let batch = read(Decimal128(38, 6), &text).unwrap();
        let values = batch.column(0).as_any().downcast_ref::<Decimal128Array>().unwrap();
        let up = i128::from(more.as_bytes().first().is_some_and(|digit| *digit >= b'5'));
        let expected = if sign.is_empty() { digits + up } else { digits - up };
        prop_assert_eq!(values.value(0), expected, "{}", text);
        prop_assert_eq!(values.value(1), expected, "{}", text);
    }
}
