//! The lake in a folder of this machine.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use sluice_engine::{Error, Result};
use url::Url;

use super::{Kind, Store, not_usable};

/// How deep `sweep_temp` looks below a table: partitions and the log are well within it.
const SWEEP_DEPTH_MAX: usize = 16;

pub(super) fn open(folder: &str) -> Result<Store> {
    let refuse = |why: &str, e: std::io::Error| not_usable(folder, why).because(e);
    std::fs::create_dir_all(folder).map_err(|e| refuse("the folder cannot be made", e))?;
    let absolute = std::fs::canonicalize(folder).map_err(|e| refuse("the folder cannot be read", e))?;
    let url = Url::from_directory_path(&absolute).map_err(|()| not_usable(folder, "it is not a folder"))?;
    let prefix =
        Path::from_url_path(url.path()).map_err(|e| not_usable(folder, "its name cannot be used").because(e))?;
    Ok(Store::over(Arc::new(LocalFileSystem::new()), prefix, url, Kind::Local(absolute)))
}

/// Removes `name#7`: what `LocalFileSystem` writes to before it gives a file its name.
pub(super) async fn sweep_temp(folder: PathBuf) -> Result<usize> {
    let shown = folder.display().to_string();
    tokio::task::spawn_blocking(move || sweep(&folder, 0))
        .await
        .map_err(|e| Error::bug("the sweep of temporary files ended early").because(e))?
        .map_err(|e| Error::transient(format!("could not sweep temporary files below {shown}")).because(e))
}

fn sweep(folder: &FsPath, depth: usize) -> std::io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < SWEEP_DEPTH_MAX {
            swept += sweep(&entry.path(), depth + 1)?;
        } else if kind.is_file() && is_temp(&entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn is_temp(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
