//! Numbers as 64 bits that compare as the numbers do: what hashes and compares fast.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use crate::error::{Error, Result};

/// The bit that makes signed numbers compare as unsigned ones.
const SIGN: u64 = 1 << 63;

/// True when values of the type are 64 bits or fewer, whose order [`to_bits`] keeps.
pub fn has_bits(value: &DataType) -> bool {
    use DataType::{Boolean, Date32, Float32, Float64, Int8, Int16, Int32, Int64, Timestamp};
    matches!(
        value,
        Boolean | Int8 | Int16 | Int32 | Int64 | Date32 | Float32 | Float64 | Timestamp(TimeUnit::Microsecond, _)
    )
}

fn signed(value: i64) -> u64 {
    value as u64 ^ SIGN
}

/// As `f64::total_cmp` has it: what arrow-row does.
fn float(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn to_float(bits: u64) -> f64 {
    f64::from_bits(if bits & SIGN == 0 { !bits } else { bits & !SIGN })
}

fn wide<T: ArrowPrimitiveType>(values: &ArrayRef, bits: impl Fn(T::Native) -> u64) -> Vec<u64> {
    values.as_primitive::<T>().values().iter().map(|v| bits(*v)).collect()
}

/// Values as bits that compare as the values do; those of nulls are without meaning.
///
/// # Errors
/// `Bug` for a type that has none ([`has_bits`]).
pub fn to_bits(values: &ArrayRef) -> Result<Vec<u64>> {
    Ok(match values.data_type() {
        DataType::Boolean => {
            let values: &BooleanArray = values.as_boolean();
            values.values().iter().map(u64::from).collect()
        }
        DataType::Int8 => wide::<Int8Type>(values, |v| signed(v.into())),
        DataType::Int16 => wide::<Int16Type>(values, |v| signed(v.into())),
        DataType::Int32 => wide::<Int32Type>(values, |v| signed(v.into())),
        DataType::Int64 => wide::<Int64Type>(values, signed),
        DataType::Date32 => wide::<Date32Type>(values, |v| signed(v.into())),
        DataType::Timestamp(TimeUnit::Microsecond, _) => wide::<TimestampMicrosecondType>(values, signed),
        DataType::Float32 => wide::<Float32Type>(values, |v| float(v.into())),
        DataType::Float64 => wide::<Float64Type>(values, float),
        other => return Err(Error::bug(format!("values of {other} have no bits"))),
    })
}

fn narrow<T: ArrowPrimitiveType>(bits: &[Option<u64>], value: impl Fn(u64) -> T::Native) -> PrimitiveArray<T> {
    bits.iter().map(|b| b.map(&value)).collect()
}

/// The inverse of [`to_bits`]; none is a null.
///
/// # Errors
/// As `to_bits`.
pub fn from_bits(data_type: &DataType, bits: &[Option<u64>]) -> Result<ArrayRef> {
    // What came from a narrow type fits it.
    let whole = |b: u64| (b ^ SIGN) as i64;
    Ok(match data_type {
        DataType::Boolean => Arc::new(bits.iter().map(|b| b.map(|b| b != 0)).collect::<BooleanArray>()),
        DataType::Int8 => Arc::new(narrow::<Int8Type>(bits, |b| whole(b) as i8)),
        DataType::Int16 => Arc::new(narrow::<Int16Type>(bits, |b| whole(b) as i16)),
        DataType::Int32 => Arc::new(narrow::<Int32Type>(bits, |b| whole(b) as i32)),
        DataType::Int64 => Arc::new(narrow::<Int64Type>(bits, whole)),
        DataType::Date32 => Arc::new(narrow::<Date32Type>(bits, |b| whole(b) as i32)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Arc::new(narrow::<TimestampMicrosecondType>(bits, whole).with_timezone_opt(zone.clone()))
        }
        DataType::Float32 => Arc::new(narrow::<Float32Type>(bits, |b| to_float(b) as f32)),
        DataType::Float64 => Arc::new(narrow::<Float64Type>(bits, to_float)),
        other => return Err(Error::bug(format!("values of {other} have no bits"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array};
    use arrow::row::{RowConverter, SortField};
    use proptest::prelude::*;

    proptest! {
        /// Bits compare as arrow-row's bytes do, and give the values back.
        #[test]
        fn order_is_kept(ints in prop::collection::vec(any::<i32>(), 1..40), doubles in prop::collection::vec(any::<f64>(), 1..40)) {
            let columns: [ArrayRef; 2] = [Arc::new(Int32Array::from(ints)), Arc::new(Float64Array::from(doubles))];
            for column in columns {
                let bits = to_bits(&column).expect("they have bits");
                let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())]).expect("ordered");
                let encode = |c: &ArrayRef| converter.convert_columns(std::slice::from_ref(c)).expect("encoded");
                let rows = encode(&column);
                for i in 0..bits.len() {
                    for j in 0..bits.len() {
                        prop_assert_eq!(bits[i].cmp(&bits[j]), rows.row(i).cmp(&rows.row(j)));
                    }
                }
                let back = from_bits(column.data_type(), &bits.into_iter().map(Some).collect::<Vec<_>>()).expect("decoded");
                let again = encode(&back);
                prop_assert!(rows.iter().zip(again.iter()).all(|(a, b)| a == b));
            }
        }
    }
}
