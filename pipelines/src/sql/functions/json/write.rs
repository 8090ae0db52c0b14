//! Values as JSON.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::error::Result;

use super::super::cast::converted;
use super::value::quoted;

/// A value as JSON; none for null. Fields that are null are left out.
pub(super) fn json(array: &ArrayRef, row: usize) -> Result<Option<String>> {
    if array.is_null(row) {
        return Ok(None);
    }
    let or_null = |json: Option<String>| json.unwrap_or_else(|| "null".into());
    Ok(Some(match array.data_type() {
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items = (0..items.len()).map(|at| json(&items, at).map(or_null));
            format!("[{}]", items.collect::<Result<Vec<_>>>()?.join(","))
        }
        DataType::Struct(fields) => {
            let mut shown = Vec::new();
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                shown.extend(json(column, row)?.map(|value| format!("{}:{value}", quoted(field.name()))));
            }
            format!("{{{}}}", shown.join(","))
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let entry = |at| {
                let key = text(entries.column(0), at)?;
                Ok(format!("{}:{}", quoted(&key), or_null(json(entries.column(1), at)?)))
            };
            format!("{{{}}}", (0..entries.len()).map(entry).collect::<Result<Vec<_>>>()?.join(","))
        }
        DataType::Timestamp(..) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = chrono::DateTime::from_timestamp_micros(micros);
            let form = if micros % 1_000 == 0 { "%Y-%m-%dT%H:%M:%S%.3fZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
            quoted(&time.map_or_else(|| micros.to_string(), |t| t.format(form).to_string()))
        }
        t if t.is_numeric() || matches!(t, DataType::Boolean) => {
            let number = text(array, row)?;
            if number.ends_with(|c: char| c.is_ascii_alphabetic()) && t.is_numeric() { quoted(&number) } else { number }
        }
        _ => quoted(&text(array, row)?),
    }))
}

fn text(array: &ArrayRef, row: usize) -> Result<String> {
    Ok(converted(&array.slice(row, 1), &DataType::Utf8)?.as_string::<i32>().value(0).to_owned())
}
