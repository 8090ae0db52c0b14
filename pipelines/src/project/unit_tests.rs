//! Unit tests of models: given rows, and the rows that are expected.

use serde_json::Value as Json;

use super::error::Faults;
use super::files::Files;
use super::jinja::session::Overrides;
use super::models::{Compiler, has};
use super::nearest::did_you_mean;
use super::node::{Materialized, NodeRef, Origin};
use super::properties::UnitEntry;
use super::resolve::Reading;
use super::seeds;
use super::values::{Config, bool_of, text_of, texts_of};

/// A unit test of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTest {
    /// Its name.
    pub name: String,
    /// The model that it tests.
    pub model: String,
    /// The package in which it is written.
    pub package: String,
    /// Its description; empty when there is none.
    pub description: String,
    /// The model's SQL under the test's overrides. Every table of `given` is named in it as `` `schema`.`table` ``.
    pub sql: String,
    /// The tables that the SQL reads, with their rows.
    pub given: Vec<Given>,
    /// The rows that the SQL must give, in any order; only the columns that are named count.
    pub expect: Rows,
    /// Its tags.
    pub tags: Vec<String>,
    /// Where it is written.
    pub origin: Origin,
}

/// A table with rows that a unit test gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The node whose place it takes.
    pub node: NodeRef,
    /// The schema by which the SQL names it.
    pub schema: String,
    /// The table by which the SQL names it.
    pub table: String,
    /// Its rows; columns that are not named are NULL.
    pub rows: Rows,
}

/// Rows as a unit test writes them.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// One map of column to value for each row.
    Dict(Vec<Config>),
    /// Fields as text; `None` is NULL.
    Csv {
        /// The names of the columns.
        header: Vec<String>,
        /// The fields of each row, as many as there are columns.
        rows: Vec<Vec<Option<String>>>,
    },
    /// A query that gives the rows.
    Sql(String),
}

/// What reading a unit test needs.
struct Place<'a> {
    name: String,
    package: &'a str,
    origin: &'a Origin,
    files: &'a dyn Files,
    test_paths: &'a [String],
    faults: &'a mut Faults,
}

/// Makes the unit test of an entry; `None` when it is disabled or faulty (the fault is noted).
pub(super) fn read(
    entry: &UnitEntry,
    compiler: &Compiler<'_>,
    files: &dyn Files,
    faults: &mut Faults,
) -> Option<UnitTest> {
    let text = |key: &str| entry.body.get(key).and_then(text_of);
    let name = text("name").unwrap_or_else(|| "(without a name)".to_owned());
    let config = entry.body.get("config").cloned().unwrap_or(Json::Null);
    if config.get("enabled").and_then(bool_of) == Some(false) {
        return None;
    }
    let own = compiler.packages.named(&entry.package).unwrap_or_else(|| compiler.packages.root());
    let mut place =
        Place { name, package: &own.name, origin: &entry.origin, files, test_paths: &own.test_paths, faults };
    let model = text("model").unwrap_or_default();
    let Some(draft) = compiler.drafts.get(&model).filter(|draft| draft.materialized != Materialized::Snapshot) else {
        let known = compiler.drafts.keys().map(String::as_str);
        place.fault(&format!("tests \"{model}\", which is no model"), &did_you_mean(&model, known, "correct model:"));
        return None;
    };
    let mut given = Vec::new();
    for one in entry.body.get("given").and_then(Json::as_array).into_iter().flatten() {
        given.push(place.given(one, &model, compiler)?);
    }
    let expect = entry.body.get("expect").cloned().unwrap_or(Json::Null);
    let expect = place.rows(&expect, "expect")?;
    let mut overrides = overrides(&entry.body);
    overrides.tables.extend(given.iter().map(|given| given.node.to_string()));
    let session = draft.session((&compiler.catalog, &compiler.columns), overrides.clone());
    let rendered = compiler.engine.render(&draft.path, &draft.raw_sql, session);
    let rendered = rendered.map_err(|error| place.faults.push(error)).ok()?;
    let what = format!("unit test \"{}\"", place.name);
    let reading = Reading { file: &draft.path, text: &draft.raw_sql, line: None, what: &what };
    let depends_on = compiler.names.resolve(&draft.package, &rendered.recorded, reading, place.faults);
    Some(UnitTest {
        sql: compiler.with_ephemerals(rendered.text.trim(), &depends_on, &overrides),
        description: text("description").unwrap_or_default(),
        tags: config.get("tags").map(texts_of).unwrap_or_default(),
        origin: entry.origin.clone(),
        package: own.name.clone(),
        name: place.name,
        model,
        given,
        expect,
    })
}

