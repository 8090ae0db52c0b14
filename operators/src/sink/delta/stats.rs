//! The statistics of a data file, as the log's `add` actions carry them: for readers (and our own rewrites) to skip files.

use std::cmp::Ordering;

use arrow::datatypes::{DataType, Field, Fields};
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::Value as Json;

/// How many columns (leaves, partition columns not counted) have statistics: Delta's default.
pub(super) const STATS_COLUMNS_MAX: usize = 32;

/// The statistics of a file as JSON. `nan` says which top-level columns hold a NaN: they have no bounds, because
/// Parquet's leave NaN out and Spark sorts it last.
pub(super) fn stats_json(metadata: &ParquetMetaData, fields: &Fields, nan: &[bool]) -> String {
    let mut walk = Walk { groups: metadata.row_groups(), leaf: 0 };
    let mut all = Sections::default();
    for (field, nan) in fields.iter().zip(nan) {
        if walk.leaf >= STATS_COLUMNS_MAX {
            break;
        }
        walk.field(field, *nan, &mut all);
    }
    let rows = metadata.file_metadata().num_rows();
    let Sections { min, max, nulls } = all;
    format!(
        "{{\"numRecords\":{rows},\"minValues\":{},\"maxValues\":{},\"nullCount\":{}}}",
        min.close(),
        max.close(),
        nulls.close()
    )
}

/// A JSON object in the making. By hand, because a decimal must not pass through a double.
#[derive(Default)]
struct Object(String);

impl Object {
    fn put(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&Json::from(name).to_string());
        self.0.push(':');
        self.0.push_str(value);
    }

    fn close(self) -> String {
        if self.0.is_empty() { "{}".into() } else { self.0 + "}" }
    }
}

#[derive(Default)]
struct Sections {
    min: Object,
    max: Object,
    nulls: Object,
}

struct Walk<'a> {
    groups: &'a [RowGroupMetaData],
    leaf: usize,
}

impl Walk<'_> {
    fn field(&mut self, field: &Field, nan: bool, out: &mut Sections) {
        match field.data_type() {
            DataType::Struct(fields) => {
                let mut inner = Sections::default();
                for child in fields {
                    // Nobody has looked for NaN in there.
                    let nan = matches!(child.data_type(), DataType::Float32 | DataType::Float64);
                    self.field(child, nan, &mut inner);
                }
                out.min.put(field.name(), &inner.min.close());
                out.max.put(field.name(), &inner.max.close());
                out.nulls.put(field.name(), &inner.nulls.close());
            }
            DataType::List(_) | DataType::Map(..) => self.leaf += leaves(field.data_type()),
            leaf_type => {
                if self.leaf < STATS_COLUMNS_MAX {
                    self.leaf(field.name(), leaf_type, nan, out);
                }
                self.leaf += 1;
            }
        }
    }

    fn leaf(&self, name: &str, leaf_type: &DataType, nan: bool, out: &mut Sections) {
        let mut bounds = Bounds::Nothing;
        let mut nulls: Option<u64> = Some(0);
        for group in self.groups {
            let column = group.column(self.leaf);
            let statistics = column.statistics();
            let null_count = statistics.and_then(Statistics::null_count_opt);
            nulls = nulls.zip(null_count).map(|(a, b)| a + b);
            if null_count == Some(column.num_values() as u64) {
                continue;
            }
            let found = statistics.and_then(|s| Some((Value::min(s, leaf_type)?, Value::max(s, leaf_type)?)));
            bounds = bounds.with(found);
        }
        if let Some(nulls) = nulls {
            out.nulls.put(name, &nulls.to_string());
        }
        if let Bounds::Known(min, max) = bounds
            && !nan
        {
            if let Some(text) = min.json(leaf_type, false) {
                out.min.put(name, &text);
            }
            if let Some(text) = max.json(leaf_type, true) {
                out.max.put(name, &text);
            }
        }
    }
}

fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(f) | DataType::Map(f, _) => leaves(f.data_type()),
        DataType::Struct(fields) => fields.iter().map(|f| leaves(f.data_type())).sum(),
        _ => 1,
    }
}

enum Bounds {
    Nothing,
    Known(Value, Value),
    Unknown,
}

impl Bounds {
    fn with(self, found: Option<(Value, Value)>) -> Bounds {
        let Some((min, max)) = found else { return Bounds::Unknown };
        match self {
            Bounds::Nothing => Bounds::Known(min, max),
            Bounds::Known(a, b) => Bounds::Known(
                if min.cmp(&a) == Ordering::Less { min } else { a },
                if max.cmp(&b) == Ordering::Greater { max } else { b },
            ),
            Bounds::Unknown => Bounds::Unknown,
        }
    }
}

