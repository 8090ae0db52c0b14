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
use sluice_operators::decode::json::rejects_schema;
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
    let context = session(pipeline);
    for table in tables(pipeline) {
        let found: Arc<dyn TableProvider> = if open_table(store, &table.path).await?.is_some() {
            let provider = provider(store, &table.path).await?;
            lower_case_view(&context, provider).map_err(|e| not_registered(&table.name, &e))?
        } else {
            Arc::new(EmptyTable::new(lower_case(&table.schema)))
        };
        register(&context, &table.name, found)?;
    }
    for (schema, name) in pipeline.project.tests.iter().filter_map(|test| test.stored.as_ref()) {
        let path = format!("{schema}/{name}");
        let table = format!("{schema}.{name}").to_lowercase();
        let layer = TableReference::partial(schema.to_lowercase(), name.to_lowercase());
        // Rows that failed a test; two tests may share a table.
        if open_table(store, &path).await?.is_some() && !context.table_exist(layer).unwrap_or(true) {
            let found = provider(store, &path).await?;
            register(&context, &table, lower_case_view(&context, found).map_err(|e| not_registered(&table, &e))?)?;
        }
    }
    Ok(context)
}

/// A session that knows the same tables, all without rows: to plan queries without a lake.
///
/// # Errors
/// `Bug` when a table cannot be registered.
pub fn empty_session(pipeline: &Pipeline) -> Result<SessionContext> {
    let context = session(pipeline);
    for table in tables(pipeline) {
        register(&context, &table.name, Arc::new(EmptyTable::new(lower_case(&table.schema))))?;
    }
    Ok(context)
}

fn session(pipeline: &Pipeline) -> SessionContext {
    let mut layers = pipeline.layers();
    let stored = pipeline.project.tests.iter().filter_map(|test| test.stored.as_ref());
    layers.extend(stored.map(|(schema, _)| schema.to_lowercase()));
    spark_session(layers.iter().map(String::as_str).chain([OWN_LAYER]))
}

/// A table that SQL may name: its name, folder and columns.
struct Known {
    name: String,
    path: String,
    schema: SchemaRef,
}

fn tables(pipeline: &Pipeline) -> Vec<Known> {
    let known = |name: &str, path: &str, schema: SchemaRef| Known { name: name.into(), path: path.into(), schema };
    let streams = pipeline.streams.iter().map(|s| known(&s.table, &s.path, s.schema.clone()));
    let seeds = pipeline.seeds.iter().map(|s| known(&s.table, &s.path, s.rows.schema()));
    let models = pipeline.models.values().map(|m| known(&m.table, &m.path, m.schema.clone()));
    let audit = known(&format!("{OWN_LAYER}.audit"), &audit_path(&pipeline.project.name), audit_schema());
    let rejects = known(&format!("{OWN_LAYER}.rejects"), &format!("{OWN_FOLDER}/rejects"), rejects_schema());
    streams.chain(seeds).chain(models).chain([rejects, audit]).collect()
}

fn register(context: &SessionContext, table: &str, found: Arc<dyn TableProvider>) -> Result<()> {
    let (layer, name) = table.split_once('.').unwrap_or(("default", table));
    let registered = context.register_table(TableReference::partial(layer, name), found);
    registered.map(|_| ()).map_err(|e| not_registered(table, &e))
}

fn not_registered(table: &str, e: &datafusion::error::DataFusionError) -> Error {
    Error::bug(format!("table {table} could not be registered: {}", plain(e)))
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

/// A query that fails because the lake is away may be tried again; otherwise it is the query and its rows.
fn sql_failed(e: &datafusion::error::DataFusionError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(c) = cause {
        if c.is::<datafusion::object_store::Error>() || c.is::<std::io::Error>() {
            return Error::transient(format!("the tables could not be read: {}", plain(e)));
        }
        cause = c.source();
    }
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
    /// `Data` when the query fails on its way, `Transient` when the lake is away.
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
