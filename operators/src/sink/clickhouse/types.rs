//! Arrow types and ClickHouse types.
//!
//! A column has three types: the model's Arrow type, the *wire* type (what is sent: without views, dictionaries and the
//! like), and the ClickHouse type. What ClickHouse cannot say is lost in a defined way: a null list or map becomes an
//! empty one, a null struct one of nulls, and a date outside of 1900-2299 the nearest end of that range (so such dates
//! make poor keys).

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use sluice_engine::{Error, Result};

/// The type in which a column is sent.
///
/// # Errors
/// `Config` when ClickHouse has no type for it; the message says how to get round it, without naming the column.
pub(super) fn wire_type(arrow: &DataType) -> Result<DataType> {
    use DataType::*;
    Ok(match arrow {
        Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32 | Float64 | Date32 => {
            arrow.clone()
        }
        Float16 => Float32,
        Utf8 | LargeUtf8 | Binary | LargeBinary | FixedSizeBinary(_) => arrow.clone(),
        Utf8View => Utf8,
        BinaryView => Binary,
        Date64 => Date32,
        Timestamp(_, zone) => Timestamp(TimeUnit::Microsecond, zone.clone()),
        Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) if decimal(arrow).is_some() => arrow.clone(),
        Dictionary(_, values) => wire_type(values)?,
        List(item) | FixedSizeList(item, _) => List(wire_field(item)?),
        LargeList(item) => LargeList(wire_field(item)?),
        Struct(fields) if !fields.is_empty() => Struct(fields.iter().map(wire_field).collect::<Result<Fields>>()?),
        Map(entries, sorted) => Map(wire_entries(entries)?, *sorted),
        other => return Err(no_type(other)),
    })
}

/// Fields inside of others always take nulls: ClickHouse refuses a struct that is null where a field of it says that it
/// never is.
fn wire_field(field: &FieldRef) -> Result<FieldRef> {
    Ok(Field::new(field.name(), wire_type(field.data_type())?, true).into())
}

/// The pairs of a map and their keys are never null, by Arrow's rules.
fn wire_entries(entries: &FieldRef) -> Result<FieldRef> {
    let DataType::Struct(pair) = entries.data_type() else { return Err(no_type(entries.data_type())) };
    let part = |(i, f): (usize, &FieldRef)| Ok(Field::new(f.name(), wire_type(f.data_type())?, i != 0));
    let pair: Fields = pair.iter().enumerate().map(part).collect::<Result<Vec<_>>>()?.into();
    Ok(Field::new(entries.name(), DataType::Struct(pair), false).into())
}

/// The ClickHouse type of a wire type. Everything that can be null is, because what a planner knows about nulls changes
/// from one version of a model to the next; only columns of the key that are known never to be null are plain.
///
/// # Errors
/// As `wire_type`.
pub(super) fn clickhouse_type(wire: &DataType, nullable: bool) -> Result<String> {
    use DataType::*;
    let plain = match wire {
        List(item) | LargeList(item) => return Ok(format!("Array({})", clickhouse_type(item.data_type(), true)?)),
        Struct(fields) => return tuple_type(fields),
        Map(entries, _) => return map_type(entries),
        Boolean => "Bool".to_owned(),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32 | Float64 => wire.to_string(),
        Utf8 | LargeUtf8 | Binary | LargeBinary => "String".to_owned(),
        FixedSizeBinary(n) => format!("FixedString({n})"),
        Date32 => "Date32".to_owned(),
        Timestamp(..) => "DateTime64(6, 'UTC')".to_owned(),
        other => match decimal(other) {
            Some((precision, scale)) => format!("Decimal({precision}, {scale})"),
            None => return Err(no_type(other)),
        },
    };
    Ok(if nullable { format!("Nullable({plain})") } else { plain })
}

