//! Independent readers of Delta tables: DuckDB, and delta-rs as Python ships it. They share no code with what wrote the
//! table, so that a test compares with what a user's own tools would see.

use std::process::Command;

use anyhow::{Context, ensure};

use crate::cache;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_delta.py");

/// Who reads the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// DuckDB reads the Parquet files; the script follows the Delta log itself. (DuckDB's own Delta extension comes from a
    /// place that tests must not need.)
    DuckDb,
    /// The `deltalake` package: delta-rs follows the log, PyArrow reads the Parquet files.
    DeltaLake,
}

/// What a table holds, small enough to compare however large the table is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Sum {
    /// How many rows there are.
    pub rows: u64,
    /// The sum over the rows' hashes, in hexadecimal; the order of rows does not matter.
    pub checksum: String,
}

/// A table's rows as JSON objects, one a line, sorted as text. `table` is a folder or an `hdfs://` address; `columns`
/// chooses columns and their order, all when empty. Times are ISO 8601 in UTC with microseconds, binary is hexadecimal,
/// decimals are strings.
///
/// # Errors
/// When there is no such table, it uses a Delta feature that the script does not know, or the reader is not installed.
pub fn rows(engine: Engine, table: &str, columns: &[&str]) -> anyhow::Result<Vec<String>> {
    Ok(run(engine, table, columns, &[])?.lines().map(str::to_owned).collect())
}

/// The number of rows and their checksum; see `rows` for the arguments.
///
/// # Errors
/// As `rows`.
pub fn sum(engine: Engine, table: &str, columns: &[&str]) -> anyhow::Result<Sum> {
    let text = run(engine, table, columns, &["--sum"])?;
    serde_json::from_str(&text).with_context(|| format!("the reader said {text:?}"))
}

fn run(engine: Engine, table: &str, columns: &[&str], more: &[&str]) -> anyhow::Result<String> {
    let name = match engine {
        Engine::DuckDb => "duckdb",
        Engine::DeltaLake => "deltalake",
    };
    let mut command = Command::new(cache::python_program("python")?);
    command.args([SCRIPT, table, "--engine", name]).args(more);
    if !columns.is_empty() {
        command.args(["--columns", &columns.join(",")]);
    }
    let output = command.output().context("cannot start the reader")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} cannot read table {table}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}
