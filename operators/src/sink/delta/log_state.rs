//! A table as of one version of its log.

use std::collections::{HashMap, VecDeque};

use deltalake::kernel::{Action, Add, Metadata, Protocol};

/// The table as of one version.
pub(super) struct LogState {
    pub(super) version: u64,
    /// The version of the newest checkpoint; 0 when there is none.
    pub(super) checkpoint: u64,
    pub(super) protocol: Protocol,
    pub(super) metadata: Metadata,
    /// The newest epoch that this application has committed.
    pub(super) epoch: Option<i64>,
    /// The active files by path.
    pub(super) files: HashMap<String, ActiveFile>,
    /// Files that are no part of the table any more and have not been deleted yet, oldest first.
    pub(super) removed: VecDeque<Removed>,
    /// True when protocol and metadata have been checked against the model.
    pub(super) checked: bool,
}

/// A data file that is part of the table.
#[derive(Debug, Clone)]
pub(super) struct ActiveFile {
    pub(super) size_bytes: u64,
    /// When it was written, in milliseconds since 1970.
    pub(super) modified_ms: i64,
    pub(super) partition_values: HashMap<String, Option<String>>,
    /// The log's statistics, as JSON; none in tables whose rows are never taken back.
    pub(super) stats: Option<String>,
    /// True when rows of the file are marked as deleted elsewhere, which this program neither writes nor reads.
    pub(super) deletion_vector: bool,
}

/// A data file that was part of the table.
#[derive(Debug, Clone)]
pub(super) struct Removed {
    pub(super) path: String,
    /// When it was taken out, in milliseconds since 1970.
    pub(super) at_ms: i64,
}

impl LogState {
    pub(super) fn apply(&mut self, version: u64, actions: Vec<Action>, app_id: &str, keep_stats: bool) {
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
                Action::Add(add) => {
                    let path = add.path.clone();
                    let mut file = ActiveFile::from(add);
                    if !keep_stats {
                        file.stats = None;
                    }
                    self.files.insert(path, file);
                }
                Action::Remove(remove) => {
                    self.files.remove(&remove.path);
                    let at_ms = remove.deletion_timestamp.unwrap_or(0);
                    self.removed.push_back(Removed { path: remove.path, at_ms });
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

    /// Bytes of the active files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|f| f.size_bytes).sum()
    }
}

impl From<Add> for ActiveFile {
    fn from(add: Add) -> Self {
        Self {
            size_bytes: u64::try_from(add.size).unwrap_or_default(),
            modified_ms: add.modification_time,
            partition_values: add.partition_values,
            stats: add.stats,
            deletion_vector: add.deletion_vector.is_some(),
        }
    }
}
