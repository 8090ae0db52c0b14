//! Models: from their files, through the two passes in which dbt renders them, to SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::dbt_project::{ProjectFile, folder_config, merge};
use super::ephemeral;
use super::error::Faults;
use super::files::Files;
use super::graph;
use super::jinja::session::{Overrides, Recorded, Session};
use super::jinja::{DEFAULT_SCHEMA, Engine};
use super::nearest::did_you_mean;
use super::node::{Materialized, Model, NodeRef};
use super::properties::{NodeEntry, Properties};
use super::relation::{Catalog, Relation};
use super::resolve::{Names, Reading};
use super::values::{Config, bool_of, text_of, texts_of};

/// A model after the first pass: its configs and refs are known, its SQL is not yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) fqn: Vec<String>,
    pub(super) raw_sql: String,
    pub(super) config: Config,
    pub(super) materialized: Materialized,
    recorded: Recorded,
}

impl Draft {
    pub(super) fn relation(&self) -> Relation {
        let text = |key: &str| self.config.get(key).and_then(text_of);
        let schema = text("schema").unwrap_or_else(|| DEFAULT_SCHEMA.to_owned());
        let alias = text("alias").unwrap_or_else(|| self.name.clone());
        let ephemeral = (self.materialized == Materialized::Ephemeral).then(|| self.name.clone());
        Relation { ephemeral, ..Relation::table(&schema, &alias) }
    }

    /// What the model's templates know; `overrides` are those of a unit test.
    pub(super) fn session(&self, project: &str, catalog: &Arc<Catalog>, overrides: Overrides) -> Session {
        let relation = self.relation();
        Session {
            execute: true,
            catalog: catalog.clone(),
            model: model_variable(project, &self.name, &self.path, &self.fqn, Some(&relation)),
            this: Some(relation.as_table()),
            config: self.config.clone(),
            overrides,
            ..Session::default()
        }
    }
}

/// dbt's `model` variable.
fn model_variable(project: &str, name: &str, path: &str, fqn: &[String], relation: Option<&Relation>) -> Config {
    let mut model = Config::new();
    model.insert("name".into(), name.into());
    model.insert("resource_type".into(), "model".into());
    model.insert("unique_id".into(), format!("model.{project}.{name}").into());
    model.insert("original_file_path".into(), path.into());
    model.insert("package_name".into(), project.into());
    model.insert("fqn".into(), std::iter::once(project.to_owned()).chain(fqn.iter().cloned()).collect());
    // In the first pass the configs that say otherwise are not known yet.
    model.insert("schema".into(), relation.map_or(DEFAULT_SCHEMA, |relation| &relation.schema).into());
    model.insert("alias".into(), relation.map_or(name, |relation| &relation.identifier).into());
    model
}

/// Reads and renders a model's file for the first time; `None` when it is faulty (the fault is noted).
pub(super) fn draft(
    files: &dyn Files,
    project: &ProjectFile,
    engine: &Engine,
    (path, fqn): (&str, Vec<String>),
    entry: Option<&NodeEntry>,
    faults: &mut Faults,
) -> Option<Draft> {
    let name = fqn.last().cloned().unwrap_or_default();
    let raw_sql =
        files.read(path).map_err(|e| faults.error(path, None, format!("the model cannot be read: {e}"), "")).ok()?;
    let mut config = folder_config(&project.models, &project.name, &fqn);
    if let Some(entry) = entry {
        merge(&mut config, entry.config.clone());
    }
    let session = Session {
        this: Some(Relation::table(DEFAULT_SCHEMA, &name)),
        model: model_variable(&project.name, &name, path, &fqn, None),
        config: config.clone(),
        ..Session::default()
    };
    let mut recorded = engine.render(path, &raw_sql, session).map_err(|error| faults.push(error)).ok()?.recorded;
    merge(&mut config, std::mem::take(&mut recorded.config));
    for text in std::mem::take(&mut recorded.warnings) {
        faults.warn(path, None, text);
    }
    warn_of_config(path, &config, faults);
    let materialized = materialized(path, &name, &config, faults);
    Some(Draft { name, path: path.to_owned(), fqn, raw_sql, config, materialized, recorded })
}

fn warn_of_config(path: &str, config: &Config, faults: &mut Faults) {
    for key in ["pre_hook", "post_hook", "sql_header"] {
        if config.get(key).is_some_and(|value| !texts_of(value).is_empty()) {
            faults.warn(path, None, format!("{key} is ignored: sluice runs no statements beside the model's query"));
        }
    }
}

fn materialized(path: &str, name: &str, config: &Config, faults: &mut Faults) -> Materialized {
    let Some(text) = config.get("materialized").and_then(text_of) else { return Materialized::default() };
    Materialized::named(&text).unwrap_or_else(|| {
        let names = Materialized::NAMES.map(|(name, _)| name);
        let way_out = did_you_mean(&text, names, format!("sluice knows {}", names.join(", ")));
        faults.error(path, None, format!("model \"{name}\" has the unknown materialization \"{text}\""), way_out);
        Materialized::default()
    })
}

impl Draft {
    /// Whether `enabled: false` takes it out.
    pub(super) fn disabled(&self) -> bool {
        self.config.get("enabled").and_then(bool_of) == Some(false)
    }
}

/// Everything that rendering needs once all names are known.
pub(super) struct Compiler<'a> {
    pub(super) project: &'a ProjectFile,
    pub(super) engine: &'a Engine,
    pub(super) names: Names,
    pub(super) catalog: Arc<Catalog>,
    pub(super) drafts: IndexMap<String, Draft>,
    /// The models in topological order; the SQL of ephemeral ones is not inlined in `bodies`.
    pub(super) bodies: IndexMap<String, Body>,
}

