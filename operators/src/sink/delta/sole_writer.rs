//! A table that one writer keeps outside of the graph, a commit at a time: refreshed models, the audit.

use std::sync::Arc;

use arrow::array::RecordBatch;
use deltalake::kernel::Remove;
use sluice_engine::{Error, Result};

use super::committer::DeltaCommitter;
use super::config::{DeltaConfig, WriteMode};
use super::file_name::WHOLE_WRITER;
use super::files::Files;
use super::partition::empty_as_null;
use super::rewrite::remove_file;
use super::schema::SchemaChange;
use super::token::{CommitToken, EpochChange, RowCounts};
use super::upload::put_files;

/// Writes a table by versions of the config's application, each once: a version that is there, or an older one, changes nothing.
/// The log is followed, so that a writer that is kept costs one look-up a commit.
pub struct SoleWriter {
    committer: DeltaCommitter,
    is_ready: bool,
}

impl SoleWriter {
    /// A writer of this table. The config's mode does not matter.
    ///
    /// # Errors
    /// `Config` when a column cannot be stored.
    pub fn new(config: &DeltaConfig) -> Result<Self> {
        // An appending committer would not follow the table's files.
        let config = DeltaConfig { mode: WriteMode::Changes, ..config.clone() };
        let schema = Arc::new(config.table_schema()?);
        Ok(Self { committer: DeltaCommitter::new(Arc::new(config), schema, 0)?, is_ready: false })
    }

    /// The newest version that was committed; none when there is no table or nothing was.
    ///
    /// # Errors
    /// `Transient` when the lake is away.
    pub async fn committed(&mut self) -> Result<Option<u64>> {
        self.committer.log.refresh().await.map_err(|e| self.at(e))?;
        Ok(self.committer.log.state().and_then(|s| s.epoch).and_then(|e| u64::try_from(e).ok()))
    }

    /// How many files the table had when it was last looked at.
    pub fn files(&self) -> usize {
        self.committer.log.state().map_or(0, |s| s.files.len())
    }

    /// Adds rows as version `version`. The table is made when it is not there. None when the version was there.
    ///
    /// # Errors
    /// `Config` when the table that is there does not fit the rows, `Transient` when the lake is away.
    pub async fn append(
        &mut self,
        version: u64,
        rows: impl IntoIterator<Item = Result<RecordBatch>>,
    ) -> Result<Option<EpochChange>> {
        self.write(version, rows, false).await.map_err(|e| self.at(e))
    }

    /// Makes the table hold exactly these rows, as version `version`. As [`SoleWriter::append`] otherwise.
    ///
    /// # Errors
    /// As [`SoleWriter::append`].
    pub async fn replace(
        &mut self,
        version: u64,
        rows: impl IntoIterator<Item = Result<RecordBatch>>,
    ) -> Result<Option<EpochChange>> {
        self.write(version, rows, true).await.map_err(|e| self.at(e))
    }

    fn at(&self, e: Error) -> Error {
        e.at(self.committer.config.label())
    }

    async fn write(
        &mut self,
        version: u64,
        rows: impl IntoIterator<Item = Result<RecordBatch>>,
        whole: bool,
    ) -> Result<Option<EpochChange>> {
        if self.is_ready || (whole && self.is_of_other_columns().await?) {
            self.committer.log.refresh().await?;
        } else {
            self.committer.make_or_check().await?;
            self.is_ready = true;
        }
        let state = self.committer.log.state().ok_or_else(|| Error::bug("a table that was made is not there"))?;
        let epoch = i64::try_from(version).map_err(|_| Error::bug("the version is above 63 bits"))?;
        if state.has_epoch(epoch) {
            return Ok(None);
        }
        let begins = (!self.is_ready).then(|| self.committer.metadata_anew()).transpose()?;
        let removes: Vec<Remove> = match whole && begins.is_none() {
            true => state.files.iter().map(|(path, file)| remove_file(path, file)).collect(),
            false => Vec::new(),
        };
        let made = self.write_files(version, rows).await?;
        let mut token = CommitToken::new(made.0, removes, RowCounts { added: made.1, removed: 0 });
        if let Some(metadata) = begins {
            token = token.begin_anew(metadata);
        }
        self.committer.commit_token(version, &token).await?;
        self.is_ready = true;
        self.committer.maintain_sole().await;
        Ok(Some(token.change()))
    }

    /// True when the table that is there has other columns or partitions, so that it must begin again.
    async fn is_of_other_columns(&mut self) -> Result<bool> {
        if !self.committer.log.refresh().await? || !self.committer.is_own_table() {
            return Ok(false);
        }
        let Some(state) = self.committer.log.state() else { return Ok(false) };
        let other_partitions = state.metadata.partition_columns() != self.committer.config.partition_by.as_slice();
        Ok(other_partitions || matches!(self.committer.schema_change()?, SchemaChange::Misfit(_)))
    }

    async fn write_files(
        &self,
        version: u64,
        rows: impl IntoIterator<Item = Result<RecordBatch>>,
    ) -> Result<(Vec<deltalake::kernel::Add>, u64)> {
        let (config, schema) = (&self.committer.config, self.committer.schema.clone());
        let objects = self.committer.log.log_store().object_store(None);
        let writer = format!("{WHOLE_WRITER}-{version}");
        let mut files = Files::new(schema.clone(), config.target_file_bytes, config.row_group_rows, writer);
        for batch in rows {
            files.write(&empty_as_null(&schema, schema.conform(&batch?)?)?)?;
            put_files(&objects, files.take_full()).await?;
        }
        let made = files.finish()?;
        put_files(&objects, files.take_full()).await?;
        Ok((made.adds, made.rows))
    }
}
