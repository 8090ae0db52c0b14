//! The table's log, followed to its end: cheap to read again, because only new commits are read.
//!
//! The log is contiguous, so version `n` is the newest when `n + 1` does not exist; that is one look-up, where listing the
//! folder would cost more with every commit ever made.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, Add, EagerSnapshot, Metadata, Protocol, Transaction};
use deltalake::logstore::{CommitOrBytes, LogStoreRef, get_actions};
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTable, checkpoints};
use serde_json::Value as Json;
use sluice_engine::{Error, Result};

use crate::store::{delta_error, store_error};

/// After so long without a look at the log it is read from its newest checkpoint: others may have cleaned up what lies
/// between.
const RELOAD_AFTER: Duration = Duration::from_secs(3600);

/// A table's log as one committer follows it.
pub(super) struct TableLog {
    log_store: LogStoreRef,
    app_id: String,
    label: String,
    follow_files: bool,
    state: Option<(LogState, Instant)>,
}

/// The table as of one version.
pub(super) struct LogState {
    pub(super) version: u64,
    pub(super) protocol: Protocol,
    pub(super) metadata: Metadata,
    /// The newest epoch that this application has committed.
    pub(super) epoch: Option<i64>,
    /// The active files by path; empty when they are not followed.
    pub(super) files: HashMap<String, ActiveFile>,
    /// True when protocol and metadata have been checked against the model.
    pub(super) checked: bool,
}

/// A data file that is part of the table.
#[derive(Debug, Clone)]
pub(super) struct ActiveFile {
    pub(super) size_bytes: u64,
    pub(super) partition_values: HashMap<String, Option<String>>,
    /// The log's statistics, as JSON.
    pub(super) stats: Option<String>,
    /// True when rows of the file are marked as deleted elsewhere, which this program neither writes nor reads.
    pub(super) deletion_vector: bool,
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
    pub(super) fn new(log_store: LogStoreRef, app_id: String, label: String, follow_files: bool) -> Self {
        Self { log_store, app_id, label, follow_files, state: None }
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
                state.apply(next, actions, &self.app_id, self.follow_files);
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
        let log_store = self.log_store.as_ref();
        let snapshot = EagerSnapshot::try_new(log_store, None).await.map_err(|e| delta_error(&doing, e))?;
        let epoch = snapshot.transaction_version(log_store, &self.app_id).await.map_err(|e| delta_error(&doing, e))?;
        let mut files = HashMap::new();
        if self.follow_files {
            for file in snapshot.log_data().iter() {
                let active = ActiveFile {
                    size_bytes: u64::try_from(file.size()).unwrap_or_default(),
                    partition_values: file.partition_values_map(),
                    stats: file.stats(),
                    deletion_vector: file.deletion_vector_descriptor().is_some(),
                };
                files.insert(file.path().into_owned(), active);
            }
        }
        let state = LogState {
            version: snapshot.version(),
            protocol: snapshot.protocol().clone(),
            metadata: snapshot.metadata().clone(),
            epoch,
            files,
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
                    state.apply(version, data.actions, &self.app_id, self.follow_files);
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

    /// Writes a checkpoint of the newest version, which readers then start from.
    pub(super) async fn checkpoint(&self) -> Result<()> {
        let doing = format!("write a checkpoint of {}", self.label);
        let mut table = DeltaTable::new(self.log_store.clone());
        table.load().await.map_err(|e| delta_error(&doing, e))?;
        checkpoints::create_checkpoint(&table, None).await.map_err(|e| delta_error(&doing, e))
    }
}

impl LogState {
    fn apply(&mut self, version: u64, actions: Vec<Action>, app_id: &str, follow_files: bool) {
        for action in actions {
            match action {
                Action::Metadata(metadata) => {
                    self.metadata = metadata;
                    self.checked = false;
                }
                Action::Protocol(protocol) => {
                    self.protocol = protocol;
                    self.checked = false;
                }
                Action::Txn(txn) if txn.app_id == app_id => self.epoch = Some(txn.version),
                Action::Add(add) if follow_files => {
                    let path = add.path.clone();
                    self.files.insert(path, ActiveFile::from(add));
                }
                Action::Remove(remove) if follow_files => {
                    self.files.remove(&remove.path);
                }
                _ => {}
            }
        }
        self.version = version;
    }

    /// True when this application has committed `epoch` or a later one.
    pub(super) fn has_epoch(&self, epoch: i64) -> bool {
        self.epoch.is_some_and(|e| e >= epoch)
    }
}

impl From<Add> for ActiveFile {
    fn from(add: Add) -> Self {
        Self {
            size_bytes: u64::try_from(add.size).unwrap_or_default(),
            partition_values: add.partition_values,
            stats: add.stats,
            deletion_vector: add.deletion_vector.is_some(),
        }
    }
}
