//! What whole projects of seeds and models hold, computed as a batch: what templates made of the SQL is what counts.

mod configs;
mod data_tests;
mod macros;
mod packages;
mod quarantine;
mod snapshots;

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use super::{Pipeline, load_project, plan_project};
use crate::lake::query;
use crate::project::Config;
use crate::sql::model::lower_case;
use crate::sql::session::spark_session;

const SLUICE: &str = "version: 1\nsources: {}\nlake: ./lake\n";

fn block<T>(f: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(f)
}

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let usual = [("dbt_project.yml", "name: shop\nversion: '1.0'\n"), ("sluice.yml", SLUICE)];
    for (path, text) in usual.iter().chain(files) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    folder
}

fn planned(folder: &Path) -> Result<Pipeline, String> {
    let project = load_project(folder, |_| None, Config::new()).map_err(|faults| faults.to_string())?;
    block(plan_project(project)).map_err(|faults| faults.to_string())
}

/// The faults of a project.
fn faults(files: &[(&str, &str)]) -> String {
    planned(written(files).path()).err().unwrap_or_default()
}

/// The rows of a model, as a table of text.
fn rows(files: &[(&str, &str)], model: &str) -> String {
    let (pipeline, context) = computed(files);
    let plan = &pipeline.models[model];
    // The table of rows has lost their order; the query still has it.
    let in_order = block(query(&context, &plan.sql)).expect("it was computed");
    pretty_format_batches(&in_order).expect("rows have a text").to_string()
}

/// A project and a session in which all its tables are computed.
fn computed(files: &[(&str, &str)]) -> (Pipeline, SessionContext) {
    let folder = written(files);
    let pipeline = planned(folder.path()).unwrap_or_else(|faults| panic!("{faults}"));
    let layers = pipeline.layers();
    let context = spark_session(layers.iter().map(String::as_str));
    let add = |name: &str, schema: SchemaRef, batches: Vec<RecordBatch>| {
        let (layer, table) = name.split_once('.').expect("a layer and a table");
        let table_of_rows = MemTable::try_new(schema, vec![batches]).expect("rows of the table's columns");
        context.register_table(TableReference::partial(layer, table), Arc::new(table_of_rows)).expect("a free name");
    };
    for seed in &pipeline.seeds {
        let schema = lower_case(&seed.rows.schema());
        let batch = RecordBatch::try_new(schema.clone(), seed.rows.columns().to_vec());
        add(&seed.table, schema, vec![batch.expect("the seed's columns")]);
    }
    for plan in pipeline.models.values() {
        let found = block(query(&context, &plan.sql)).unwrap_or_else(|e| panic!("{}: {e}\n{}", plan.name, plan.sql));
        let schema = lower_case(&plan.schema);
        let lower = |batch: RecordBatch| {
            let columns = batch.columns().to_vec();
            RecordBatch::try_new(schema.clone(), columns).expect("the model's columns")
        };
        add(&plan.table, schema.clone(), found.into_iter().map(lower).collect());
    }
    (pipeline, context)
}
