//! `dbt_project.yml`: the project's name, its folders, its vars, and the configs that it gives to folders.

use serde_json::Value as Json;

use super::error::Faults;
use super::files::Files;
use super::jinja::Engine;
use super::values::{Config, text_of, texts_of};
use super::yaml;

/// The file's name.
pub(super) const FILE: &str = "dbt_project.yml";

/// What `dbt_project.yml` says.
#[derive(Debug, Clone, Default)]
pub(super) struct ProjectFile {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) model_paths: Vec<String>,
    pub(super) seed_paths: Vec<String>,
    pub(super) macro_paths: Vec<String>,
    pub(super) snapshot_paths: Vec<String>,
    pub(super) test_paths: Vec<String>,
    /// The vars of this project; those under its name win over the global ones.
    pub(super) vars: Config,
    /// Config trees by kind of node.
    pub(super) models: Json,
    pub(super) seeds: Json,
    pub(super) snapshots: Json,
    pub(super) data_tests: Json,
}

impl ProjectFile {
    /// Reads the file; `None`, with the fault noted, when it is missing or not YAML.
    pub(super) fn read(files: &dyn Files, faults: &mut Faults) -> Option<Self> {
        let text = match files.read(FILE) {
            Ok(text) => text,
            Err(error) => {
                let way_out = "name the folder of a dbt project, or make one with `sluice init`";
                faults.error(FILE, None, format!("the file cannot be read: {error}"), way_out);
                return None;
            }
        };
        let json = yaml::parse(FILE, &text).map_err(|error| faults.push(error)).ok()?;
        let Some(name) = json.get("name").and_then(text_of) else {
            faults.error(FILE, None, "the project has no name", "add name: my_project");
            return None;
        };
        warn_of_hooks(&json, faults);
        let paths = |key: &str, default: &str| match json.get(key) {
            Some(paths) => texts_of(paths),
            None => vec![default.to_owned()],
        };
        let tree = |key: &str| json.get(key).cloned().unwrap_or(Json::Null);
        Some(ProjectFile {
            version: json.get("version").and_then(text_of),
            profile: json.get("profile").and_then(text_of),
            model_paths: paths("model-paths", "models"),
            seed_paths: paths("seed-paths", "seeds"),
            macro_paths: paths("macro-paths", "macros"),
            snapshot_paths: paths("snapshot-paths", "snapshots"),
            test_paths: paths("test-paths", "tests"),
            vars: vars(&json, &name),
            models: tree("models"),
            seeds: tree("seeds"),
            snapshots: tree("snapshots"),
            data_tests: if json.get("data_tests").is_some() { tree("data_tests") } else { tree("tests") },
            name,
        })
    }

    /// Renders the Jinja in the config trees.
    pub(super) fn render_configs(&mut self, engine: &Engine, faults: &mut Faults) {
        for tree in [&mut self.models, &mut self.seeds, &mut self.snapshots, &mut self.data_tests] {
            match engine.render_json(FILE, std::mem::take(tree), &[]) {
                Ok(rendered) => *tree = rendered,
                Err(error) => faults.push(error),
            }
        }
    }
}

fn warn_of_hooks(json: &Json, faults: &mut Faults) {
    for key in ["on-run-start", "on-run-end"] {
        if json.get(key).is_some_and(|hooks| !texts_of(hooks).is_empty()) {
            faults.warn(FILE, None, format!("{key} is ignored: sluice runs for ever and has no such moment"));
        }
    }
}

fn vars(json: &Json, project: &str) -> Config {
    let mut vars = json.get("vars").and_then(Json::as_object).cloned().unwrap_or_default();
    if let Some(Json::Object(own)) = vars.remove(project) {
        vars.extend(own);
    }
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
    key.starts_with('+') || !value.is_object() || matches!(key, "meta" | "column_types" | "persist_docs" | "docs")
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
        let file = ProjectFile::read(&Embedded(&[(FILE, TEXT)]), &mut faults).unwrap();
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
        assert_eq!(Json::Object(file.vars), serde_json::json!({"a": 1, "b": 3}));
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
        assert!(ProjectFile::read(&Embedded(&[]), &mut faults).is_none());
        assert!(ProjectFile::read(&Embedded(&[(FILE, "version: 1")]), &mut faults).is_none());
        assert!(faults.errors[0].to_string().contains("sluice init"), "{}", faults.errors[0]);
        assert_eq!(faults.errors[1].to_string(), "dbt_project.yml: the project has no name; add name: my_project");
    }
}
