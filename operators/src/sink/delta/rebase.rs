//! An epoch that was sealed over files which somebody has merged since: its token, written again over those that are there.
//!
//! A token takes files out of the table and puts others in. That holds as long as the files are there, and they are, as the
//! one committer does both. But a run that has been overtaken may merge files once more after the next has sealed an
//! epoch over them, and people run OPTIMIZE. The epoch's manifest is there by then, so it must come into the table: the
//! rows of the files that have gone are taken out of wherever they are now.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use sluice_engine::{Error, ErrorKind, Result};

use super::committer::DeltaCommitter;
use super::file_name::REBASE;
use super::rewrite::Deletes;
use super::token::CommitToken;
use crate::store::{FileToRead, read_file};

impl DeltaCommitter {
    /// The token over the files that are there; none when it fits as it is.
    ///
    /// # Errors
    /// `Fenced` when another writer has taken out rows that the token takes out too, or keeps.
    pub(super) async fn rebased(&mut self, epoch: i64, token: &CommitToken) -> Result<Option<CommitToken>> {
        let Some(state) = self.log.state() else { return Ok(None) };
        let (there, gone): (Vec<_>, Vec<_>) =
            token.removes.iter().cloned().partition(|remove| state.files.contains_key(&remove.path));
        let Some(first) = gone.first().map(|remove| remove.path.clone()) else { return Ok(None) };
        tracing::warn!(
            table = %self.config.path, epoch, files = gone.len(),
            "files have been merged since the epoch was sealed; it is brought in over the new ones"
        );
        let taken = |e: Error| {
            Error::fenced(format!(
                "another writer has taken file {first} out of the table since the epoch was sealed; \
                 let only one pipeline (and its maintenance) write to it"
            ))
            .because(e)
        };
        let mut rows: Vec<RecordBatch> = Vec::new();
        for remove in gone {
            let file = FileToRead {
                path: remove.path,
                size_bytes: remove.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
                partition_values: remove.partition_values.unwrap_or_default(),
            };
            let objects = self.log.log_store().object_store(None);
            rows.extend(
                async {
                    read_file(objects, file, self.schema.table.clone(), None).await?.try_collect::<Vec<_>>().await
                }
                .await
                .map_err(taken)?,
            );
        }
        let spared: HashSet<String> = there.iter().map(|remove| remove.path.clone()).collect();
        let deletes = Deletes::new(&self.schema, &rows)?;
        let number = u64::try_from(epoch).unwrap_or_default();
        let rewritten = self.take_out((REBASE, number), Vec::new(), deletes, &spared).await;
        let rewritten = rewritten.map_err(|e| if e.kind() == ErrorKind::Transient { e } else { taken(e) })?;
        let adds = token.adds.iter().cloned().chain(rewritten.adds).collect();
        let removes = there.into_iter().chain(rewritten.removes).collect();
        Ok(Some(CommitToken::new(adds, removes, token.rows)))
    }
}
