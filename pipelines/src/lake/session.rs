//! A session over the tables that are there.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use sluice_engine::{Error, Result};
use sluice_operators::store::{OWN_FOLDER, Store, open_table, provider};

use crate::audit::{audit_path, audit_schema};
use crate::compile::Pipeline;
use crate::sql::model::{exact_column, lower_case, plain};
use crate::sql::plan_query;
use crate::sql::session::spark_session;

/// The layer in which sluice's own tables (rejects, audit) are found by SQL.
const OWN_LAYER: &str = "sluice";

/// A session that knows all tables of a pipeline as they are now. A table that is not there yet has no rows.
///
/// # Errors
/// Those of the lake.
pub async fn lake_session(pipeline: &Pipeline, store: &Store) -> Result<SessionContext> {
    let layers = pipeline.layers();
    let context = spark_session(layers.iter().map(String::as_str).chain([OWN_LAYER]));
    for (table, path) in pipeline.tables() {
        let known = known_schema(pipeline, &table);
        add_table(&context, store, &table, &path, known).await?;
    }
    let audit = audit_path(&pipeline.project.name);
    add_table(&context, store, &format!("{OWN_LAYER}.audit"), &audit, Some(audit_schema())).await?;
    let rejects = format!("{OWN_FOLDER}/rejects");
    let schema = sluice_operators::decode::json::rejects_schema();
    add_table(&context, store, &format!("{OWN_LAYER}.rejects"), &rejects, Some(schema)).await?;
    Ok(context)
}

fn known_schema(pipeline: &Pipeline, table: &str) -> Option<SchemaRef> {
    let streams = pipeline.streams.iter().filter(|s| s.table == table).map(|s| s.schema.clone());
    let models = pipeline.models.values().filter(|m| m.table == table).map(|m| m.schema.clone());
    let seeds = pipeline.seeds.iter().filter(|s| s.table == table).map(|s| s.rows.schema());
    streams.chain(models).chain(seeds).next()
}

async fn add_table(
    context: &SessionContext,
    store: &Store,
    table: &str,
    path: &str,
    known: Option<SchemaRef>,
) -> Result<()> {
    let failed = |e: datafusion::error::DataFusionError| {
        Error::bug(format!("table {table} could not be registered: {}", plain(&e)))
    };
    let found: Arc<dyn TableProvider> = if open_table(store, path).await?.is_some() {
        lower_case_view(context, provider(store, path).await?).map_err(failed)?
    } else {
        match known {
            Some(schema) => Arc::new(EmptyTable::new(lower_case(&schema))),
            None => return Ok(()),
        }
    };
    let (layer, name) = table.split_once('.').unwrap_or(("default", table));
    context.register_table(TableReference::partial(layer, name), found).map_err(failed)?;
    Ok(())
}

/// The table with lower-case column names: Spark does not tell names apart by case.
pub(crate) fn lower_case_view(
    context: &SessionContext,
    table: Arc<dyn TableProvider>,
) -> datafusion::error::Result<Arc<dyn TableProvider>> {
    let names: Vec<String> = table.schema().fields().iter().map(|f| f.name().clone()).collect();
    let frame = context.read_table(table)?;
    let columns = names.iter().map(|n| exact_column(n).alias(n.to_lowercase()));
    Ok(frame.select(columns.collect::<Vec<_>>())?.into_view())
}

fn sql_failed(e: &datafusion::error::DataFusionError) -> Error {
    Error::data(plain(e))
}

/// The rows of a query as they come.
pub struct Rows {
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
}

impl Rows {
    /// Its columns, in the types that tables store.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The next rows; none at the end.
    ///
    /// # Errors
    /// `Data` when the query fails on its way.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.stream.try_next().await.map_err(|e| sql_failed(&e))? else { return Ok(None) };
        let columns = batch.columns().iter().zip(self.schema.fields()).map(|(c, f)| cast(c, f.data_type()));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(Some(RecordBatch::try_new_with_options(self.schema(), columns, &options)?))
    }
}

/// Begins a query (any SQL that a model could be).
///
/// # Errors
/// `Config` with the words of parser or planner; `Data` when it cannot begin.
pub async fn query_rows(context: &SessionContext, sql: &str) -> Result<Rows> {
    let planned = plan_query(context, sql).await.map_err(|e| Error::config(e.message))?;
    let frame = DataFrame::new(context.state(), planned.plan);
    let stream = frame.execute_stream().await.map_err(|e| sql_failed(&e))?;
    Ok(Rows { schema: planned.schema, stream })
}

/// All rows of a query (any SQL that a model could be), in the types that tables store.
///
/// # Errors
/// As [`query_rows`], and when it fails on its way.
pub async fn query(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    let mut rows = query_rows(context, sql).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await? {
        batches.push(batch);
    }
    Ok(batches)
}

/// The rows of a model by its SQL, as a batch over what its inputs hold.
///
/// # Errors
/// As [`query`].
pub async fn batch_query(context: &SessionContext, sql: &str, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let batches = query(context, sql).await?;
    let typed = |batch: RecordBatch| {
        let columns = batch.columns().iter().zip(schema.fields()).map(|(c, f)| cast(c, f.data_type()));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    };
    batches.into_iter().map(typed).collect()
}
