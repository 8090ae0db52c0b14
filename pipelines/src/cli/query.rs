//! `sluice query`: SQL over the tables.

use clap::{Args, ValueEnum};

use super::{Outcome, ProjectDir, opened};
use crate::lake;

pub const AFTER_HELP: &str = "\
Tables are named layer.table, for instance bronze.x, silver.y, gold.z; records that could not be decoded are in sluice.rejects.
The SQL is Spark SQL, as in models:
  sluice query \"select reason, count(*) from sluice.rejects group by reason\"";

/// SQL over the tables.
#[derive(Debug, Args)]
pub struct QueryArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// The query.
    sql: String,
    /// How the rows are written.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// A JSON object a line.
    Json,
    /// With a header.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

pub async fn query(args: QueryArgs) -> Outcome {
    let pipeline = opened::open(&args.project.project).await?;
    let store = opened::lake(&pipeline)?;
    let context = lake::lake_session(&pipeline, &store).await?;
    let batches = lake::query(&context, &args.sql).await?;
    let _ = args.format;
    let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).map_err(sluice_engine::Error::from)?;
    super::output::say(&text.to_string());
    Ok(())
}
