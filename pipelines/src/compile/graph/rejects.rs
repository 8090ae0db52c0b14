//! The table of what could not be processed: records that could not be decoded, rows for which an expression fails.

use std::collections::BTreeMap;

use sluice_engine::Result;
use sluice_engine::graph::{Exchange, Input, levels};
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::sink::delta::WriteMode;
use sluice_operators::transform::union::Union;

use super::{Nodes, Output, Wiring};
use crate::compile::tables::REJECTS;

/// Where rejects come from.
#[derive(Default)]
pub(super) struct Rejects {
    outputs: Vec<Output>,
}

impl Rejects {
    /// An output in the columns of the rejects' table.
    pub(super) fn add(&mut self, output: Output) {
        self.outputs.push(output);
    }
}

impl Wiring<'_> {
    /// Leads all rejects into their table.
    pub(super) fn rejects(&mut self) -> Result<()> {
        let inputs = self.nodes.all_rejects()?;
        let mut table = self.pipeline.rejects_table(&self.context.store);
        if self.context.replay.is_some() || self.part.is_some() {
            // What is replayed is marked: its reject is taken back and comes again. So do those of models that are made anew.
            table.mode = WriteMode::Changes;
        }
        self.add_delta_sink(REJECTS, table, inputs)
    }
}

impl Nodes {
    /// All rejects. Those of one stage are brought together first: each way from a stage to another is a ring for each
    /// worker, and there is a rejecting node for nearly every model.
    pub(super) fn all_rejects(&mut self) -> Result<Vec<Input>> {
        // With two workers there are as many stages as there can be.
        let levels = levels(&self.graph, 2);
        let mut by_level: BTreeMap<usize, Vec<Input>> = BTreeMap::new();
        for output in std::mem::take(&mut self.rejects.outputs) {
            by_level.entry(levels[output.node.0]).or_default().push(output.input(Exchange::Forward));
        }
        let mut inputs = Vec::new();
        for (level, outputs) in by_level {
            let build = || Ok(Box::new(Union::new(rejects_schema())) as _);
            inputs.push(Input::forward(self.graph.operator(
                format!("rejects:{level}"),
                "rejects v1",
                outputs,
                build,
            )?));
        }
        Ok(inputs)
    }
}
