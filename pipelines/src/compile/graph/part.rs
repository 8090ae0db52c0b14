//! The part of a graph that makes changed tables anew: their models over the rows of the tables that stay, as they are in the
//! lake.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use sluice_engine::graph::Graph;
use sluice_engine::{Batch, Error, Result, SourceContext};
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::sink::delta::DeltaConfig;
use sluice_operators::source::stored::{MakeChanges, StoredTable};
use sluice_operators::transform::map::reason_begins;

use super::{GraphContext, Nodes, Output, Wiring};
use crate::compile::changes::Changes;
use crate::compile::plan::Pipeline;
use crate::compile::tables::REJECTS;

/// Which part of a pipeline is built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) changes: &'a Changes,
    /// The newest epoch of all tables.
    pub(super) newest: u64,
}

impl Part<'_> {
    pub(super) fn rebuilds(&self, table: &str) -> bool {
        self.changes.rebuilt.contains_key(table)
    }
}

/// Builds the part of a pipeline's graph that makes anew what has changed, when all tables are at epoch `newest`. Its nodes
/// have the names that they have in the whole graph; only its sources of stored rows are its own.
///
/// # Errors
/// As [`super::build_graph`].
pub fn build_part(pipeline: &Pipeline, changes: &Changes, newest: u64, context: &GraphContext) -> Result<Graph> {
    let part = Some(Part { changes, newest });
    let mut wiring = Wiring { pipeline, context, nodes: Nodes::default(), part };
    wiring.streams()?;
    wiring.seeds()?;
    for model in pipeline.models.values() {
        wiring.model(model)?;
    }
    let outdated = wiring.rejects_of_rebuilt(changes)?;
    wiring.nodes.rejects.add(outdated);
    wiring.rejects()?;
    Ok(wiring.nodes.graph)
}

impl Wiring<'_> {
    /// The table of a model or seed: it begins again when it is made anew.
    pub(super) fn begins(&self, table: &str, config: DeltaConfig) -> DeltaConfig {
        match &self.part {
            Some(part) if part.rebuilds(table) => config.beginning_after(part.newest),
            _ => config,
        }
    }

    /// The rows of a table that stays, for those that read it. True when it stays: nothing else is to be built of it.
    pub(super) fn stored(&mut self, table: &str, path: &str, schema: &SchemaRef) -> Result<bool> {
        let Some(part) = &self.part else { return Ok(false) };
        if part.rebuilds(table) || part.changes.new_streams.contains(table) {
            return Ok(false);
        }
        if part.changes.read().contains(table) {
            let schema = schema.clone();
            let output =
                self.stored_rows(table, path, Arc::new(move |rows| in_columns(&rows, &schema).map(Batch::insert)))?;
            self.nodes.tables.insert(table.to_owned(), output);
        }
        Ok(true)
    }

    /// Rejects of the models that are made anew, or are gone: they are taken back, and come again where they still are some.
    fn rejects_of_rebuilt(&mut self, changes: &Changes) -> Result<Output> {
        let tables = changes.rebuilt.keys().chain(&changes.gone);
        let reasons: Vec<String> = tables.map(|table| reason_begins(table)).collect();
        let path = self.pipeline.rejects_table(&self.context.store).path;
        let make: MakeChanges = Arc::new(move |rows| {
            let rows = in_columns(&rows, &rejects_schema())?;
            let (streams, why) = (rows["stream"].as_string::<i32>(), rows["reason"].as_string::<i32>());
            let is_theirs = |i: usize| {
                let of_model = streams.is_null(i) && why.is_valid(i);
                of_model && reasons.iter().any(|begin| why.value(i).starts_with(begin.as_str()))
            };
            let theirs: BooleanArray = (0..rows.num_rows()).map(|i| Some(is_theirs(i))).collect();
            let rows = filter_record_batch(&rows, &theirs)?;
            let weights = Int64Array::from(vec![-1; rows.num_rows()]);
            Ok(Batch::weighted(rows, weights))
        });
        self.stored_rows(REJECTS, &path, make)
    }

    fn stored_rows(&mut self, table: &str, path: &str, make: MakeChanges) -> Result<Output> {
        let stored = StoredTable::new(self.context.store.clone(), path, self.context.runtime.clone(), make);
        let build = move |c: &SourceContext| Ok(Box::new(stored.source(c)) as _);
        let node = self.nodes.graph.source(format!("stored/{table}"), build)?;
        Ok(Output { node, port: 0 })
    }
}

/// A batch of a table in the columns that the graph has for it. A column that the table did not have yet is null.
fn in_columns(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    // What does not fit is an error and not a null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let columns = schema.fields().iter().map(|field| match rows.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
        Some(column) => cast_with_options(column, field.data_type(), &options).map_err(Error::from),
        None => Ok(new_null_array(field.data_type(), rows.num_rows())),
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect::<Result<Vec<_>>>()?)?)
}