fn tuple_type(fields: &Fields) -> Result<String> {
    let parts = fields
        .iter()
        .map(|f| Ok(format!("{} {}", quote_if_needed(f.name()), clickhouse_type(f.data_type(), true)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(format!("Tuple({})", parts.join(", ")))
}

fn map_type(entries: &FieldRef) -> Result<String> {
    match entries.data_type() {
        DataType::Struct(pair) if pair.len() == 2 => {
            let key = clickhouse_type(pair[0].data_type(), false)?;
            Ok(format!("Map({key}, {})", clickhouse_type(pair[1].data_type(), true)?))
        }
        other => Err(no_type(other)),
    }
}

fn decimal(arrow: &DataType) -> Option<(u8, i8)> {
    use DataType::*;
    match arrow {
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s) if *s >= 0 && *s as u8 <= *p => {
            Some((*p, *s))
        }
        _ => None,
    }
}

fn no_type(arrow: &DataType) -> Error {
    Error::config(format!("clickhouse has no type for {arrow}; cast it in the model, for instance to string"))
}

/// True for types that a table can be sorted by.
pub(super) fn can_be_key(wire: &DataType) -> bool {
    !wire.is_nested()
}

/// A column as its wire type.
///
/// # Errors
/// `Bug` when the column has another type than the model.
pub(super) fn to_wire(column: &ArrayRef, wire: &DataType) -> Result<ArrayRef> {
    if column.data_type() == wire {
        return Ok(column.clone());
    }
    Ok(cast(column, wire)?)
}

/// A name as ClickHouse prints it inside of a type: quoted only when it has to be.
fn quote_if_needed(name: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return name.to_owned();
    }
    super::ddl::identifier(name)
}

/// Type texts without what does not matter in a comparison: spaces and quotes of names.
pub(super) fn same_type(a: &str, b: &str) -> bool {
    let bare = |t: &str| t.chars().filter(|c| !matches!(c, ' ' | '`')).collect::<String>();
    bare(a) == bare(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(arrow: DataType, expected: Expect) {
        let text = wire_type(&arrow).and_then(|w| clickhouse_type(&w, true)).unwrap_or_else(|e| e.to_string());
        expected.assert_eq(&text);
    }

    /// Shows the ClickHouse type of every kind of Arrow type that a model can have.
    #[test]
    fn arrow_types_have_clickhouse_types() {
        use DataType::*;
        let item = |t| Field::new("item", t, true).into();
        check(Int8, expect!["Nullable(Int8)"]);
        check(UInt64, expect!["Nullable(UInt64)"]);
        check(Float16, expect!["Nullable(Float32)"]);
        check(Float64, expect!["Nullable(Float64)"]);
        check(Boolean, expect!["Nullable(Bool)"]);
        check(Utf8View, expect!["Nullable(String)"]);
        check(Binary, expect!["Nullable(String)"]);
        check(FixedSizeBinary(16), expect!["Nullable(FixedString(16))"]);
        check(Date32, expect!["Nullable(Date32)"]);
        check(Timestamp(TimeUnit::Nanosecond, None), expect!["Nullable(DateTime64(6, 'UTC'))"]);
        check(Timestamp(TimeUnit::Microsecond, Some("UTC".into())), expect!["Nullable(DateTime64(6, 'UTC'))"]);
        check(Decimal128(38, 10), expect!["Nullable(Decimal(38, 10))"]);
        check(Dictionary(Box::new(Int32), Box::new(Utf8)), expect!["Nullable(String)"]);
        check(List(item(Utf8View)), expect!["Array(Nullable(String))"]);
        check(List(item(List(item(Int32)))), expect!["Array(Array(Nullable(Int32)))"]);
        let pair = Struct(vec![Field::new("a", Int64, false), Field::new("b c", Utf8, true)].into());
        check(pair, expect!["Tuple(a Nullable(Int64), `b c` Nullable(String))"]);
        let entries = Struct(vec![Field::new("key", Utf8, false), Field::new("value", Int64, true)].into());
        check(Map(Field::new("entries", entries, false).into(), false), expect!["Map(String, Nullable(Int64))"]);
    }

    /// Shows that a type without a counterpart is an error with a way out.
    #[test]
    fn types_without_counterpart_are_errors() {
        let way_out = "cast it in the model, for instance to string";
        check(DataType::Null, expect!["clickhouse has no type for Null; cast it in the model, for instance to string"]);
        for arrow in [
            DataType::Duration(TimeUnit::Second),
            DataType::Decimal128(10, -2),
            DataType::Time64(TimeUnit::Microsecond),
        ] {
            assert!(wire_type(&arrow).unwrap_err().to_string().ends_with(way_out), "{arrow}");
        }
    }
}
