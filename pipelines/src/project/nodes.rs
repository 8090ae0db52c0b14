//! Seeds, models and snapshots of the project and of its packages, from their files.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::dbt_project::ProjectFile;
use super::describe::{Columns, Describer};
use super::error::Faults;
use super::files::Files;
use super::jinja::Engine;
use super::jinja::blocks::{blocks, line_at};
use super::listing::{listed, text_of};
use super::models::{Compiler, Written, draft};
use super::node::Origin;
use super::packages::Packages;
use super::properties::Properties;
use super::relation::{Catalog, Relation};
use super::resolve::Names;
use super::seeds::{self, Seed};

/// The seeds of all packages.
pub(super) fn read_seeds(
    files: &dyn Files,
    packages: &Packages,
    engine: &Engine,
    properties: &Properties,
    faults: &mut Faults,
) -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    for package in &packages.0 {
        for path in listed(files, &package.seed_paths, ".csv", faults) {
            let fqn = package.fqn(&path);
            let entry = fqn.last().and_then(|name| properties.seeds.get(name));
            let place = (packages.root(), package, engine);
            let Some(seed) = seeds::read(files, place, &path, fqn, entry, faults) else { continue };
            match seeds.iter().find(|other| other.name == seed.name) {
                Some(other) => {
                    let what = format!("there are two seeds \"{}\", also {}", seed.name, other.path);
                    faults.error(&path, None, what, "rename one of the files");
                }
                None => seeds.push(seed),
            }
        }
    }
    seeds
}

/// Reads all models and snapshots, and puts together what rendering needs.
pub(super) fn read_models<'a>(
    files: &dyn Files,
    packages: &'a Packages,
    engine: &'a Engine,
    (properties, seeds): (&Properties, &[Seed]),
    faults: &mut Faults,
) -> Compiler<'a> {
    let installed = packages.0.iter().map(|package| package.name.clone()).collect();
    let mut names = Names { installed, ..Names::default() };
    names.seeds = seeds.iter().map(|seed| seed.name.clone()).collect();
    names.packages = seeds.iter().map(|seed| (seed.name.clone(), seed.package.clone())).collect();
    names.sources = properties.sources.iter().map(|table| (table.source.clone(), table.name.clone())).collect();
    let mut drafts = IndexMap::new();
    let mut paths: IndexMap<String, String> = seeds.iter().map(|seed| (seed.name.clone(), seed.path.clone())).collect();
    for package in &packages.0 {
        for written in written(files, package, properties, faults) {
            let (name, path) = (written.fqn.last().cloned().unwrap_or_default(), written.path.clone());
            let (kind, entries) = match written.is_snapshot {
                true => ("snapshot", &properties.snapshots),
                false => ("model", &properties.models),
            };
            let line = written.line;
            let draft = draft((packages.root(), package), engine, written, entries.get(&name), faults);
            if draft.as_ref().is_some_and(|draft| draft.disabled()) {
                names.disabled.insert(name);
                continue;
            }
            if let Some(other) = paths.get(&name) {
                let what = format!("{kind} \"{name}\" has the name of {other}");
                let way_out = "names are unique in a project and its packages; rename one of the two, or disable it";
                faults.error(&path, line, what, way_out);
                continue;
            }
            paths.insert(name.clone(), path);
            names.packages.insert(name.clone(), package.name.clone());
            names.models.insert(name.clone());
            if let Some(draft) = draft {
                drafts.insert(name, draft);
            }
        }
    }
    let (nothing, columns, bodies) = (Arc::default(), Columns::default(), IndexMap::new());
    let mut compiler = Compiler { packages, engine, names, catalog: nothing, columns, drafts, bodies };
    compiler.catalog = Arc::new(catalog(&compiler, properties, seeds, faults));
    compiler
}

impl Compiler<'_> {
    /// Who knows the columns of the tables of all nodes.
    pub(super) fn columns_of(&self, describer: Option<Describer>, properties: &Properties, seeds: &[Seed]) -> Columns {
        let relations = self.catalog.nodes.values().chain(self.catalog.sources.values());
        let schemas: BTreeSet<String> = relations.map(|relation| relation.schema.clone()).collect();
        Columns::new(describer, schemas.into_iter().collect(), &properties.sources, seeds)
    }
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

/// The models and snapshots of a package as they are written: in files, in blocks of files, and in property files.
fn written(files: &dyn Files, package: &ProjectFile, properties: &Properties, faults: &mut Faults) -> Vec<Written> {
    for path in listed(files, &package.model_paths, ".py", faults) {
        faults.error(&path, None, "python models are not supported", "write the model in SQL, or leave the file out");
    }
    let mut all = Vec::new();
    for path in listed(files, &package.model_paths, ".sql", faults) {
        let Some(raw_sql) = text_of(files, &path, faults) else { continue };
        all.push(Written { fqn: package.fqn(&path), path, raw_sql, line: None, is_snapshot: false });
    }
    for path in listed(files, &package.snapshot_paths, ".sql", faults) {
        all.extend(blocks_of(files, package, &path, faults));
    }
    for (name, entry) in properties.snapshots.iter().filter(|(_, entry)| entry.package == package.name) {
        let Some(relation) = &entry.relation else { continue };
        let Origin { file, line } = entry.origin.clone();
        let raw_sql = "\n".repeat(line.unwrap_or(1) - 1) + &format!("select * from {{{{ {relation} }}}}");
        all.push(Written { path: file, fqn: vec![name.clone()], raw_sql, line, is_snapshot: true });
    }
    all
}

/// The snapshot blocks of a file.
fn blocks_of(files: &dyn Files, package: &ProjectFile, path: &str, faults: &mut Faults) -> Vec<Written> {
    let Some(text) = text_of(files, path, faults) else { return Vec::new() };
    let found = match blocks(&text, &["snapshot"]) {
        Ok(found) => found,
        Err((_, name, line)) => {
            let what = format!("snapshot \"{name}\" is not closed");
            faults.error(path, Some(line), what, "end it with {% endsnapshot %}");
            return Vec::new();
        }
    };
    let block = |block: super::jinja::blocks::Block| {
        let mut fqn = package.fqn(path);
        fqn.push(block.name);
        let lines = "\n".repeat(line_at(&text, block.open.range.end) - 1);
        let raw_sql = lines + &text[block.open.range.end..block.close.range.start];
        Written { path: path.to_owned(), fqn, raw_sql, line: Some(block.line), is_snapshot: true }
    };
    found.into_iter().map(block).collect()
}
