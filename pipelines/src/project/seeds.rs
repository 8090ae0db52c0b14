//! Seeds: small tables that are csv files of the project.

use serde_json::Value as Json;

use super::csv;
use super::dbt_project::{FolderConfigs, Kind, ProjectFile, merge};
use super::error::Faults;
use super::files::Files;
use super::jinja::{DEFAULT_SCHEMA, Engine};
use super::models::model_variable;
use super::naming;
use super::node::Column;
use super::properties::NodeEntry;
use super::values::{Config, bool_of, text_of, texts_of};

/// A seed: the rows of a csv file.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// The name by which models `ref` it.
    pub name: String,
    /// The package in which it is.
    pub package: String,
    /// Its file, relative to the project's folder.
    pub path: String,
    /// Its folders below the seed path, and its name.
    pub fqn: Vec<String>,
    /// The layer in which its table is.
    pub schema: String,
    /// The table's name in the schema.
    pub alias: String,
    /// The columns in the order of the header.
    pub columns: Vec<SeedColumn>,
    /// The rows; a field is `None` where the file has nothing or the word `null`.
    pub rows: Vec<Vec<Option<String>>>,
    /// All its configs.
    pub config: Config,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its description; empty when there is none.
    pub description: String,
    /// The columns that a property file declares.
    pub declared: Vec<Column>,
}

/// A column of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedColumn {
    /// The name in the header.
    pub name: String,
    /// The Spark SQL type: that of `column_types`, else what the fields look like.
    pub data_type: String,
}

/// Reads a seed's file; `None` when it is disabled or faulty (the fault is noted).
pub(super) fn read(
    files: &dyn Files,
    (root, own, engine): (&ProjectFile, &ProjectFile, &Engine),
    path: &str,
    fqn: Vec<String>,
    entry: Option<&NodeEntry>,
    faults: &mut Faults,
) -> Option<Seed> {
    let FolderConfigs { usual: mut config, last } = FolderConfigs::of(root, own, Kind::Seeds, &fqn);
    if let Some(entry) = entry {
        merge(&mut config, entry.config.clone());
    }
    merge(&mut config, last);
    if config.get("enabled").and_then(bool_of) == Some(false) {
        return None;
    }
    let name = fqn.last().cloned().unwrap_or_default();
    let text =
        files.read(path).map_err(|e| faults.error(path, None, format!("the seed cannot be read: {e}"), "")).ok()?;
    let delimiter = config.get("delimiter").and_then(text_of).and_then(|text| text.chars().next()).unwrap_or(',');
    let (header, rows) = table(path, &text, delimiter, faults)?;
    let column_types = config.get("column_types").and_then(Json::as_object).cloned().unwrap_or_default();
    for column in column_types.keys().filter(|column| !header.contains(column)) {
        faults.error(
            path,
            Some(1),
            format!("column_types of seed \"{name}\" names \"{column}\", which is no column of the file"),
            "correct the name in column_types, or in the header",
        );
    }
    let columns = header.into_iter().enumerate().map(|(at, name)| {
        let declared = column_types.get(&name).and_then(text_of);
        let data_type =
            declared.unwrap_or_else(|| looks_like(rows.iter().filter_map(|row| row[at].as_deref())).to_owned());
        SeedColumn { name, data_type }
    });
    let columns = columns.collect();
    let variable = model_variable((&own.name, "seed"), (&name, path, &fqn), (DEFAULT_SCHEMA, &name), &config);
    let (schema, alias) = naming::names(engine, (path, &name), (variable, &config), faults);
    Some(Seed {
        columns,
        rows,
        schema,
        alias,
        package: own.name.clone(),
        tags: config.get("tags").map(texts_of).unwrap_or_default(),
        description: entry.map(|entry| entry.description.clone()).unwrap_or_default(),
        declared: entry.map(|entry| entry.columns.clone()).unwrap_or_default(),
        name,
        path: path.to_owned(),
        fqn,
        config,
    })
}

/// The header, and rows of fields that may be NULL.
type Table = (Vec<String>, Vec<Vec<Option<String>>>);

