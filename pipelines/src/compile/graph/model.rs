//! One model's operators over rows that are given, as a graph of their own.

use datafusion::arrow::datatypes::SchemaRef;
use sluice_engine::Result;
use sluice_engine::graph::{Exchange, Graph, Input};
use sluice_engine::testing::MemoryTable;

use super::{Nodes, Output};
use crate::sources::SourceFactory;
use crate::sql::op::Op;

/// The rows of a table that a model reads.
pub struct GivenSource {
    /// The table, `layer.name`, in lower case.
    pub table: String,
    /// Makes what gives them on a worker.
    pub build: SourceFactory,
}

/// The operators that a run would have for a model whose plan is `op` and whose columns are `schema`: its rows go to
/// `rows`, those for which an expression fails to `rejected`.
///
/// # Errors
/// `Bug` when a table that is read is not given.
pub fn model_graph(
    (op, schema, table): (&Op, &SchemaRef, &str),
    given: Vec<GivenSource>,
    rows: &MemoryTable,
    rejected: &MemoryTable,
) -> Result<Graph> {
    let mut nodes = Nodes::default();
    for source in given {
        let node = nodes.graph.source(format!("given/{}", source.table), source.build)?;
        nodes.tables.insert(source.table, Output { node, port: 0 });
    }
    let output = nodes.model(op, schema, table)?;
    sink(&mut nodes, "rows", vec![output.input(Exchange::Forward)], rows)?;
    let rejects = nodes.all_rejects()?;
    sink(&mut nodes, "rejects", rejects, rejected)?;
    Ok(nodes.graph)
}

fn sink(nodes: &mut Nodes, name: &str, inputs: Vec<Input>, table: &MemoryTable) -> Result<()> {
    let (committer, table) = (table.committer(None), table.clone());
    // A model without expressions rejects nothing.
    if !inputs.is_empty() {
        nodes.graph.sink(name, inputs, move |_| Ok(table.sink()), committer)?;
    }
    Ok(())
}
