//! Loading: files in, a project (or all its faults) out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::data_tests;
use super::dbt_project::{self, ProjectFile, unused_folders};
use super::describe::{Columns, Describer};
use super::docs::Docs;
use super::error::{Faults, ProjectErrors};
use super::files::{Files, Folder};
use super::jinja::blocks::{blocks, line_at};
use super::jinja::{Engine, EnvVars};
use super::models::{Compiler, Draft, Written, draft};
use super::node::{DataTest, Materialized, Model, NodeRef, Origin, SourceTable};
use super::properties::Properties;
use super::relation::{Catalog, Relation};
use super::resolve::Names;
use super::seeds::{self, Seed};
use super::settings::Settings;
use super::unit_tests::{self, UnitTest};
use super::values::Config;

/// The stack (in bytes) of the thread that loads a project; only what is used of it takes memory.
const STACK_BYTES: usize = 512 << 20;

/// Packages of dbt whose macros sluice brings itself.
const OWN_PACKAGES: [&str; 1] = ["dbt_utils"];

/// A dbt project and its `sluice.yml`, rendered and checked.
#[derive(Debug, Clone)]
pub struct Project {
    /// The name in `dbt_project.yml`.
    pub name: String,
    /// The version in `dbt_project.yml`.
    pub version: Option<String>,
    /// The profile in `dbt_project.yml`; sluice does not use it.
    pub profile: Option<String>,
    /// The project's folder; empty when it was not read from a folder.
    pub root: PathBuf,
    /// The models by name, each after those that it reads.
    pub models: IndexMap<String, Model>,
    /// The tables of all sources.
    pub sources: Vec<SourceTable>,
    /// The seeds by path.
    pub seeds: Vec<Seed>,
    /// The data tests.
    pub tests: Vec<DataTest>,
    /// The unit tests.
    pub unit_tests: Vec<UnitTest>,
    /// The vars of `dbt_project.yml`.
    pub vars: Config,
    /// What does not stop the project, but its owner should know; one line each.
    pub warnings: Vec<String>,
    /// What `sluice.yml` says.
    pub settings: Settings,
}

/// What the loading of a project is given besides its files.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Vars that win over those of `dbt_project.yml`.
    pub vars: Config,
    /// Who knows the columns of tables; without one, templates that ask for them (`dbt_utils.star`) are faults.
    pub describer: Option<Describer>,
}

impl Project {
    /// Loads the project in a folder. `env` looks up environment variables.
    ///
    /// # Errors
    /// All faults of the project, in files, lines and ways out.
    pub fn load(
        dir: &Path,
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, ProjectErrors> {
        Self::load_with(dir, env, LoadOptions::default())
    }

    /// Loads the project in a folder, with options.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn load_with(
        dir: &Path,
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        options: LoadOptions,
    ) -> Result<Self, ProjectErrors> {
        let mut project = Self::load_files_with(&Folder::new(dir), env, options)?;
        project.root = dir.to_owned();
        Ok(project)
    }

    /// Loads a project from wherever its files are; its `root` stays empty.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn load_files(
        files: &dyn Files,
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, ProjectErrors> {
        Self::load_files_with(files, env, LoadOptions::default())
    }

    /// As [`Project::load_files`], with options.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn load_files_with(
        files: &dyn Files,
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        options: LoadOptions,
    ) -> Result<Self, ProjectErrors> {
        let mut faults = Faults::default();
        let loaded = on_deep_stack(|| load(files, Arc::new(env), options, &mut faults)).unwrap_or_else(|error| {
            faults.error(
                dbt_project::FILE,
                None,
                format!("no thread to load the project: {error}"),
                "free some memory",
            );
            None
        });
        match loaded {
            Some(mut project) if faults.errors.is_empty() => {
                project.warnings = faults.warnings;
                Ok(project)
            }
            _ => Err(ProjectErrors(faults.errors)),
        }
    }

    /// The table of a source.
    pub fn source(&self, source: &str, table: &str) -> Option<&SourceTable> {
        self.sources.iter().find(|known| known.source == source && known.name == table)
    }

    /// The seed of this name.
    pub fn seed(&self, name: &str) -> Option<&Seed> {
        self.seeds.iter().find(|seed| seed.name == name)
    }

    /// The schema and the table of a node.
    pub fn table_of(&self, node: &NodeRef) -> Option<(&str, &str)> {
        match node {
            NodeRef::Model(name) => self.models.get(name).map(|model| (model.schema.as_str(), model.alias.as_str())),
            NodeRef::Seed(name) => self.seed(name).map(|seed| (seed.schema.as_str(), seed.alias.as_str())),
            NodeRef::Source { source, table } => {
                self.source(source, table).map(|table| (table.schema.as_str(), table.identifier.as_str()))
            }
        }
    }
}

