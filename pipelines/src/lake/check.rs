//! Whether a run would go on from what is in the lake.

use std::collections::BTreeSet;

use sluice_engine::checkpoint::newest;
use sluice_engine::metrics::Waits;
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::sink::delta::{DeltaConfig, check_table};
use sluice_operators::store::Store;

use crate::compile::{Changes, GraphContext, Pipeline, build_graph};
use crate::rebuild::find_changes;

/// What a run would refuse: a change of the project that it does not rebuild, or else tables that do not fit. Stops at the
/// first that says that the lake is away, as all others would say the same.
pub async fn run_faults(pipeline: &Pipeline, store: &Store) -> Vec<Error> {
    // A run looks at this first; tables that do not fit a changed project are the same fault.
    let changes = match lake_changes(pipeline, store, &BTreeSet::new()).await {
        Ok(changes) => changes.unwrap_or_default(),
        Err(fault) => return vec![fault],
    };
    let mut faults = Vec::new();
    for table in pipeline.lake_tables(store) {
        // A refresh makes a table of other columns anew, if it is this pipeline's own.
        let is_anew = changes.rebuilt.contains_key(&table.name);
        let checked = match check_as(&table.config, is_anew).await {
            Err(_) if table.sink.is_none() && check_as(&table.config, true).await.is_ok() => Ok(()),
            checked => checked,
        };
        if let Err(fault) = checked {
            let away = fault.kind() == ErrorKind::Transient;
            faults.push(fault);
            if away {
                break;
            }
        }
    }
    faults
}

async fn check_as(config: &DeltaConfig, is_anew: bool) -> Result<()> {
    // Whether the table is ahead of its manifest is for the start of a run to find.
    if is_anew { check_table(&config.clone().beginning_after(u64::MAX)).await } else { check_table(config).await }
}

/// What differs between the project and the newest manifest of its lake; none when nothing has run yet. Tables in `asked` are
/// made anew in any case.
///
/// # Errors
/// `Config` when a run would refuse the change, `Transient` when the lake is away.
pub async fn lake_changes(pipeline: &Pipeline, store: &Store, asked: &BTreeSet<String>) -> Result<Option<Changes>> {
    let Some(manifest) = newest(store, &pipeline.project.name).await? else { return Ok(None) };
    let runtime = tokio::runtime::Handle::current();
    let context = GraphContext {
        store: store.clone(),
        generation: manifest.generation,
        runtime,
        waits: Waits::default(),
        replay: None,
    };
    find_changes(pipeline, store, &build_graph(pipeline, &context)?, &manifest, asked).await.map(Some)
}
