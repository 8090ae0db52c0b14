//! dbt's unit tests: a model's SQL over given rows, as a batch, against the rows that are expected.
//!
//! Nothing of the lake is read. `rows.rs` makes the given rows, `difference.rs` compares.

mod difference;
mod rows;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use sluice_engine::{Error, Result};

use crate::compile::Pipeline;
use crate::lake::query;
use crate::project::{Given, NodeRef, UnitTest};
use crate::sql::model::{lower_case, plain};
use crate::sql::session::spark_session;

use self::difference::difference;
use self::rows::{Known, expected, given};

/// Runs a unit test. What differs, as lines of text; none when it passes.
///
/// # Errors
/// `Config` when a given or expected value cannot be one of its column, or the SQL cannot be planned over what is given;
/// `Data` when it fails while it runs.
pub async fn run_unit_test(pipeline: &Pipeline, test: &UnitTest) -> Result<Option<String>> {
    let mut layers = pipeline.layers();
    layers.extend(test.given.iter().map(|given| given.schema.to_lowercase()));
    let context = spark_session(layers.iter().map(String::as_str));
    for seed in &pipeline.seeds {
        if !test.given.iter().any(|given| table_of(given) == seed.table) {
            register(&context, &seed.table, seed.rows.clone())?;
        }
    }
    for one in &test.given {
        let rows = given(one, &known(pipeline, &one.node)).await.map_err(|e| e.at(format!("given {}", one.node)))?;
        register(&context, &table_of(one), rows)?;
    }
    let found = query(&context, &test.sql).await.map_err(|e| match e.to_string() {
        text if text.contains("not found") => {
            Error::config(format!("{text}; give every table that the model reads, with `rows: []` if it has none"))
        }
        _ => e,
    })?;
    let expected = expected(&test.expect, &found).await.map_err(|e| e.at("expect"))?;
    difference(&expected, &found)
}

fn table_of(given: &Given) -> String {
    format!("{}.{}", given.schema, given.table).to_lowercase()
}

/// The columns of a table that is given, where the project knows them.
fn known(pipeline: &Pipeline, node: &NodeRef) -> Known {
    let schema = match node {
        NodeRef::Model(name) => pipeline.models.get(name).map(|m| m.schema.clone()),
        NodeRef::Seed(name) => {
            let seed = pipeline.project.seeds.iter().position(|s| s.name == *name);
            seed.and_then(|at| pipeline.seeds.get(at)).map(|s| s.rows.schema())
        }
        NodeRef::Source { source, table } => {
            let stream = pipeline.streams.iter().find(|s| s.source == *source && s.name == *table);
            stream.map(|s| s.schema.clone())
        }
    };
    schema.map_or(Known::Nothing, Known::Columns)
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