/// Runs `work` on a thread with a stack of its own: templates nest as deep as their authors make them, and the parser
/// that follows them must not end the process.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("project".to_owned()).stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work)?.join().or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Everything in order; `None` when there is too little to go on (the faults say why).
fn load(files: &dyn Files, env: EnvVars, options: LoadOptions, faults: &mut Faults) -> Option<Project> {
    let project = ProjectFile::read(files, faults);
    let settings = Settings::read(files, &*env, faults);
    let mut project = project?;
    project.vars.extend(options.vars);
    warn_of_packages(files, faults);
    let engine = Engine::new(&project.name, project.vars.clone(), env, &macro_files(files, &project, faults), faults);
    project.render_configs(&engine, faults);
    let properties = properties(files, &project, &engine, faults);
    let seeds = read_seeds(files, &project, &properties, faults);
    let mut compiler = read_models(files, &project, &engine, &properties, &seeds, faults);
    compiler.columns = columns(&compiler, options.describer, &properties, &seeds);
    compiler.compile(faults);
    warn_of_entries(&compiler, &properties, faults);
    warn_of_folders(&compiler, &seeds, faults);
    let tests = read_tests(files, &compiler, &properties, faults);
    let unit_tests = properties.unit_tests.iter().filter_map(|entry| unit_tests::read(entry, &compiler, files, faults));
    let unit_tests = unit_tests.collect();
    let settings = settings?;
    settings.check_sources(files, &properties.sources, faults);
    Some(Project {
        models: compiler.models(&properties),
        name: project.name.clone(),
        version: project.version.clone(),
        profile: project.profile.clone(),
        root: PathBuf::new(),
        sources: properties.sources,
        seeds,
        tests,
        unit_tests,
        vars: project.vars.clone(),
        warnings: Vec::new(),
        settings,
    })
}

/// The files below folders whose names end so, with the folder that each is below.
fn listed<'a>(files: &dyn Files, paths: &'a [String], ending: &str, faults: &mut Faults) -> Vec<(&'a str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for folder in paths {
        match files.list(folder) {
            Ok(list) => {
                found.extend(list.into_iter().filter(|path| path.ends_with(ending)).map(|path| (folder.as_str(), path)))
            }
            Err(error) => {
                faults.error(folder, None, format!("the folder cannot be read: {error}"), "check its permissions")
            }
        }
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found.dedup_by(|a, b| a.1 == b.1);
    found
}

fn text_of(files: &dyn Files, path: &str, faults: &mut Faults) -> Option<String> {
    files.read(path).map_err(|error| faults.error(path, None, format!("the file cannot be read: {error}"), "")).ok()
}

fn warn_of_packages(files: &dyn Files, faults: &mut Faults) {
    for file in ["packages.yml", "dependencies.yml"] {
        let Ok(text) = files.read(file) else { continue };
        let json = super::yaml::parse(file, &text).unwrap_or_default();
        for package in json.get("packages").and_then(serde_json::Value::as_array).into_iter().flatten() {
            let named =
                ["package", "git", "local"].iter().find_map(|key| package.get(*key).and_then(super::values::text_of));
            let named = named.unwrap_or_else(|| package.to_string());
            let short = named.rsplit('/').next().unwrap_or_default().trim_end_matches(".git");
            if !OWN_PACKAGES.contains(&short) {
                faults.warn(
                    file,
                    None,
                    format!("package \"{named}\" is not read: sluice brings dbt_utils, and no other package"),
                );
            }
        }
    }
}