/// The header and the rows of a csv text, every row as wide as the header.
pub(super) fn table(file: &str, text: &str, delimiter: char, faults: &mut Faults) -> Option<Table> {
    let records = csv::records(text, delimiter).map_err(|line| {
        faults.error(
            file,
            Some(line),
            "a quote is opened here and never closed",
            "close it, or double a quote that is meant as text",
        );
    });
    let mut records = records.ok()?.into_iter();
    let Some((_, header)) = records.next() else {
        faults.error(file, None, "the file is empty", "a seed starts with a line of column names");
        return None;
    };
    let mut rows = Vec::new();
    for (line, record) in records {
        if record.len() != header.len() {
            let what = format!("the row has {} fields and the header has {}", record.len(), header.len());
            faults.error(file, Some(line), what, "put fields with commas into quotes");
            return None;
        }
        rows.push(record.into_iter().map(csv::null_or).collect());
    }
    Some((header.into_iter().map(|name| name.trim().to_owned()).collect(), rows))
}

/// Whether a value looks like one of a type.
type Test = fn(&str) -> bool;

/// The type that dbt would give to a column without a declared one, by what all its values look like.
fn looks_like<'a>(values: impl Iterator<Item = &'a str> + Clone) -> &'static str {
    let all = |test: Test| values.clone().all(|value| test(value.trim()));
    if values.clone().next().is_none() {
        return "string";
    }
    let tests: [(Test, &str); 5] = [
        (|v| v.parse::<i64>().is_ok(), "bigint"),
        (|v| v.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && v.parse::<f64>().is_ok(), "double"),
        (|v| v.eq_ignore_ascii_case("true") || v.eq_ignore_ascii_case("false"), "boolean"),
        (is_date, "date"),
        (is_timestamp, "timestamp"),
    ];
    tests.into_iter().find(|(test, _)| all(*test)).map_or("string", |(_, name)| name)
}

/// Whether the text has the form `2024-12-31`.
fn is_date(text: &str) -> bool {
    has_form(text, "0000-00-00")
}

/// Whether the text has the form `2024-12-31 23:59:59`, with an optional fraction of a second.
fn is_timestamp(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    has_form(&whole.replace('T', " "), "0000-00-00 00:00:00")
        && fraction.trim_end_matches('Z').bytes().all(|b| b.is_ascii_digit())
}

/// Whether the text has a digit wherever the form has `0`, and is equal to the form elsewhere.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(t, f): (u8, u8)| if f == b'0' { t.is_ascii_digit() } else { t == f };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::files::Embedded;

    fn seed(text: &str, config: Json) -> (Option<Seed>, Vec<String>) {
        let mut faults = Faults::default();
        let project = ProjectFile { name: "shop".into(), seeds: config, ..ProjectFile::default() };
        let files = [("seeds/geo/towns.csv", text)];
        let fqn = vec!["geo".to_owned(), "towns".to_owned()];
        let env: crate::project::jinja::EnvVars = std::sync::Arc::new(|_| None);
        let engine = Engine::new(Vec::new(), std::collections::HashMap::new(), env, &mut faults);
        let place = (&project, &project, &engine);
        let seed = read(&Embedded(&files), place, "seeds/geo/towns.csv", fqn, None, &mut faults);
        (seed, faults.errors.iter().map(ToString::to_string).collect())
    }

    /// Declared types win; the others are what every value of the column looks like.
    #[test]
    fn types_and_rows() {
        let text = "id,zip,x,on,day,at,note\n1,01234,1.5,true,2024-01-02,2024-01-02 03:04:05,a\n2,,2,FALSE,,2024-01-02T03:04:05.5Z,null\n";
        let config =
            serde_json::json!({"shop": {"+schema": "silver", "geo": {"towns": {"+column_types": {"zip": "string"}}}}});
        let seed = seed(text, config).0.unwrap();
        let types: Vec<&str> = seed.columns.iter().map(|c| c.data_type.as_str()).collect();
        assert_eq!(types, ["bigint", "string", "double", "boolean", "date", "timestamp", "string"]);
        assert_eq!(seed.schema, "silver");
        assert_eq!(seed.rows[1][1], None);
        assert_eq!(seed.rows[1][6], None);
        assert_eq!(seed.rows[0][1].as_deref(), Some("01234"));
    }

    /// Faults have the file and line.
    #[test]
    fn faults_have_lines() {
        let errors = |text: &str| seed(text, Json::Null).1;
        assert_eq!(
            errors("a,b\n1,2\n3\n"),
            ["seeds/geo/towns.csv:3: the row has 1 fields and the header has 2; put fields with commas into quotes"]
        );
        assert!(errors("a\n\"x\n")[0].starts_with("seeds/geo/towns.csv:2: a quote is opened here"));
        assert!(errors("")[0].contains("the file is empty"));
        let config = serde_json::json!({"+column_types": {"zap": "string"}});
        assert!(seed("zip\n1\n", config).1[0].contains("names \"zap\", which is no column of the file"));
    }
}
