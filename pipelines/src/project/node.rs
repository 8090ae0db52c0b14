//! What a loaded project consists of.

use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

use super::values::{Config, bool_of, text_of, texts_of};

/// Where something is written in the project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file, relative to the project's folder.
    pub file: String,
    /// The line from 1, when it is known.
    pub line: Option<usize>,
}

/// A node that a model or test reads. Shows as dbt names it in messages: `orders`, or `raw.orders` for a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeRef {
    /// A model, by name.
    Model(String),
    /// A seed, by name.
    Seed(String),
    /// A source table.
    Source {
        /// The source's name.
        source: String,
        /// The table's name in the source.
        table: String,
    },
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeRef::Model(name) | NodeRef::Seed(name) => f.write_str(name),
            NodeRef::Source { source, table } => write!(f, "{source}.{table}"),
        }
    }
}

/// What becomes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Materialized {
    /// A table; sluice keeps it up to date.
    Table,
    /// A view; dbt's default. sluice keeps its rows up to date as a table's.
    #[default]
    View,
    /// A table that dbt would add to; sluice keeps it as any table, and reads its `unique_key`.
    Incremental,
    /// As `View`.
    MaterializedView,
    /// No table: its SQL is a CTE of the models that read it.
    Ephemeral,
    /// A table of versions, each with the times from when to when it was valid.
    Snapshot,
}

impl Materialized {
    /// Those that a model can have, in the words of dbt.
    pub const NAMES: [(&'static str, Materialized); 5] = [
        ("table", Materialized::Table),
        ("view", Materialized::View),
        ("incremental", Materialized::Incremental),
        ("materialized_view", Materialized::MaterializedView),
        ("ephemeral", Materialized::Ephemeral),
    ];

    /// The materialization of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, materialized)| *materialized)
    }
}

impl fmt::Display for Materialized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, m)| m == self).map_or("snapshot", |(name, _)| name))
    }
}

/// A column that a property file declares.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// Its Spark SQL type, as text, when declared.
    pub data_type: Option<String>,
    /// Its description; empty when there is none.
    pub description: String,
    /// dbt's constraints as written.
    pub constraints: Vec<Json>,
    /// Where it is declared.
    pub origin: Origin,
}

/// A model or snapshot: one `select` that makes one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The name by which others `ref` it; unique in the project.
    pub name: String,
    /// The package in which it is: the project itself, or one of its packages.
    pub package: String,
    /// Its file, relative to the project's folder.
    pub path: String,
    /// Its folders below the model path, and its name.
    pub fqn: Vec<String>,
    /// The file's text.
    pub raw_sql: String,
    /// Spark SQL: Jinja rendered, ephemeral models inlined.
    pub sql: String,
    /// The layer, and the folder of the lake, in which its table is.
    pub schema: String,
    /// The table's name in the schema.
    pub alias: String,
    /// What becomes of it.
    pub materialized: Materialized,
    /// Its tags, each once.
    pub tags: Vec<String>,
    /// All its configs, from `dbt_project.yml`, property files and the model itself.
    pub config: Config,
    /// What it reads directly, each once, in the order of first use; ephemeral models included.
    pub depends_on: Vec<NodeRef>,
    /// The columns that a property file declares.
    pub columns: Vec<Column>,
    /// dbt's constraints of the table as written.
    pub constraints: Vec<Json>,
    /// Its description; empty when there is none.
    pub description: String,
    /// Where a property file describes it.
    pub described: Option<Origin>,
}

impl Model {
    /// A config that may be one text or a list of texts; empty when it is not set.
    pub fn config_list(&self, key: &str) -> Vec<String> {
        self.config.get(key).map(texts_of).unwrap_or_default()
    }

    /// A config that is a text (or a number or boolean, as text).
    pub fn config_text(&self, key: &str) -> Option<String> {
        self.config.get(key).and_then(text_of)
    }

    /// A config that is a boolean.
    pub fn config_bool(&self, key: &str) -> Option<bool> {
        self.config.get(key).and_then(bool_of)
    }

