//! Deletes data files that are no part of the table any more.
//!
//! Which those are, the log says: files that were taken out of the table for longer than they are kept. Files that no log
//! knows (a run that was killed has left them) are looked for in the table's folder, and only those go that an earlier run
//! has written under this program's own names, long ago: a file that was written and not committed yet is never one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice_engine::Result;

use super::super::file_name::{MERGE, REBASE, REWRITE, WHOLE_WRITER};
use crate::store::store_error;

/// Data files that one pass deletes, at most; the next goes on.
pub(super) const DELETED_MAX: usize = 1_000;
/// Age of a file that no log knows before it is deleted. An epoch may wait for long before it is committed (while ClickHouse
/// is away, for instance); never for so long.
const ORPHAN_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Deletes files of the table. Returns those that are gone.
///
/// # Errors
/// `Transient` when the lake is away.
pub(super) async fn delete(objects: &Arc<dyn ObjectStore>, paths: Vec<String>) -> Result<Vec<String>> {
    let mut gone = Vec::with_capacity(paths.len());
    for path in paths {
        // What is no path of the table's folder (an address elsewhere, of a shallow clone) is not ours to delete.
        if let Ok(location) = Path::parse(&path) {
            match objects.delete(&location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(store_error(&format!("delete data file {path}"), e)),
            }
        }
        gone.push(path);
    }
    Ok(gone)
}

/// Files in the table's folder that runs before `generation` have left and that are not among the `known` ones.
///
/// # Errors
/// `Transient` when the lake is away.
pub(super) async fn orphans(
    objects: &Arc<dyn ObjectStore>,
    known: &HashSet<String>,
    generation: u64,
) -> Result<Vec<String>> {
    let before_ms = Utc::now().timestamp_millis() - ORPHAN_AFTER.as_millis() as i64;
    let files = objects.list(None).try_filter_map(|meta| {
        let path = meta.location.to_string();
        let is_orphan = meta.last_modified.timestamp_millis() < before_ms
            && !path.starts_with("_delta_log/")
            && written_before(meta.location.filename().unwrap_or_default(), generation)
            && !known.contains(&path);
        std::future::ready(Ok(is_orphan.then_some(path)))
    });
    let mut found: Vec<String> = files.try_collect().await.map_err(|e| store_error("list the table's files", e))?;
    found.sort_unstable();
    found.truncate(DELETED_MAX);
    Ok(found)
}

/// True for the name of a data file that a run before `generation` has given (see `Files`).
fn written_before(name: &str, generation: u64) -> bool {
    let Some(rest) = name.strip_prefix("part-") else { return false };
    if !name.ends_with(super::super::writer::FILE_SUFFIX) {
        return false;
    }
    let mut parts = rest.split('-');
    match (parts.next(), parts.next()) {
        (Some(WHOLE_WRITER), Some(_)) => true,
        (Some(run), Some(writer)) => {
            let ours = matches!(writer, REWRITE | MERGE | REBASE)
                || writer.len() == 3 && writer.bytes().all(|b| b.is_ascii_digit());
            ours && run.parse::<u64>().is_ok_and(|run| run < generation)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only names that this program gives, and only those of earlier runs, are taken for its own.
    #[test]
    fn names_of_other_programs_and_of_this_run_are_left_alone() {
        let uuid = "0b0a6a1e-52a4-4d37-8f5b-3c1b5e3f6a11";
        for ours in [
            "00004-000-00001",
            "00001-rewrite-7-00000",
            "00001-rebase-7-00000",
            "00004-merge-0b0a6a1e-00000",
            "whole-12-00000",
        ] {
            assert!(written_before(&format!("part-{ours}-{uuid}.snappy.parquet"), 5), "{ours}");
        }
        for other in ["00005-000-00001", "00006-merge-00000", "00000", "00001-c000"] {
            assert!(!written_before(&format!("part-{other}-{uuid}.snappy.parquet"), 5), "{other}");
        }
        assert!(!written_before(&format!("part-00000-{uuid}-c000.snappy.parquet"), 5));
        assert!(!written_before("part-00001-000-00000.parquet.tmp", 5));
    }
}
