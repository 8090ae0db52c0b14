//! A project that a command works on.

use std::path::Path;
use std::sync::Arc;

use sluice_engine::{Error, Result};
use sluice_operators::store::Store;

use super::{Failure, ProjectDir, output};
use crate::compile::{Pipeline, load_project, plan_project};

/// Loads and plans a project; its warnings are shown.
pub async fn open(from: &ProjectDir) -> Result<Arc<Pipeline>, Failure> {
    let project = load_project(&from.project, |name| std::env::var(name).ok(), from.vars.clone().unwrap_or_default())?;
    project.warnings.iter().for_each(|w| output::warning(w));
    let pipeline = plan_project(project).await?;
    pipeline.warnings.iter().for_each(|w| output::warning(w));
    Ok(Arc::new(pipeline))
}

/// The lake of a project. A relative folder is below the project's.
pub fn lake(pipeline: &Pipeline) -> Result<Store> {
    let lake = &pipeline.project.settings.lake;
    let url = if lake.contains("://") || Path::new(lake).is_absolute() {
        lake.clone()
    } else {
        let root = std::path::absolute(&pipeline.project.root).map_err(|e| {
            Error::config(format!("the folder {} cannot be used: {e}", pipeline.project.root.display()))
        })?;
        root.join(lake.trim_start_matches("./")).to_string_lossy().into_owned()
    };
    Store::open(&url)
}
