//! A table that begins again: one commit takes out all files that are there, puts in the new ones, and gives the table the
//! columns and partitions of today. Readers see the old table or the new one.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use deltalake::kernel::{Add, Metadata, MetadataExt};
use sluice_engine::{Error, Result, Token};

use super::committer::DeltaCommitter;
use super::file_name::REWRITE;
use super::log_state::LogState;
use super::recover::{ANEW, OWNER, check_features};
use super::rewrite::{Deletes, remove_file};
use super::token::{CommitToken, RowCounts};

impl DeltaCommitter {
    /// The token of the first epoch of the table's new life. Rows that the epoch takes back are its own.
    pub(super) async fn seal_anew(
        &mut self,
        epoch: u64,
        adds: Vec<Add>,
        deletes: Vec<RecordBatch>,
        added: u64,
    ) -> Result<CommitToken> {
        if !self.log.refresh().await? {
            return Err(Error::config("the table has gone; restart the pipeline, which makes it anew"));
        }
        let (mut adds, mut removed) = (adds, 0);
        if !deletes.is_empty() {
            let deletes = Deletes::new(&self.schema, &deletes)?;
            removed = deletes.rows();
            let old: HashSet<String> = self.log.state().into_iter().flat_map(|s| s.files.keys().cloned()).collect();
            adds = self.take_out((REWRITE, epoch), adds, deletes, &old).await?.adds;
        }
        let token = CommitToken::new(adds, Vec::new(), RowCounts { added, removed });
        Ok(token.begin_anew(self.metadata_anew()?))
    }

    /// The metadata of the model, for the table that is there: it stays the same table to its readers.
    pub(super) fn metadata_anew(&self) -> Result<Metadata> {
        let state = self.log.state().ok_or_else(|| Error::bug("a table that is not there begins again"))?;
        let metadata = self.new_table_metadata()?.with_table_id(state.metadata.id().to_owned());
        metadata.map_err(|e| Error::bug("the table's metadata cannot be written").because(e))
    }

    /// The token with all files taken out that are there now.
    pub(super) fn with_all_removed(&self, token: &CommitToken, metadata: &Metadata) -> Result<CommitToken> {
        let state = self.log.state().ok_or_else(|| Error::bug("a table that is not there begins again"))?;
        check_features(state, self.config.mode)?;
        let removes = state.files.iter().map(|(path, file)| remove_file(path, file)).collect();
        Ok(CommitToken::new(token.adds.clone(), removes, token.rows).begin_anew(metadata.clone()))
    }

    /// True when this pipeline has made the table that is there.
    pub(super) fn is_own_table(&self) -> bool {
        let maker =
            |state: &LogState| state.metadata.configuration().get(OWNER).is_some_and(|a| *a == self.config.app_id);
        self.log.state().is_some_and(maker)
    }

    /// The start of a run in which the table begins again: it is made when it is not there. What it holds need not fit the
    /// model.
    pub(super) async fn ready_to_begin_anew(&mut self, newest: u64) -> Result<()> {
        if !self.log.refresh().await? {
            return self.make_or_check().await;
        }
        self.check_may_begin(newest)
    }

    /// A table that begins again must be this pipeline's own, and hold no epoch after `newest`.
    pub(super) fn check_may_begin(&self, newest: u64) -> Result<()> {
        let Some(state) = self.log.state() else { return Ok(()) };
        check_features(state, self.config.mode)?;
        if !self.is_own_table() && !state.files.is_empty() {
            return Err(Error::config(format!(
                "a table is there that \"{}\" has not made; move it away, or give the model another name or schema",
                self.config.app_id
            )));
        }
        match state.epoch {
            Some(epoch) if u64::try_from(epoch).is_ok_and(|e| e > newest) => Err(Error::config(format!(
                "the table holds epoch {epoch} of \"{}\", but the newest manifest is of epoch {newest}; \
                 restore the pipeline's manifests (`_sluice` in the lake). {ANEW}",
                self.config.app_id
            ))),
            _ => Ok(()),
        }
    }

    /// Commits a token again with which the table begins, before the table is looked at: the one that is there need not fit
    /// the model.
    pub(super) async fn begin_if_interrupted(&mut self, epoch: u64, token: &Token) -> Result<()> {
        let token = CommitToken::from_json(token)?;
        if token.anew.is_none() || !self.log.refresh().await? {
            return Ok(());
        }
        self.commit_token(epoch, &token).await
    }
}
