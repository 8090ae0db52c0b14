//! The table's log, followed to its end: cheap to read again, because only new commits are read.
//!
//! The log is contiguous, so version `n` is the newest when `n + 1` does not exist; that is one look-up, where listing the
//! folder would cost more with every commit ever made.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, EagerSnapshot, Transaction};
use deltalake::logstore::{CommitOrBytes, LogStore, LogStoreRef, get_actions};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use futures::TryStreamExt;
use serde_json::Value as Json;
use sluice_engine::{Error, Result};

use super::log_state::{ActiveFile, LogState, Removed};
use super::upkeep::last_checkpoint;
use crate::store::{delta_error, opening, store_error};

/// After so long without a look at the log it is read from its newest checkpoint: others may have cleaned up what lies
/// between. Entries of the log stay for longer than this (`KEEP_LOG_MIN`), so that a look before then misses none.
pub(super) const RELOAD_AFTER: Duration = Duration::from_secs(3600);

/// A table's log as one committer follows it.
pub(super) struct TableLog {
    log_store: LogStoreRef,
    app_id: String,
    label: String,
    /// Whether the files' statistics are kept: for finding rows that are taken out.
    keep_stats: bool,
    state: Option<(LogState, Instant)>,
}

/// How an attempt to append to the log ended.
pub(super) enum Appended {
    /// The version is there, and it is ours.
    Yes,
    /// Another writer (or an earlier attempt of ours) has taken the version.
    Taken,
    /// Nobody knows: it may be there or not.
    Unknown(Error),
}

impl TableLog {
    pub(super) fn new(log_store: LogStoreRef, app_id: String, label: String, keep_stats: bool) -> Self {
        Self { log_store, app_id, label, keep_stats, state: None }
    }

    pub(super) fn log_store(&self) -> &LogStoreRef {
        &self.log_store
    }

    /// The table as of the last [`TableLog::refresh`]; none when there was no table.
    pub(super) fn state(&self) -> Option<&LogState> {
        self.state.as_ref().map(|(s, _)| s)
    }

    pub(super) fn state_mut(&mut self) -> Option<&mut LogState> {
        self.state.as_mut().map(|(s, _)| s)
    }

    /// Reads the log to its end. False when there is no table.
    pub(super) async fn refresh(&mut self) -> Result<bool> {
        if let Some((state, read_at)) = &mut self.state
            && read_at.elapsed() < RELOAD_AFTER
        {
            loop {
                let next = state.version + 1;
                let entry = self.log_store.read_commit_entry(next).await;
                let Some(bytes) = entry.map_err(|e| delta_error(&format!("read the log of {}", self.label), e))? else {
                    *read_at = Instant::now();
                    return Ok(true);
                };
                let actions = get_actions(next, &bytes)
                    .map_err(|e| delta_error(&format!("read the log of {}", self.label), e))?;
                state.apply(next, actions, &self.app_id, self.keep_stats);
            }
        }
        self.load().await
    }

    async fn load(&mut self) -> Result<bool> {
        self.state = None;
        let doing = format!("open {}", self.label);
        let read_at = Instant::now();
        if !self.log_store.is_delta_table_location().await.map_err(|e| delta_error(&doing, e))? {
            return Ok(false);
        }
        let _turn = opening().await;
        let log_store = self.log_store.as_ref();
        let snapshot = EagerSnapshot::try_new(log_store, None).await.map_err(|e| delta_error(&doing, e))?;
        let epoch = snapshot.transaction_version(log_store, &self.app_id).await.map_err(|e| delta_error(&doing, e))?;
        let snapshot = DeltaTableState::new(snapshot);
        let removed = removed_files(&snapshot, log_store).await.map_err(|e| delta_error(&doing, e))?;
        let mut files = HashMap::new();
        for file in snapshot.log_data().iter() {
            let active = ActiveFile {
                size_bytes: u64::try_from(file.size()).unwrap_or_default(),
                modified_ms: file.modification_time(),
                partition_values: file.partition_values_map(),
                stats: if self.keep_stats { file.stats() } else { None },
                deletion_vector: file.deletion_vector_descriptor().is_some(),
            };
            files.insert(file.path().into_owned(), active);
        }
        let checkpoint = last_checkpoint(&self.log_store.object_store(None)).await?;
        let state = LogState {
            version: snapshot.version(),
            checkpoint: checkpoint.unwrap_or(0),
            protocol: snapshot.protocol().clone(),
            metadata: snapshot.metadata().clone(),
            epoch,
            files,
            removed,
            checked: false,
        };
        self.state = Some((state, read_at));
        Ok(true)
    }

    /// Writes the next version, or version 0 when there is no table. After anything but `Yes`, refresh first.
    pub(super) async fn append(
        &mut self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        txn: Option<Transaction>,
        info: HashMap<String, Json>,
    ) -> Appended {
        let version = self.state().map_or(0, |s| s.version + 1);
        let data = CommitData::new(actions, operation, info, txn.into_iter().collect());
        let bytes = match data.get_bytes() {
            Ok(bytes) => bytes,
            Err(e) => return Appended::Unknown(Error::bug("a commit cannot be written as JSON").because(e)),
        };
        let entry = CommitOrBytes::LogBytes(bytes);
        match self.log_store.write_commit_entry(version, entry, uuid::Uuid::new_v4()).await {
            Ok(()) => {
                if let Some((state, _)) = &mut self.state {
                    state.apply(version, data.actions, &self.app_id, self.keep_stats);
                }
                Appended::Yes
            }
            Err(TransactionError::VersionAlreadyExists(_)) => Appended::Taken,
            Err(TransactionError::ObjectStore { source }) => {
                Appended::Unknown(store_error(&format!("commit version {version} of {}", self.label), source))
            }
            Err(e) => Appended::Unknown(
                Error::transient(format!("could not commit version {version} of {}", self.label)).because(e),
            ),
        }
    }
}

/// The files that have been taken out of the table and may still be there, oldest first.
async fn removed_files(
    snapshot: &DeltaTableState,
    log_store: &dyn LogStore,
) -> deltalake::DeltaResult<VecDeque<Removed>> {
    let mut removed: Vec<Removed> = snapshot
        .all_tombstones(log_store)
        .map_ok(|file| Removed { path: file.path().into_owned(), at_ms: file.deletion_timestamp().unwrap_or(0) })
        .try_collect()
        .await?;
    removed.sort_by(|a, b| a.at_ms.cmp(&b.at_ms).then_with(|| a.path.cmp(&b.path)));
    Ok(removed.into())
}