fn overrides(body: &Json) -> Overrides {
    let section = |key: &str| {
        let section = body.get("overrides").and_then(|overrides| overrides.get(key));
        section.and_then(Json::as_object).cloned().unwrap_or_default()
    };
    let env_vars = section("env_vars").into_iter().filter_map(|(key, value)| Some((key, text_of(&value)?)));
    Overrides { vars: section("vars"), macros: section("macros"), env_vars: env_vars.collect(), ..Overrides::default() }
}

impl Place<'_> {
    fn fault(&mut self, what: &str, way_out: &str) {
        let what = format!("unit test \"{}\" {what}", self.name);
        self.faults.error(&self.origin.file, self.origin.line, what, way_out);
    }

    fn given(&mut self, one: &Json, model: &str, compiler: &Compiler<'_>) -> Option<Given> {
        let input = one.get("input").and_then(text_of).unwrap_or_default();
        let node = if input.trim() == "this" {
            NodeRef::Model(model.to_owned())
        } else {
            let file = &self.origin.file;
            let evaluated = compiler.engine.evaluate(file, &input, compiler.test_session(self.package, Config::new()));
            let (_, recorded) = evaluated
                .map_err(|mut error| {
                    error.line = self.origin.line;
                    self.faults.push(error);
                })
                .ok()?;
            let what = format!("unit test \"{}\"", self.name);
            let reading = Reading { file, text: "", line: self.origin.line, what: &what };
            let nodes = compiler.names.resolve(self.package, &recorded, reading, self.faults);
            match nodes.into_iter().next() {
                Some(node) => node,
                None if recorded.refs.is_empty() && recorded.sources.is_empty() => {
                    let way_out = "write input: ref('model'), source('source', 'table') or this";
                    self.fault(&format!("has the input \"{input}\", which is no table"), way_out);
                    return None;
                }
                None => return None,
            }
        };
        let relation = compiler.relation_of(&node)?.as_table();
        let rows = self.rows(one, &format!("given {input}"))?;
        Some(Given { node, schema: relation.schema, table: relation.identifier, rows })
    }

    /// The rows of a `given` or of `expect`.
    fn rows(&mut self, section: &Json, what: &str) -> Option<Rows> {
        let format = section.get("format").and_then(text_of).unwrap_or_else(|| "dict".to_owned());
        let rows = section.get("rows").cloned().unwrap_or(Json::Null);
        match (format.as_str(), &rows) {
            ("dict", Json::Array(items)) if items.iter().all(Json::is_object) => {
                Some(Rows::Dict(items.iter().filter_map(|item| item.as_object().cloned()).collect()))
            }
            ("dict", Json::Null) if !has(section, "fixture") => Some(Rows::Dict(Vec::new())),
            ("csv" | "sql", _) => {
                let (file, text) = self.text(section, &format, what)?;
                if format == "sql" {
                    return Some(Rows::Sql(text));
                }
                let (header, rows) = seeds::table(&file, &text, ',', self.faults)?;
                Some(Rows::Csv { header, rows })
            }
            _ => {
                self.fault(
                    &format!("has rows in {what} that are not {format}"),
                    "rows are a list of maps, or format: csv or sql and a text",
                );
                None
            }
        }
    }

    /// The text of csv or sql rows, in place or in a fixture, with the file where it is.
    fn text(&mut self, section: &Json, format: &str, what: &str) -> Option<(String, String)> {
        if let Some(text) = section.get("rows").and_then(text_of) {
            return Some((self.origin.file.clone(), text));
        }
        let Some(fixture) = section.get("fixture").and_then(text_of) else {
            self.fault(&format!("has no rows in {what}"), "add rows: or fixture:");
            return None;
        };
        for folder in self.test_paths {
            let path = format!("{folder}/fixtures/{fixture}.{format}");
            if let Ok(text) = self.files.read(&path) {
                return Some((path, text));
            }
        }
        self.fault(
            &format!("names the fixture \"{fixture}\", which is not there"),
            &format!("add tests/fixtures/{fixture}.{format}"),
        );
        None
    }
}