    /// The columns of `unique_key`; empty when it is not set.
    pub fn unique_key(&self) -> Vec<String> {
        self.config_list("unique_key")
    }

    /// The columns of `partition_by`; empty when it is not set.
    pub fn partition_by(&self) -> Vec<String> {
        self.config_list("partition_by")
    }

    /// Whether its columns must be those that are declared, with their types.
    pub fn contract_enforced(&self) -> bool {
        super::contracts::is_enforced(&self.config)
    }

    /// Whether it has a table of its own.
    pub fn has_table(&self) -> bool {
        self.materialized != Materialized::Ephemeral
    }
}

/// A column of a source table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// The column's name; for a stream, the field's name.
    pub name: String,
    /// Its Spark SQL type as text; empty when none is declared (never for a stream).
    pub data_type: String,
    /// Its description; empty when there is none.
    pub description: String,
    /// Where it is declared.
    pub origin: Origin,
}

/// How a stream's table is cut into folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionBy {
    /// One folder for each UTC day of the event time.
    Day,
    /// No folders.
    None,
}

/// What a stream is beyond a dbt source: its `meta.stream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamMeta {
    /// The topic (or file stream); the table's identifier when not given.
    pub topic: String,
    /// The format of a record; `json` when not given.
    pub format: String,
    /// The event time as a Spark SQL expression over the columns.
    pub event_time: Option<String>,
    /// How far behind the newest event time rows may come before they are late.
    pub watermark: Option<Duration>,
    /// How the table is cut into folders; the engine's default when not given.
    pub partition_by: Option<PartitionBy>,
    /// The largest record that is decoded, in bytes; larger ones are rejected. The decoder's default when not given.
    pub record_bytes_max: Option<u64>,
}

/// A table of a dbt source: a stream when it has `meta.stream`, else a table that is in the lake already.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceTable {
    /// The source's name.
    pub source: String,
    /// The package in which it is declared.
    pub package: String,
    /// The source's description; empty when there is none.
    pub source_description: String,
    /// The table's name in the source.
    pub name: String,
    /// The layer, and the folder of the lake, in which it is.
    pub schema: String,
    /// The table's name in the schema.
    pub identifier: String,
    /// Its columns in the order in which they are declared.
    pub columns: Vec<SourceColumn>,
    /// What makes it a stream.
    pub stream: Option<StreamMeta>,
    /// Its description; empty when there is none.
    pub description: String,
    /// `meta` as written, `stream` included.
    pub meta: Config,
    /// Its tags, those of the source included.
    pub tags: Vec<String>,
    /// Where it is declared.
    pub origin: Origin,
}

/// How bad a failed data test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// The build fails.
    #[default]
    Error,
    /// The build goes on with a warning.
    Warn,
}

/// A data test: a query whose rows are faults.
#[derive(Debug, Clone, PartialEq)]
pub struct DataTest {
    /// The name, as dbt makes it.
    pub name: String,
    /// The package in which it is written.
    pub package: String,
    /// The generic test (`not_null`, `dbt_utils.accepted_range`, ...), or `singular` for a file of its own.
    pub kind: String,
    /// What is tested; none for a singular test.
    pub node: Option<NodeRef>,
    /// The column that is tested.
    pub column: Option<String>,
    /// The arguments as written.
    pub args: Config,
    /// Spark SQL that selects the failing rows.
    pub sql: String,
    /// How bad a failure is.
    pub severity: Severity,
    /// The expression over the failing rows that gives their number; `count(*)` unless set.
    pub fail_calc: String,
    /// The condition on that number that is an error; `!= 0` unless set.
    pub error_if: String,
    /// The condition on that number that is a warning; `!= 0` unless set.
    pub warn_if: String,
    /// How many of the failing rows are looked at; all when none.
    pub limit: Option<u64>,
    /// The table that takes the failing rows, by its schema and name, when they are to be kept.
    pub stored: Option<(String, String)>,
    /// Its tags.
    pub tags: Vec<String>,
    /// All its configs.
    pub config: Config,
    /// What it reads.
    pub depends_on: Vec<NodeRef>,
    /// Where it is written.
    pub origin: Origin,
}