fn macro_files(files: &dyn Files, project: &ProjectFile, faults: &mut Faults) -> Vec<(String, String)> {
    let generic: Vec<String> = project.test_paths.iter().map(|path| format!("{path}/generic")).collect();
    let mut found = listed(files, &project.macro_paths, ".sql", faults);
    found.extend(listed(files, &generic, ".sql", faults));
    found.into_iter().filter_map(|(_, path)| text_of(files, &path, faults).map(|text| (path, text))).collect()
}

fn properties(files: &dyn Files, project: &ProjectFile, engine: &Engine, faults: &mut Faults) -> Properties {
    let mut paths = project.model_paths.clone();
    for more in [&project.seed_paths, &project.snapshot_paths, &project.macro_paths, &project.test_paths] {
        paths.extend(more.iter().cloned());
    }
    let mut docs = Docs::default();
    for (_, path) in listed(files, &paths, ".md", faults) {
        if let Some(text) = text_of(files, &path, faults) {
            docs.add(&path, &text, faults);
        }
    }
    let mut found = listed(files, &paths, ".yml", faults);
    found.extend(listed(files, &paths, ".yaml", faults));
    let mut properties = Properties::default();
    for (_, path) in found {
        if let Some(text) = text_of(files, &path, faults) {
            properties.add(&path, &text, engine, &docs, faults);
        }
    }
    properties
}

/// The folders of a file below its path, and its name without the ending.
fn fqn(folder: &str, path: &str) -> Vec<String> {
    let below = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
    let stem = below.rsplit_once('.').map_or(below, |(stem, _)| stem);
    stem.split('/').map(str::to_owned).collect()
}

fn read_seeds(files: &dyn Files, project: &ProjectFile, properties: &Properties, faults: &mut Faults) -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    for (folder, path) in listed(files, &project.seed_paths, ".csv", faults) {
        let fqn = fqn(folder, &path);
        let entry = fqn.last().and_then(|name| properties.seeds.get(name));
        let Some(seed) = seeds::read(files, project, &path, fqn, entry, faults) else { continue };
        match seeds.iter().find(|other| other.name == seed.name) {
            Some(other) => {
                let what = format!("there are two seeds \"{}\", also {}", seed.name, other.path);
                faults.error(&path, None, what, "rename one of the files");
            }
            None => seeds.push(seed),
        }
    }
    seeds
}

/// Reads all models and puts together what rendering needs.
fn read_models<'a>(
    files: &dyn Files,
    project: &'a ProjectFile,
    engine: &'a Engine,
    properties: &Properties,
    seeds: &[Seed],
    faults: &mut Faults,
) -> Compiler<'a> {
    let mut names = Names { project: project.name.clone(), ..Names::default() };
    names.seeds = seeds.iter().map(|seed| seed.name.clone()).collect();
    names.sources = properties.sources.iter().map(|table| (table.source.clone(), table.name.clone())).collect();
    for (_, path) in listed(files, &project.model_paths, ".py", faults) {
        faults.error(&path, None, "python models are not supported", "write the model in SQL, or leave the file out");
    }
    let mut drafts = IndexMap::new();
    let mut paths: IndexMap<String, String> = seeds.iter().map(|seed| (seed.name.clone(), seed.path.clone())).collect();
    let mut all = written_models(files, project, faults);
    all.extend(written_snapshots(files, project, properties, faults));
    for written in all {
        let (name, path) = (written.fqn.last().cloned().unwrap_or_default(), written.path.clone());
        let (kind, entries) = match written.is_snapshot {
            true => ("snapshot", &properties.snapshots),
            false => ("model", &properties.models),
        };
        if let Some(other) = paths.get(&name) {
            let what = format!("{kind} \"{name}\" has the name of {other}");
            faults.error(&path, written.line, what, "names are unique in a project; rename one of the two");
            continue;
        }
        let draft = draft(project, engine, written, entries.get(&name), faults);
        if draft.as_ref().is_some_and(|draft| draft.disabled()) {
            names.disabled.insert(name);
            continue;
        }
        paths.insert(name.clone(), path);
        names.models.insert(name.clone());
        if let Some(draft) = draft {
            drafts.insert(name, draft);
        }
    }
    let (catalog_of_none, columns, bodies) = (Arc::default(), Columns::default(), IndexMap::new());
    let mut compiler = Compiler { project, engine, names, catalog: catalog_of_none, columns, drafts, bodies };
    compiler.catalog = Arc::new(catalog(&compiler, properties, seeds, faults));
    compiler
}

