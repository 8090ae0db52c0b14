//! The table's half: seals an epoch, makes it visible, and does both again after a crash without doubling anything.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::Utc;
use deltalake::kernel::{Action, Transaction};
use deltalake::protocol::{DeltaOperation, OutputMode};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use sluice_engine::{Committer, Error, ErrorKind, Part, Result, Token};

use super::config::{DeltaConfig, WriteMode};
use super::file_name::REWRITE;
use super::index::KeyIndex;
use super::log::{Appended, TableLog};
use super::rewrite::Deletes;
use super::schema::TableSchema;
use super::sink::DeltaPart;
use super::token::{CommitToken, RowCounts};
use super::upkeep::{Kept, Upkeep};

/// Tries of one commit after the first.
const COMMIT_RETRIES_MAX: u32 = 10;
/// Pause before the first retry after an unknown outcome, in milliseconds; doubled up to `COMMIT_PAUSE_MAX_MS`.
const COMMIT_PAUSE_MS: u64 = 100;
/// The longest pause between two tries of a commit, in milliseconds.
const COMMIT_PAUSE_MAX_MS: u64 = 5_000;
/// How long one commit may take with all its retries.
const COMMIT_DEADLINE: Duration = Duration::from_secs(180);

/// Commits the epochs of one Delta table. One for each table.
pub struct DeltaCommitter {
    pub(super) config: Arc<DeltaConfig>,
    pub(super) schema: Arc<TableSchema>,
    pub(super) generation: u64,
    pub(super) log: TableLog,
    /// Where each key is; only for tables whose rows are taken back often.
    pub(super) index: Option<KeyIndex>,
    pub(super) upkeep: Upkeep,
}

impl DeltaCommitter {
    pub(super) fn new(config: Arc<DeltaConfig>, schema: Arc<TableSchema>, generation: u64) -> Result<Self> {
        let keep_stats = config.mode != WriteMode::Append;
        let index = match config.mode {
            // A table that begins again has no rows to be found but those of its first epoch.
            WriteMode::Upsert if !schema.key.is_empty() && config.begins_after.is_none() => {
                Some(KeyIndex::new(&schema)?)
            }
            _ => None,
        };
        let log_store = config.store.log_store(&config.path)?;
        let log = TableLog::new(log_store, config.app_id.clone(), config.label(), keep_stats);
        Ok(Self { config, schema, generation, log, index, upkeep: Upkeep::default() })
    }

    async fn seal_parts(&mut self, epoch: u64, parts: Vec<Part>) -> Result<Token> {
        let mut adds = Vec::new();
        let mut deletes: Vec<RecordBatch> = Vec::new();
        let mut added = 0;
        for part in parts {
            let part = part.downcast::<DeltaPart>().map_err(|_| Error::bug("a part came from another sink"))?;
            adds.extend(part.adds);
            deletes.extend(part.deletes);
            added += part.rows;
        }
        if self.config.begins_after.is_some() {
            return self.seal_anew(epoch, adds, deletes, added).await?.to_json();
        }
        if deletes.is_empty() {
            return CommitToken::new(adds, Vec::new(), RowCounts { added, removed: 0 }).to_json();
        }
        let deletes = Deletes::new(&self.schema, &deletes)?;
        let removed = deletes.rows();
        if !self.log.refresh().await? {
            return Err(Error::config("the table has gone; restart the pipeline, which makes it anew"));
        }
        let rewritten = self.take_out((REWRITE, epoch), adds, deletes, &HashSet::new()).await?;
        CommitToken::new(rewritten.adds, rewritten.removes, RowCounts { added, removed }).to_json()
    }

