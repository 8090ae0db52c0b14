//! Finds the nodes behind the `ref` and `source` calls of a template.

use std::collections::{BTreeSet, HashMap};

use super::error::Faults;
use super::jinja::session::Recorded;
use super::lines::line_of_call;
use super::nearest::did_you_mean;
use super::node::NodeRef;

/// The names that `ref` and `source` can be given.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The package of each node.
    pub(super) packages: HashMap<String, String>,
    /// All packages, the project's own first.
    pub(super) installed: Vec<String>,
    /// Models and snapshots.
    pub(super) models: BTreeSet<String>,
    pub(super) seeds: BTreeSet<String>,
    /// Models that `enabled: false` takes out.
    pub(super) disabled: BTreeSet<String>,
    pub(super) sources: BTreeSet<(String, String)>,
}

/// What is rendered, for the messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) file: &'a str,
    /// The text in which calls are looked up for their lines.
    pub(super) text: &'a str,
    /// The line when it is not found so.
    pub(super) line: Option<usize>,
    /// What reads, as `model "x"`.
    pub(super) what: &'a str,
}

impl Names {
    /// The nodes that `recorded` names, each once and in order; a fault for each name that is nothing. `here` is the package
    /// of what reads.
    pub(super) fn resolve(
        &self,
        here: &str,
        recorded: &Recorded,
        reading: Reading<'_>,
        faults: &mut Faults,
    ) -> Vec<NodeRef> {
        let Reading { file, text, line, what } = reading;
        let mut nodes = Vec::new();
        for (package, name) in &recorded.refs {
            match self.node(package.as_deref().filter(|package| *package != here), name) {
                Ok(node) => nodes.push(node),
                Err((wrong, way_out)) => {
                    faults.error(
                        file,
                        line_of_call(text, "ref", name).or(line),
                        format!("{what} refs {wrong}"),
                        way_out,
                    );
                }
            }
        }
        for (source, table) in &recorded.sources {
            if self.sources.contains(&(source.clone(), table.clone())) {
                nodes.push(NodeRef::Source { source: source.clone(), table: table.clone() });
            } else {
                let wrong = format!("{what} reads source \"{source}.{table}\", which is not declared");
                faults.error(
                    file,
                    line_of_call(text, "source", table).or(line),
                    wrong,
                    self.source_way_out(source, table),
                );
            }
        }
        let mut seen = BTreeSet::new();
        nodes.retain(|node| seen.insert(node.clone()));
        nodes
    }

    /// The node of a `ref`; else what is wrong with it, and the way out.
    fn node(&self, package: Option<&str>, name: &str) -> Result<NodeRef, (String, String)> {
        if let Some(package) = package {
            if !self.installed.iter().any(|installed| installed == package) {
                let known = self.installed.iter().map(String::as_str);
                let way_out = did_you_mean(package, known, "name it in packages.yml and run `dbt deps`");
                return Err((format!("\"{name}\" of package \"{package}\", which is not installed"), way_out));
            }
            if let Some(other) = self.packages.get(name).filter(|other| *other != package) {
                let way_out = format!("it is one of package \"{other}\": write ref('{other}', '{name}')");
                return Err((format!("\"{name}\" of package \"{package}\", which has no such node"), way_out));
            }
        }
        if self.models.contains(name) {
            return Ok(NodeRef::Model(name.to_owned()));
        }
        if self.seeds.contains(name) {
            return Ok(NodeRef::Seed(name.to_owned()));
        }
        if self.disabled.contains(name) {
            return Err((format!("\"{name}\", which is disabled"), "remove its enabled: false, or the ref".to_owned()));
        }
        let known = self.models.iter().chain(&self.seeds).map(String::as_str);
        let way_out = did_you_mean(name, known, format!("add {name}.sql below model-paths, or correct the name"));
        Err((format!("\"{name}\", which is no model and no seed"), way_out))
    }

    fn source_way_out(&self, source: &str, table: &str) -> String {
        let wanted = format!("{source}.{table}");
        let known: Vec<String> = self.sources.iter().map(|(source, table)| format!("{source}.{table}")).collect();
        did_you_mean(&wanted, known.iter().map(String::as_str), "declare it under sources: in a property file")
    }
}
