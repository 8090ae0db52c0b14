//! `dbt_project.yml`: the project's name, its folders, its vars, and the configs that it gives to folders.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::error::Faults;
use super::files::Files;
use super::jinja::Engine;
use super::values::{Config, text_of, texts_of};
use super::yaml;

/// Configs whose values are maps, and that are no folders also without `+`.
const CONFIGS_OF_MAPS: [&str; 8] =
    ["meta", "column_types", "persist_docs", "docs", "contract", "grants", "freshness", "snapshot_meta_column_names"];

/// The file's name.
pub(super) const FILE: &str = "dbt_project.yml";

/// What the `dbt_project.yml` of the project or of a package says.
#[derive(Debug, Clone, Default)]
pub(super) struct ProjectFile {
    pub(super) name: String,
    /// Its folder, with a `/` at the end; empty for the project itself. All paths are below it.
    pub(super) folder: String,
    pub(super) version: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) model_paths: Vec<String>,
    pub(super) seed_paths: Vec<String>,
    pub(super) macro_paths: Vec<String>,
    pub(super) snapshot_paths: Vec<String>,
    pub(super) test_paths: Vec<String>,
    /// Where `dbt deps` puts packages.
    pub(super) packages_path: String,
    /// Where artifacts go.
    pub(super) target_path: String,
    /// The vars as written: global ones, and those of packages under their names.
    pub(super) vars: Config,
    /// Where the macros of a package are looked for.
    pub(super) dispatch: HashMap<String, Vec<String>>,
    /// Config trees by kind of node.
    pub(super) models: Json,
    pub(super) seeds: Json,
    pub(super) snapshots: Json,
    pub(super) sources: Json,
    pub(super) data_tests: Json,
}

/// A kind of node that `dbt_project.yml` configures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Models,
    Seeds,
    Snapshots,
    Sources,
    DataTests,
}

impl ProjectFile {
    /// Reads the file in a folder (empty for the project itself); `None`, with the fault noted, when it is missing or not
    /// YAML.
    pub(super) fn read(files: &dyn Files, folder: &str, faults: &mut Faults) -> Option<Self> {
        let path = format!("{folder}{FILE}");
        let text = match files.read(&path) {
            Ok(text) => text,
            Err(error) => {
                let way_out = "name the folder of a dbt project, or make one with `sluice init`";
                faults.error(&path, None, format!("the file cannot be read: {error}"), way_out);
                return None;
            }
        };
        let json = yaml::parse(&path, &text).map_err(|error| faults.push(error)).ok()?;
        let Some(name) = json.get("name").and_then(text_of) else {
            faults.error(&path, None, "the project has no name", "add name: my_project");
            return None;
        };
        if folder.is_empty() {
            warn_of_hooks(&json, faults);
        }
        let paths = |key: &str, default: &str| -> Vec<String> {
            let paths = json.get(key).map_or_else(|| vec![default.to_owned()], texts_of);
            paths.iter().map(|path| format!("{folder}{path}")).collect()
        };
        let path_of = |key: &str, default: &str| json.get(key).and_then(text_of).unwrap_or_else(|| default.to_owned());
        let tree = |key: &str| json.get(key).cloned().unwrap_or(Json::Null);
        Some(ProjectFile {
            version: json.get("version").and_then(text_of),
            profile: json.get("profile").and_then(text_of),
            model_paths: paths("model-paths", "models"),
            seed_paths: paths("seed-paths", "seeds"),
            macro_paths: paths("macro-paths", "macros"),
            snapshot_paths: paths("snapshot-paths", "snapshots"),
            test_paths: paths("test-paths", "tests"),
            packages_path: path_of("packages-install-path", "dbt_packages"),
            target_path: path_of("target-path", "target"),
            vars: json.get("vars").and_then(Json::as_object).cloned().unwrap_or_default(),
            dispatch: dispatch(&json),
            models: tree("models"),
            seeds: tree("seeds"),
            snapshots: tree("snapshots"),
            sources: tree("sources"),
            data_tests: if json.get("data_tests").is_some() { tree("data_tests") } else { tree("tests") },
            folder: folder.to_owned(),
            name,
        })
    }

    /// Where it is, for messages.
    pub(super) fn file_path(&self) -> String {
        format!("{}{FILE}", self.folder)
    }

    /// Whether its folder has this name.
    pub(super) fn is_in(&self, folder: &str) -> bool {
        self.folder.trim_end_matches('/').rsplit('/').next() == Some(folder)
    }

