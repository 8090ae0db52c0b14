//! The config, checked and worked out: what goes where.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluice_engine::{Error, Result};

use super::config::ClickHouseConfig;
use super::ddl::qualified;
use super::types::{can_be_key, clickhouse_type, to_wire, wire_type};

/// Columns that every rows table has besides the model's: name, ClickHouse type, comment.
pub(super) const OWN_COLUMNS: [(&str, &str, &str); 3] = [
    ("_version", "UInt64", "run (24 bits) and barrier (40 bits) that made the row; the highest of a key wins"),
    ("_deleted", "UInt8", "1: the key is gone"),
    ("_epoch", "UInt64", "epoch that the row belongs to"),
];

/// One column of the model.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    pub wire: DataType,
    pub clickhouse: String,
    pub comment: String,
}

/// A checked config and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub config: ClickHouseConfig,
    /// The model's columns, in its order.
    pub columns: Vec<Column>,
    /// Where the key's columns are among them, in the key's order.
    pub key: Vec<usize>,
    /// What is sent: the model's columns and our own.
    pub wire: SchemaRef,
}

impl Target {
    /// # Errors
    /// `Config` when the model cannot be a ClickHouse table: no key, a column of a type that there is none for, a name
    /// that is taken.
    pub(super) fn new(config: ClickHouseConfig) -> Result<Self> {
        let at = format!("model {}", config.table);
        let key = key_columns(&config).map_err(|e| e.at(&at))?;
        let columns = model_columns(&config, &key).map_err(|e| e.at(&at))?;
        let mut fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, c.wire.clone(), true)).collect();
        fields.push(Field::new("_version", DataType::UInt64, false));
        fields.push(Field::new("_deleted", DataType::UInt8, false));
        fields.push(Field::new("_epoch", DataType::UInt64, false));
        Ok(Self { config, columns, key, wire: Arc::new(Schema::new(fields)) })
    }

    /// `database`.`table__rows`, quoted.
    pub(super) fn rows_name(&self) -> String {
        qualified(&self.config.database, &self.config.rows_table())
    }

    /// `database`.`table`, quoted.
    pub(super) fn view_name(&self) -> String {
        qualified(&self.config.database, &self.config.table)
    }

    /// The rows table as people write it, for messages.
    pub(super) fn shown(&self) -> String {
        format!("{}.{}", self.config.database, self.config.rows_table())
    }

    /// A batch's columns in their wire types.
    ///
    /// # Errors
    /// `Bug` when the batch is not of the model's columns.
    pub(super) fn wire_columns(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        if rows.num_columns() != self.columns.len() {
            let (got, want) = (rows.num_columns(), self.columns.len());
            return Err(Error::bug(format!("clickhouse table {}: a batch of {got} columns, not {want}", self.shown())));
        }
        rows.columns().iter().zip(&self.columns).map(|(a, c)| to_wire(a, &c.wire)).collect()
    }
}

fn key_columns(config: &ClickHouseConfig) -> Result<Vec<usize>> {
    if config.key.is_empty() {
        return Err(Error::config(
            "clickhouse needs to know what identifies a row; add config(unique_key=...) to the model, or leave it out of \
             clickhouse.models in sluice.yml",
        ));
    }
    let mut seen = HashSet::new();
    let find = |name: &String| {
        if !seen.insert(name.clone()) {
            return Err(Error::config(format!("unique_key names column {name} twice; name it once")));
        }
        config.schema.index_of(name).map_err(|_| {
            let all: Vec<_> = config.schema.fields().iter().map(|f| f.name().as_str()).collect();
            Error::config(format!(
                "unique_key names column {name}, which the model does not have; it has {}",
                all.join(", ")
            ))
        })
    };
    config.key.iter().map(find).collect()
}

