//! Where dbt's artifacts go: `target-path` of the project, `target` when it has none.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;

use super::output;
use crate::artifacts::{Invocation, NodeResult, catalog, manifest, run_results};
use crate::compile::Pipeline;

/// Writes `manifest.json` and `catalog.json`. A folder that cannot be written is a warning: the work does not need them.
pub fn write_manifest(pipeline: &Pipeline) {
    let by = Invocation::now(std::process::id());
    write(pipeline, &[("manifest.json", manifest(&pipeline.project, &by)), ("catalog.json", catalog(pipeline, &by))]);
}

/// Writes `run_results.json` of a command.
pub fn write_results(pipeline: &Pipeline, command: &str, results: &[NodeResult], took: Duration) {
    let by = Invocation::now(std::process::id());
    write(pipeline, &[("run_results.json", run_results(results, command, took, &by))]);
}

fn write(pipeline: &Pipeline, files: &[(&str, Json)]) {
    let folder: PathBuf = pipeline.project.root.join(&pipeline.project.target_path);
    let written = std::fs::create_dir_all(&folder).and_then(|()| {
        files.iter().try_for_each(|(name, json)| {
            // Whoever reads it meanwhile reads the old one.
            let fresh = folder.join(format!("{name}.new"));
            std::fs::write(&fresh, json.to_string())?;
            std::fs::rename(fresh, folder.join(name))
        })
    });
    if let Err(e) = written {
        output::warning(&format!("artifacts could not be written to {}: {e}", folder.display()));
    }
}
