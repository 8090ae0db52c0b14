//! Spark SQL's types and ours: what a name means, and which Arrow type a table's column has.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo};
use datafusion::sql::sqlparser::dialect::SparkSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Spark's TIMESTAMP: microseconds since 1970 UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Makes SQL's type names mean what they mean in Spark.
#[derive(Debug)]
pub struct SparkTypes;

impl TypePlanner for SparkTypes {
    #[allow(deprecated)]
    fn plan_type(&self, sql_type: &SqlType) -> DataFusionResult<Option<DataType>> {
        Ok(from_sql(sql_type))
    }
}

fn from_sql(sql_type: &SqlType) -> Option<DataType> {
    Some(match sql_type {
        SqlType::Timestamp(..) | SqlType::TimestampNtz(..) => timestamp(),
        SqlType::String(_) | SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_) => DataType::Utf8,
        SqlType::TinyInt(_) => DataType::Int8,
        SqlType::SmallInt(_) => DataType::Int16,
        SqlType::Int(_) | SqlType::Integer(_) => DataType::Int32,
        SqlType::BigInt(_) => DataType::Int64,
        SqlType::Float(_) | SqlType::Real => DataType::Float32,
        SqlType::Double(_) | SqlType::DoublePrecision => DataType::Float64,
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::Binary(_) => DataType::Binary,
        SqlType::Date => DataType::Date32,
        // Without digits it has ten before the point, and none after it.
        SqlType::Decimal(ExactNumberInfo::None) | SqlType::Dec(ExactNumberInfo::None) => DataType::Decimal128(10, 0),
        SqlType::Map(key, value) => map(from_sql(key)?, from_sql(value)?),
        _ => return None,
    })
}

/// The Arrow type of a Spark SQL type name as it stands in `sources.yml`, such as `bigint` or `decimal(10,2)`; none when
/// the name means nothing.
pub fn parse(name: &str) -> Option<DataType> {
    let name = name.trim().to_ascii_lowercase();
    let decimal = |inner: &str| {
        let (p, s) = inner.split_once(',').unwrap_or((inner, "0"));
        let (p, s) = (p.trim().parse::<u8>().ok()?, s.trim().parse::<i8>().ok()?);
        (1..=38).contains(&p).then_some(DataType::Decimal128(p, s))
    };
    match name.as_str() {
        "decimal" | "dec" | "numeric" => return Some(DataType::Decimal128(10, 0)),
        "long" => return Some(DataType::Int64),
        "short" => return Some(DataType::Int16),
        "byte" => return Some(DataType::Int8),
        "string" => return Some(DataType::Utf8),
        _ => {}
    }
    if let Some(inner) = name.strip_prefix("decimal(").and_then(|r| r.strip_suffix(')')) {
        return decimal(inner);
    }
    if let Some(inner) = name.strip_prefix("array<").and_then(|r| r.strip_suffix('>')) {
        return parse(inner).map(|t| DataType::List(Arc::new(Field::new("element", t, true))));
    }
    if let Some(inner) = name.strip_prefix("map<").and_then(|r| r.strip_suffix('>')) {
        let parts = split(inner);
        let [key, value] = parts.as_slice() else { return None };
        return Some(map(parse(key)?, parse(value)?));
    }
    if let Some(inner) = name.strip_prefix("struct<").and_then(|r| r.strip_suffix('>')) {
        return struct_fields(inner).map(DataType::Struct);
    }
    let parsed = Parser::new(&SparkSqlDialect {}).try_with_sql(&name).ok()?.parse_data_type().ok()?;
    from_sql(&parsed)
}

fn struct_fields(inner: &str) -> Option<Fields> {
    let field = |text: &&str| {
        let text = text.trim();
        let end = text.find([':', ' '])?;
        let data_type = text[end..].trim_start().trim_start_matches(':');
        Some(Field::new(text[..end].trim_matches('`'), parse(data_type)?, true))
    };
    split(inner).iter().map(field).collect::<Option<Vec<_>>>().map(Fields::from)
}

/// What commas part, but for those within brackets.
fn split(inner: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0i32, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    parts
}

/// A map's type.
pub fn map(key: DataType, value: DataType) -> DataType {
    let fields = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}

/// The type that a table's column gets for a result of this type: one for each Spark type.
pub fn stored(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Timestamp(..) => timestamp(),
        DataType::Date64 => DataType::Date32,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        // What counts rows of a window or elements of a list; Spark does so with an INT.
        DataType::UInt64 => DataType::Int32,
        DataType::Float16 => DataType::Float32,
        DataType::Dictionary(_, value) => stored(value),
        DataType::Null => DataType::Utf8,
        DataType::List(field) | DataType::LargeList(field) => {
            DataType::List(Arc::new(Field::new("element", stored(field.data_type()), true)))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                map(stored(fields[0].data_type()), stored(fields[1].data_type()))
            }
            _ => data_type.clone(),
        },
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|f| Field::new(f.name(), stored(f.data_type()), true)).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spark's names of types, also nested ones, and what is none.
    #[test]
    fn names() {
        assert_eq!(parse("BIGINT"), Some(DataType::Int64));
        assert_eq!(parse("int"), Some(DataType::Int32));
        assert_eq!(parse("timestamp"), Some(timestamp()));
        assert_eq!(parse("decimal(12, 2)"), Some(DataType::Decimal128(12, 2)));
        assert!(matches!(parse("array<struct<a:int,b:array<string>>>"), Some(DataType::List(_))));
        assert_eq!(parse("decimal(99,2)"), None);
        assert_eq!(parse("bigint2"), None);
        assert_eq!(parse(""), None);
    }
}
