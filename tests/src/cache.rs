//! Where `tests/setup` has put the servers and the Python programs.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, bail};

/// The folder that `tests/setup` fills: `SLUICE_CACHE`, or `~/.cache/sluice`.
///
/// # Errors
/// When neither `SLUICE_CACHE` nor `HOME` is set.
pub fn folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = env::var_os("SLUICE_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    let home = env::var_os("HOME").context("environment variable HOME is not set; set SLUICE_CACHE to a folder")?;
    Ok(PathBuf::from(home).join(".cache/sluice"))
}

/// The folder of the server `name` (`kafka`, `hdfs`, `clickhouse`).
///
/// # Errors
/// When it is not installed.
pub fn service(name: &str) -> anyhow::Result<PathBuf> {
    let folder = folder()?.join("services").join(name);
    // The version file is written last, so a folder without it is a download that was cut off.
    if !folder.join(".version").is_file() {
        bail!("server \"{name}\" is not in {}; run tests/setup", folder.display());
    }
    Ok(folder)
}

/// A program of the Python environment: `python`, `dbt`.
///
/// # Errors
/// When it is not installed.
pub fn python_program(name: &str) -> anyhow::Result<PathBuf> {
    let program = folder()?.join("venv/bin").join(name);
    if !program.is_file() {
        bail!("program \"{name}\" is not at {}; run tests/setup", program.display());
    }
    Ok(program)
}
