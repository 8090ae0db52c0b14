//! `hash`: Murmur3 of 32 bits, over the arguments in turn, as Spark computes it.

use datafusion::arrow::array::*;
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

const SEED: u32 = 42;
/// Digits of a decimal that is hashed as a BIGINT.
const LONG_DIGITS_MAX: u8 = 18;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Murmur { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Murmur {
    signature: Signature,
}

impl ScalarUDFImpl for Murmur {
    fn name(&self) -> &str {
        "hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = arrays.first().map_or(args.number_rows, |a| a.len());
        let of = |row| arrays.iter().try_fold(SEED, |seed, array| hash(array, row, seed)).map(|h| Some(h as i32));
        let hashes = (0..rows).map(of).collect::<Result<Int32Array>>()?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&hashes, 0)?));
        }
        Ok(ColumnarValue::Array(std::sync::Arc::new(hashes)))
    }
}

fn hash(array: &ArrayRef, row: usize, seed: u32) -> Result<u32> {
    if array.is_null(row) {
        return Ok(seed);
    }
    macro_rules! value {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row)
        };
    }
    Ok(match array.data_type() {
        DataType::Boolean => int(u32::from(array.as_boolean().value(row)), seed),
        DataType::Int8 => int(i32::from(value!(Int8Type)) as u32, seed),
        DataType::Int16 => int(i32::from(value!(Int16Type)) as u32, seed),
        DataType::Int32 => int(value!(Int32Type) as u32, seed),
        DataType::Date32 => int(value!(Date32Type) as u32, seed),
        DataType::Int64 => long(value!(Int64Type) as u64, seed),
        DataType::Timestamp(TimeUnit::Microsecond, _) => long(value!(TimestampMicrosecondType) as u64, seed),
        // The two zeros are one.
        DataType::Float32 => int((value!(Float32Type) + 0.0).to_bits(), seed),
        DataType::Float64 => long((value!(Float64Type) + 0.0).to_bits(), seed),
        DataType::Decimal128(p, _) if *p <= LONG_DIGITS_MAX => long(value!(Decimal128Type) as u64, seed),
        DataType::Decimal128(..) => bytes(shortest(&value!(Decimal128Type).to_be_bytes()), seed),
        DataType::Utf8 => bytes(array.as_string::<i32>().value(row).as_bytes(), seed),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row), seed),
        DataType::Null => seed,
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).try_fold(seed, |seed, at| hash(&items, at, seed))?
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().try_fold(seed, |seed, column| hash(column, row, seed))?
        }
        other => return plan_err!("hash() of {other} is not supported"),
    })
}

/// The fewest bytes that hold a number with its sign.
fn shortest(bytes: &[u8]) -> &[u8] {
    let sign = if bytes[0] & 0x80 == 0 { 0x00 } else { 0xff };
    let mut start = 0;
    while start + 1 < bytes.len() && bytes[start] == sign && (bytes[start + 1] & 0x80) == (sign & 0x80) {
        start += 1;
    }
    &bytes[start..]
}

fn mixed(key: u32) -> u32 {
    key.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

fn stirred(hash: u32, key: u32) -> u32 {
    (hash ^ mixed(key)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

fn finished(mut hash: u32, length: u32) -> u32 {
    hash ^= length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn int(value: u32, seed: u32) -> u32 {
    finished(stirred(seed, value), 4)
}

fn long(value: u64, seed: u32) -> u32 {
    finished(stirred(stirred(seed, value as u32), (value >> 32) as u32), 8)
}

/// Whole words first; each byte that is left is stirred in as a word with its sign.
fn bytes(bytes: &[u8], seed: u32) -> u32 {
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    let hash = words.fold(seed, |hash, word| stirred(hash, u32::from_le_bytes([word[0], word[1], word[2], word[3]])));
    let hash = rest.iter().fold(hash, |hash, byte| stirred(hash, i32::from(*byte as i8) as u32));
    finished(hash, u32::try_from(bytes.len()).unwrap_or(u32::MAX))
}
