//! Property files (`*.yml` beside the models): what they say about models, seeds and sources, and their tests.

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde_json::Value as Json;

use super::dbt_project::merge;
use super::docs::Docs;
use super::error::Faults;
use super::jinja::Engine;
use super::lines::{line_of, line_of_name, line_of_path};
use super::models::Draft;
use super::node::{Column, Materialized, Origin, SourceTable};
use super::sources;
use super::values::{Config, text_of};
use super::yaml;

/// Keys whose values are not rendered when the file is read: dbt renders them later, or never.
const NOT_RENDERED: [&str; 4] = ["description", "tests", "data_tests", "unit_tests"];

/// What a property file says about a model or a seed.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeEntry {
    pub(super) description: String,
    pub(super) config: Config,
    pub(super) columns: Vec<Column>,
    pub(super) constraints: Vec<Json>,
    pub(super) package: String,
    /// For a snapshot that has no file of its own: what it reads, as `ref('x')`.
    pub(super) relation: Option<String>,
    pub(super) origin: Origin,
}

/// What a generic test is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tested {
    Node(String),
    Source(String, String),
}

/// A generic test as it is written.
#[derive(Debug, Clone)]
pub(super) struct TestEntry {
    pub(super) package: String,
    pub(super) tested: Tested,
    pub(super) column: Option<String>,
    pub(super) body: Json,
    pub(super) origin: Origin,
}

/// A unit test or an exposure as it is written.
#[derive(Debug, Clone)]
pub(super) struct UnitEntry {
    pub(super) package: String,
    pub(super) body: Json,
    pub(super) origin: Origin,
}

/// What all property files say together.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) models: IndexMap<String, NodeEntry>,
    pub(super) snapshots: IndexMap<String, NodeEntry>,
    pub(super) seeds: IndexMap<String, NodeEntry>,
    pub(super) sources: Vec<SourceTable>,
    pub(super) tests: Vec<TestEntry>,
    pub(super) unit_tests: Vec<UnitEntry>,
    pub(super) exposures: Vec<UnitEntry>,
}

/// A property file that is being read.
pub(super) struct Reader<'a> {
    pub(super) package: &'a str,
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) docs: &'a Docs,
    pub(super) faults: &'a mut Faults,
}

impl Properties {
    /// Adds what a file of a package says.
    pub(super) fn add(
        &mut self,
        (package, file): (&str, &str),
        text: &str,
        engine: &Engine,
        docs: &Docs,
        faults: &mut Faults,
    ) {
        let json = match yaml::parse(file, text) {
            Ok(json) => json,
            Err(error) => return faults.push(error),
        };
        let json = match engine.render_json((package, file), json, &NOT_RENDERED) {
            Ok(json) => json,
            Err(mut error) => {
                error.line = error.line.or_else(|| line_of(text, 1, error.what.split('"').nth(1)?));
                return faults.push(error);
            }
        };
        let mut reader = Reader { package, file, text, docs, faults };
        let kinds = [("models", &mut self.models), ("snapshots", &mut self.snapshots), ("seeds", &mut self.seeds)];
        for (key, into) in kinds {
            let start = line_of_path(text, &[key]).unwrap_or(1);
            for node in reader.list(&json, key, Some(start)) {
                reader.node(node, start, into, &mut self.tests);
            }
        }
        let start = line_of_path(text, &["sources"]).unwrap_or(1);
        for source in reader.list(&json, "sources", Some(start)) {
            sources::read(&mut reader, source, start, &mut self.sources, &mut self.tests);
        }
        for (key, into) in [("unit_tests", &mut self.unit_tests), ("exposures", &mut self.exposures)] {
            let start = line_of_path(text, &[key]).unwrap_or(1);
            for body in reader.list(&json, key, Some(start)) {
                let line = body.get("name").and_then(text_of).and_then(|name| line_of_name(text, start, &name));
                let (package, origin) = (package.to_owned(), reader.origin(line));
                into.push(UnitEntry { package, body: body.clone(), origin });
            }
        }
    }

    /// What is said about a model or snapshot.
    pub(super) fn entry_of(&self, draft: &Draft) -> Option<&NodeEntry> {
        let entries = if draft.materialized == Materialized::Snapshot { &self.snapshots } else { &self.models };
        entries.get(&draft.name)
    }
}

