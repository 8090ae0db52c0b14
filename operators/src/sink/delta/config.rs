//! What a user of the sink says.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use sluice_engine::{Error, Result, Sink, SinkContext};

use super::committer::DeltaCommitter;
use super::schema::TableSchema;
use super::sink::DeltaSink;
use super::upkeep::Keep;
use crate::store::Store;

/// Size at which a data file is closed and a new one begun, in bytes.
pub const TARGET_FILE_BYTES: usize = 32 << 20;
/// Rows in a row group: bounds what an open file holds in memory before it is compressed.
pub const ROW_GROUP_ROWS: usize = 128 << 10;

/// How rows reach a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Rows only appear. A row that is taken back is an error.
    Append,
    /// Rows appear, and few are taken back: files are written while the epoch runs.
    Changes,
    /// Rows are taken back often (an aggregate): an epoch's changes cancel in memory before any file is written. Memory
    /// grows with the number of different rows that change in one epoch.
    Upsert,
}

/// A Delta table that is written to.
#[derive(Debug, Clone)]
pub struct DeltaConfig {
    /// The lake.
    pub store: Store,
    /// The table's folder below the lake, for instance `gold/top_orders`.
    pub path: String,
    /// Who commits: `pipeline/table`. Two writers of one table need two of these.
    pub app_id: String,
    /// The rows' columns, in Arrow's types.
    pub schema: SchemaRef,
    /// The columns that files are divided by, in order.
    pub partition_by: Vec<String>,
    /// The columns that tell rows apart; may be empty. They speed up finding rows that are taken back.
    pub key: Vec<String>,
    /// How rows reach the table.
    pub mode: WriteMode,
    /// Size at which a file is closed, in bytes.
    pub target_file_bytes: usize,
    /// Rows in a row group.
    pub row_group_rows: usize,
    /// How long what nobody needs any more is kept.
    pub keep: Keep,
    /// What the table is, for people; becomes the table's description.
    pub description: Option<String>,
    /// The table begins again: the next commit takes out all rows that are there, and gives it these columns and partitions.
    /// The epoch that is named is the newest one that the table may hold now.
    pub begins_after: Option<u64>,
}

impl DeltaConfig {
    /// A table with the usual sizes.
    pub fn new(
        store: Store,
        path: impl Into<String>,
        app_id: impl Into<String>,
        schema: SchemaRef,
        mode: WriteMode,
    ) -> Self {
        Self {
            store,
            path: path.into(),
            app_id: app_id.into(),
            schema,
            partition_by: Vec::new(),
            key: Vec::new(),
            mode,
            target_file_bytes: TARGET_FILE_BYTES,
            row_group_rows: ROW_GROUP_ROWS,
            keep: Keep::default(),
            description: None,
            begins_after: None,
        }
    }

    /// The same table, divided into files by these columns.
    pub fn partitioned_by(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.partition_by = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The same table, its rows told apart by these columns.
    pub fn keyed_by(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The same table, to begin again with the next epoch after `epoch`.
    pub fn beginning_after(mut self, epoch: u64) -> Self {
        self.begins_after = Some(epoch);
        self
    }

    /// The worker's half: one for each worker.
    ///
    /// # Errors
    /// `Config` when a column cannot be stored, or a named column does not exist.
    pub fn build(&self, ctx: &SinkContext) -> Result<Box<dyn Sink>> {
        Ok(Box::new(DeltaSink::new(Arc::new(self.clone()), Arc::new(self.table_schema()?), ctx)?))
    }

    /// The table's half: one for each table.
    ///
    /// # Errors
    /// As [`DeltaConfig::build`].
    pub fn committer(&self, ctx: &SinkContext) -> Result<DeltaCommitter> {
        DeltaCommitter::new(Arc::new(self.clone()), Arc::new(self.table_schema()?), ctx.generation)
    }

    pub(super) fn table_schema(&self) -> Result<TableSchema> {
        if self.target_file_bytes == 0 || self.row_group_rows == 0 {
            return Err(Error::config("target_file_bytes and row_group_rows must be above zero").at(self.label()));
        }
        TableSchema::new(&self.schema, &self.partition_by, &self.key, self.mode).map_err(|e| e.at(self.label()))
    }

    /// The table as error messages call it.
    pub(super) fn label(&self) -> String {
        format!("delta table {}", self.path)
    }
}
