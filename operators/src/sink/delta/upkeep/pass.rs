//! One pass: what takes time, and changes nothing that the log says.

use std::collections::HashSet;

use deltalake::logstore::LogStoreRef;
use sluice_engine::Result;
use tokio::sync::Semaphore;

use super::Keep;
use super::log_files::{checkpoint, clean};
use super::merge::{Group, Merged, Writing};
use super::vacuum::{delete, orphans};

/// Passes that run at once in this process: each may hold some tens of MiB, and all share the cores with the pipeline.
const PASSES_MAX: usize = 1;
static PASSES: Semaphore = Semaphore::const_new(PASSES_MAX);

/// What a pass shall do.
pub(super) struct Plan {
    pub(super) checkpoint: bool,
    /// Files that have been no part of the table for long enough.
    pub(super) expired: Vec<String>,
    /// When files that no log knows are looked for: those that it does.
    pub(super) known: Option<HashSet<String>>,
    pub(super) merges: Vec<Group>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        !self.checkpoint && self.expired.is_empty() && self.known.is_none() && self.merges.is_empty()
    }
}

/// What a pass has done.
#[derive(Default)]
pub(super) struct Done {
    /// The version of the checkpoint that was written.
    pub(super) checkpoint: Option<u64>,
    pub(super) log_files_deleted: u64,
    /// Files that were no part of the table and are gone now.
    pub(super) deleted: Vec<String>,
    pub(super) orphans_deleted: u64,
    pub(super) looked_for_orphans: bool,
    pub(super) merged: Vec<Merged>,
}

/// What a pass works on.
pub(super) struct Place {
    pub(super) log_store: LogStoreRef,
    pub(super) writing: Writing,
    pub(super) keep: Keep,
    pub(super) label: String,
}

impl Place {
    /// Does what the plan says, one thing after the other. What fails is told and left for a later pass.
    pub(super) async fn work(self, plan: Plan) -> Done {
        let _turn = PASSES.acquire().await;
        let mut done = Done::default();
        let label = self.label.clone();
        let failed = |what: &str, e: sluice_engine::Error| {
            tracing::warn!(table = label, error = %e, "{what} failed; it is done later");
        };
        let objects = self.writing.objects.clone();
        if plan.checkpoint {
            match self.checkpoint_and_clean(&mut done).await {
                Ok(()) => {}
                Err(e) => failed("a checkpoint of the log or its clean-up", e),
            }
        }
        if !plan.expired.is_empty() {
            match delete(&objects, plan.expired).await {
                Ok(gone) => done.deleted = gone,
                Err(e) => failed("deleting files that are no part of the table any more", e),
            }
        }
        if let Some(known) = plan.known {
            match self.delete_orphans(&known).await {
                Ok(gone) => (done.orphans_deleted, done.looked_for_orphans) = (gone, true),
                Err(e) => failed("looking for files that no log knows", e),
            }
        }
        for group in plan.merges {
            match self.writing.merge(group).await {
                Ok(merged) => done.merged.push(merged),
                Err(e) => {
                    failed("merging small files", e);
                    break;
                }
            }
        }
        done
    }

    async fn checkpoint_and_clean(&self, done: &mut Done) -> Result<()> {
        done.checkpoint = Some(checkpoint(&self.log_store, &self.label).await?);
        done.log_files_deleted = clean(&self.writing.objects, self.keep.log).await?;
        Ok(())
    }

    async fn delete_orphans(&self, known: &HashSet<String>) -> Result<u64> {
        let found = orphans(&self.writing.objects, known, self.writing.generation).await?;
        Ok(delete(&self.writing.objects, found).await?.len() as u64)
    }
}
