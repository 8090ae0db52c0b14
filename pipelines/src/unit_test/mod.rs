//! dbt's unit tests: a model's SQL over given rows, against the rows that are expected; and once more through the operators
//! that a run would have, against the batch.
//!
//! Nothing of the lake is read. `rows.rs` makes the given rows, `streamed.rs` runs the operators, `difference.rs` compares.

mod difference;
mod rows;
mod streamed;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use sluice_engine::{Error, Result};

use crate::compile::{How, Pipeline, SeedTable};
use crate::lake::{empty_session, query};
use crate::project::{Given, NodeRef, UnitTest};
use crate::sql::model::{lower_case, plain};
use crate::sql::plan_query;
use crate::sql::session::spark_session;

use self::difference::difference;
use self::rows::{Known, expected, given};
use self::streamed::{Streamed, streamed};

/// Runs a unit test. What differs, as lines of text; none when it passes.
///
/// # Errors
/// `Config` when a given or expected value cannot be one of its column, or the SQL cannot be planned over what is given;
/// `Data` when it fails while it runs.
pub async fn run_unit_test(pipeline: &Pipeline, test: &UnitTest) -> Result<Option<String>> {
    let tables = tables(pipeline, test).await?;
    let context = session(pipeline, test);
    tables.iter().try_for_each(|table| register(&context, &table.name, table.rows.clone()))?;
    let found = query(&context, &test.sql).await.map_err(|e| match e.to_string() {
        text if text.contains("not found") => {
            Error::config(format!("{text}; give every table that the model reads, with `rows: []` if it has none"))
        }
        _ => e,
    })?;
    let expected = expected(&test.expect, &found).await.map_err(|e| e.at("expect"))?;
    let wrong = difference(&expected, &found)?;
    let streamed = streamed(pipeline, test, tables).await.map_err(|e| e.at("its stream operators"))?;
    match streamed {
        Some(streamed) => Ok(told(wrong, apart(&expected, &found, &streamed)?)),
        None => Ok(wrong),
    }
}

/// What the stream operators give and the batch does not, and the other way round, in the columns that are expected: others
/// may be anybody's choice, as that of a row among equals.
fn apart(expected: &RecordBatch, batch: &[RecordBatch], streamed: &Streamed) -> Result<Option<String>> {
    let schema = batch.first().map_or_else(|| streamed.schema.clone(), RecordBatch::schema);
    let wanted = |name: &str| expected.schema().fields().iter().any(|f| f.name().eq_ignore_ascii_case(name));
    let all = expected.num_columns() == 0;
    let columns = schema.fields().iter().enumerate().filter(|(_, f)| all || wanted(f.name())).map(|(i, _)| i);
    let batch = concat_batches(&schema, batch)?.project(&columns.collect::<Vec<_>>())?;
    let rows = difference(&batch, std::slice::from_ref(&streamed.rows))?;
    let rejected = streamed.rejected.iter().map(|reason| format!("rejected: {reason}"));
    let told: Vec<String> = rows.into_iter().chain(rejected).collect();
    Ok((!told.is_empty()).then(|| told.join("\n")))
}

fn told(batch: Option<String>, stream: Option<String>) -> Option<String> {
    let Some(stream) = stream else { return batch };
    let batch = batch.map_or_else(|| "passes".to_owned(), |difference| format!("fails, {difference}"));
    Some(format!(
        "as a batch it {batch}\nbut as a stream it gives other rows (-: the batch's, +: the stream's): {stream}"
    ))
}

/// A table that the SQL of a test reads.
struct Table {
    /// `layer.name`, in lower case.
    name: String,
    rows: RecordBatch,
    /// Whether it takes no rows back in a run; none when it is refreshed.
    append_only: Option<bool>,
}

/// The tables that are given, and the seeds that are not: those have their own rows.
async fn tables(pipeline: &Pipeline, test: &UnitTest) -> Result<Vec<Table>> {
    let is_given = |table: &str| test.given.iter().any(|given| table_of(given) == table);
    let seeds = pipeline.seeds.iter().filter(|seed| !is_given(&seed.table));
    let seed = |s: &SeedTable| Table { name: s.table.clone(), rows: s.rows.clone(), append_only: Some(true) };
    let mut tables: Vec<Table> = seeds.map(seed).collect();
    for one in &test.given {
        let rows =
            given(one, &known(pipeline, &one.node).await?).await.map_err(|e| e.at(format!("given {}", one.node)))?;
        let append_only = match &one.node {
            NodeRef::Model(name) => pipeline.models.get(name).map_or(Some(true), |model| match &model.how {
                How::Stream(op) => Some(op.append_only()),
                How::Refresh { .. } => None,
            }),
            _ => Some(true),
        };
        tables.push(Table { name: table_of(one), rows, append_only });
    }
    Ok(tables)
}

/// A session with the schemas that the SQL of a test names, and no tables.
fn session(pipeline: &Pipeline, test: &UnitTest) -> SessionContext {
    let mut layers = pipeline.layers();
    layers.extend(test.given.iter().map(|given| given.schema.to_lowercase()));
    spark_session(layers.iter().map(String::as_str))
}

fn table_of(given: &Given) -> String {
    format!("{}.{}", given.schema, given.table).to_lowercase()
}

/// The columns of a table that is given, where the project knows them.
async fn known(pipeline: &Pipeline, node: &NodeRef) -> Result<Known> {
    let schema = match node {
        NodeRef::Model(name) => match pipeline.models.get(name) {
            Some(model) => Some(model.schema.clone()),
            None => of_ephemeral(pipeline, name).await?,
        },
        NodeRef::Seed(name) => {
            let seed = pipeline.project.seeds.iter().position(|s| s.name == *name);
            seed.and_then(|at| pipeline.seeds.get(at)).map(|s| s.rows.schema())
        }
        NodeRef::Source { source, table } => {
            let stream = pipeline.streams.iter().find(|s| s.source == *source && s.name == *table);
            stream.map(|s| s.schema.clone())
        }
    };
    Ok(schema.map_or(Known::Nothing, Known::Columns))
}

/// The columns of a model that has no table.
async fn of_ephemeral(pipeline: &Pipeline, name: &str) -> Result<Option<SchemaRef>> {
    let Some(model) = pipeline.project.models.get(name) else { return Ok(None) };
    let planned = plan_query(&empty_session(pipeline)?, &model.sql).await;
    planned.map(|planned| Some(planned.schema)).map_err(|e| Error::config(e.message).at(format!("model {name}")))
}

fn register(context: &SessionContext, table: &str, rows: RecordBatch) -> Result<()> {
    let failed = |e: datafusion::error::DataFusionError| Error::config(format!("table {table}: {}", plain(&e)));
    let schema = lower_case(&rows.schema());
    let rows = RecordBatch::try_new(schema.clone(), rows.columns().to_vec())?;
    let (layer, name) = table.split_once('.').unwrap_or(("default", table));
    let provider = MemTable::try_new(schema, vec![vec![rows]]).map_err(failed)?;
    context.register_table(TableReference::partial(layer, name), Arc::new(provider)).map_err(failed)?;
    Ok(())
}