/// The tables of all nodes; two nodes of one table are a fault.
fn catalog(compiler: &Compiler<'_>, properties: &Properties, seeds: &[Seed], faults: &mut Faults) -> Catalog {
    let mut catalog = Catalog::default();
    let mut taken: IndexMap<String, String> = IndexMap::new();
    let mut claim = |relation: &Relation, what: String, file: &str, line: Option<usize>| {
        if relation.ephemeral.is_some() {
            return;
        }
        match taken.get(&relation.to_string().to_lowercase()) {
            Some(other) => {
                let what = format!("{what} makes the table {relation}, and so does {other}");
                faults.error(file, line, what, "give one of them another schema or alias");
            }
            None => {
                taken.insert(relation.to_string().to_lowercase(), what);
            }
        }
    };
    for table in &properties.sources {
        let relation = Relation::table(&table.schema, &table.identifier);
        let what = format!("source \"{}.{}\"", table.source, table.name);
        if table.stream.is_some() {
            claim(&relation, what, &table.origin.file, table.origin.line);
        }
        catalog.sources.insert((table.source.clone(), table.name.clone()), relation);
    }
    for seed in seeds {
        let relation = Relation::table(&seed.schema, &seed.alias);
        claim(&relation, format!("seed \"{}\"", seed.name), &seed.path, None);
        catalog.nodes.insert(seed.name.clone(), relation);
    }
    for draft in compiler.drafts.values() {
        let relation = draft.relation();
        claim(&relation, format!("model \"{}\"", draft.name), &draft.path, None);
        catalog.nodes.insert(draft.name.clone(), relation);
    }
    catalog
}

/// Who knows the columns of the tables of all nodes.
fn columns(compiler: &Compiler<'_>, describer: Option<Describer>, properties: &Properties, seeds: &[Seed]) -> Columns {
    let relations = compiler.catalog.nodes.values().chain(compiler.catalog.sources.values());
    let schemas: BTreeSet<String> = relations.map(|relation| relation.schema.clone()).collect();
    Columns::new(describer, schemas.into_iter().collect(), &properties.sources, seeds)
}

fn written_models(files: &dyn Files, project: &ProjectFile, faults: &mut Faults) -> Vec<Written> {
    let mut all = Vec::new();
    for (folder, path) in listed(files, &project.model_paths, ".sql", faults) {
        let Some(raw_sql) = text_of(files, &path, faults) else { continue };
        all.push(Written { fqn: fqn(folder, &path), path, raw_sql, line: None, is_snapshot: false });
    }
    all
}

