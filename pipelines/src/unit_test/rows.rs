//! Rows as a unit test writes them, in the types of their columns.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::json::ReaderBuilder;
use serde_json::Value as Json;
use sluice_engine::{Error, Result};

use crate::lake::query;
use crate::project::{Config, Given, Rows};
use crate::sql::session::spark_session;

/// What is known of the columns of rows.
pub(super) enum Known {
    /// All of them; those that are not written are NULL.
    Columns(SchemaRef),
    /// None: the types follow from the values.
    Nothing,
}

/// Columns by name, with a value for each row.
struct Written {
    columns: Vec<(String, Vec<Json>)>,
    rows: usize,
}

impl Written {
    fn of(rows: &Rows) -> Option<Written> {
        match rows {
            Rows::Dict(dicts) => {
                let mut columns: Vec<(String, Vec<Json>)> = Vec::new();
                for name in dicts.iter().flat_map(|d| d.keys()) {
                    if !columns.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                        let value = |d| value_of(d, name).cloned().unwrap_or(Json::Null);
                        columns.push((name.clone(), dicts.iter().map(value).collect()));
                    }
                }
                Some(Written { columns, rows: dicts.len() })
            }
            Rows::Csv { header, rows } => {
                let value = |field: &Option<String>| field.clone().map_or(Json::Null, Json::String);
                let column = |i: usize| rows.iter().map(|r| r.get(i).map_or(Json::Null, value)).collect();
                let columns = header.iter().enumerate().map(|(i, name)| (name.clone(), column(i))).collect();
                Some(Written { columns, rows: rows.len() })
            }
            Rows::Sql(_) => None,
        }
    }
}

/// Names of columns are compared without case, also within one test.
fn value_of<'a>(row: &'a Config, name: &str) -> Option<&'a Json> {
    row.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The rows of a table that is given.
pub(super) async fn given(given: &Given, known: &Known) -> Result<RecordBatch> {
    let columns = match (Written::of(&given.rows), &given.rows) {
        (Some(written), _) => return typed(written, known),
        (None, Rows::Sql(sql)) => batch_of(sql).await?,
        (None, _) => return Err(Error::bug("rows of an unknown form")),
    };
    let Known::Columns(schema) = known else { return Ok(columns) };
    let names: Vec<String> = columns.schema().fields().iter().map(|f| f.name().clone()).collect();
    names.iter().try_for_each(|name| find(schema, name).map(|_| ()))?;
    let column = |field: &Arc<Field>| {
        let at = names.iter().position(|name| name.eq_ignore_ascii_case(field.name()));
        match at {
            Some(at) => exact(columns.column(at), field),
            None => Ok(new_null_array(field.data_type(), columns.num_rows())),
        }
    };
    batch(schema.clone(), schema.fields().iter().map(column).collect::<Result<_>>()?, columns.num_rows())
}

/// The expected rows, in the types of those that the model has given; only the columns that are written.
pub(super) async fn expected(rows: &Rows, found: &[RecordBatch]) -> Result<RecordBatch> {
    let schema = found.first().map(RecordBatch::schema);
    let known = schema.clone().map_or(Known::Nothing, Known::Columns);
    let written = match (Written::of(rows), rows) {
        (Some(written), _) => written,
        (None, Rows::Sql(sql)) => {
            let columns = batch_of(sql).await?;
            let Some(schema) = schema else { return Ok(columns) };
            let field = |f: &Arc<Field>| find(&schema, f.name()).map(|found| found.as_ref().clone());
            let fields = columns.schema().fields().iter().map(field).collect::<Result<Vec<_>>>()?;
            let arrays = columns.columns().iter().zip(&fields).map(|(c, f)| exact(c, f)).collect::<Result<_>>()?;
            return batch(Arc::new(Schema::new(fields)), arrays, columns.num_rows());
        }
        (None, _) => return Err(Error::bug("rows of an unknown form")),
    };
    // Where no rows are expected, no columns are written either: then all count.
    if let (Known::Columns(schema), []) = (&known, written.columns.as_slice()) {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    let rows = written.rows;
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, values) in &written.columns {
        let field = match &known {
            Known::Columns(schema) => find(schema, name)?.as_ref().clone(),
            Known::Nothing => Field::new(name, inferred(values), true),
        };
        arrays.push(array(values, &field)?);
        fields.push(field);
    }
    batch(Arc::new(Schema::new(fields)), arrays, rows)
}

