//! Rows that fail a data test, kept in a table of their own.

use sluice_engine::Result;
use sluice_operators::sink::delta::{WriteMode, committed_version, overwrite};
use sluice_operators::store::Store;

use datafusion::prelude::SessionContext;

use super::data_tests::failing_sql;
use super::session::{query, query_rows};
use crate::compile::{Pipeline, TableName};
use crate::project::DataTest;

/// Replaces what the test's table of failing rows holds (`store_failures`); gives the table's folder below the lake, or
/// nothing when the test keeps none.
///
/// # Errors
/// Those of the query and of the lake; `Config` when the table that is there has other columns.
pub async fn store_failures(
    pipeline: &Pipeline,
    store: &Store,
    context: &SessionContext,
    test: &DataTest,
) -> Result<Option<String>> {
    let Some((schema, name)) = &test.stored else { return Ok(None) };
    let sql = failing_sql(test);
    let columns = query_rows(context, &sql).await?.schema();
    let rows = query(context, &sql).await?;
    let path = format!("{schema}/{name}");
    let about = format!("rows that fail the data test {}", test.name);
    let table = TableName { path: &path, name: &format!("{schema}.{name}"), about: &about };
    let config = pipeline.delta_table(store, table, columns, WriteMode::Changes);
    let version = committed_version(&config).await?.unwrap_or(0) + 1;
    overwrite(&config, version, rows.into_iter().map(Ok)).await?;
    Ok(Some(path))
}
