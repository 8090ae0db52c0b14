//! Columns under construction: plain vectors, which become Arrow arrays without a copy.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, PrimitiveArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::TimeUnit;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};

use super::fault::{FaultKind, Parse, fault, wrong_type};
use super::nested::{List, Map, Struct};
use super::reason::Expected;
use super::scan::{byte, check_utf8, literal, run, skip_value, string};
use super::{base64, number, time};

/// What one record's nested columns share.
#[derive(Default)]
pub(super) struct Scratch {
    /// Unescaped text that is on its way to another type.
    pub(super) text: Vec<u8>,
    /// Values that nested columns took from this record.
    pub(super) nested_values: usize,
    /// The type of the nested value that was at fault.
    pub(super) expected_inside: Option<Expected>,
    /// The value holds a nested field that nobody declared.
    pub(super) has_undeclared: bool,
}

/// The values of a column. A null takes a place as well (0, an empty string); which those are is kept apart.
pub(super) enum Column {
    /// Declared, but not wanted: its values are read over.
    Skipped,
    Boolean(Vec<bool>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    Text(Bytes),
    Binary(Bytes),
    List(Box<List>),
    Struct(Box<Struct>),
    Map(Box<Map>),
}

/// Strings: one after the other, with the position at which each ends.
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    /// 0, and the end of each string. They fit because `BATCH_BYTES_MAX` does.
    offsets: Vec<i32>,
}

impl Bytes {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), offsets: vec![0] }
    }

    /// Ends the string under construction.
    #[inline(always)]
    pub(super) fn end_value(&mut self) {
        self.offsets.push(self.bytes.len() as i32);
    }

    /// Where the string under construction began.
    pub(super) fn start(&self) -> usize {
        self.offsets.last().map_or(0, |start| *start as usize)
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.bytes.truncate(self.start());
    }

    /// The offsets and the bytes; leaves an empty column with as much room.
    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let bytes = take_vec(&mut self.bytes);
        let offsets = take_vec(&mut self.offsets);
        self.offsets.push(0);
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes))
    }
}

/// Takes the values, and leaves room for a few more: the next batch will be much like this one, and growing copies.
fn take_vec<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len() + values.len() / 8;
    std::mem::replace(values, Vec::with_capacity(room))
}

