//! `sluice status`: what the newest manifest says, and which tables are older than it.

use clap::Args;
use sluice_engine::checkpoint::newest;

use super::{Outcome, ProjectDir, opened, output};
use crate::lake::{RefreshFailure, read_failures};
use crate::node_names;

/// The newest epoch, how far each stream was read (`partition:offset` or `file:byte` of what comes next), and which models
/// could not be refreshed.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    project: ProjectDir,
}

pub async fn status(args: StatusArgs) -> Outcome {
    let pipeline = opened::open(&args.project.project).await?;
    let store = opened::lake(&pipeline)?;
    let Some(manifest) = newest(&store, &pipeline.project.name).await? else {
        output::say(&format!("pipeline {:?} has not committed anything yet in {}", pipeline.project.name, store.url()));
        return Ok(());
    };
    output::say(&format!(
        "pipeline {:?}: epoch {}, generation {}, in {}",
        manifest.pipeline,
        manifest.epoch,
        manifest.generation,
        store.url()
    ));
    let streams = manifest.positions.iter().filter_map(|(node, at)| Some((node_names::stream_of(node)?, at)));
    for (stream, position) in streams {
        let splits: Vec<String> = position.0.iter().map(|(split, p)| format!("{split}:{}", p.next)).collect();
        output::say(&format!("{stream:<40} {}", splits.join(" ")));
    }
    for (model, failure) in read_failures(&store, &pipeline.project.name).await? {
        if pipeline.models.contains_key(&model) {
            let RefreshFailure { epoch, error } = failure;
            output::say(&format!("{model:<40} is old: its refresh at epoch {epoch} failed: {error}"));
        }
    }
    Ok(())
}
