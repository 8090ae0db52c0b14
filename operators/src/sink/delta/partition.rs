//! Divides rows by their partition values, and names the folders that hold them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, partition, take, take_record_batch};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::temporal_conversions::timestamp_us_to_datetime;
use sluice_engine::Result;

use super::schema::TableSchema;

/// The folder name of a null, as Hive and every reader have it.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// The values of the partition columns, in order, as the log writes them.
pub(super) type PartitionValues = Vec<Option<String>>;

/// Rows of a table divided by partition: for each partition its rows, without the partition columns.
pub(super) fn split(schema: &TableSchema, rows: &RecordBatch) -> Result<Vec<(PartitionValues, RecordBatch)>> {
    divide(schema, rows, &rows.project(&schema.data)?)
}

/// As [`split`], with all columns.
pub(super) fn split_whole(schema: &TableSchema, rows: &RecordBatch) -> Result<Vec<(PartitionValues, RecordBatch)>> {
    divide(schema, rows, rows)
}

/// Divides `what` by the partition values of `rows`, which are as many.
fn divide(schema: &TableSchema, rows: &RecordBatch, what: &RecordBatch) -> Result<Vec<(PartitionValues, RecordBatch)>> {
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    if schema.partition.is_empty() {
        return Ok(vec![(Vec::new(), what.clone())]);
    }
    let columns: Vec<ArrayRef> = schema.partition.iter().map(|&i| rows.column(i).clone()).collect();
    let runs = partition(&columns)?.ranges();
    let starts = runs.iter().map(|r| r.start as u32).collect::<UInt32Array>();
    let values = columns.iter().map(|c| log_values(&take(c, &starts, None)?)).collect::<Result<Vec<_>>>()?;
    let mut groups: HashMap<PartitionValues, Vec<Range<usize>>> = HashMap::new();
    for (i, run) in runs.into_iter().enumerate() {
        let key = values.iter().map(|v| v.is_valid(i).then(|| v.value(i).to_string())).collect();
        groups.entry(key).or_default().push(run);
    }
    groups.into_iter().map(|(key, runs)| Ok((key, gather(what, &runs)?))).collect()
}

/// A file's partition values as this program would write them, whoever wrote them.
pub(super) fn canonical(schema: &TableSchema, named: &HashMap<String, Option<String>>) -> Result<PartitionValues> {
    let columns = schema.partition.iter().map(|&i| schema.table.field(i));
    columns
        .map(|column| {
            let value = named.get(column.name()).cloned().flatten().filter(|v| !v.is_empty());
            match (value, column.data_type()) {
                (Some(value), DataType::Timestamp(..)) => {
                    let parsed = cast(&(Arc::new(StringArray::from(vec![value])) as ArrayRef), column.data_type())?;
                    let text = log_values(&parsed)?;
                    Ok(text.is_valid(0).then(|| text.value(0).to_string()))
                }
                (value, _) => Ok(value),
            }
        })
        .collect()
}

fn gather(rows: &RecordBatch, runs: &[Range<usize>]) -> Result<RecordBatch> {
    if let [run] = runs {
        return Ok(rows.slice(run.start, run.len()));
    }
    let indices = runs.iter().flat_map(|r| r.start as u32..r.end as u32).collect::<UInt32Array>();
    Ok(take_record_batch(rows, &indices)?)
}

/// Values of a partition column as the log writes them. The empty string becomes null: Delta cannot tell them apart.
fn log_values(column: &ArrayRef) -> Result<StringArray> {
    let text = match column.data_type() {
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>();
            let text = micros.iter().map(|t| {
                let time = t.and_then(timestamp_us_to_datetime)?;
                Some(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
            });
            text.collect::<StringArray>()
        }
        _ => cast(column, &DataType::Utf8)?.as_string::<i32>().clone(),
    };
    if (0..text.len()).all(|i| text.is_null(i) || !text.value(i).is_empty()) {
        return Ok(text);
    }
    Ok(text.iter().map(|v| v.filter(|v| !v.is_empty())).collect())
}

