//! The files of a table's log: checkpoints, and which of them and of the entries nobody needs any more.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use deltalake::DeltaTable;
use deltalake::checkpoints::create_checkpoint;
use deltalake::logstore::LogStoreRef;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use sluice_engine::Result;

use crate::store::{delta_error, store_error};

/// Commits between two checkpoints of the log. What is read when a table is opened is the newest checkpoint and the entries
/// after it.
pub(in super::super) const CHECKPOINT_EVERY_COMMITS: u64 = 100;
/// Files of the log that one pass deletes, at most; the next goes on.
const DELETED_MAX: usize = 1_000;

const FOLDER: &str = "_delta_log";

#[derive(Deserialize)]
struct Hint {
    version: u64,
}

/// The version of the newest checkpoint, as readers are told; none when there is none or the hint cannot be read.
pub(in super::super) async fn last_checkpoint(objects: &Arc<dyn ObjectStore>) -> Result<Option<u64>> {
    let doing = "read the log's hint for its newest checkpoint";
    let hint = match objects.get(&Path::from(FOLDER).join("_last_checkpoint")).await {
        Ok(hint) => hint.bytes().await.map_err(|e| store_error(doing, e))?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(store_error(doing, e)),
    };
    Ok(serde_json::from_slice::<Hint>(&hint).ok().map(|hint| hint.version))
}

/// Writes a checkpoint of the newest version, which readers then start from. Returns its version.
pub(super) async fn checkpoint(log_store: &LogStoreRef, label: &str) -> Result<u64> {
    let doing = format!("write a checkpoint of {label}");
    let mut table = DeltaTable::new(log_store.clone());
    table.load().await.map_err(|e| delta_error(&doing, e))?;
    create_checkpoint(&table, None).await.map_err(|e| delta_error(&doing, e))?;
    Ok(table.version().unwrap_or(0))
}

/// A file of the log that is of one version.
struct LogFile {
    version: u64,
    is_checkpoint: bool,
    meta: ObjectMeta,
}

async fn list(objects: &Arc<dyn ObjectStore>) -> Result<Vec<LogFile>> {
    let files = objects.list(Some(&Path::from(FOLDER)));
    let mut files: Vec<LogFile> = files
        .try_filter_map(|meta| std::future::ready(Ok(log_file(meta))))
        .try_collect()
        .await
        .map_err(|e| store_error("list the log", e))?;
    files.sort_unstable_by(|a, b| (a.version, &a.meta.location).cmp(&(b.version, &b.meta.location)));
    Ok(files)
}

/// `00000000000000000007.json`, `00000000000000000007.checkpoint.parquet` and what other programs write beside them.
fn log_file(meta: ObjectMeta) -> Option<LogFile> {
    let name = meta.location.filename()?;
    let (digits, rest) = name.split_at_checked(20)?;
    let version = digits.parse().ok().filter(|_| rest.starts_with('.'))?;
    Some(LogFile { version, is_checkpoint: rest == ".checkpoint.parquet", meta })
}

/// How many files there are in the log that are of one version.
pub(super) async fn count(objects: &Arc<dyn ObjectStore>) -> Result<u64> {
    Ok(list(objects).await?.len() as u64)
}

/// Deletes what lies before the newest checkpoint that is older than `keep`: so every version of that time can still be
/// read. That checkpoint, and all after it, stay; so does everything while there is no checkpoint that readers are told of.
/// The oldest goes first: what is left has no hole, whenever this ends. Returns how many files have gone.
///
/// # Errors
/// `Transient` when the lake is away; what was not deleted is found by the next call.
pub(super) async fn clean(objects: &Arc<dyn ObjectStore>, keep: Duration) -> Result<u64> {
    let Some(told) = last_checkpoint(objects).await? else { return Ok(0) };
    let files = list(objects).await?;
    let kept_since_ms = Utc::now().timestamp_millis() - i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let old_enough = |f: &&LogFile| f.meta.last_modified.timestamp_millis() <= kept_since_ms;
    let checkpoints = files.iter().filter(|f| f.is_checkpoint && f.version <= told);
    let Some(first_kept) = checkpoints.filter(old_enough).map(|f| f.version).max() else { return Ok(0) };
    let mut deleted = 0;
    for file in files.iter().take_while(|f| f.version < first_kept).take(DELETED_MAX) {
        match objects.delete(&file.meta.location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => deleted += 1,
            Err(e) => return Err(store_error(&format!("delete {}", file.meta.location), e)),
        }
    }
    Ok(deleted)
}