    /// Renders the Jinja in the config trees.
    pub(super) fn render_configs(&mut self, engine: &Engine, faults: &mut Faults) {
        let path = self.file_path();
        let trees = [&mut self.models, &mut self.seeds, &mut self.snapshots, &mut self.sources, &mut self.data_tests];
        for tree in trees {
            match engine.render_json((&self.name, &path), std::mem::take(tree), &[]) {
                Ok(rendered) => *tree = rendered,
                Err(error) => faults.push(error),
            }
        }
    }

    /// Its configs of a kind, by folder.
    pub(super) fn tree(&self, kind: Kind) -> &Json {
        match kind {
            Kind::Models => &self.models,
            Kind::Seeds => &self.seeds,
            Kind::Snapshots => &self.snapshots,
            Kind::Sources => &self.sources,
            Kind::DataTests => &self.data_tests,
        }
    }

    /// The folders of a file of this package below the path that it is in, and its name; for a file elsewhere, its name.
    pub(super) fn fqn(&self, path: &str) -> Vec<String> {
        let paths = [&self.model_paths, &self.seed_paths, &self.snapshot_paths, &self.test_paths];
        let below =
            paths.into_iter().flatten().find_map(|folder| path.strip_prefix(folder.as_str())?.strip_prefix('/'));
        let below = below.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path));
        let stem = below.rsplit_once('.').map_or(below, |(stem, _)| stem);
        stem.split('/').map(str::to_owned).collect()
    }
}

/// The configs of a node that come from `dbt_project.yml`.
#[derive(Debug, Default)]
pub(super) struct FolderConfigs {
    /// Those that property files and the node itself replace.
    pub(super) usual: Config,
    /// What the project says of a package's node; it replaces what the package says.
    pub(super) last: Config,
}

impl FolderConfigs {
    /// Those of a node of the package `own`.
    pub(super) fn of(root: &ProjectFile, own: &ProjectFile, kind: Kind, fqn: &[String]) -> Self {
        let usual = folder_config(own.tree(kind), &own.name, fqn);
        if own.name == root.name {
            return FolderConfigs { usual, last: Config::new() };
        }
        let last = folder_config(root.tree(kind), &own.name, fqn);
        let mut both = FolderConfigs { usual, last };
        merge(&mut both.usual, both.last.clone());
        both
    }
}

fn warn_of_hooks(json: &Json, faults: &mut Faults) {
    for key in ["on-run-start", "on-run-end"] {
        if json.get(key).is_some_and(|hooks| !texts_of(hooks).is_empty()) {
            faults.warn(FILE, None, format!("{key} is ignored: sluice runs for ever and has no such moment"));
        }
    }
}

fn dispatch(json: &Json) -> HashMap<String, Vec<String>> {
    let orders = json.get("dispatch").and_then(Json::as_array).into_iter().flatten();
    let order = |order: &Json| {
        Some((order.get("macro_namespace").and_then(text_of)?, order.get("search_order").map(texts_of)?))
    };
    orders.filter_map(order).collect()
}

/// The vars that the nodes of the package `own` see: those of the command line win over those of the project for the
/// package, those over the project's global ones, and those over the package's own.
pub(super) fn vars_of(root: &ProjectFile, own: &ProjectFile, given: &Config) -> Config {
    let mut vars = Config::new();
    let owners = if own.name == root.name { vec![root] } else { vec![own, root] };
    for owner in owners {
        vars.extend(owner.vars.clone());
        if let Some(Json::Object(of_package)) = owner.vars.get(&own.name) {
            vars.remove(&own.name);
            vars.extend(of_package.clone());
        }
    }
    vars.extend(given.clone());
    vars
}

/// The configs that a tree of folders gives to a node; the nearest folder wins.
///
/// `fqn` is the node's folders below its path, and its name. A key with `+`, or with a value that is no map, is a
/// config; any other key is a folder.
pub(super) fn folder_config(tree: &Json, project: &str, fqn: &[String]) -> Config {
    let mut config = Config::new();
    let mut level = Some(tree);
    let mut steps = std::iter::once(project).chain(fqn.iter().map(String::as_str));
    while let Some(Json::Object(here)) = level {
        let configs = here.iter().filter(|(key, value)| is_config(key, value));
        merge(&mut config, configs.map(|(key, value)| (key.clone(), value.clone())).collect());
        level = steps.next().and_then(|step| here.get(step));
    }
    config
}

