//! What the sink must be told.

use std::collections::BTreeMap;
use std::fmt;

use arrow::datatypes::SchemaRef;
use sluice_engine::metrics::Waits;

/// One model's way into ClickHouse.
///
/// Two objects are made for it: the table `<database>.<table>__rows` that holds every version of every row, and the
/// view `<database>.<table>` that people query: the newest version of each key, without what was deleted.
#[derive(Clone)]
pub struct ClickHouseConfig {
    /// The pipeline's name: part of the tokens by which ClickHouse knows a block that is sent again.
    pub pipeline: String,
    /// Address of the HTTP interface: `http://host:8123`.
    pub url: String,
    /// The user, mostly `default`.
    pub user: String,
    /// The user's password; empty for none. Never printed.
    pub password: String,
    /// The database; made when it is missing.
    pub database: String,
    /// The model's name: the name of the view.
    pub table: String,
    /// The model's columns.
    pub schema: SchemaRef,
    /// The columns that identify a row of the model, in the order in which the table is sorted.
    pub key: Vec<String>,
    /// The model's description; may be empty.
    pub comment: String,
    /// Descriptions of columns, by name; others have none.
    pub descriptions: BTreeMap<String, String>,
    /// Told while ClickHouse does not take rows.
    pub waits: Waits,
}

impl ClickHouseConfig {
    /// Name of the table that holds the rows, without the database.
    pub fn rows_table(&self) -> String {
        format!("{}{}", self.table, ROWS_SUFFIX)
    }
}

/// What is added to a model's name for the table behind its view.
pub const ROWS_SUFFIX: &str = "__rows";

impl fmt::Debug for ClickHouseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClickHouseConfig")
            .field("pipeline", &self.pipeline)
            .field("url", &self.url)
            .field("user", &self.user)
            .field("password", &"(hidden)")
            .field("database", &self.database)
            .field("table", &self.table)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