fn model_columns(config: &ClickHouseConfig, key: &[usize]) -> Result<Vec<Column>> {
    let mut names = HashSet::new();
    let column = |(i, field): (usize, &Arc<Field>)| {
        let name = field.name();
        if OWN_COLUMNS.iter().any(|(own, ..)| own == name) {
            return Err(Error::config(format!(
                "column {name} has a name that clickhouse tables use themselves; rename it"
            )));
        }
        if !names.insert(name.clone()) {
            return Err(Error::config(format!("two columns are named {name}; rename one")));
        }
        let at = |e: Error| e.at(format!("column {name}"));
        let wire = wire_type(field.data_type()).map_err(at)?;
        if key.contains(&i) && !can_be_key(&wire) {
            let text =
                format!("column {name} of type {} cannot be part of unique_key; use plain columns", field.data_type());
            return Err(Error::config(text));
        }
        let clickhouse = clickhouse_type(&wire, field.is_nullable() || !key.contains(&i)).map_err(at)?;
        let comment = config.descriptions.get(name).cloned().unwrap_or_default();
        Ok(Column { name: name.clone(), wire, clickhouse, comment })
    };
    config.schema.fields().iter().enumerate().map(column).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;
    use expect_test::{Expect, expect};

    /// A model for tests: plays per song and day.
    pub(in super::super) fn config() -> ClickHouseConfig {
        let fields = vec![
            Field::new("song", DataType::Utf8View, true),
            Field::new("day", DataType::Date32, false),
            Field::new("plays", DataType::Int64, false),
            Field::new("last", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        ];
        ClickHouseConfig {
            pipeline: "music".into(),
            url: "http://127.0.0.1:8123".into(),
            user: "default".into(),
            password: "hush".into(),
            database: "music".into(),
            table: "top_songs".into(),
            schema: Arc::new(Schema::new(fields)),
            key: vec!["song".into(), "day".into()],
            comment: "plays per song".into(),
            descriptions: [("plays".to_owned(), "it's a count".to_owned())].into(),
            waits: Default::default(),
        }
    }

    fn refused(change: impl FnOnce(&mut ClickHouseConfig), expected: Expect) {
        let mut config = config();
        change(&mut config);
        expected.assert_eq(&Target::new(config).unwrap_err().to_string());
    }

    /// Shows what is said to a model that cannot be a ClickHouse table.
    #[test]
    fn models_that_do_not_fit_are_refused() {
        refused(
            |c| c.key.clear(),
            expect![
                "model top_songs: clickhouse needs to know what identifies a row; add config(unique_key=...) to the model, or leave it out of clickhouse.models in sluice.yml"
            ],
        );
        refused(
            |c| c.key = vec!["artist".into()],
            expect![
                "model top_songs: unique_key names column artist, which the model does not have; it has song, day, plays, last"
            ],
        );
        refused(
            |c| c.key.push("day".into()),
            expect!["model top_songs: unique_key names column day twice; name it once"],
        );
        let with = |name: &str, t: DataType| Arc::new(Schema::new(vec![Field::new(name, t, true)]));
        refused(
            |c| (c.schema, c.key) = (with("_epoch", DataType::Int64), vec!["_epoch".into()]),
            expect!["model top_songs: column _epoch has a name that clickhouse tables use themselves; rename it"],
        );
        refused(
            |c| (c.schema, c.key) = (with("x", DataType::Null), vec!["x".into()]),
            expect![
                "model top_songs: column x: clickhouse has no type for Null; cast it in the model, for instance to string"
            ],
        );
        let list = DataType::new_list(DataType::Int64, true);
        refused(
            |c| (c.schema, c.key) = (with("x", list), vec!["x".into()]),
            expect!["model top_songs: column x of type List(Int64) cannot be part of unique_key; use plain columns"],
        );
    }

    /// Shows that a config that is printed does not tell the password.
    #[test]
    fn the_password_is_not_printed() {
        assert!(!format!("{:?}", Target::new(config()).unwrap()).contains("hush"));
    }
}
