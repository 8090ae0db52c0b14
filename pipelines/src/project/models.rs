//! Models: from their files, through the two passes in which dbt renders them, to SQL.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::dbt_project::{FolderConfigs, Kind, ProjectFile, merge};
use super::describe::Columns;
use super::ephemeral;
use super::error::Faults;
use super::graph;
use super::jinja::session::{Overrides, Recorded, Session};
use super::jinja::{DEFAULT_SCHEMA, Engine};
use super::naming;
use super::nearest::did_you_mean;
use super::node::{Materialized, Model, NodeRef};
use super::packages::Packages;
use super::properties::{NodeEntry, Properties};
use super::relation::{Catalog, Relation};
use super::resolve::{Names, Reading};
use super::snapshots::{self, Snapshot};
use super::values::{Config, bool_of, text_of, texts_of};

/// A model after the first pass: its configs and refs are known, its SQL is not yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) package: String,
    pub(super) path: String,
    pub(super) fqn: Vec<String>,
    pub(super) raw_sql: String,
    pub(super) config: Config,
    pub(super) materialized: Materialized,
    schema: String,
    alias: String,
    /// What makes it a snapshot.
    snapshot: Option<Snapshot>,
    recorded: Recorded,
}

/// A model or snapshot as it stands in a file.
pub(super) struct Written {
    pub(super) path: String,
    /// Its folders, and its name.
    pub(super) fqn: Vec<String>,
    /// Its SQL at the lines where the file has it.
    pub(super) raw_sql: String,
    /// The line where it begins, when it is not all of the file.
    pub(super) line: Option<usize>,
    pub(super) is_snapshot: bool,
}

impl Draft {
    pub(super) fn relation(&self) -> Relation {
        let ephemeral = (self.materialized == Materialized::Ephemeral).then(|| self.name.clone());
        Relation { ephemeral, ..Relation::table(&self.schema, &self.alias) }
    }

    /// What the model's templates know; `overrides` are those of a unit test.
    pub(super) fn session(&self, (catalog, columns): (&Arc<Catalog>, &Columns), overrides: Overrides) -> Session {
        let relation = self.relation();
        let node = (self.package.as_str(), self.kind());
        Session {
            execute: true,
            catalog: catalog.clone(),
            package: self.package.clone(),
            model: model_variable(node, (&self.name, &self.path, &self.fqn), (&self.schema, &self.alias), &self.config),
            columns: columns.clone(),
            this: Some(relation.as_table()),
            config: self.config.clone(),
            overrides,
            ..Session::default()
        }
    }
}

/// dbt's `model` variable, and `node` of the macros that name schemas; `kind` is `model`, `snapshot` or `seed`.
pub(super) fn model_variable(
    (package, kind): (&str, &str),
    (name, path, fqn): (&str, &str, &[String]),
    (schema, alias): (&str, &str),
    config: &Config,
) -> Config {
    let mut model = Config::new();
    model.insert("name".into(), name.into());
    model.insert("resource_type".into(), kind.into());
    model.insert("unique_id".into(), format!("{kind}.{package}.{name}").into());
    model.insert("original_file_path".into(), path.into());
    model.insert("path".into(), path.split_once('/').map_or(path, |(_, below)| below).into());
    model.insert("package_name".into(), package.into());
    model.insert("fqn".into(), std::iter::once(package.to_owned()).chain(fqn.iter().cloned()).collect());
    model.insert("schema".into(), schema.into());
    model.insert("alias".into(), alias.into());
    model.insert("tags".into(), config.get("tags").map(texts_of).unwrap_or_default().into());
    model.insert("config".into(), Json::Object(config.clone()));
    model
}

/// Renders a model or snapshot for the first time; `None` when it is faulty (the fault is noted).
pub(super) fn draft(
    (root, own): (&ProjectFile, &ProjectFile),
    engine: &Engine,
    written: Written,
    entry: Option<&NodeEntry>,
    faults: &mut Faults,
) -> Option<Draft> {
    let Written { path, fqn, raw_sql, line, is_snapshot } = written;
    let name = fqn.last().cloned().unwrap_or_default();
    let (kind, tree) = if is_snapshot { ("snapshot", Kind::Snapshots) } else { ("model", Kind::Models) };
    let FolderConfigs { usual: mut config, last } = FolderConfigs::of(root, own, tree, &fqn);
    if let Some(entry) = entry {
        merge(&mut config, entry.config.clone());
    }
    let node = (own.name.as_str(), kind);
    // The configs that say otherwise are not known yet.
    let table = (DEFAULT_SCHEMA, name.as_str());
    let session = Session {
        package: own.name.clone(),
        this: Some(Relation::table(DEFAULT_SCHEMA, &name)),
        model: model_variable(node, (&name, &path, &fqn), table, &config),
        config: config.clone(),
        ..Session::default()
    };
    let mut recorded = engine.render(&path, &raw_sql, session).map_err(|error| faults.push(error)).ok()?.recorded;
    merge(&mut config, std::mem::take(&mut recorded.config));
    merge(&mut config, last);
    for text in std::mem::take(&mut recorded.warnings) {
        faults.warn(&path, None, text);
    }
    warn_of_config(&path, &config, faults);
    let (mut snapshot, mut materialized) = (None, Materialized::Snapshot);
    if !is_snapshot {
        materialized = named_materialization(&path, &name, &config, faults);
    } else if !is_disabled(&config) {
        snapshot = snapshots::read(&name, (&path, line), &config, faults);
    }
    let target = if is_snapshot { config.get("target_schema").and_then(text_of) } else { None };
    let variable = model_variable(node, (&name, &path, &fqn), table, &config);
    let (schema, alias) = naming::names(engine, (&path, &name), (variable, &config), faults);
    let (package, schema) = (own.name.clone(), target.unwrap_or(schema));
    Some(Draft { name, package, path, fqn, raw_sql, config, materialized, schema, alias, snapshot, recorded })
}

