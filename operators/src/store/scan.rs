//! Reads one data file of a Delta table, in the table's own columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, new_null_array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, SchemaRef};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::ProjectionMask;
use parquet::errors::ParquetError;
use sluice_engine::{Error, Result};

use super::parquet_file::ParquetFile;

/// Rows that a read hands out at a time.
const READ_BATCH_ROWS: usize = 8192;

/// A data file, as the log names it.
#[derive(Debug, Clone)]
pub struct FileToRead {
    /// Path below the table.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Values of the partition columns, as the log writes them; none is null.
    pub partition_values: HashMap<String, Option<String>>,
}

/// The rows of one file as batches of `columns`, in that order and with those types, read row group by row group.
/// Partition values become columns; a column that the file does not have is null. With `row_groups` only those are read.
///
/// # Errors
/// `Transient` when the store is away, `Data` when the file is not what the log says.
pub async fn read_file(
    objects: Arc<dyn ObjectStore>,
    file: FileToRead,
    columns: SchemaRef,
    row_groups: Option<Vec<usize>>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let location =
        Path::parse(&file.path).map_err(|e| Error::data(format!("\"{}\" is not a path", file.path)).because(e))?;
    let reader = ParquetFile { objects, location, size_bytes: file.size_bytes };
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(|e| read_error(&file.path, e))?;
    let wanted = builder
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, f)| columns.index_of(f.name()).is_ok())
        .map(|(i, _)| i)
        .collect::<Vec<_>>();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let mut builder = builder.with_projection(mask).with_batch_size(READ_BATCH_ROWS);
    if let Some(groups) = row_groups {
        builder = builder.with_row_groups(groups);
    }
    let stream = builder.build().map_err(|e| read_error(&file.path, e))?;
    let path = file.path.clone();
    Ok(stream
        .map_err(move |e| read_error(&path, e))
        .and_then(move |rows| std::future::ready(in_table_columns(&rows, &file, &columns)))
        .boxed())
}

/// A file's rows in the table's columns.
fn in_table_columns(rows: &RecordBatch, file: &FileToRead, columns: &SchemaRef) -> Result<RecordBatch> {
    let arrays = columns
        .fields()
        .iter()
        .map(|field| {
            if let Some(value) = file.partition_values.get(field.name()) {
                return partition_column(value.as_deref(), field.data_type(), rows.num_rows());
            }
            match rows.column_by_name(field.name()) {
                Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
                Some(column) => Ok(cast(column, field.data_type())?),
                None => Ok(new_null_array(field.data_type(), rows.num_rows())),
            }
        })
        .collect::<Result<Vec<_>>>()
        .map_err(|e| e.at(format!("data file {}", file.path)))?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(columns.clone(), arrays, &options)?)
}

/// A partition value of the log as a column of its declared type. The empty string is null, as Delta has it.
fn partition_column(value: Option<&str>, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
    let Some(value) = value.filter(|v| !v.is_empty()) else {
        return Ok(new_null_array(data_type, rows));
    };
    let one: ArrayRef = Arc::new(StringArray::from(vec![value]));
    let one = cast(&one, data_type)?;
    if one.is_null(0) {
        return Err(Error::data(format!("partition value \"{value}\" is not a {data_type}")));
    }
    Ok(take(&one, &UInt32Array::from(vec![0; rows]), None)?)
}

fn read_error(path: &str, e: ParquetError) -> Error {
    let what = format!("could not read data file {path}");
    match e {
        ParquetError::External(_) => Error::transient(what).because(e),
        e => Error::data(what).because(e),
    }
}
