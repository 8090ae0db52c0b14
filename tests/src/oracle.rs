//! What each model's SQL says as a batch over bronze, and whether the tables hold just that.
//!
//! Nothing that was streamed is read but bronze: a model that reads another one reads its batch result.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use sluice_pipelines::lake::batch_query;
use sluice_pipelines::sql::model::lower_case;
use sluice_pipelines::sql::session::spark_session;

use crate::compare::{difference, lines, names};
use crate::project::Opened;

/// The rows of tables as lines (see `compare`), by the tables' names.
pub type Tables = BTreeMap<String, Vec<String>>;

/// Holds every model's table against the batch result, row for row; gives what the tables hold.
///
/// # Errors
/// The differences, for each model that has any.
pub fn check(opened: &Opened) -> anyhow::Result<Tables> {
    let layers = opened.pipeline.layers();
    let context = spark_session(layers.iter().map(String::as_str));
    for stream in &opened.pipeline.streams {
        register(&context, &stream.table, &stream.schema, opened.table(&stream.path)?)?;
    }
    for seed in &opened.pipeline.seeds {
        register(&context, &seed.table, &seed.rows.schema(), vec![seed.rows.clone()])?;
    }
    let (mut tables, mut wrong) = (Tables::new(), Vec::new());
    for model in opened.pipeline.models.values() {
        let columns = names(&model.schema);
        let batch = opened.wait(batch_query(&context, &model.sql, &model.schema));
        let batch = batch.with_context(|| format!("model {} as a batch", model.name))?;
        let found = lines(&opened.table(&model.path)?, &columns).with_context(|| model.table.clone())?;
        if let Some(difference) = difference(lines(&batch, &columns)?, found.clone()) {
            wrong.push(format!("{} ({}): {difference}", model.table, model.strategy().name()));
        }
        register(&context, &model.table, &model.schema, batch)?;
        tables.insert(model.table.clone(), found);
    }
    if !wrong.is_empty() {
        bail!("{} of {} tables differ from the batch\n{}", wrong.len(), tables.len(), wrong.join("\n"));
    }
    Ok(tables)
}

fn register(context: &SessionContext, table: &str, schema: &SchemaRef, rows: Vec<RecordBatch>) -> anyhow::Result<()> {
    let schema = lower_case(schema);
    let mut renamed = Vec::new();
    for batch in rows {
        let column = |field: &FieldRef| {
            let same = |other: &&FieldRef| other.name().eq_ignore_ascii_case(field.name());
            let found = batch.schema_ref().fields().iter().find(same);
            let column = found.and_then(|found| batch.column_by_name(found.name()));
            column.cloned().with_context(|| format!("{table} has no column {}", field.name()))
        };
        let columns: Vec<_> = schema.fields().iter().map(column).collect::<anyhow::Result<_>>()?;
        renamed.push(RecordBatch::try_new(schema.clone(), columns)?);
    }
    let (layer, name) = table.split_once('.').with_context(|| format!("{table} has no layer"))?;
    let rows = MemTable::try_new(schema, vec![renamed])?;
    context.register_table(TableReference::partial(layer, name), Arc::new(rows))?;
    Ok(())
}