/// Folder keys of a tree that no node lies below; they are spelling faults, most of the time.
pub(super) fn unused_folders(tree: &Json, project: &str, fqns: &[Vec<String>]) -> Vec<String> {
    let mut unused = Vec::new();
    if let Some(own) = tree.get(project) {
        collect_unused(own, &mut Vec::new(), fqns, &mut unused);
    }
    unused
}

fn collect_unused(tree: &Json, path: &mut Vec<String>, fqns: &[Vec<String>], unused: &mut Vec<String>) {
    let Json::Object(here) = tree else { return };
    for (key, below) in here.iter().filter(|(key, value)| !is_config(key, value)) {
        path.push(key.clone());
        if fqns.iter().any(|fqn| fqn.starts_with(path)) {
            collect_unused(below, path, fqns, unused);
        } else {
            unused.push(path.join("."));
        }
        path.pop();
    }
}

fn is_config(key: &str, value: &Json) -> bool {
    key.starts_with('+') || !value.is_object() || CONFIGS_OF_MAPS.contains(&key)
}

/// Merges configs as dbt does: tags and hooks add up, `meta` and `column_types` merge, all others replace.
pub(super) fn merge(into: &mut Config, from: Config) {
    for (key, value) in from {
        let key = key.trim_start_matches('+').replace('-', "_");
        match (key.as_str(), into.get_mut(&key)) {
            ("tags" | "pre_hook" | "post_hook", Some(there)) => {
                let mut all = texts_of(there);
                all.extend(texts_of(&value));
                *there = unique(all).into();
            }
            ("tags", None) => {
                into.insert(key, unique(texts_of(&value)).into());
            }
            ("meta" | "column_types", Some(Json::Object(there))) => {
                if let Json::Object(more) = value {
                    there.extend(more);
                }
            }
            _ => {
                into.insert(key, value);
            }
        }
    }
}

/// The texts, each once, in order.
fn unique(texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::files::Embedded;

    const TEXT: &str = "name: shop\nversion: '1.0'\nmodel-paths: [models, more]\nvars: {a: 1, b: 2, shop: {b: 3}}\n\
        on-run-start: 'select 1'\nmodels:\n  +tags: all\n  shop:\n    +materialized: table\n    gold:\n      +schema: gold\n      +tags: [gold, all]\n      daily: {+materialized: view}\n    goldd: {+schema: x}\n";

    fn read() -> (ProjectFile, Faults) {
        let mut faults = Faults::default();
        let file = ProjectFile::read(&Embedded(&[(FILE, TEXT)]), "", &mut faults).unwrap();
        (file, faults)
    }

    fn fqn(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    /// Folders, defaults and vars are read, and hooks give a warning.
    #[test]
    fn reads_the_file() {
        let (file, faults) = read();
        assert_eq!((file.name.as_str(), file.version.as_deref()), ("shop", Some("1.0")));
        assert_eq!(file.model_paths, ["models", "more"]);
        assert_eq!(file.seed_paths, ["seeds"]);
        assert_eq!(Json::Object(vars_of(&file, &file, &Config::new())), serde_json::json!({"a": 1, "b": 3}));
        assert_eq!(
            faults.warnings,
            ["dbt_project.yml: on-run-start is ignored: sluice runs for ever and has no such moment"]
        );
    }

    /// The nearest folder wins, tags add up, and the node's own key counts.
    #[test]
    fn nearest_folder_wins() {
        let (file, _) = read();
        let config = |path: &str| Json::Object(folder_config(&file.models, "shop", &fqn(path)));
        assert_eq!(config("silver.x"), serde_json::json!({"tags": ["all"], "materialized": "table"}));
        assert_eq!(
            config("gold.x"),
            serde_json::json!({"tags": ["all", "gold"], "materialized": "table", "schema": "gold"})
        );
        assert_eq!(config("gold.daily")["materialized"], "view");
        assert_eq!(unused_folders(&file.models, "shop", &[fqn("gold.daily"), fqn("x")]), ["goldd"]);
    }

    /// A missing file and a missing name say what to do.
    #[test]
    fn faults_say_the_way_out() {
        let mut faults = Faults::default();
        assert!(ProjectFile::read(&Embedded(&[]), "", &mut faults).is_none());
        assert!(ProjectFile::read(&Embedded(&[(FILE, "version: 1")]), "", &mut faults).is_none());
        assert!(faults.errors[0].to_string().contains("sluice init"), "{}", faults.errors[0]);
        assert_eq!(faults.errors[1].to_string(), "dbt_project.yml: the project has no name; add name: my_project");
    }
}
