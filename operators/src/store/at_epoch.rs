//! A Delta table as an epoch left it: what the audit looks at, also while later epochs are being committed.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use deltalake::delta_datafusion::TableProviderBuilder;
use deltalake::kernel::EagerSnapshot;
use deltalake::logstore::LogStoreRef;
use futures::stream::BoxStream;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sluice_engine::{Error, Result};

use super::scan::{FileToRead, read_file};
use super::{Store, delta_error, store_error};

/// A file of the table.
#[derive(Debug, Clone)]
pub struct TableFile {
    /// As the log names it.
    pub file: FileToRead,
    /// Rows that the log says are in it; none when it does not say.
    pub rows: Option<u64>,
}

/// A table at one version.
pub struct TableAtEpoch {
    log_store: LogStoreRef,
    /// The log's version.
    pub version: u64,
    /// The newest epoch that the application has committed up to there; none when it has committed nothing.
    pub epoch: Option<u64>,
    /// Its files.
    pub files: Vec<TableFile>,
}

impl TableAtEpoch {
    /// The table at `path` as it was when the application `app_id` had committed `epoch` (or, without one, as it is now) and
    /// nothing later; none when there is no table.
    ///
    /// # Errors
    /// `Transient` when the store is away, `Config` when this program cannot read the table or its log has been cleaned up
    /// to after that epoch.
    pub async fn open(store: &Store, path: &str, app_id: &str, epoch: Option<u64>) -> Result<Option<TableAtEpoch>> {
        let log_store = store.log_store(path)?;
        let doing = format!("open delta table {path}");
        if !log_store.is_delta_table_location().await.map_err(|e| delta_error(&doing, e))? {
            return Ok(None);
        }
        let mut version = None;
        loop {
            let snapshot = EagerSnapshot::try_new(log_store.as_ref(), version).await;
            let snapshot = snapshot.map_err(|e| delta_error(&doing, e))?;
            let committed = snapshot.transaction_version(log_store.as_ref(), app_id).await;
            let committed = committed.map_err(|e| delta_error(&doing, e))?.and_then(|e| u64::try_from(e).ok());
            if committed.is_some_and(|committed| epoch.is_some_and(|epoch| committed > epoch)) {
                let before = snapshot.version().checked_sub(1);
                version = Some(before.ok_or_else(|| {
                    Error::config(format!("delta table {path} has no version as old as epoch {}", epoch.unwrap_or(0)))
                })?);
                continue;
            }
            let data = snapshot.log_data();
            let files = data.iter().map(|file| TableFile {
                file: FileToRead {
                    path: file.path().into_owned(),
                    size_bytes: u64::try_from(file.size()).unwrap_or_default(),
                    partition_values: file.partition_values_map(),
                },
                rows: file.num_records().map(|rows| rows as u64),
            });
            let (files, version) = (files.collect(), snapshot.version());
            return Ok(Some(TableAtEpoch { log_store, version, epoch: committed, files }));
        }
    }

    /// The rows of one of its files, in these columns.
    ///
    /// # Errors
    /// As [`read_file`].
    pub async fn rows(&self, file: &TableFile, columns: SchemaRef) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        read_file(self.log_store.object_store(None), file.file.clone(), columns, None).await
    }

    /// As [`TableAtEpoch::rows`], of a file that has another size than the log says: one that was altered.
    ///
    /// # Errors
    /// As [`read_file`].
    pub async fn rows_of_any_size(
        &self,
        file: &TableFile,
        columns: SchemaRef,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let objects = self.log_store.object_store(None);
        let path = &file.file.path;
        let location = Path::parse(path).map_err(|e| Error::data(format!("{path:?} is not a path")).because(e))?;
        let found = objects.head(&location).await.map_err(|e| store_error(&format!("read {path}"), e))?;
        read_file(objects, FileToRead { size_bytes: found.size, ..file.file.clone() }, columns, None).await
    }

    /// The table at this version for queries through DataFusion.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let builder = TableProviderBuilder::default().with_log_store(self.log_store.clone());
        let provider = builder.with_table_version(Some(self.version)).build().await;
        Ok(Arc::new(provider.map_err(|e| Error::transient("could not open a delta table").because(e))?))
    }
}