impl Column {
    /// A column of a type; none if the type is not supported.
    pub(super) fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(Vec::new()),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Float32 => Self::Float32(Vec::new()),
            DataType::Float64 => Self::Float64(Vec::new()),
            DataType::Date32 => Self::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
                Self::Timestamp(Vec::new())
            }
            DataType::Decimal128(precision, scale) => {
                Self::Decimal { values: Vec::new(), precision: *precision, scale: *scale }
            }
            DataType::Utf8 => Self::Text(Bytes::new()),
            DataType::Binary => Self::Binary(Bytes::new()),
            DataType::List(item) => Self::List(Box::new(List::new(item)?)),
            DataType::Struct(fields) => Self::Struct(Box::new(Struct::new(fields)?)),
            DataType::Map(entries, _) => Self::Map(Box::new(Map::new(entries)?)),
            _ => return None,
        })
    }

    /// Spark's name of the column's type.
    pub(super) fn expected(&self) -> Expected {
        Expected::Named(match self {
            Self::Skipped => "anything",
            Self::Boolean(_) => "boolean",
            Self::Int8(_) => "tinyint",
            Self::Int16(_) => "smallint",
            Self::Int32(_) => "int",
            Self::Int64(_) => "bigint",
            Self::Float32(_) => "float",
            Self::Float64(_) => "double",
            Self::Date(_) => "date",
            Self::Timestamp(_) => "timestamp",
            Self::Decimal { precision, scale, .. } => return Expected::Decimal(*precision, *scale),
            Self::Text(_) => "string",
            Self::Binary(_) => "binary",
            Self::List(_) => "array",
            Self::Struct(_) => "struct",
            Self::Map(_) => "map",
        })
    }

    /// Appends the value at `at`, which is neither white space nor null, and gives the position after it.
    /// After a fault the column may hold a part of it: `truncate` it.
    #[inline(always)]
    pub(super) fn append(&mut self, buf: &[u8], at: usize, depth: usize, scratch: &mut Scratch) -> Parse<usize> {
        match self {
            Self::Int64(values) => {
                let (value, end) = number::integer(buf, at)?;
                values.push(value);
                Ok(end)
            }
            Self::Int32(values) => append_narrow(values, buf, at),
            Self::Float64(values) => {
                let (value, end) = number::double(buf, at)?;
                values.push(value);
                Ok(end)
            }
            Self::Text(values) if byte(buf, at) == b'"' => {
                let end = string(buf, at + 1, &mut values.bytes)?;
                values.end_value();
                Ok(end)
            }
            Self::Boolean(values) => {
                let (value, end) = match byte(buf, at) {
                    b't' => (true, literal(buf, at, b"true")?),
                    b'f' => (false, literal(buf, at, b"false")?),
                    _ => return wrong_type(buf, at),
                };
                values.push(value);
                Ok(end)
            }
            Self::Skipped => skip_value(buf, at, depth),
            _ => self.append_rare(buf, at, depth, scratch),
        }
    }

    #[inline(never)]
    fn append_rare(&mut self, buf: &[u8], at: usize, depth: usize, scratch: &mut Scratch) -> Parse<usize> {
        match self {
            Self::Int8(values) => append_narrow(values, buf, at),
            Self::Int16(values) => append_narrow(values, buf, at),
            Self::Float32(values) => {
                let (value, end) = number::float(buf, at)?;
                values.push(value);
                Ok(end)
            }
            Self::Decimal { values, precision, scale } => {
                append_decimal(values, (*precision, *scale), buf, at, scratch)
            }
            Self::Date(values) => append_text(values, buf, at, scratch, time::date),
            Self::Timestamp(values) => append_text(values, buf, at, scratch, time::timestamp),
            // A string column takes any other value as its text, as Spark's from_json does.
            Self::Text(values) => {
                let end = skip_value(buf, at, depth)?;
                values.bytes.extend_from_slice(&buf[at..end]);
                values.end_value();
                Ok(end)
            }
            Self::Binary(values) => {
                let (text, end) = plain_text(buf, at, &mut scratch.text)?;
                if !base64::decode(text, &mut values.bytes) {
                    return fault(FaultKind::BadText, at);
                }
                values.end_value();
                Ok(end)
            }
            Self::List(list) => list.append(buf, at, depth, scratch),
            Self::Struct(fields) => fields.append(buf, at, depth, scratch),
            Self::Map(map) => map.append(buf, at, depth, scratch),
            _ => self.append(buf, at, depth, scratch),
        }
    }

    /// Appends a place for a null.
    #[inline]
    pub(super) fn append_null(&mut self) {
        match self {
            Self::Skipped => {}
            Self::Boolean(values) => values.push(false),
            Self::Int8(values) => values.push(0),
            Self::Int16(values) => values.push(0),
            Self::Int32(values) | Self::Date(values) => values.push(0),
            Self::Int64(values) | Self::Timestamp(values) => values.push(0),
            Self::Float32(values) => values.push(0.0),
            Self::Float64(values) => values.push(0.0),
            Self::Decimal { values, .. } => values.push(0),
            Self::Text(values) | Self::Binary(values) => values.end_value(),
            Self::List(list) => list.append_null(),
            Self::Struct(fields) => fields.append_null(),
            Self::Map(map) => map.append_null(),
        }
    }

    /// Takes back everything after the first `rows` values.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Skipped => {}
            Self::Boolean(values) => values.truncate(rows),
            Self::Int8(values) => values.truncate(rows),
            Self::Int16(values) => values.truncate(rows),
            Self::Int32(values) | Self::Date(values) => values.truncate(rows),
            Self::Int64(values) | Self::Timestamp(values) => values.truncate(rows),
            Self::Float32(values) => values.truncate(rows),
            Self::Float64(values) => values.truncate(rows),
            Self::Decimal { values, .. } => values.truncate(rows),
            Self::Text(values) | Self::Binary(values) => values.truncate(rows),
            Self::List(list) => list.truncate(rows),
            Self::Struct(fields) => fields.truncate(rows),
            Self::Map(map) => map.truncate(rows),
        }
    }

    /// Makes the array, with `nulls` of the same length, and leaves an empty column; none if the column is skipped.
    pub(super) fn take(&mut self, nulls: Option<NullBuffer>) -> Option<ArrayRef> {
        const WHOLE: &str = "every string was checked to be UTF-8, and offsets lie at the ends of strings";
        Some(match self {
            Self::Skipped => return None,
            Self::Boolean(values) => Arc::new(BooleanArray::new(BooleanBuffer::from(take_vec(values)), nulls)),
            Self::Int8(values) => primitive::<Int8Type>(values, nulls),
            Self::Int16(values) => primitive::<Int16Type>(values, nulls),
            Self::Int32(values) => primitive::<Int32Type>(values, nulls),
            Self::Int64(values) => primitive::<Int64Type>(values, nulls),
            Self::Float32(values) => primitive::<Float32Type>(values, nulls),
            Self::Float64(values) => primitive::<Float64Type>(values, nulls),
            Self::Date(values) => Arc::new(Date32Array::new(take_vec(values).into(), nulls)),
            Self::Timestamp(values) => {
                Arc::new(TimestampMicrosecondArray::new(take_vec(values).into(), nulls).with_timezone("UTC"))
            }
            Self::Decimal { values, precision, scale } => {
                let array = Decimal128Array::new(take_vec(values).into(), nulls);
                Arc::new(array.with_precision_and_scale(*precision, *scale).expect("checked when the decoder was made"))
            }
            Self::Text(values) => {
                let (offsets, bytes) = values.take();
                Arc::new(StringArray::try_new(offsets, bytes, nulls).expect(WHOLE))
            }
            Self::Binary(values) => {
                let (offsets, bytes) = values.take();
                Arc::new(BinaryArray::new(offsets, bytes, nulls))
            }
            Self::List(list) => list.take(nulls),
            Self::Struct(fields) => fields.take(nulls),
            Self::Map(map) => map.take(nulls),
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(values: &mut Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(take_vec(values).into(), nulls))
}

/// Appends a whole number to a column that is narrower than 64 bits.
#[inline(always)]
fn append_narrow<T: TryFrom<i64>>(values: &mut Vec<T>, buf: &[u8], at: usize) -> Parse<usize> {
    let (value, end) = number::integer(buf, at)?;
    let Ok(value) = T::try_from(value) else { return fault(FaultKind::OutOfRange, at) };
    values.push(value);
    Ok(end)
}

/// Appends what `parse` makes of the string at `at`.
fn append_text<T>(
    values: &mut Vec<T>,
    buf: &[u8],
    at: usize,
    scratch: &mut Scratch,
    parse: fn(&[u8]) -> Option<T>,
) -> Parse<usize> {
    let (text, end) = plain_text(buf, at, &mut scratch.text)?;
    let Some(value) = parse(text) else { return fault(FaultKind::BadText, at) };
    values.push(value);
    Ok(end)
}

/// Appends a decimal: a number, or a string that holds one, as producers write them so that no reader makes doubles of them.
fn append_decimal(
    values: &mut Vec<i128>,
    (precision, scale): (u8, i8),
    buf: &[u8],
    at: usize,
    scratch: &mut Scratch,
) -> Parse<usize> {
    if byte(buf, at) != b'"' {
        let (value, end) = number::decimal(buf, at, precision, scale)?;
        values.push(value);
        return Ok(end);
    }
    let (text, end) = plain_text(buf, at, &mut scratch.text)?;
    match number::decimal(text, 0, precision, scale) {
        Ok((value, length)) if length == text.len() => values.push(value),
        Err(inner) if matches!(inner.kind, FaultKind::OutOfRange) => return fault(FaultKind::OutOfRange, at),
        _ => return fault(FaultKind::BadText, at),
    }
    Ok(end)
}

/// The text of the string at `at`, unescaped, and the position after it.
pub(super) fn plain_text<'a>(buf: &'a [u8], at: usize, scratch: &'a mut Vec<u8>) -> Parse<(&'a [u8], usize)> {
    if byte(buf, at) != b'"' {
        return wrong_type(buf, at);
    }
    let plain = run(buf, at + 1);
    if byte(buf, plain.end) == b'"' {
        if plain.wide {
            check_utf8(buf, at + 1, plain.end)?;
        }
        return Ok((&buf[at + 1..plain.end], plain.end + 1));
    }
    scratch.clear();
    let end = string(buf, at + 1, scratch)?;
    Ok((scratch, end))
}