/// The snapshots of blocks in SQL files, and those that property files define.
fn written_snapshots(
    files: &dyn Files,
    project: &ProjectFile,
    properties: &Properties,
    faults: &mut Faults,
) -> Vec<Written> {
    let mut all = Vec::new();
    for (folder, path) in listed(files, &project.snapshot_paths, ".sql", faults) {
        let Some(text) = text_of(files, &path, faults) else { continue };
        let found = match blocks(&text, &["snapshot"]) {
            Ok(found) => found,
            Err((_, name, line)) => {
                let what = format!("snapshot \"{name}\" is not closed");
                faults.error(&path, Some(line), what, "end it with {% endsnapshot %}");
                continue;
            }
        };
        for block in found {
            let mut fqn = fqn(folder, &path);
            fqn.push(block.name);
            let lines = "\n".repeat(line_at(&text, block.open.range.end) - 1);
            let raw_sql = lines + &text[block.open.range.end..block.close.range.start];
            all.push(Written { path: path.clone(), fqn, raw_sql, line: Some(block.line), is_snapshot: true });
        }
    }
    for (name, entry) in &properties.snapshots {
        let Some(relation) = &entry.relation else { continue };
        let Origin { file, line } = entry.origin.clone();
        let raw_sql = "\n".repeat(line.unwrap_or(1) - 1) + &format!("select * from {{{{ {relation} }}}}");
        all.push(Written { path: file, fqn: vec![name.clone()], raw_sql, line, is_snapshot: true });
    }
    all
}

/// Entries of property files without a node.
fn warn_of_entries(compiler: &Compiler<'_>, properties: &Properties, faults: &mut Faults) {
    let names = &compiler.names;
    let is_known = |name: &String| names.models.contains(name) || names.disabled.contains(name);
    for (name, entry) in properties.models.iter().filter(|(name, _)| !is_known(name)) {
        let way_out = super::nearest::did_you_mean(
            name,
            names.models.iter().map(String::as_str),
            "remove the entry, or add the model",
        );
        let text = format!("model \"{name}\" is described here, and there is no file {name}.sql; {way_out}");
        faults.warn(&entry.origin.file, entry.origin.line, text);
    }
    for (name, entry) in properties.snapshots.iter().filter(|(name, _)| !is_known(name)) {
        let text =
            format!("snapshot \"{name}\" is described here, and there is no such block, and no relation: either");
        faults.warn(&entry.origin.file, entry.origin.line, text);
    }
    for (name, entry) in properties.seeds.iter().filter(|(name, _)| !names.seeds.contains(*name)) {
        let text = format!("seed \"{name}\" is described here, and there is no file {name}.csv");
        faults.warn(&entry.origin.file, entry.origin.line, text);
    }
}

/// Folders that `dbt_project.yml` configures and that hold nothing.
fn warn_of_folders(compiler: &Compiler<'_>, seeds: &[Seed], faults: &mut Faults) {
    let project = compiler.project;
    let is_snapshot = |draft: &&Draft| draft.materialized == Materialized::Snapshot;
    let (snapshots, models): (Vec<&Draft>, Vec<&Draft>) = compiler.drafts.values().partition(is_snapshot);
    let fqns = |drafts: Vec<&Draft>| drafts.into_iter().map(|draft| draft.fqn.clone()).collect::<Vec<_>>();
    let seeds: Vec<Vec<String>> = seeds.iter().map(|seed| seed.fqn.clone()).collect();
    let kinds = [
        ("models", &project.models, fqns(models)),
        ("snapshots", &project.snapshots, fqns(snapshots)),
        ("seeds", &project.seeds, seeds),
    ];
    for (kind, tree, fqns) in kinds {
        for folder in unused_folders(tree, &project.name, &fqns) {
            faults.warn(
                dbt_project::FILE,
                None,
                format!("{kind}.{}.{folder} configures a folder in which nothing is", project.name),
            );
        }
    }
}

fn read_tests(
    files: &dyn Files,
    compiler: &Compiler<'_>,
    properties: &Properties,
    faults: &mut Faults,
) -> Vec<DataTest> {
    let mut tests: Vec<DataTest> =
        properties.tests.iter().filter_map(|entry| data_tests::generic(entry, compiler, faults)).collect();
    for (folder, path) in listed(files, &compiler.project.test_paths, ".sql", faults) {
        let below = path.strip_prefix(folder).unwrap_or(&path).trim_start_matches('/');
        if below.starts_with("generic/") || below.starts_with("fixtures/") {
            continue;
        }
        if let Some(text) = text_of(files, &path, faults) {
            tests.extend(data_tests::singular(&path, &text, compiler, faults));
        }
    }
    tests
}
