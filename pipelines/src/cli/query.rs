//! `sluice query`: SQL over the tables.

use std::io::IsTerminal;

use clap::Args;
use sluice_engine::Error;

use super::{Outcome, ProjectDir, opened};
use crate::lake;
use crate::table_text::{BatchWriter, Format, TERMINAL_COLUMN_CHARS_MAX};

pub const AFTER_HELP: &str = "\
Tables are named layer.table, as `sluice plan` lists them. Records that could not be decoded, and rows for which an expression
failed, are in sluice.rejects.
The SQL is Spark SQL, as in models:
  sluice query \"select stream, count(*) from sluice.rejects group by stream\"";

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

pub async fn query(args: QueryArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    let store = opened::lake(&pipeline)?;
    let context = lake::lake_session(&pipeline, &store).await?;
    let mut rows = lake::query_rows(&context, &args.sql).await.map_err(with_way_out)?;
    let stdout = std::io::stdout();
    let chars_max = stdout.is_terminal().then_some(TERMINAL_COLUMN_CHARS_MAX);
    let mut writer = BatchWriter::new(stdout.lock(), rows.schema(), args.format, chars_max)?;
    while let Some(batch) = rows.next().await? {
        if writer.write(&batch)?.is_break() {
            return Ok(());
        }
    }
    let _ = writer.finish()?;
    Ok(())
}

/// For who named a table that is not there: where the names are.
fn with_way_out(error: Error) -> Error {
    let message = error.to_string();
    let is_unknown = message.starts_with("table '") && message.ends_with("not found");
    if is_unknown { Error::config(format!("{message}; `sluice plan` lists the tables")) } else { error }
}