fn typed(written: Written, known: &Known) -> Result<RecordBatch> {
    let schema = match known {
        Known::Columns(schema) => schema.clone(),
        Known::Nothing => {
            let field = |(name, values): &(String, Vec<Json>)| Field::new(name, inferred(values), true);
            Arc::new(Schema::new(written.columns.iter().map(field).collect::<Vec<_>>()))
        }
    };
    written.columns.iter().try_for_each(|(name, _)| find(&schema, name).map(|_| ()))?;
    let column = |field: &Arc<Field>| {
        let found = written.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(field.name()));
        match found {
            Some((_, values)) => array(values, field),
            None => Ok(new_null_array(field.data_type(), written.rows)),
        }
    };
    batch(schema.clone(), schema.fields().iter().map(column).collect::<Result<_>>()?, written.rows)
}

fn find<'a>(schema: &'a SchemaRef, name: &str) -> Result<&'a Arc<Field>> {
    let found = schema.fields().iter().find(|f| f.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let has = schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", ");
        Error::config(format!("there is no column {name:?} (there are {has}); correct the name"))
    })
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let nullable = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(nullable)), columns, &options)?)
}

/// The rows of a query that reads no table.
async fn batch_of(sql: &str) -> Result<RecordBatch> {
    let batches = query(&spark_session([]), sql).await?;
    let schema = batches
        .first()
        .map(RecordBatch::schema)
        .ok_or_else(|| Error::config("a query that gives no rows has no columns either; write `rows: []`"))?;
    Ok(concat_batches(&schema, &batches)?)
}

/// The type of values that nobody declared.
fn inferred(values: &[Json]) -> DataType {
    let of = |value: &Json| match value {
        Json::Bool(_) => Some(DataType::Boolean),
        Json::Number(n) if n.is_f64() => Some(DataType::Float64),
        Json::Number(_) => Some(DataType::Int64),
        Json::Null => None,
        _ => Some(DataType::Utf8),
    };
    let types: Vec<DataType> = values.iter().filter_map(of).collect();
    match types.as_slice() {
        [] => DataType::Utf8,
        [first, rest @ ..] if rest.iter().all(|t| t == first) => first.clone(),
        all if all.iter().all(DataType::is_numeric) => DataType::Float64,
        _ => DataType::Utf8,
    }
}

/// Values as a column. What cannot be one of its type is an error and not NULL.
fn array(values: &[Json], field: &Field) -> Result<ArrayRef> {
    if field.data_type().is_nested() {
        return nested(values, field);
    }
    let text = |value: &Json| match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        // A whole number may be written as one with a fraction.
        Json::Number(n) if field.data_type().is_integer() => Some(
            n.as_f64().filter(|f| n.is_f64() && f.fract() == 0.0).map_or_else(|| n.to_string(), |f| format!("{f:.0}")),
        ),
        other => Some(other.to_string()),
    };
    let texts: ArrayRef = Arc::new(values.iter().map(text).collect::<StringArray>());
    exact(&texts, field)
}

fn exact(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..Default::default() };
    cast_with_options(column, field.data_type(), &options)
        .map_err(|e| Error::config(format!("column {:?}: {e}", field.name())))
}

/// Lists and structs, written as such or as JSON in a text.
fn nested(values: &[Json], field: &Field) -> Result<ArrayRef> {
    let wrong = |e: &dyn std::fmt::Display| Error::config(format!("column {:?}: {e}", field.name()));
    let mut lines = String::new();
    for value in values {
        let value = match value {
            Json::String(text) => serde_json::from_str(text).map_err(|e| wrong(&e))?,
            other => other.clone(),
        };
        lines.push_str(&serde_json::json!({ "v": value }).to_string());
        lines.push('\n');
    }
    let schema = Arc::new(Schema::new(vec![Field::new("v", field.data_type().clone(), true)]));
    let reader = ReaderBuilder::new(schema.clone()).with_coerce_primitive(true).build(lines.as_bytes());
    let batches = reader.map_err(|e| wrong(&e))?.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| wrong(&e))?;
    Ok(concat_batches(&schema, &batches)?.column(0).clone())
}
