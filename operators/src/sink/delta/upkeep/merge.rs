//! Writes the rows of small files again into larger ones, and puts these in their place.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use deltalake::kernel::{Action, Add, Remove};
use deltalake::protocol::DeltaOperation;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;
use sluice_engine::{Error, ErrorKind, Result};

use super::super::committer::DeltaCommitter;
use super::super::file_name::MERGE;
use super::super::files::Files;
use super::super::log::Appended;
use super::super::log_state::ActiveFile;
use super::super::rewrite::remove_file;
use super::super::schema::TableSchema;
use super::super::upload::put_files;
use crate::store::{FileToRead, read_file};

/// Tries of the commit of a merge after the first.
const MERGE_RETRIES_MAX: u32 = 5;
/// Pause before each of them, in milliseconds.
const MERGE_PAUSE_MS: u64 = 200;

/// Files to merge, in the order of their rows.
pub(super) type Group = Vec<(String, ActiveFile)>;

/// Files that have been merged, and those that hold their rows. No log knows the latter yet.
#[derive(Debug)]
pub(in super::super) struct Merged {
    pub(super) inputs: Vec<(String, ActiveFile)>,
    pub(super) adds: Vec<Add>,
}

impl Merged {
    /// Several as one.
    pub(super) fn whole(several: Vec<Merged>) -> Merged {
        let mut whole = Merged { inputs: Vec::new(), adds: Vec::new() };
        for one in several {
            whole.inputs.extend(one.inputs);
            whole.adds.extend(one.adds);
        }
        whole
    }
}

/// How the files of a table are written.
#[derive(Clone)]
pub(super) struct Writing {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) schema: Arc<TableSchema>,
    pub(super) target_file_bytes: usize,
    pub(super) row_group_rows: usize,
    pub(super) generation: u64,
}

impl Writing {
    /// Writes the group's rows into new files; nothing of it is visible.
    ///
    /// # Errors
    /// `Transient` when the lake is away, `Data` when a file is not what the log says, `Bug` when rows were lost on the way.
    pub(super) async fn merge(&self, group: Group) -> Result<Merged> {
        // Rows that are twice in the table make equal files, which must not have one name.
        let writer = format!("{:05}-{MERGE}-{}", self.generation, uuid::Uuid::new_v4().simple());
        let mut files = Files::new(self.schema.clone(), self.target_file_bytes, self.row_group_rows, writer);
        let mut read = 0;
        for (path, file) in &group {
            let file = FileToRead {
                path: path.clone(),
                size_bytes: file.size_bytes,
                partition_values: file.partition_values.clone(),
            };
            let mut rows = read_file(self.objects.clone(), file, self.schema.table.clone(), None).await?;
            while let Some(rows) = rows.try_next().await? {
                read += rows.num_rows() as u64;
                files.write(&rows)?;
                put_files(&self.objects, files.take_full()).await?;
            }
        }
        let made = files.finish()?;
        put_files(&self.objects, files.take_full()).await?;
        let adds: Vec<Add> = made.adds.into_iter().map(|add| Add { data_change: false, ..add }).collect();
        if made.rows != read {
            discard(&self.objects, &adds).await;
            return Err(Error::bug(format!("{read} rows were read and {} written when files were merged", made.rows)));
        }
        Ok(Merged { inputs: group, adds })
    }
}

/// Deletes files that no log knows and none ever will. What stays is an orphan, which a later pass finds.
pub(super) async fn discard(objects: &Arc<dyn ObjectStore>, adds: &[Add]) {
    for add in adds {
        let Ok(location) = Path::parse(&add.path) else { continue };
        if let Err(e) = objects.delete(&location).await {
            tracing::debug!(path = add.path, error = %e, "a file that is not needed stays for now");
        }
    }
}

impl DeltaCommitter {
    /// Puts merged files in the place of those that they were made of, in one commit that changes no row. False when one of
    /// those is no part of the table any more: then nothing is changed.
    pub(in super::super) async fn commit_merged(&mut self, merged: Merged) -> Result<bool> {
        let mut last = None;
        for tried in 0..=MERGE_RETRIES_MAX {
            if tried > 0 {
                tokio::time::sleep(Duration::from_millis(MERGE_PAUSE_MS)).await;
            }
            match self.try_commit_merged(&merged).await {
                Ok(Outcome::Done) => return Ok(true),
                Ok(Outcome::Overtaken) => {
                    discard(&self.log.log_store().object_store(None), &merged.adds).await;
                    return Ok(false);
                }
                Ok(Outcome::Again(e)) => last = Some(e),
                Err(e) if e.kind() == ErrorKind::Transient => last = Some(e),
                Err(e) => return Err(e),
            }
        }
        // Nobody knows whether it is there, so its files must stay.
        Err(last.unwrap_or_else(|| Error::transient("merged files could not be committed")))
    }

    async fn try_commit_merged(&mut self, merged: &Merged) -> Result<Outcome> {
        if !self.log.refresh().await? {
            return Ok(Outcome::Overtaken);
        }
        let state = self.log.state().ok_or_else(|| Error::bug("a table that was read is not there"))?;
        if merged.adds.iter().all(|add| state.files.contains_key(&add.path)) && !merged.adds.is_empty() {
            return Ok(Outcome::Done);
        }
        if merged.inputs.iter().any(|(path, _)| !state.files.contains_key(path)) {
            return Ok(Outcome::Overtaken);
        }
        let removes = merged
            .inputs
            .iter()
            .map(|(path, file)| Action::Remove(Remove { data_change: false, ..remove_file(path, file) }));
        let now_ms = Utc::now().timestamp_millis();
        let adds = merged.adds.iter().cloned().map(|add| Action::Add(Add { modification_time: now_ms, ..add }));
        let operation = DeltaOperation::Optimize { predicate: None, target_size: self.config.target_file_bytes as i64 };
        let outcome = self.log.append(removes.chain(adds).collect(), operation, None, info(merged)).await;
        Ok(match outcome {
            Appended::Yes => Outcome::Done,
            Appended::Taken => Outcome::Again(Error::transient("the version has been taken by another commit")),
            Appended::Unknown(e) => Outcome::Again(e),
        })
    }
}

enum Outcome {
    Done,
    /// A file has gone meanwhile.
    Overtaken,
    /// The log is to be read again, and then perhaps another try made.
    Again(Error),
}

fn info(merged: &Merged) -> HashMap<String, serde_json::Value> {
    let bytes: u64 = merged.inputs.iter().map(|(_, file)| file.size_bytes).sum();
    let metrics = json!({
        "numAddedFiles": merged.adds.len().to_string(),
        "numRemovedFiles": merged.inputs.len().to_string(),
        "numRemovedBytes": bytes.to_string(),
        "numAddedBytes": merged.adds.iter().map(|add| add.size).sum::<i64>().to_string(),
    });
    HashMap::from([
        ("operationMetrics".to_string(), metrics),
        ("engineName".to_string(), json!(concat!("sluice ", env!("CARGO_PKG_VERSION")))),
    ])
}
