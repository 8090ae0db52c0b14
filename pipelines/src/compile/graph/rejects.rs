//! The table of what could not be processed: records that could not be decoded, rows for which an expression fails.

use std::collections::BTreeMap;

use sluice_engine::Result;
use sluice_engine::graph::{Exchange, Input, levels};
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::sink::delta::WriteMode;
use sluice_operators::store::OWN_FOLDER;
use sluice_operators::transform::union::Union;

use super::{Output, Wiring};

/// Where rejects come from.
pub(super) struct Rejects {
    outputs: Vec<Output>,
    taken_back: bool,
}

impl Rejects {
    /// No outputs yet. `taken_back` says that rejects are taken back whatever those are.
    pub(super) fn new(taken_back: bool) -> Self {
        Self { outputs: vec![], taken_back }
    }

    /// An output in the columns of the rejects' table.
    pub(super) fn add(&mut self, output: Output, append_only: bool) {
        self.outputs.push(output);
        self.taken_back |= !append_only;
    }
}

impl Wiring<'_> {
    /// Leads all rejects into their table. Those of one stage are brought together first: each way from a stage to
    /// another is a ring for each worker, and there is a rejecting node for nearly every model.
    pub(super) fn rejects(&mut self) -> Result<()> {
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
        let mode = if self.rejects.taken_back { WriteMode::Changes } else { WriteMode::Append };
        let about = "records that could not be decoded and rows for which an expression fails, with the reason";
        let table = self.delta(&format!("{OWN_FOLDER}/rejects"), "rejects", rejects_schema(), mode, about);
        self.add_delta_sink("rejects", table, inputs)
    }
}
