//! What a model's Delta table held when an epoch was committed: what ClickHouse is set back to after a crash.

use std::collections::HashSet;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::row::{RowConverter, SortField};
use futures::future::{BoxFuture, FutureExt, ready};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sluice_engine::{Error, Result};
use sluice_operators::sink::clickhouse::Settled;
use sluice_operators::store::{Store, count_rows, open_table, read_rows};

/// Reads the rows of keys from a Delta table. At start the table stands at the newest committed epoch.
pub struct DeltaSettled {
    store: Store,
    path: String,
    key: Vec<String>,
}

impl DeltaSettled {
    /// A reader of the table at `path` whose rows `key` tells apart.
    pub fn new(store: Store, path: &str, key: Vec<String>) -> Self {
        Self { store, path: path.to_owned(), key }
    }

    fn pick(&self, batch: &RecordBatch, keys: &RecordBatch) -> Result<RecordBatch> {
        let types = keys.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(types)?;
        let wanted = converter.convert_columns(keys.columns())?;
        let wanted: HashSet<&[u8]> = wanted.iter().map(|r| r.data()).collect();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (name, field) in self.key.iter().zip(keys.schema().fields()) {
            let column = batch.column_by_name(name);
            let column = column.ok_or_else(|| Error::bug(format!("table {} has no column {name}", self.path)))?;
            columns.push(cast(column, field.data_type())?);
        }
        let rows = converter.convert_columns(&columns)?;
        let picked: BooleanArray = rows.iter().map(|r| Some(wanted.contains(r.data()))).collect();
        Ok(filter_record_batch(batch, &picked)?)
    }
}

impl Settled for DeltaSettled {
    fn rows<'a>(&'a mut self, _epoch: u64, keys: RecordBatch) -> BoxFuture<'a, Result<Vec<RecordBatch>>> {
        async move {
            // Only what is wanted is kept of the table.
            let (_, rows) = read_rows(&self.store, &self.path).await?;
            rows.and_then(|batch| ready(self.pick(&batch, &keys)))
                .try_filter(|picked| ready(picked.num_rows() > 0))
                .try_collect()
                .await
        }
        .boxed()
    }

    fn all<'a>(&'a mut self, _epoch: u64) -> BoxFuture<'a, Result<BoxStream<'static, Result<RecordBatch>>>> {
        async move {
            match open_table(&self.store, &self.path).await? {
                Some(_) => Ok(read_rows(&self.store, &self.path).await?.1),
                None => Ok(futures::stream::empty().boxed()),
            }
        }
        .boxed()
    }

    fn count<'a>(&'a mut self) -> BoxFuture<'a, Result<Option<u64>>> {
        async move { count_rows(&self.store, &self.path).await }.boxed()
    }
}