/// A model's SQL before ephemeral models are inlined, and what it reads.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    pub(super) sql: String,
    pub(super) depends_on: Vec<NodeRef>,
}

impl Compiler<'_> {
    /// Renders all models, finds their nodes, and puts them in order. Faults are noted; a cycle leaves no order.
    pub(super) fn compile(&mut self, faults: &mut Faults) {
        let mut bodies = BTreeMap::new();
        for draft in self.drafts.values() {
            let what = format!("model \"{}\"", draft.name);
            let place = Reading { file: &draft.path, text: &draft.raw_sql, line: None, what: &what };
            let mut depends_on = self.names.resolve(&draft.recorded, place, faults);
            let session = draft.session(&self.project.name, &self.catalog, Overrides::default());
            let mut sql = String::new();
            match self.engine.render(&draft.path, &draft.raw_sql, session) {
                Ok(rendered) => {
                    let more = self.names.resolve(&rendered.recorded, place, faults);
                    depends_on.extend(more.into_iter().filter(|node| !depends_on.contains(node)).collect::<Vec<_>>());
                    rendered.recorded.warnings.iter().for_each(|text| faults.warn(&draft.path, None, text));
                    sql = rendered.text.trim().to_owned();
                }
                Err(error) => faults.push(error),
            }
            bodies.insert(draft.name.clone(), Body { sql, depends_on });
        }
        let reads = self.drafts.keys().map(|name| {
            let models = bodies.get(name).map(|body| models_of(&body.depends_on)).unwrap_or_default();
            (name.clone(), models)
        });
        match graph::order(&reads.collect()) {
            Ok(order) => {
                self.bodies = order.into_iter().filter_map(|name| bodies.remove_entry(&name)).collect();
            }
            Err(cycle) => {
                let first = self.drafts.get(&cycle[0]);
                let line = first.and_then(|draft| super::lines::line_of_call(&draft.raw_sql, "ref", &cycle[1]));
                let file = first.map_or("", |draft| draft.path.as_str());
                let what = format!("models read each other in a cycle: {}", cycle.join(" -> "));
                faults.error(file, line, what, "remove one of these refs");
            }
        }
    }

    /// A query with the ephemeral models that it needs as CTEs; `kept` are those that stay tables.
    pub(super) fn with_ephemerals(&self, sql: &str, depends_on: &[NodeRef], kept: &Overrides) -> String {
        let is_ephemeral = |name: &String| {
            let draft = self.drafts.get(name);
            draft.is_some_and(|draft| draft.materialized == Materialized::Ephemeral) && !kept.tables.contains(name)
        };
        let mut needed = BTreeSet::new();
        let mut open = models_of(depends_on);
        while let Some(name) = open.pop() {
            if is_ephemeral(&name) && needed.insert(name.clone()) {
                open.extend(self.bodies.get(&name).map(|body| models_of(&body.depends_on)).unwrap_or_default());
            }
        }
        let in_order = self.bodies.iter().filter(|(name, _)| needed.contains(*name));
        ephemeral::inline(sql, &in_order.map(|(name, body)| (name.clone(), body.sql.clone())).collect())
    }

    /// The finished models in topological order.
    pub(super) fn models(&self, properties: &Properties) -> IndexMap<String, Model> {
        let pairs = self.bodies.iter().filter_map(|(name, body)| {
            let draft = self.drafts.get(name)?;
            let entry = properties.models.get(name).cloned();
            let described = entry.as_ref().map(|entry| entry.origin.clone());
            let entry = entry.unwrap_or_default();
            let relation = draft.relation();
            let model = Model {
                name: name.clone(),
                path: draft.path.clone(),
                fqn: draft.fqn.clone(),
                raw_sql: draft.raw_sql.clone(),
                sql: self.with_ephemerals(&body.sql, &body.depends_on, &Overrides::default()),
                schema: relation.schema,
                alias: relation.identifier,
                materialized: draft.materialized,
                tags: draft.config.get("tags").map(texts_of).unwrap_or_default(),
                config: draft.config.clone(),
                depends_on: body.depends_on.clone(),
                columns: entry.columns,
                constraints: entry.constraints,
                description: entry.description,
                described,
            };
            Some((name.clone(), model))
        });
        pairs.collect()
    }

    /// The table of a node.
    pub(super) fn relation_of(&self, node: &NodeRef) -> Option<&Relation> {
        match node {
            NodeRef::Model(name) | NodeRef::Seed(name) => self.catalog.nodes.get(name),
            NodeRef::Source { source, table } => self.catalog.sources.get(&(source.clone(), table.clone())),
        }
    }

    /// A session of a test: no model of its own.
    pub(super) fn test_session(&self, config: Config) -> Session {
        Session { execute: true, catalog: self.catalog.clone(), config, ..Session::default() }
    }
}

fn models_of(nodes: &[NodeRef]) -> Vec<String> {
    let name = |node: &NodeRef| match node {
        NodeRef::Model(name) => Some(name.clone()),
        NodeRef::Seed(_) | NodeRef::Source { .. } => None,
    };
    nodes.iter().filter_map(name).collect()
}

/// Whether a JSON value is a map with this key set to something.
pub(super) fn has(json: &Json, key: &str) -> bool {
    json.get(key).is_some_and(|value| !value.is_null())
}