fn warn_of_config(path: &str, config: &Config, faults: &mut Faults) {
    for key in ["pre_hook", "post_hook", "sql_header"] {
        if config.get(key).is_some_and(|value| !texts_of(value).is_empty()) {
            faults.warn(path, None, format!("{key} is ignored: sluice runs no statements beside the model's query"));
        }
    }
}

fn named_materialization(path: &str, name: &str, config: &Config, faults: &mut Faults) -> Materialized {
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
        is_disabled(&self.config)
    }

    /// What dbt calls such a node.
    fn kind(&self) -> &'static str {
        if self.materialized == Materialized::Snapshot { "snapshot" } else { "model" }
    }
}

fn is_disabled(config: &Config) -> bool {
    config.get("enabled").and_then(bool_of) == Some(false)
}

/// Everything that rendering needs once all names are known.
pub(super) struct Compiler<'a> {
    pub(super) packages: &'a Packages,
    pub(super) engine: &'a Engine,
    pub(super) names: Names,
    pub(super) catalog: Arc<Catalog>,
    pub(super) columns: Columns,
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
        let first = self.drafts.values().map(|draft| (draft.name.clone(), self.reads(draft, &draft.recorded, faults)));
        let first: IndexMap<String, Vec<NodeRef>> = first.collect();
        // What is read is rendered first, as templates may ask for its columns.
        let Some(order) = self.order(&first, faults) else { return };
        let mut nodes = first;
        for name in order {
            let Some(draft) = self.drafts.get(&name) else { continue };
            let mut depends_on = nodes.swap_remove(&name).unwrap_or_default();
            let sql = self.render(draft, &mut depends_on, faults);
            let body = Body { sql, depends_on };
            let whole = self.with_ephemerals(&body.sql, &body.depends_on, &Overrides::default());
            self.columns.add(draft.relation(), whole);
            self.bodies.insert(name, body);
        }
        // The second rendering may have found more of what is read.
        let reads = self.bodies.iter().map(|(name, body)| (name.clone(), body.depends_on.clone())).collect();
        let Some(order) = self.order(&reads, faults) else { return self.bodies.clear() };
        let mut bodies = std::mem::take(&mut self.bodies);
        self.bodies = order.into_iter().filter_map(|name| bodies.swap_remove_entry(&name)).collect();
    }

    fn reads(&self, draft: &Draft, recorded: &Recorded, faults: &mut Faults) -> Vec<NodeRef> {
        let what = format!("{} \"{}\"", draft.kind(), draft.name);
        let place = Reading { file: &draft.path, text: &draft.raw_sql, line: None, what: &what };
        self.names.resolve(&draft.package, recorded, place, faults)
    }

    /// The SQL of a model; nothing when it is faulty. What it reads besides the known nodes is added to them.
    fn render(&self, draft: &Draft, depends_on: &mut Vec<NodeRef>, faults: &mut Faults) -> String {
        let session = draft.session((&self.catalog, &self.columns), Overrides::default());
        let rendered = match self.engine.render(&draft.path, &draft.raw_sql, session) {
            Ok(rendered) => rendered,
            Err(error) => {
                faults.push(error);
                return String::new();
            }
        };
        for node in self.reads(draft, &rendered.recorded, faults) {
            if !depends_on.contains(&node) {
                depends_on.push(node);
            }
        }
        rendered.recorded.warnings.iter().for_each(|text| faults.warn(&draft.path, None, text));
        let sql = rendered.text.trim();
        let Some(snapshot) = &draft.snapshot else { return sql.to_owned() };
        let with_ctes = |sql: &str| self.with_ephemerals(sql, depends_on, &Overrides::default());
        snapshot.sql(sql, &self.columns, &with_ctes).unwrap_or_else(|why| {
            let what = format!("snapshot \"{}\": {why}", draft.name);
            faults.error(&draft.path, None, what, "list the columns in check_cols");
            String::new()
        })
    }

    /// The models in an order in which each comes after those that it reads; nothing, with the fault noted, when they read
    /// each other in a cycle.
    fn order(&self, reads: &IndexMap<String, Vec<NodeRef>>, faults: &mut Faults) -> Option<Vec<String>> {
        let reads = self.drafts.keys().map(|name| {
            let models = reads.get(name).map(|nodes| models_of(nodes)).unwrap_or_default();
            (name.clone(), models)
        });
        let cycle = match graph::order(&reads.collect()) {
            Ok(order) => return Some(order),
            Err(cycle) => cycle,
        };
        let first = self.drafts.get(&cycle[0]);
        let line = first.and_then(|draft| super::lines::line_of_call(&draft.raw_sql, "ref", &cycle[1]));
        let file = first.map_or("", |draft| draft.path.as_str());
        let what = format!("models read each other in a cycle: {}", cycle.join(" -> "));
        faults.error(file, line, what, "remove one of these refs");
        None
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
            let entry = properties.entry_of(draft).cloned();
            let described = entry.as_ref().map(|entry| entry.origin.clone());
            let entry = entry.unwrap_or_default();
            let relation = draft.relation();
            let model = Model {
                name: name.clone(),
                package: draft.package.clone(),
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

    /// A session of a test of a package: no model of its own.
    pub(super) fn test_session(&self, package: &str, config: Config) -> Session {
        let (catalog, columns, package) = (self.catalog.clone(), self.columns.clone(), package.to_owned());
        Session { execute: true, catalog, columns, package, config, ..Session::default() }
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
