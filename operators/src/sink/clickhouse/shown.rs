//! What a table shows: for the audit.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::Field;
use arrow::ipc::reader::StreamReader;
use serde::Deserialize;
use sluice_engine::{Error, Result};

use super::client::Client;
use super::config::ClickHouseConfig;
use super::ddl::list;
use super::target::Target;

/// What a model's view shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The newest epoch that a row belongs to, deleted ones too; 0 when there is none.
    pub epoch: u64,
    /// The rows, in the model's columns.
    pub rows: Vec<RecordBatch>,
}

#[derive(Deserialize)]
struct Newest {
    value: String,
}

/// Reads what the model's view shows now. It is all in memory.
///
/// # Errors
/// `Transient` when ClickHouse is away, `Config` when it refuses, or has no such table.
pub async fn shown_rows(config: ClickHouseConfig) -> Result<Shown> {
    let (client, schema) = (Client::new(&config)?, config.schema.clone());
    let target = Target::new(config)?;
    let at = |e: Error| e.at(format!("clickhouse table {}", target.shown()));
    let newest = format!("SELECT toString(max(_epoch)) AS value FROM {}", target.rows_name());
    let columns = list(target.columns.iter().map(|c| c.name.as_str()));
    let sql = format!("SELECT {columns} FROM {}", target.view_name());
    // Texts come as bytes, because a text of ClickHouse need not be UTF-8.
    let settings = [("output_format_arrow_string_as_string", "0"), ("output_format_arrow_compression_method", "none")];
    let bytes = client.bytes(&sql, "ArrowStream", &settings).await.map_err(at)?;
    let typed = |rows: RecordBatch| {
        let column = |(a, f): (&ArrayRef, &Arc<Field>)| cast(a, f.data_type());
        let columns = rows.columns().iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::new(nullable(&schema)), columns)
    };
    let rows = StreamReader::try_new(&bytes[..], None)?.map(|rows| rows.and_then(typed)).collect::<Result<_, _>>()?;
    // Asked last: what is newer than it cannot be among the rows.
    let newest: Vec<Newest> = client.rows(&newest).await.map_err(at)?;
    let epoch = newest.first().and_then(|n| n.value.parse().ok()).unwrap_or(0);
    Ok(Shown { epoch, rows })
}

fn nullable(schema: &arrow::datatypes::Schema) -> arrow::datatypes::Schema {
    let fields = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
    arrow::datatypes::Schema::new(fields.collect::<Vec<_>>())
}
