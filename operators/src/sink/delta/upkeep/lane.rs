//! The committer's side: when a pass begins, and what becomes of it.

use std::time::{Duration, Instant};

use chrono::Utc;
use sluice_engine::{Error, Result};
use tokio::task::JoinHandle;

use super::super::committer::DeltaCommitter;
use super::super::config::WriteMode;
use super::merge::{Group, Merged, Writing, discard};
use super::pass::{Done, Place, Plan};
use super::policy::Policy;
use super::{CHECKPOINT_EVERY_COMMITS, Kept, log_files, vacuum};

/// How long the commit of merged files may take, while the next epoch may wait for it.
const MERGE_DEADLINE: Duration = Duration::from_secs(30);
/// How long the normal end of a run waits for a pass.
const END_WAIT_MAX: Duration = Duration::from_secs(10);
/// Time between two looks for files that no log knows.
const ORPHANS_EVERY: Duration = Duration::from_secs(24 * 3600);
/// A merge that an epoch has overtaken is tried again after so many commits, doubled each time up to the next.
const REST_COMMITS: u32 = 2;
const REST_COMMITS_MAX: u32 = 64;
/// Passes of `maintain_now`, at most: each is bounded by itself.
const PASSES_MAX: usize = 10_000;

/// The upkeep of one table.
#[derive(Default)]
pub(in super::super) struct Upkeep {
    pass: Option<JoinHandle<Done>>,
    /// Commits to wait before files are merged again, and how many it were the last time.
    rest: (u32, u32),
    orphans_looked_for: Option<Instant>,
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        if let Some(pass) = &self.pass {
            pass.abort();
        }
    }
}

impl DeltaCommitter {
    /// Called when an epoch has been committed: takes up what a pass has done, and begins another when there is something to
    /// do. What fails is told, and done later.
    pub(in super::super) async fn upkeep(&mut self) {
        self.take_up_pass(Duration::ZERO).await;
        self.upkeep.rest.0 = self.upkeep.rest.0.saturating_sub(1);
        if self.upkeep.pass.is_some() {
            return;
        }
        let policy = Policy::running(self.config.target_file_bytes, self.config.mode != WriteMode::Append);
        let plan = self.plan(&policy, self.commits_since_checkpoint() >= CHECKPOINT_EVERY_COMMITS);
        if !plan.is_empty() {
            self.upkeep.pass = Some(tokio::spawn(self.place().work(plan)));
        }
    }

    /// Called at the normal end of a run: waits for a pass, a little.
    pub(in super::super) async fn end_upkeep(&mut self) {
        self.take_up_pass(END_WAIT_MAX).await;
    }

    /// Does at once, one pass after the other, all that there is to do. `merge`: whether files are merged too.
    ///
    /// # Errors
    /// `Config` when there is no such table, `Transient` when the lake is away.
    pub(in super::super) async fn maintain_table(&mut self, merge: bool) -> Result<Kept> {
        if !self.log.refresh().await? {
            return Err(Error::config("there is no such table yet; run the pipeline first"));
        }
        let mut kept = Kept::default();
        (kept.files.0, kept.bytes.0, kept.log_files.0) = self.figures().await?;
        let (policy, mut merge) = (Policy::everything(self.config.target_file_bytes), merge);
        for _ in 0..PASSES_MAX {
            let mut plan = self.plan(&policy, false);
            if !merge {
                plan.merges.clear();
            }
            if plan.is_empty() {
                break;
            }
            let (expired, merges) = (plan.expired.len(), plan.merges.len());
            let done = self.place().work(plan).await;
            if done.deleted.len() < expired || done.merged.len() < merges {
                return Err(Error::transient("not all could be done, as was told; try again"));
            }
            kept.deleted_files += done.deleted.len() as u64 + done.orphans_deleted;
            let before = self.log.state().map_or(0, |s| s.files.len());
            self.take_up(done).await?;
            // Files may be closed before they are full; merging them again would have no end.
            merge &= self.log.state().map_or(0, |s| s.files.len()) < before;
        }
        // Last of all, so that the newest version has a checkpoint.
        if self.commits_since_checkpoint() > 0 {
            let plan = Plan { checkpoint: true, expired: Vec::new(), known: None, merges: Vec::new() };
            let done = self.place().work(plan).await;
            if done.checkpoint.is_none() {
                return Err(Error::transient("no checkpoint of the log could be written, as was told; try again"));
            }
            self.take_up(done).await?;
        }
        log_files::clean(&self.log.log_store().object_store(None), self.config.keep.log).await?;
        (kept.files.1, kept.bytes.1, kept.log_files.1) = self.figures().await?;
        Ok(kept)
    }

    /// What is done after a commit to a table that no graph writes, when it is due: no files are merged.
    pub(in super::super) async fn maintain_sole(&mut self) {
        let policy = Policy { target_file_bytes: 0, newest_spared: 0, cold_after: Duration::MAX };
        let mut plan = self.plan(&policy, self.commits_since_checkpoint() >= CHECKPOINT_EVERY_COMMITS);
        plan.known = None;
        if !plan.is_empty() {
            let done = self.place().work(plan).await;
            if let Err(e) = self.take_up(done).await {
                tracing::warn!(table = %self.config.path, error = %e, "upkeep failed; it is done later");
            }
        }
    }

