//! Loading: files in, a project (or all its faults) out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::contracts;
use super::data_tests;
use super::dbt_project::{self, FolderConfigs, Kind, ProjectFile, vars_of};
use super::describe::Describer;
use super::docs::Docs;
use super::error::{Faults, ProjectErrors};
use super::exposures::{self, Exposure};
use super::files::{Files, Folder};
use super::jinja::{Engine, EnvVars, PackageTemplates};
use super::listing::{listed, text_of};
use super::models::Compiler;
use super::node::{DataTest, Model, NodeRef, SourceTable};
use super::nodes::{read_models, read_seeds};
use super::notices;
use super::packages::Packages;
use super::properties::Properties;
use super::quarantine;
use super::seeds::Seed;
use super::select::{self, Selector};
use super::settings::Settings;
use super::unit_tests::{self, UnitTest};
use super::values::{Config, bool_of};

/// The stack (in bytes) of the thread that loads a project; only what is used of it takes memory.
const STACK_BYTES: usize = 512 << 20;

/// A dbt project and its `sluice.yml`, rendered and checked.
#[derive(Debug, Clone)]
pub struct Project {
    /// The name in `dbt_project.yml`.
    pub name: String,
    /// The version in `dbt_project.yml`.
    pub version: Option<String>,
    /// The profile in `dbt_project.yml`; sluice does not use it.
    pub profile: Option<String>,
    /// The folder of each package below the project's; empty for the project itself.
    pub packages: IndexMap<String, String>,
    /// Where artifacts go, below the project's folder: `target-path` of `dbt_project.yml`.
    pub target_path: String,
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
    /// Who uses the tables.
    pub exposures: Vec<Exposure>,
    /// The selectors of `selectors.yml`.
    pub selectors: Vec<Selector>,
    /// The vars of the project itself.
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
    let root = ProjectFile::read(files, "", faults);
    let settings = Settings::read(files, &*env, faults);
    let mut packages = Packages::read(files, root?, faults);
    let engine = engine(files, &packages, env, &options.vars, faults);
    packages.0.iter_mut().for_each(|package| package.render_configs(&engine, faults));
    let mut properties = properties(files, &packages, &engine, faults);
    properties.sources.retain(|table| !is_disabled(table, &packages));
    let seeds = read_seeds(files, &packages, &engine, &properties, faults);
    let mut compiler = read_models(files, &packages, &engine, (&properties, &seeds), faults);
    compiler.columns = compiler.columns_of(options.describer, &properties, &seeds);
    compiler.compile(faults);
    notices::warn_of_entries(&compiler, &properties, faults);
    notices::warn_of_folders(&compiler, &seeds, faults);
    let tests = read_tests(files, &compiler, &properties, faults);
    let unit_tests = properties.unit_tests.iter().filter_map(|entry| unit_tests::read(entry, &compiler, files, faults));
    let unit_tests = unit_tests.collect();
    let exposures = properties.exposures.iter().filter_map(|entry| exposures::read(entry, &compiler, faults)).collect();
    let settings = settings?;
    settings.check_sources(files, &properties.sources, faults);
    let mut models = compiler.models(&properties);
    quarantine::set_apart(&mut models, &tests, faults);
    let root = packages.root();
    Some(Project {
        models,
        name: root.name.clone(),
        version: root.version.clone(),
        profile: root.profile.clone(),
        packages: packages.0.iter().map(|package| (package.name.clone(), package.folder.clone())).collect(),
        target_path: root.target_path.clone(),
        root: PathBuf::new(),
        sources: properties.sources,
        seeds,
        tests,
        unit_tests,
        exposures,
        vars: vars_of(root, root, &options.vars),
        selectors: select::read_selectors(files, faults),
        warnings: Vec::new(),
        settings,
    })
}

/// Whether `dbt_project.yml` takes a source's table out.
fn is_disabled(table: &SourceTable, packages: &Packages) -> bool {
    let own = packages.named(&table.package).unwrap_or_else(|| packages.root());
    let mut fqn = own.fqn(&table.origin.file);
    fqn.pop();
    fqn.extend([table.source.clone(), table.name.clone()]);
    let config = FolderConfigs::of(packages.root(), own, Kind::Sources, &fqn).usual;
    config.get("enabled").and_then(bool_of) == Some(false)
}

/// The templates of all packages, with their vars.
fn engine(files: &dyn Files, packages: &Packages, env: EnvVars, vars: &Config, faults: &mut Faults) -> Engine {
    let root = packages.root();
    let templates = |package: &ProjectFile| PackageTemplates {
        name: package.name.clone(),
        vars: vars_of(root, package, vars),
        macros: macro_files(files, package, faults),
    };
    let all = packages.0.iter().map(templates).collect();
    Engine::new(all, root.dispatch.clone(), env, faults)
}

fn macro_files(files: &dyn Files, package: &ProjectFile, faults: &mut Faults) -> Vec<(String, String)> {
    let generic: Vec<String> = package.test_paths.iter().map(|path| format!("{path}/generic")).collect();
    let mut found = listed(files, &package.macro_paths, ".sql", faults);
    found.extend(listed(files, &generic, ".sql", faults));
    found.into_iter().filter_map(|path| text_of(files, &path, faults).map(|text| (path, text))).collect()
}

fn properties(files: &dyn Files, packages: &Packages, engine: &Engine, faults: &mut Faults) -> Properties {
    let mut docs = Docs::default();
    let folders = |package: &ProjectFile| {
        let more = [&package.seed_paths, &package.snapshot_paths, &package.macro_paths, &package.test_paths];
        package.model_paths.iter().chain(more.into_iter().flatten()).cloned().collect::<Vec<_>>()
    };
    for path in
        packages.0.iter().flat_map(|package| listed(files, &folders(package), ".md", faults)).collect::<Vec<_>>()
    {
        if let Some(text) = text_of(files, &path, faults) {
            docs.add(&path, &text, faults);
        }
    }
    let mut properties = Properties::default();
    for package in &packages.0 {
        let mut found = listed(files, &folders(package), ".yml", faults);
        found.extend(listed(files, &folders(package), ".yaml", faults));
        for path in found {
            if let Some(text) = text_of(files, &path, faults) {
                properties.add((&package.name, &path), &text, engine, &docs, faults);
            }
        }
    }
    properties
}

fn read_tests(
    files: &dyn Files,
    compiler: &Compiler<'_>,
    properties: &Properties,
    faults: &mut Faults,
) -> Vec<DataTest> {
    let of_contracts = contracts::tests(compiler, properties);
    let entries = properties.tests.iter().chain(&of_contracts);
    let mut tests: Vec<DataTest> = entries.filter_map(|entry| data_tests::generic(entry, compiler, faults)).collect();
    for package in &compiler.packages.0 {
        let apart = |path: &String| {
            let folders = package.test_paths.iter();
            folders
                .filter_map(|folder| path.strip_prefix(folder.as_str()))
                .any(|below| below.starts_with("/generic/") || below.starts_with("/fixtures/"))
        };
        for path in listed(files, &package.test_paths, ".sql", faults).into_iter().filter(|path| !apart(path)) {
            if let Some(text) = text_of(files, &path, faults) {
                tests.extend(data_tests::singular(package, (&path, &text), compiler, faults));
            }
        }
    }
    tests
}