/// A batch in which empty strings of partition columns are null, as they are when they are read back.
pub(super) fn empty_as_null(schema: &TableSchema, rows: RecordBatch) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    let mut changed = false;
    for &i in &schema.partition {
        let Some(text) = columns[i].as_string_opt::<i32>() else { continue };
        if text.iter().flatten().any(str::is_empty) {
            let nulled: StringArray = text.iter().map(|v| v.filter(|v| !v.is_empty())).collect();
            columns[i] = Arc::new(nulled);
            changed = true;
        }
    }
    Ok(if changed { RecordBatch::try_new(rows.schema(), columns)? } else { rows })
}

/// The folder of a partition below the table, ending with a slash; empty for a table that is not divided.
pub(super) fn folder(schema: &TableSchema, values: &[Option<String>]) -> String {
    let mut folder = String::new();
    for (&i, value) in schema.partition.iter().zip(values) {
        percent_encode(schema.table.field(i).name(), &mut folder);
        folder.push('=');
        match value {
            Some(v) => percent_encode(v, &mut folder),
            None => folder.push_str(NULL_FOLDER),
        }
        folder.push('/');
    }
    folder
}

/// The values with their columns' names, as the log's `partitionValues`.
pub(super) fn named(schema: &TableSchema, values: &[Option<String>]) -> HashMap<String, Option<String>> {
    let names = schema.partition.iter().map(|&i| schema.table.field(i).name().clone());
    names.zip(values.iter().cloned()).collect()
}

/// RFC 3986: everything but letters, digits and `-_.~` becomes `%XX`.
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array};
    use arrow::datatypes::{Field, Int64Type, Schema};

    use super::*;
    use crate::sink::delta::config::WriteMode;

    fn schema() -> TableSchema {
        let fields = vec![
            Field::new("day", DataType::Date32, true),
            Field::new("n", DataType::Int64, true),
            Field::new("place", DataType::Utf8, true),
        ];
        let by = ["day".to_string(), "place".to_string()];
        TableSchema::new(&Schema::new(fields), &by, &[], WriteMode::Append).unwrap()
    }

    /// Rows of one partition come together wherever they stand, without the partition columns; '' is null.
    #[test]
    fn rows_are_gathered_by_partition() {
        let schema = schema();
        let day = Date32Array::from(vec![Some(0), Some(1), Some(0), None, None]);
        let place = StringArray::from(vec![Some("a b"), Some("x"), Some("a b"), Some(""), None]);
        let n = Int64Array::from(vec![1, 2, 3, 4, 5]);
        let rows =
            RecordBatch::try_new(schema.table.clone(), vec![Arc::new(day), Arc::new(n), Arc::new(place)]).unwrap();
        let mut parts = split(&schema, &rows).unwrap();
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        let seen: Vec<(String, Vec<i64>)> = parts
            .iter()
            .map(|(v, r)| (folder(&schema, v), r.column(0).as_primitive::<Int64Type>().values().to_vec()))
            .collect();
        let null = "day=__HIVE_DEFAULT_PARTITION__/place=__HIVE_DEFAULT_PARTITION__/";
        assert_eq!(
            seen,
            [
                (null.to_string(), vec![4, 5]),
                ("day=1970-01-01/place=a%20b/".to_string(), vec![1, 3]),
                ("day=1970-01-02/place=x/".to_string(), vec![2]),
            ]
        );
        assert_eq!(parts[0].1.num_columns(), 1);
    }

    /// A literal `__HIVE_DEFAULT_PARTITION__` is another partition than null, though their folders have one name.
    #[test]
    fn the_null_folders_name_is_not_null() {
        let schema = schema();
        let place = StringArray::from(vec![Some(NULL_FOLDER), None]);
        let rows = RecordBatch::try_new(
            schema.table.clone(),
            vec![Arc::new(Date32Array::from(vec![0, 0])), Arc::new(Int64Array::from(vec![1, 2])), Arc::new(place)],
        )
        .unwrap();
        assert_eq!(split(&schema, &rows).unwrap().len(), 2);
    }
}
