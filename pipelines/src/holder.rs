//! Who runs a pipeline, as far as can be known: a run says so when it starts, and when it has ended.

use sluice_engine::checkpoint::newest_holder;
use sluice_engine::{Error, Result};
use sluice_operators::store::Store;

/// This process: shown to a daemon that was fenced, and to whoever finds that the pipeline is run.
pub fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} process {}", host.trim(), std::process::id())
}

/// Refuses what must have a pipeline's tables alone while a run has not said that it is over, unless it is known to be gone.
///
/// # Errors
/// `Config` when it goes on, or may; `Transient` when the lake is away, `Data` when what the run has said cannot be read.
pub async fn refuse_running(store: &Store, pipeline: &str) -> Result<()> {
    let running = newest_holder(store, pipeline).await?.filter(|holder| !holder.ended && !is_gone(&holder.holder));
    let Some(holder) = running else { return Ok(()) };
    Err(Error::config(format!(
        "pipeline {pipeline:?} is run by {} (generation {}); stop it first, or, if it is gone without a word (killed, or its \
         machine is), say --take-over",
        holder.holder, holder.generation
    )))
}

/// True when the holder was a process of this machine that is not there any more. Of other machines nothing is known.
fn is_gone(holder: &str) -> bool {
    let this = own_name();
    let words = |text: &str| text.rsplit_once(" process ").map(|(host, pid)| (host.to_owned(), pid.to_owned()));
    match (words(holder), words(&this)) {
        // Whoever has this process's own number was another, before it.
        (Some((host, pid)), Some((here, own))) => {
            host.ends_with(&here) && (pid == own || !std::path::Path::new("/proc").join(pid).exists())
        }
        _ => false,
    }
}
