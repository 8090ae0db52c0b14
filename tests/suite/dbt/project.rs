//! A project of `tests/projects` in a folder of a test's own, and what DuckDB makes of its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_tests::cache;
use tempfile::TempDir;

use crate::bad_input::sluice;

const PROJECTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/projects");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/expected_tables.py");
/// What stands before the query that sluice is asked, in the first line of a query for DuckDB.
const IN_SLUICE: &str = "-- in sluice: ";

/// A copy of a project; it goes with this value.
pub struct DbtProject {
    folder: TempDir,
}

impl DbtProject {
    /// Copies a project, with its packages where `dbt deps` would put them.
    pub fn new(name: &str) -> anyhow::Result<DbtProject> {
        let project = DbtProject { folder: tempfile::Builder::new().prefix("sluice-dbt-").tempdir()? };
        let from = Path::new(PROJECTS).join(name);
        copy(&from, &project.path(""))?;
        if from.join("packages").is_dir() {
            copy(&from.join("packages"), &project.path("dbt_packages"))?;
        }
        Ok(project)
    }

    /// A path in its folder.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Its folder, for a command line.
    pub fn dir(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// The manifest that real dbt makes of it.
    pub fn parsed_by_dbt(&self) -> anyhow::Result<Value> {
        // The adapter looks whether pyspark is there before it reads the project; parsing does not use it.
        let modules = tempfile::tempdir()?;
        fs::write(modules.path().join("pyspark.py"), "")?;
        let dir = self.dir();
        let output = Command::new(cache::python_program("dbt")?)
            .args(["--no-use-colors", "parse", "--no-partial-parse", "--project-dir", &dir, "--profiles-dir", &dir])
            .env("PYTHONPATH", modules.path())
            .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
            .current_dir(self.folder.path())
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        Ok(serde_json::from_slice(&fs::read(self.path("target/manifest.json"))?)?)
    }

    /// The rows of a query, as lines of text, sorted.
    pub fn rows(&self, query: &str) -> Vec<String> {
        let (code, out, err) = sluice(&["query", "--project", &self.dir(), "--format", "csv", query]);
        assert_eq!(code, Some(0), "{query}: {err}");
        let mut rows: Vec<String> = out.lines().skip(1).map(str::to_owned).collect();
        rows.sort();
        rows
    }
}

/// A table as DuckDB computes it.
pub struct Expected {
    /// The name of its file.
    pub name: String,
    /// The same question to sluice.
    pub query: String,
    /// The rows, as lines of text, sorted.
    pub rows: Vec<String>,
}

/// What the queries of a project's folder `<name>_expected` give.
pub fn expected(name: &str) -> anyhow::Result<Vec<Expected>> {
    let queries = Path::new(PROJECTS).join(format!("{name}_expected"));
    let output = Command::new(cache::python_program("python")?)
        .arg(SCRIPT)
        .args([Path::new(PROJECTS).join(name), queries.clone()])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |line: &str| {
        let table: Value = serde_json::from_str(line)?;
        let name = table["table"].as_str().context("a table has a name")?.to_owned();
        let text = fs::read_to_string(queries.join(format!("{name}.sql")))?;
        let query = text.lines().next().and_then(|line| line.strip_prefix(IN_SLUICE));
        let query = query.with_context(|| format!("{name}.sql does not begin with {IN_SLUICE}"))?.to_owned();
        let rows = table["rows"].as_array().context("a table has rows")?;
        Ok(Expected { name, query, rows: rows.iter().filter_map(|row| row.as_str().map(str::to_owned)).collect() })
    };
    let tables: Vec<Expected> = String::from_utf8(output.stdout)?.lines().map(read).collect::<anyhow::Result<_>>()?;
    ensure!(!tables.is_empty(), "there are no queries in {}", queries.display());
    Ok(tables)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
