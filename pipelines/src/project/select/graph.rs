//! A project as a graph, and which of its nodes a term names.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::super::exposures::Exposure;
use super::super::load::Project;
use super::super::nearest::did_you_mean;
use super::super::node::{DataTest, Materialized, Model, NodeRef, SourceTable};
use super::super::seeds::Seed;
use super::super::unit_tests::UnitTest;
use super::super::values::texts_of;
use super::parse::{self, Depth, Method, Term};

/// A node that can be selected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node<'p> {
    Model(&'p Model),
    Seed(&'p Seed),
    Source(&'p SourceTable),
    Test(&'p DataTest),
    Unit(&'p UnitTest),
    Exposure(&'p Exposure),
}

/// The project as a graph: models first, in their order, then seeds, source tables and tests.
pub(super) struct Graph<'p> {
    pub(super) project: &'p Project,
    pub(super) nodes: Vec<Node<'p>>,
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl<'p> Graph<'p> {
    pub(super) fn of(project: &'p Project) -> Self {
        let mut nodes: Vec<Node<'p>> = project.models.values().map(Node::Model).collect();
        nodes.extend(project.seeds.iter().map(Node::Seed));
        nodes.extend(project.sources.iter().map(Node::Source));
        nodes.extend(project.tests.iter().map(Node::Test));
        nodes.extend(project.unit_tests.iter().map(Node::Unit));
        nodes.extend(project.exposures.iter().map(Node::Exposure));
        let reference = |node: &Node<'_>| match node {
            Node::Model(model) => Some(NodeRef::Model(model.name.clone())),
            Node::Seed(seed) => Some(NodeRef::Seed(seed.name.clone())),
            Node::Source(table) => Some(NodeRef::Source { source: table.source.clone(), table: table.name.clone() }),
            Node::Test(_) | Node::Unit(_) | Node::Exposure(_) => None,
        };
        let at: HashMap<NodeRef, usize> =
            nodes.iter().enumerate().filter_map(|(at, node)| Some((reference(node)?, at))).collect();
        let (mut parents, mut children) = (vec![Vec::new(); nodes.len()], vec![Vec::new(); nodes.len()]);
        for (child, node) in nodes.iter().enumerate() {
            let reads = match node {
                Node::Model(model) => model.depends_on.clone(),
                Node::Test(test) => test.depends_on.clone(),
                Node::Unit(test) => vec![NodeRef::Model(test.model.clone())],
                Node::Exposure(exposure) => exposure.depends_on.clone(),
                Node::Seed(_) | Node::Source(_) => Vec::new(),
            };
            for parent in reads.iter().filter_map(|node| at.get(node)) {
                parents[child].push(*parent);
                children[*parent].push(child);
            }
        }
        Graph { project, nodes, parents, children }
    }

    /// Parts separated by blanks: what any of them names.
    pub(super) fn union(&self, text: &str, must_exist: bool) -> Result<BTreeSet<usize>, String> {
        let mut all = BTreeSet::new();
        for part in text.split_whitespace() {
            all.extend(self.intersection(part, must_exist)?);
        }
        Ok(all)
    }

    /// Parts separated by commas: what all of them name.
    fn intersection(&self, text: &str, must_exist: bool) -> Result<BTreeSet<usize>, String> {
        let mut common: Option<BTreeSet<usize>> = None;
        for part in text.split(',') {
            let found = self.term(&parse::term(part)?, part, must_exist)?;
            common = Some(match common {
                Some(before) => before.intersection(&found).copied().collect(),
                None => found,
            });
        }
        Ok(common.unwrap_or_default())
    }

    /// What one term names.
    pub(super) fn term(&self, term: &Term, text: &str, must_exist: bool) -> Result<BTreeSet<usize>, String> {
        let start: Vec<usize> = (0..self.nodes.len()).filter(|at| self.matches(self.nodes[*at], term)).collect();
        if start.is_empty() && must_exist {
            return Err(format!("selector \"{text}\" names nothing; {}", self.way_out(term)));
        }
        let mut found: BTreeSet<usize> = start.iter().copied().collect();
        for (depth, edges) in [(term.parents, &self.parents), (term.children, &self.children)] {
            found.extend(reach(&start, edges, depth));
        }
        if term.at {
            let needs: Vec<usize> = found.iter().copied().collect();
            found.extend(reach(&needs, &self.parents, Depth::All));
        }
        Ok(found)
    }

    /// The nodes and the tests of any of them.
    pub(super) fn with_tests(&self, mut chosen: BTreeSet<usize>) -> BTreeSet<usize> {
        let is_test = |at: &usize| matches!(self.nodes[*at], Node::Test(_) | Node::Unit(_));
        let tests: Vec<usize> = chosen.iter().flat_map(|at| &self.children[*at]).copied().filter(is_test).collect();
        chosen.extend(tests);
        chosen
    }

    fn way_out(&self, term: &Term) -> String {
        let values = self.project.models.values();
        let known: Vec<&str> = match term.method {
            Method::Tag => values.flat_map(|model| model.tags.iter().map(String::as_str)).collect(),
            Method::Source => self.project.sources.iter().map(|table| table.source.as_str()).collect(),
            Method::Package => values.map(|model| model.package.as_str()).collect(),
            Method::ResourceType => vec!["model", "snapshot", "seed", "source", "test", "unit_test", "exposure"],
            Method::Exposure => self.project.exposures.iter().map(|exposure| exposure.name.as_str()).collect(),
            Method::TestType => vec!["generic", "singular", "data", "unit"],
            _ => self.project.models.keys().map(String::as_str).collect(),
        };
        did_you_mean(&term.value, known, "`sluice plan` lists the models")
    }

    fn matches(&self, node: Node<'p>, term: &Term) -> bool {
        let kind = |kinds: &[&str]| kinds.iter().any(|kind| term.is(kind));
        match (node, &term.method) {
            (Node::Model(model), Method::ResourceType) => {
                kind(&[if model.materialized == Materialized::Snapshot { "snapshot" } else { "model" }])
            }
            (Node::Model(model), Method::Config(key)) => match key.as_str() {
                "materialized" => term.is(&model.materialized.to_string()),
                "schema" => term.is(&model.schema),
                key => configured(&model.config, key, term),
            },
            (Node::Model(model), _) => self.named(term, (&model.package, &model.path), &model.fqn, &model.tags),
            (Node::Seed(_), Method::ResourceType) => kind(&["seed"]),
            (Node::Seed(seed), Method::Config(key)) => configured(&seed.config, key, term),
            (Node::Seed(seed), _) => self.named(term, (&seed.package, &seed.path), &seed.fqn, &seed.tags),
            (Node::Source(table), Method::Source) => {
                term.is(&table.source) || term.is(&format!("{}.{}", table.source, table.name))
            }
            (Node::Source(_), Method::ResourceType) => kind(&["source"]),
            (Node::Source(table), Method::Tag) => table.tags.iter().any(|tag| term.is(tag)),
            (Node::Source(table), Method::Package) => self.in_package(term, &table.package),
            (Node::Source(table), Method::Path) => in_path(term, &table.origin.file),
            (Node::Source(_), _) => false,
            (Node::Test(_), Method::ResourceType) => kind(&["test"]),
            (Node::Test(test), Method::TestType) => {
                kind(&["data", if test.kind == "singular" { "singular" } else { "generic" }])
            }
            (Node::Test(test), Method::Name) => term.is(&test.name),
            (Node::Test(test), Method::Tag) => test.tags.iter().any(|tag| term.is(tag)),
            (Node::Test(test), Method::Package) => self.in_package(term, &test.package),
            (Node::Test(test), Method::Path) => in_path(term, &test.origin.file),
            (Node::Test(test), Method::Config(key)) if key == "severity" => {
                term.is(if test.severity == super::super::Severity::Warn { "warn" } else { "error" })
            }
            (Node::Test(_), _) => false,
            (Node::Unit(_), Method::ResourceType) => kind(&["unit_test"]),
            (Node::Unit(_), Method::TestType) => kind(&["unit"]),
            (Node::Unit(test), Method::Name) => term.is(&test.name),
            (Node::Unit(test), Method::Tag) => test.tags.iter().any(|tag| term.is(tag)),
            (Node::Unit(_), _) => false,
            (Node::Exposure(exposure), Method::Exposure) => term.is(&exposure.name),
            (Node::Exposure(_), Method::ResourceType) => kind(&["exposure"]),
            (Node::Exposure(exposure), Method::Tag) => exposure.tags.iter().any(|tag| term.is(tag)),
            (Node::Exposure(_), _) => false,
        }
    }

    fn in_package(&self, term: &Term, package: &str) -> bool {
        term.is(package) || (term.value == "this" && package == self.project.name)
    }

    fn named(&self, term: &Term, (package, path): (&str, &str), fqn: &[String], tags: &[String]) -> bool {
        match term.method {
            Method::Tag => tags.iter().any(|tag| term.is(tag)),
            Method::Path => in_path(term, path),
            Method::Package => self.in_package(term, package),
            Method::File => {
                let file = path.rsplit('/').next().unwrap_or(path);
                term.is(file) || file.rsplit_once('.').is_some_and(|(stem, _)| term.is(stem))
            }
            Method::Name => {
                let own = format!("{package}.{}", fqn.join("."));
                let folders = |full: &str| {
                    full.strip_prefix(term.value.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                fqn.last().is_some_and(|name| term.is(name))
                    || folders(&own)
                    || folders(&fqn.join("."))
                    || term.is(&own)
            }
            _ => false,
        }
    }
}

fn in_path(term: &Term, path: &str) -> bool {
    term.is(path) || path.strip_prefix(term.value.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a config has the term's value; `key` may lead into maps by dots, and a map's keys count as a list.
fn configured(config: &super::super::Config, key: &str, term: &Term) -> bool {
    let mut steps = key.split('.');
    let first = steps.next().and_then(|first| config.get(first));
    match steps.try_fold(first, |value, step| value.map(|value| value.get(step))) {
        Some(Some(Json::Object(map))) => map.keys().any(|key| term.is(key)),
        Some(Some(value)) => texts_of(value).iter().any(|text| term.is(text)),
        _ => false,
    }
}

/// What is reached from `start` in so many steps.
fn reach(start: &[usize], edges: &[Vec<usize>], depth: Depth) -> BTreeSet<usize> {
    let steps_max = match depth {
        Depth::None => 0,
        Depth::Steps(steps) => steps,
        Depth::All => usize::MAX,
    };
    let mut seen: BTreeSet<usize> = start.iter().copied().collect();
    let (mut front, mut steps) = (start.to_vec(), 0);
    while !front.is_empty() && steps < steps_max {
        front = front.iter().flat_map(|at| &edges[*at]).copied().filter(|next| seen.insert(*next)).collect();
        steps += 1;
    }
    seen
}
