//! Whether a run would go on from what is in the lake.

use sluice_engine::checkpoint::newest;
use sluice_engine::metrics::Waits;
use sluice_engine::runtime::check_same_graph;
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::sink::delta::check_table;
use sluice_operators::store::Store;

use crate::compile::{GraphContext, Pipeline, build_graph};

/// What a run would refuse: a project that makes other rows than those that are there, or else tables that do not fit.
/// Stops at the first that says that the lake is away, as all others would say the same.
pub async fn run_faults(pipeline: &Pipeline, store: &Store) -> Vec<Error> {
    // A run looks at this first; tables that do not fit a changed project are the same fault.
    if let Err(fault) = same_project(pipeline, store).await {
        return vec![fault];
    }
    let mut faults = Vec::new();
    for table in pipeline.lake_tables(store) {
        if let Err(fault) = check_table(&table.config).await {
            let away = fault.kind() == ErrorKind::Transient;
            faults.push(fault);
            if away {
                break;
            }
        }
    }
    faults
}

/// Whether the project is still the one of the newest manifest.
async fn same_project(pipeline: &Pipeline, store: &Store) -> Result<()> {
    let Some(manifest) = newest(store, &pipeline.project.name).await? else { return Ok(()) };
    let runtime = tokio::runtime::Handle::current();
    let context = GraphContext {
        store: store.clone(),
        generation: manifest.generation,
        runtime,
        waits: Waits::default(),
        replay: None,
    };
    check_same_graph(&build_graph(pipeline, &context)?, &manifest)
}