impl Reader<'_> {
    pub(super) fn origin(&self, line: Option<usize>) -> Origin {
        Origin { file: self.file.to_owned(), line }
    }

    /// The items of a list; none when the key is missing or null, and a fault when it holds something else.
    pub(super) fn list<'j>(&mut self, owner: &'j Json, key: &str, line: Option<usize>) -> &'j [Json] {
        match owner.get(key) {
            None | Some(Json::Null) => &[],
            Some(Json::Array(items)) => items,
            Some(_) => {
                self.faults.error(
                    self.file,
                    line,
                    format!("{key} is not a list"),
                    format!("write {key}: and below it lines with - "),
                );
                &[]
            }
        }
    }

    /// The name of an entry with its line; a fault when there is none.
    pub(super) fn name(&mut self, entry: &Json, what: &str, start: usize) -> Option<(String, Option<usize>)> {
        let Some(name) = entry.get("name").and_then(text_of) else {
            self.faults.error(self.file, Some(start), format!("a {what} has no name"), "each entry needs name: ...");
            return None;
        };
        let line = line_of_name(self.text, start, &name);
        Some((name, line))
    }

    pub(super) fn description(&mut self, entry: &Json, line: Option<usize>) -> String {
        let text = entry.get("description").and_then(text_of).unwrap_or_default();
        self.docs.resolve(&text).unwrap_or_else(|missing| {
            self.faults.warn(self.file, line, format!("doc(\"{missing}\") is not defined in any .md file"));
            text
        })
    }

    /// Tests of an entry, under either of dbt's keys.
    pub(super) fn tests(
        &mut self,
        entry: &Json,
        tested: &Tested,
        column: Option<&str>,
        line: Option<usize>,
        tests: &mut Vec<TestEntry>,
    ) {
        for key in ["tests", "data_tests"] {
            for body in self.list(entry, key, line) {
                let (tested, column) = (tested.clone(), column.map(str::to_owned));
                let (package, origin) = (self.package.to_owned(), self.origin(line));
                tests.push(TestEntry { package, tested, column, body: body.clone(), origin });
            }
        }
    }

    fn node(&mut self, entry: &Json, start: usize, into: &mut IndexMap<String, NodeEntry>, tests: &mut Vec<TestEntry>) {
        let Some((name, line)) = self.name(entry, "model, snapshot or seed", start) else { return };
        if entry.get("versions").is_some_and(|versions| !versions.is_null()) {
            let what = format!("model \"{name}\" has versions, which are not supported");
            self.faults.error(self.file, line, what, "remove versions:, and keep one model file");
        }
        let mut config = Config::new();
        let top_level = ["tags", "meta"].into_iter().filter_map(|key| Some((key.to_owned(), entry.get(key)?.clone())));
        merge(&mut config, top_level.collect());
        merge(&mut config, entry.get("config").and_then(Json::as_object).cloned().unwrap_or_default());
        let tested = Tested::Node(name.clone());
        self.tests(entry, &tested, None, line, tests);
        let from = line.unwrap_or(start);
        let mut columns = Vec::new();
        for column in self.list(entry, "columns", line) {
            columns.extend(self.column(column, from, &tested, tests));
        }
        let constraints = self.list(entry, "constraints", line).to_vec();
        let description = self.description(entry, line);
        let relation = entry.get("relation").and_then(text_of);
        let origin = self.origin(line);
        match into.entry(name) {
            Entry::Vacant(free) => {
                let package = self.package.to_owned();
                free.insert(NodeEntry { description, config, columns, constraints, package, relation, origin });
            }
            Entry::Occupied(there) => {
                let other = &there.get().origin;
                let what = format!("\"{}\" is described twice, also in {}", there.key(), place(other));
                self.faults.error(self.file, line, what, "keep one of the two entries");
            }
        }
    }

    /// A column, with its tests.
    pub(super) fn column(
        &mut self,
        entry: &Json,
        start: usize,
        tested: &Tested,
        tests: &mut Vec<TestEntry>,
    ) -> Option<Column> {
        let (name, line) = self.name(entry, "column", start)?;
        let quote = entry.get("quote").and_then(Json::as_bool).unwrap_or(false);
        let in_sql = if quote { super::relation::quoted(&name) } else { name.clone() };
        self.tests(entry, tested, Some(&in_sql), line, tests);
        Some(Column {
            data_type: entry.get("data_type").and_then(text_of),
            description: self.description(entry, line),
            constraints: self.list(entry, "constraints", line).to_vec(),
            origin: self.origin(line),
            name,
        })
    }
}

/// `file:line` of an origin.
pub(super) fn place(origin: &Origin) -> String {
    match origin.line {
        Some(line) => format!("{}:{line}", origin.file),
        None => origin.file.clone(),
    }
}
