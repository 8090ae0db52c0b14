//! Which files cannot hold any of the rows that are to be taken out: told by partition values and statistics.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::{DateTime, NaiveDate};
use serde_json::Value as Json;
use sluice_engine::Result;

use super::log_state::ActiveFile;
use super::partition::{PartitionValues, canonical, split_whole};
use super::schema::TableSchema;

/// Columns that are looked at when a table has no key.
const COLUMNS_MAX: usize = 8;
/// Upper bounds of times are rounded down to milliseconds by some writers.
const TIME_SLACK_US: i64 = 999;

/// The rows that are looked for, as pruning sees them.
pub(super) struct Wanted {
    columns: Vec<(String, DataType)>,
    by_partition: HashMap<PartitionValues, Vec<Vec<Value>>>,
}

/// A value of one row, where it can be compared with statistics.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Whole(i64),
    Text(String),
    /// May be anywhere.
    Any,
}

impl Wanted {
    pub(super) fn new(schema: &TableSchema, deletes: &[RecordBatch]) -> Result<Self> {
        let candidates = if schema.key.is_empty() { &schema.data } else { &schema.key };
        let chosen: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|i| !schema.partition.contains(i) && comparable(schema.table.field(*i).data_type()))
            .take(COLUMNS_MAX)
            .collect();
        let columns = chosen
            .iter()
            .map(|&i| (schema.table.field(i).name().clone(), schema.table.field(i).data_type().clone()))
            .collect();
        let mut by_partition: HashMap<PartitionValues, Vec<Vec<Value>>> = HashMap::new();
        for rows in deletes {
            for (partition, rows) in split_whole(schema, rows)? {
                let values = chosen.iter().map(|&i| values(rows.column(i))).collect::<Result<Vec<_>>>()?;
                let rows = (0..rows.num_rows()).map(|r| values.iter().map(|v| v[r].clone()).collect());
                by_partition.entry(partition).or_default().extend(rows);
            }
        }
        Ok(Self { columns, by_partition })
    }

    /// False when no wanted row can be in the file.
    pub(super) fn may_be_in(&self, schema: &TableSchema, file: &ActiveFile) -> Result<bool> {
        let Some(rows) = self.by_partition.get(&canonical(schema, &file.partition_values)?) else { return Ok(false) };
        let Some(stats) = file.stats.as_deref().and_then(|s| serde_json::from_str::<Json>(s).ok()) else {
            return Ok(true);
        };
        let bounds: Vec<Bounds> = self.columns.iter().map(|(name, kind)| Bounds::new(&stats, name, kind)).collect();
        Ok(rows.iter().any(|row| row.iter().zip(&bounds).all(|(value, bounds)| bounds.admit(value))))
    }
}

fn comparable(data_type: &DataType) -> bool {
    use DataType::{Date32, Int8, Int16, Int32, Int64, Timestamp, Utf8};
    matches!(data_type, Int8 | Int16 | Int32 | Int64 | Date32 | Utf8 | Timestamp(TimeUnit::Microsecond, _))
}

fn values(column: &ArrayRef) -> Result<Vec<Value>> {
    if let Some(text) = column.as_string_opt::<i32>() {
        return Ok(text.iter().map(|v| v.map_or(Value::Null, |v| Value::Text(v.to_string()))).collect());
    }
    let whole = match column.data_type() {
        DataType::Date32 => cast(&cast(column, &DataType::Int32)?, &DataType::Int64)?,
        _ => cast(column, &DataType::Int64)?,
    };
    let whole = whole.as_primitive::<Int64Type>();
    Ok((0..whole.len()).map(|i| if whole.is_null(i) { Value::Null } else { Value::Whole(whole.value(i)) }).collect())
}

/// What the statistics say about one column of one file.
struct Bounds {
    rows: Option<i64>,
    nulls: Option<i64>,
    min: Value,
    max: Value,
}

impl Bounds {
    fn new(stats: &Json, column: &str, kind: &DataType) -> Self {
        let bound = |section: &str| stats.get(section).and_then(|s| s.get(column)).and_then(|v| parse(v, kind));
        let max = match (bound("maxValues"), kind) {
            (Some(Value::Whole(us)), DataType::Timestamp(..)) => Some(Value::Whole(us.saturating_add(TIME_SLACK_US))),
            (max, _) => max,
        };
        Self {
            rows: stats.get("numRecords").and_then(Json::as_i64),
            nulls: stats.get("nullCount").and_then(|s| s.get(column)).and_then(Json::as_i64),
            min: bound("minValues").unwrap_or(Value::Any),
            max: max.unwrap_or(Value::Any),
        }
    }

    fn admit(&self, value: &Value) -> bool {
        match value {
            Value::Any => true,
            Value::Null => self.nulls != Some(0),
            _ if self.nulls.is_some() && self.nulls == self.rows => false,
            Value::Whole(n) => {
                !matches!(&self.min, Value::Whole(min) if n < min) && !matches!(&self.max, Value::Whole(max) if n > max)
            }
            Value::Text(t) => {
                !matches!(&self.min, Value::Text(min) if t < min) && !matches!(&self.max, Value::Text(max) if t > max)
            }
        }
    }
}

fn parse(value: &Json, kind: &DataType) -> Option<Value> {
    match kind {
        DataType::Utf8 => value.as_str().map(|t| Value::Text(t.to_string())),
        DataType::Date32 => {
            let date = NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?;
            Some(Value::Whole(date.signed_duration_since(NaiveDate::default()).num_days()))
        }
        DataType::Timestamp(..) => {
            let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            Some(Value::Whole(time.timestamp_micros()))
        }
        _ => value.as_i64().map(Value::Whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value outside of the bounds is not in the file; what the statistics do not say may be anywhere.
    #[test]
    fn bounds_admit_what_may_be_there() {
        let stats: Json = serde_json::json!({
            "numRecords": 10,
            "minValues": { "n": 5, "t": "b", "at": "2024-01-01T00:00:00.001Z", "d": "1970-01-03" },
            "maxValues": { "n": 9, "at": "2024-01-01T00:00:00.001Z", "d": "1970-01-03" },
            "nullCount": { "n": 0, "t": 2, "x": 10 },
        });
        let admits = |column: &str, kind: DataType, value: Value| Bounds::new(&stats, column, &kind).admit(&value);
        let us = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let at = 1_704_067_200_000_000;
        assert!(admits("n", DataType::Int64, Value::Whole(5)) && !admits("n", DataType::Int64, Value::Whole(10)));
        assert!(!admits("n", DataType::Int64, Value::Null));
        assert!(admits("t", DataType::Utf8, Value::Text("zz".into())) && admits("t", DataType::Utf8, Value::Null));
        assert!(!admits("t", DataType::Utf8, Value::Text("a".into())));
        assert!(admits("at", us(), Value::Whole(at + 1_900)) && !admits("at", us(), Value::Whole(at + 2_000)));
        assert!(admits("d", DataType::Date32, Value::Whole(2)) && !admits("d", DataType::Date32, Value::Whole(1)));
        assert!(!admits("x", DataType::Int64, Value::Whole(1)) && admits("y", DataType::Int64, Value::Whole(1)));
    }
}
