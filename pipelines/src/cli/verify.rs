//! `sluice verify`: the audit.

use clap::Args;

use super::{Failure, Outcome, ProjectDir, opened, output};
use crate::audit::{VerifyOptions, verify as verify_pipeline};

pub const AFTER_HELP: &str = "\
Holds, as of the newest audited epoch (a run may go on meanwhile):
  each stream's log against bronze and rejects: every record exactly once, by partition and offset;
  each table's log against what epochs have recorded: rows and files;
  each file's bytes against its checksum;
  what ClickHouse shows against the tables;
  with --deep, each table's rows against its SQL as a batch over bronze (the results are in memory).
Exit status: 0 everything adds up, 1 something does not (it is named). What was recorded is in sluice.audit:
  sluice query \"select epoch, table, rows_added, rows from sluice.audit order by epoch desc limit 20\"";

/// Does everything add up: nothing lost, nothing doubled, nothing altered?
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// Also compute each model's SQL over bronze, and hold its table against that, row for row.
    #[arg(long)]
    deep: bool,
}

pub async fn verify(args: VerifyArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    let store = opened::lake(&pipeline)?;
    let report = verify_pipeline(&pipeline, &store, VerifyOptions { deep: args.deep }).await?;
    output::say(&report.to_string());
    if report.adds_up() { Ok(()) } else { Err(Failure::Told) }
}
