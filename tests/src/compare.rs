//! Rows as lines of text that are equal exactly when the rows are, and what differs between two bags of them.
//!
//! A line is a JSON object, written as `python/read_delta.py` writes it, so that rows from Arrow, DuckDB, delta-rs and
//! ClickHouse can be held against each other. Doubles have the shortest text that reads back as the same bits.

use std::fmt::Write;

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::temporal_conversions::timestamp_us_to_datetime;

/// How many rows of each side are shown when two tables differ.
const SHOWN_ROWS_MAX: usize = 5;

/// A line that is being written.
#[derive(Default)]
pub struct Line {
    text: String,
}

impl Line {
    /// Adds a column; `value` is JSON, none for null.
    pub fn push(&mut self, column: &str, value: Option<&str>) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        // Writing into a String cannot fail.
        let _ = write!(self.text, "{}:{}", text(column), value.unwrap_or("null"));
    }

    /// The whole line.
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// The names of a schema's columns.
pub fn names(schema: &SchemaRef) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).collect()
}

/// The rows' `columns`, a line for each row.
///
/// # Errors
/// When there is no such column, or it has a type that no table of the tests has.
pub fn lines(batches: &[RecordBatch], columns: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for batch in batches {
        let mut cells = Vec::new();
        for name in columns {
            let column = batch.column_by_name(name).with_context(|| format!("there is no column {name}"))?;
            cells.push(column);
        }
        for row in 0..batch.num_rows() {
            let mut line = Line::default();
            for (name, column) in columns.iter().zip(&cells) {
                let value = if column.is_null(row) { None } else { Some(cell(column, row)?) };
                line.push(name, value.as_deref());
            }
            lines.push(line.finish());
        }
    }
    Ok(lines)
}

fn cell(column: &dyn Array, row: usize) -> anyhow::Result<String> {
    Ok(match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => text(column.as_string::<i32>().value(row)),
        DataType::Binary => binary(column.as_binary::<i32>().value(row)),
        DataType::Date32 => date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row))?
        }
        other => bail!("columns of type {other} are not compared yet"),
    })
}

/// A text in JSON.
pub fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// A double in JSON; what JSON has no number for is a text.
pub fn double(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { text(&format!("{value:?}").to_lowercase()) }
}

/// Bytes, in hexadecimal, in JSON.
pub fn binary(bytes: &[u8]) -> String {
    let mut hex = String::from('"');
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex + "\""
}

/// Days since 1970 as a date in JSON; the number when the calendar ends before it.
pub fn date(days: i32) -> String {
    Date32Type::to_naive_date_opt(days).map_or_else(|| days.to_string(), |date| format!("\"{date}\""))
}

/// Microseconds since 1970 as a time (UTC) in JSON.
///
/// # Errors
/// When it is not within the calendar.
pub fn timestamp(micros: i64) -> anyhow::Result<String> {
    let time = timestamp_us_to_datetime(micros).with_context(|| format!("{micros} us is no time"))?;
    Ok(format!("\"{}Z\"", time.format("%Y-%m-%dT%H:%M:%S%.6f")))
}

/// What differs between two bags of lines, for people to read; none when they are equal.
pub fn difference(mut expected: Vec<String>, mut found: Vec<String>) -> Option<String> {
    expected.sort_unstable();
    found.sort_unstable();
    if expected == found {
        return None;
    }
    let (missing, surplus) = (only_in(&expected, &found), only_in(&found, &expected));
    let mut report = format!("{} rows are expected, {} are there", expected.len(), found.len());
    for (title, rows) in [("missing", missing), ("too many", surplus)] {
        let _ = write!(report, "\n  {} {title}", rows.len());
        rows.iter().take(SHOWN_ROWS_MAX).for_each(|row| report.push_str(&format!("\n    {row}")));
    }
    Some(report)
}

/// The lines of one sorted bag that another one lacks.
fn only_in<'a>(bag: &'a [String], other: &[String]) -> Vec<&'a String> {
    let mut rest = other.iter().peekable();
    let mut only = Vec::new();
    for line in bag {
        while rest.next_if(|smaller| *smaller < line).is_some() {}
        if rest.next_if_eq(&line).is_none() {
            only.push(line);
        }
    }
    only
}