    /// A merge of everything that can be merged, before its commit.
    #[cfg(test)]
    pub(in super::super) async fn merged_now(&mut self) -> Merged {
        self.log.refresh().await.expect("the table can be read");
        let plan = self.plan(&Policy::everything(self.config.target_file_bytes), false);
        let mut done = self.place().work(plan).await;
        done.merged.pop().expect("there is something to merge")
    }

    async fn figures(&self) -> Result<(u64, u64, u64)> {
        let log_files = log_files::count(&self.log.log_store().object_store(None)).await?;
        Ok(self.log.state().map_or((0, 0, log_files), |s| (s.files.len() as u64, s.bytes(), log_files)))
    }

    fn commits_since_checkpoint(&self) -> u64 {
        self.log.state().map_or(0, |s| s.version.saturating_sub(s.checkpoint))
    }

    fn plan(&self, policy: &Policy, checkpoint: bool) -> Plan {
        let mut plan = Plan { checkpoint, expired: Vec::new(), known: None, merges: Vec::new() };
        let Some(state) = self.log.state() else { return plan };
        let now_ms = Utc::now().timestamp_millis();
        let expired_ms = now_ms - i64::try_from(self.config.keep.removed_files.as_millis()).unwrap_or(i64::MAX);
        let expired = state.removed.iter().take_while(|r| r.at_ms <= expired_ms);
        // A path that is part of the table again (a restored version) stays.
        let expired = expired.filter(|r| !state.files.contains_key(&r.path)).map(|r| r.path.clone());
        plan.expired = expired.take(vacuum::DELETED_MAX).collect();
        if self.upkeep.orphans_looked_for.is_none_or(|at| at.elapsed() >= ORPHANS_EVERY) && self.generation > 0 {
            let removed = state.removed.iter().map(|r| &r.path);
            plan.known = Some(state.files.keys().chain(removed).cloned().collect());
        }
        if self.upkeep.rest.0 == 0 {
            let group = |paths: Vec<String>| -> Group {
                paths.into_iter().filter_map(|path| Some((path.clone(), state.files.get(&path)?.clone()))).collect()
            };
            plan.merges = policy.groups(&state.files, now_ms).into_iter().map(group).collect();
        }
        plan
    }

    fn place(&self) -> Place {
        let writing = Writing {
            objects: self.log.log_store().object_store(None),
            schema: self.schema.clone(),
            target_file_bytes: self.config.target_file_bytes,
            row_group_rows: self.config.row_group_rows,
            generation: self.generation,
        };
        let (log_store, label) = (self.log.log_store().clone(), self.config.label());
        Place { log_store, writing, keep: self.config.keep, label }
    }

    /// Takes up what the pass has done, when it has ended within `wait`.
    async fn take_up_pass(&mut self, wait: Duration) {
        let Some(mut pass) = self.upkeep.pass.take() else { return };
        if wait.is_zero() && !pass.is_finished() {
            self.upkeep.pass = Some(pass);
            return;
        }
        let done = match tokio::time::timeout(wait.max(Duration::from_secs(1)), &mut pass).await {
            Ok(Ok(done)) => done,
            Ok(Err(e)) => return tracing::error!(table = %self.config.path, error = %e, "upkeep ended in a panic"),
            Err(_) => {
                self.upkeep.pass = Some(pass);
                return;
            }
        };
        if let Err(e) = self.take_up(done).await {
            tracing::warn!(table = %self.config.path, error = %e, "upkeep failed; it is done later");
        }
    }

    async fn take_up(&mut self, done: Done) -> Result<()> {
        if done.looked_for_orphans {
            self.upkeep.orphans_looked_for = Some(Instant::now());
        }
        if let Some(state) = self.log.state_mut() {
            state.checkpoint = done.checkpoint.unwrap_or(state.checkpoint).max(state.checkpoint);
            let gone: std::collections::HashSet<&String> = done.deleted.iter().collect();
            if !gone.is_empty() {
                state.removed.retain(|r| !gone.contains(&r.path));
            }
        }
        tracing::debug!(
            table = %self.config.path,
            merges = done.merged.len(),
            checkpoint = done.checkpoint,
            log_files_deleted = done.log_files_deleted,
            files_deleted = done.deleted.len(),
            orphans_deleted = done.orphans_deleted,
            "upkeep"
        );
        if done.merged.is_empty() { Ok(()) } else { self.commit_merges(done.merged).await }
    }

    /// Brings in what a pass has merged, in one commit: all but that which an epoch has overtaken.
    async fn commit_merges(&mut self, merges: Vec<Merged>) -> Result<()> {
        if !self.log.refresh().await? {
            return Ok(());
        }
        let all = merges.len();
        let is_there = |path: &String| self.log.state().is_some_and(|s| s.files.contains_key(path));
        let (fit, overtaken): (Vec<Merged>, Vec<Merged>) =
            merges.into_iter().partition(|merged| merged.inputs.iter().all(|(path, _)| is_there(path)));
        for merged in &overtaken {
            discard(&self.log.log_store().object_store(None), &merged.adds).await;
        }
        let committed = if fit.is_empty() {
            false
        } else {
            let committed = tokio::time::timeout(MERGE_DEADLINE, self.commit_merged(Merged::whole(fit))).await;
            committed.map_err(|_| Error::transient("merged files were not committed in time"))??
        };
        self.upkeep.rest = if committed && overtaken.len() * 2 <= all {
            (0, 0)
        } else {
            let next = (self.upkeep.rest.1 * 2).clamp(REST_COMMITS, REST_COMMITS_MAX);
            (next, next)
        };
        Ok(())
    }
}