/// A bound, in an order that is the column's.
#[derive(Debug, Clone)]
enum Value {
    Bool(bool),
    Whole(i128),
    Float(f32),
    Double(f64),
    Text(String),
}

impl Value {
    fn min(s: &Statistics, leaf_type: &DataType) -> Option<Value> {
        match s {
            Statistics::Boolean(v) => v.min_opt().map(|b| Value::Bool(*b)),
            Statistics::Int32(v) => v.min_opt().map(|n| Value::Whole(i128::from(*n))),
            Statistics::Int64(v) => v.min_opt().map(|n| Value::Whole(i128::from(*n))),
            Statistics::Float(v) => v.min_opt().map(|x| Value::Float(*x)),
            Statistics::Double(v) => v.min_opt().map(|x| Value::Double(*x)),
            _ => Value::of_bytes(s.min_bytes_opt()?, leaf_type),
        }
    }

    fn max(s: &Statistics, leaf_type: &DataType) -> Option<Value> {
        match s {
            Statistics::Boolean(v) => v.max_opt().map(|b| Value::Bool(*b)),
            Statistics::Int32(v) => v.max_opt().map(|n| Value::Whole(i128::from(*n))),
            Statistics::Int64(v) => v.max_opt().map(|n| Value::Whole(i128::from(*n))),
            Statistics::Float(v) => v.max_opt().map(|x| Value::Float(*x)),
            Statistics::Double(v) => v.max_opt().map(|x| Value::Double(*x)),
            _ => Value::of_bytes(s.max_bytes_opt()?, leaf_type),
        }
    }

    fn of_bytes(bytes: &[u8], leaf_type: &DataType) -> Option<Value> {
        match leaf_type {
            DataType::Utf8 => String::from_utf8(bytes.to_vec()).ok().map(Value::Text),
            DataType::Decimal128(..) => {
                let fill = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
                let mut wide = [fill; 16];
                wide.get_mut(16usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
                Some(Value::Whole(i128::from_be_bytes(wide)))
            }
            _ => None,
        }
    }

    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Whole(a), Value::Whole(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }

    /// As JSON. Times have milliseconds there, so a lower bound is rounded down and an upper one up.
    fn json(&self, leaf_type: &DataType, upper: bool) -> Option<String> {
        Some(match (self, leaf_type) {
            (Value::Bool(b), _) => b.to_string(),
            (Value::Whole(n), DataType::Date32) => {
                let date = date32_to_datetime(i32::try_from(*n).ok()?)?;
                format!("\"{}\"", date.format("%Y-%m-%d"))
            }
            (Value::Whole(n), DataType::Timestamp(..)) => {
                let millis = if upper { -(-n).div_euclid(1000) } else { n.div_euclid(1000) };
                let time = timestamp_us_to_datetime(i64::try_from(millis * 1000).ok()?)?;
                format!("\"{}\"", time.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
            }
            (Value::Whole(n), DataType::Decimal128(_, scale)) => decimal_text(*n, usize::try_from(*scale).ok()?),
            (Value::Whole(n), _) => n.to_string(),
            (Value::Float(x), _) => x.is_finite().then(|| format!("{x:?}"))?,
            (Value::Double(x), _) => x.is_finite().then(|| format!("{x:?}"))?,
            (Value::Text(t), _) => Json::from(t.as_str()).to_string(),
        })
    }
}

fn decimal_text(n: i128, scale: usize) -> String {
    if scale == 0 {
        return n.to_string();
    }
    let digits = format!("{:0>width$}", n.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{part}", if n < 0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bounds of decimals are exact and signed; times are rounded outwards to milliseconds, before 1970 too.
    #[test]
    fn bounds_are_never_too_tight() {
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(decimal_text(12345, 2), "123.45");
        assert_eq!(decimal_text(7, 0), "7");
        let utc = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
        let at = |us: i128, upper| Value::Whole(us).json(&utc, upper).unwrap();
        assert_eq!(at(1_001, false), "\"1970-01-01T00:00:00.001Z\"");
        assert_eq!(at(1_001, true), "\"1970-01-01T00:00:00.002Z\"");
        assert_eq!(at(-1, false), "\"1969-12-31T23:59:59.999Z\"");
        assert_eq!(at(-1, true), "\"1970-01-01T00:00:00.000Z\"");
    }
}
