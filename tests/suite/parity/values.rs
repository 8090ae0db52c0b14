//! Arrow's rows in the form in which `record.py` writes Spark's, and what differs.

use anyhow::bail;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::*;
use serde_json::{Value, json};

use super::cases::Table;

/// Results of such functions may differ in their last digits.
const INEXACT: &[&str] = &[
    "exp",
    "expm1",
    "ln",
    "log",
    "log10",
    "log2",
    "log1p",
    "sin",
    "cos",
    "tan",
    "cot",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "degrees",
    "radians",
    "cbrt",
    "power",
    "pow",
    "stddev",
    "std",
    "stddev_samp",
    "stddev_pop",
    "variance",
    "var_samp",
    "var_pop",
    "corr",
    "covar_pop",
    "covar_samp",
    "skewness",
    "kurtosis",
    "regr_slope",
    "regr_intercept",
    "hypot",
];
const TOLERANCE: f64 = 1e-12;

/// A result; its columns must have the types of the plan.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> anyhow::Result<Table> {
    let columns = schema.fields().iter().map(|f| Ok((f.name().clone(), name(f.data_type())?)));
    let columns = columns.collect::<anyhow::Result<_>>()?;
    let mut rows = Vec::new();
    for batch in batches {
        for (planned, column) in schema.fields().iter().zip(batch.columns()) {
            if planned.data_type() != column.data_type() {
                bail!("{} was planned as {} and is {}", planned.name(), planned.data_type(), column.data_type());
            }
        }
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|c| plain(c, row)).collect::<anyhow::Result<_>>()?);
        }
    }
    Ok(Table { columns, rows })
}

/// Spark's name of a type.
fn name(data_type: &DataType) -> anyhow::Result<String> {
    Ok(match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(p, s) => format!("decimal({p},{s})"),
        DataType::Utf8 => "string".into(),
        DataType::Binary => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => "timestamp".into(),
        DataType::List(element) => format!("array<{}>", name(element.data_type())?),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|f| Ok(format!("{}:{}", f.name(), name(f.data_type())?)));
            format!("struct<{}>", fields.collect::<anyhow::Result<Vec<_>>>()?.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(f) => format!("map<{},{}>", name(f[0].data_type())?, name(f[1].data_type())?),
            other => bail!("a map of {other}"),
        },
        other => bail!("Spark has no type {other}"),
    })
}

fn plain(column: &ArrayRef, row: usize) -> anyhow::Result<Value> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    let items = |items: ArrayRef| (0..items.len()).map(|i| plain(&items, i)).collect::<anyhow::Result<Vec<_>>>();
    Ok(match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        t if t.is_integer() => cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float32 => format!("{:?}", f64::from(column.as_primitive::<Float32Type>().value(row))).into(),
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row)).into(),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Binary => {
            column.as_binary::<i32>().value(row).iter().map(|b| format!("{b:02x}")).collect::<String>().into()
        }
        DataType::Date32 => {
            let day = column.as_primitive::<Date32Type>().value(row);
            Date32Type::to_naive_date_opt(day).map_or_else(|| day.to_string(), |d| d.to_string()).into()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = arrow::temporal_conversions::timestamp_us_to_datetime(micros);
            time.map_or_else(|| micros.to_string(), |t| t.format("%Y-%m-%d %H:%M:%S%.6f").to_string()).into()
        }
        DataType::List(_) => items(column.as_list::<i32>().value(row))?.into(),
        DataType::Struct(_) => {
            let fields = column.as_struct().columns().iter().map(|c| plain(c, row));
            fields.collect::<anyhow::Result<Vec<_>>>()?.into()
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (items(entries.column(0).clone())?, items(entries.column(1).clone())?);
            keys.into_iter().zip(values).map(|(k, v)| json!([k, v])).collect::<Vec<_>>().into()
        }
        other => bail!("no form for {other}"),
    })
}

/// What differs between Spark's table and ours.
pub fn difference(sql: &str, expected: &Table, found: &Table) -> Option<String> {
    let (mut left, mut right) = (expected.clone(), found.clone());
    let tail = sql.rsplit(')').next().unwrap_or(sql);
    if !tail.contains("order by") {
        // Without an order, rows are a bag.
        let key = |row: &Vec<Value>| Value::from(row.clone()).to_string();
        left.rows.sort_by_key(key);
        right.rows.sort_by_key(key);
    }
    let types: Vec<&str> = left.columns.iter().map(|(_, t)| t.as_str()).collect();
    let same_row = |(l, r): (&Vec<Value>, &Vec<Value>)| {
        l.len() == r.len() && l.iter().zip(r).zip(&types).all(|((l, r), t)| same(l, r, t, tolerance(sql)))
    };
    let same_rows = left.rows.len() == right.rows.len() && left.rows.iter().zip(&right.rows).all(same_row);
    (left.columns != right.columns || !same_rows).then(|| format!("Spark {expected}\n    ours  {found}"))
}

/// What differs between the one value of Spark and each row of our column, whatever the type.
pub fn difference_of_column(sql: &str, expected: &Table, found: &Table) -> Option<String> {
    let value = &expected.rows[0][0];
    // A constant has fewer digits than a column of its type, and so have decimals that are made of it.
    let close = |l: f64, r: f64| l == r || (l - r).abs() <= 1e-6 * l.abs().max(r.abs());
    let numbers = |l: &Value, r: &Value| Some((l.as_str().and_then(number)?, r.as_str().and_then(number)?));
    let loose = |l: &Value, r: &Value| {
        same(l, r, &expected.columns[0].1, tolerance(sql)) || numbers(l, r).is_some_and(|(l, r)| close(l, r))
    };
    let all = found.rows.iter().all(|row| loose(value, &row[0]));
    (!all || found.rows.is_empty()).then(|| format!("Spark {expected}\n    ours  {found}"))
}

fn tolerance(sql: &str) -> f64 {
    let words: Vec<&str> = sql.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    if INEXACT.iter().any(|f| words.contains(f)) { TOLERANCE } else { 0.0 }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Whether two values are one; doubles are compared as numbers.
fn same(left: &Value, right: &Value, data_type: &str, tolerance: f64) -> bool {
    match (left, right) {
        (Value::Array(l), Value::Array(r)) => {
            l.len() == r.len() && l.iter().zip(r).all(|(l, r)| same(l, r, data_type, tolerance))
        }
        (Value::String(l), Value::String(r)) if data_type.contains("double") || data_type.contains("float") => {
            match (number(l), number(r)) {
                (Some(l), Some(r)) => {
                    (l.is_nan() && r.is_nan())
                        || (l == r && l.is_sign_negative() == r.is_sign_negative())
                        || (l - r).abs() <= tolerance * l.abs().max(r.abs()) && tolerance > 0.0
                }
                _ => l == r,
            }
        }
        _ => left == right,
    }
}