    /// Commits the token unless the log says that it has been. Every outcome that is not clean leads back to the log.
    pub(super) async fn commit_token(&mut self, epoch: u64, token: &CommitToken) -> Result<()> {
        if token.is_empty() {
            return Ok(());
        }
        let version = i64::try_from(epoch).map_err(|_| Error::bug("the epoch is above 63 bits"))?;
        let mut pause = Duration::from_millis(COMMIT_PAUSE_MS);
        let mut last = None;
        for _ in 0..=COMMIT_RETRIES_MAX {
            match self.try_commit(version, token).await? {
                None => return Ok(()),
                Some(reason) => {
                    tracing::warn!(table = %self.config.path, epoch, %reason, "the commit is looked for and tried again");
                    last = Some(reason);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(COMMIT_PAUSE_MAX_MS));
        }
        let error =
            Error::transient(format!("epoch {epoch} could not be committed; it is tried again after a restart"));
        Err(match last {
            Some(reason) => error.because(reason),
            None => error,
        })
    }

    /// One look at the log and, when the epoch is not there, one try. The reason, when another try is worth it.
    async fn try_commit(&mut self, version: i64, token: &CommitToken) -> Result<Option<Error>> {
        match self.log.refresh().await {
            Ok(true) => {}
            Ok(false) => return Err(Error::config("the table has gone; restart the pipeline, which makes it anew")),
            Err(e) if e.kind() == ErrorKind::Transient => return Ok(Some(e)),
            Err(e) => return Err(e),
        }
        if self.log.state().is_some_and(|s| s.has_epoch(version)) {
            return Ok(None);
        }
        let complete = match &token.anew {
            Some(metadata) => Some(self.with_all_removed(token, metadata)?),
            None => {
                self.check_table()?;
                self.rebased(version, token).await?
            }
        };
        let token = complete.as_ref().unwrap_or(token);
        let outcome =
            self.log.append(actions(token), self.operation(version, token), Some(self.txn(version)), info(token)).await;
        match outcome {
            Appended::Yes => Ok(None),
            Appended::Taken => Ok(Some(Error::transient("the version has been taken by another commit"))),
            Appended::Unknown(e) if matches!(e.kind(), ErrorKind::Transient) => Ok(Some(e)),
            Appended::Unknown(e) => Err(e),
        }
    }

    fn txn(&self, version: i64) -> Transaction {
        Transaction::new_with_last_update(&self.config.app_id, version, Some(Utc::now().timestamp_millis()))
    }

    fn operation(&self, epoch_id: i64, token: &CommitToken) -> DeltaOperation {
        let output_mode = match self.config.mode {
            _ if token.anew.is_some() => OutputMode::Complete,
            WriteMode::Append => OutputMode::Append,
            WriteMode::Changes | WriteMode::Upsert => OutputMode::Update,
        };
        DeltaOperation::StreamingUpdate { output_mode, query_id: self.config.app_id.clone(), epoch_id }
    }

    /// Does at once what a run does in the course of time: merges small files, deletes what nobody needs any more, writes a
    /// checkpoint. Only when no run is going on. Call `recover` first.
    ///
    /// # Errors
    /// `Config` when there is no such table, `Transient` when the lake is away.
    pub async fn maintain(&mut self) -> Result<Kept> {
        let label = self.config.label();
        self.maintain_table(true).await.map_err(|e| e.at(label))
    }
}

fn actions(token: &CommitToken) -> Vec<Action> {
    let removes = token.removes.iter().cloned().map(Action::Remove);
    let metadata = token.anew.iter().cloned().map(Action::Metadata);
    removes.chain(metadata).chain(token.adds.iter().cloned().map(Action::Add)).collect()
}

fn info(token: &CommitToken) -> HashMap<String, serde_json::Value> {
    let metrics = json!({
        "numOutputRows": token.rows.added.to_string(),
        "numRemovedRows": token.rows.removed.to_string(),
        "numAddedFiles": token.adds.len().to_string(),
        "numRemovedFiles": token.removes.len().to_string(),
    });
    HashMap::from([
        ("operationMetrics".to_string(), metrics),
        ("engineName".to_string(), json!(concat!("sluice ", env!("CARGO_PKG_VERSION")))),
    ])
}

impl Committer for DeltaCommitter {
    fn seal<'a>(&'a mut self, epoch: u64, parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        async move {
            let label = self.config.label();
            self.seal_parts(epoch, parts).await.map_err(|e| e.at(label))
        }
        .boxed()
    }

    fn commit<'a>(&'a mut self, epoch: u64, token: &'a Token) -> BoxFuture<'a, Result<()>> {
        async move {
            let label = self.config.label();
            let token = CommitToken::from_json(token).map_err(|e| e.at(&label))?;
            match tokio::time::timeout(COMMIT_DEADLINE, self.commit_token(epoch, &token)).await {
                Ok(done) => {
                    done.map_err(|e| e.at(label))?;
                    self.upkeep().await;
                    Ok(())
                }
                Err(_) => Err(Error::transient(format!(
                    "epoch {epoch} was not committed within {} s; is the lake reachable?",
                    COMMIT_DEADLINE.as_secs()
                ))
                .at(label)),
            }
        }
        .boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        async move {
            let label = self.config.label();
            self.recover_table(last).await.map_err(|e| e.at(label))
        }
        .boxed()
    }
    fn end<'a>(&'a mut self) -> BoxFuture<'a, ()> {
        self.end_upkeep().boxed()
    }
}
