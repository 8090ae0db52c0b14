//! Reading Delta tables of the lake.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use deltalake::delta_datafusion::TableProviderBuilder;
use deltalake::{DeltaTable, DeltaTableError};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sluice_engine::{Error, ErrorKind, Result};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::scan::{FileToRead, read_file};
use super::{Store, store_error};

/// Tables that are opened at once. Opening one holds a thread for blocking calls while it waits for another, which reads the
/// files: a program with few of them would stand still.
const OPENING_MAX: usize = 1;

static OPENING: Semaphore = Semaphore::const_new(OPENING_MAX);

/// Waits for a turn to open a table; the turn ends with the value.
pub(crate) async fn opening() -> Option<SemaphorePermit<'static>> {
    OPENING.acquire().await.ok()
}

/// The newest version of the table at `path` below the lake; none when there is no table.
///
/// # Errors
/// `Transient` when the store is away, `Config` when this program cannot read the table.
pub async fn open_table(store: &Store, path: &str) -> Result<Option<DeltaTable>> {
    let log_store = store.log_store(path)?;
    let what = || format!("open delta table {path}");
    if !log_store.is_delta_table_location().await.map_err(|e| delta_error(&what(), e))? {
        return Ok(None);
    }
    let _turn = opening().await;
    let mut table = DeltaTable::new(log_store);
    table.load().await.map_err(|e| delta_error(&what(), e))?;
    Ok(Some(table))
}

/// The newest version of the table for queries through DataFusion.
///
/// # Errors
/// `Config` when there is no table, otherwise as [`open_table`].
pub async fn provider(store: &Store, path: &str) -> Result<Arc<dyn TableProvider>> {
    let log_store = store.log_store(path)?;
    let what = || format!("open delta table {path}");
    if !log_store.is_delta_table_location().await.map_err(|e| delta_error(&what(), e))? {
        return Err(no_table(store, path));
    }
    let scan = TableProviderBuilder::default().with_log_store(log_store).build().await;
    Ok(Arc::new(scan.map_err(|e| Error::transient(format!("could not {}", what())).because(e))?))
}

/// All rows of the newest version, with its version: each column has its declared type, partition columns included.
/// It is all in memory: for tests and small tables.
///
/// # Errors
/// `Config` when there is no table, otherwise as [`open_table`].
pub async fn read_all(store: &Store, path: &str) -> Result<(u64, Vec<RecordBatch>)> {
    let (version, rows) = read_rows(store, path).await?;
    Ok((version, rows.try_collect().await?))
}

/// As [`read_all`], batch by batch: one file is open at a time.
///
/// # Errors
/// As [`read_all`]; the stream ends with its first error.
pub async fn read_rows(store: &Store, path: &str) -> Result<(u64, BoxStream<'static, Result<RecordBatch>>)> {
    let table = open_table(store, path).await?.ok_or_else(|| no_table(store, path))?;
    let snapshot = table.snapshot().map_err(|e| delta_error(&format!("read delta table {path}"), e))?;
    let schema = snapshot.snapshot().arrow_schema();
    let objects = table.object_store();
    let files: Vec<FileToRead> = snapshot
        .log_data()
        .iter()
        .map(|file| FileToRead {
            path: file.path().into_owned(),
            size_bytes: u64::try_from(file.size()).unwrap_or_default(),
            partition_values: file.partition_values_map(),
        })
        .collect();
    let rows = futures::stream::iter(files)
        .then(move |file| read_file(objects.clone(), file, schema.clone(), None))
        .try_flatten();
    Ok((snapshot.version(), rows.boxed()))
}

/// How many rows the newest version has, as its log says: 0 when there is no table, none when a file does not say.
///
/// # Errors
/// As [`open_table`].
pub async fn count_rows(store: &Store, path: &str) -> Result<Option<u64>> {
    let Some(table) = open_table(store, path).await? else { return Ok(Some(0)) };
    let snapshot = table.snapshot().map_err(|e| delta_error(&format!("read delta table {path}"), e))?;
    Ok(snapshot.log_data().iter().map(|file| file.num_records().map(|rows| rows as u64)).sum())
}

fn no_table(store: &Store, path: &str) -> Error {
    Error::config(format!(
        "there is no delta table at {}{path}; run the pipeline first, or check the path",
        store.url()
    ))
}

/// An error of delta-rs, in the engine's words. `doing` says what was tried.
pub(crate) fn delta_error(doing: &str, e: DeltaTableError) -> Error {
    match e {
        DeltaTableError::ObjectStore { source } => store_error(doing, source),
        e @ (DeltaTableError::InvalidJsonLog { .. }
        | DeltaTableError::NotATable(_)
        | DeltaTableError::MetadataError(_)
        | DeltaTableError::UnsupportedColumnMapping { .. }) => {
            Error::new(ErrorKind::Config, format!("could not {doing}")).because(e)
        }
        e => Error::transient(format!("could not {doing}")).because(e),
    }
}
