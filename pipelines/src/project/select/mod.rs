//! Node selection: the part of dbt's selector syntax that the README lists.

mod parse;

use std::collections::{BTreeSet, HashMap};

use super::load::Project;
use super::node::NodeRef;
use parse::{Depth, Method, Term};

/// The models that a selector names, in topological order; an empty selector names all.
///
/// # Errors
/// What the selector has that is not known, or a part of it that names nothing, with the way out.
pub fn select<'p>(project: &'p Project, selector: &str) -> Result<Vec<&'p str>, String> {
    select_except(project, Some(selector), None)
}

/// The models that `selector` names (all, when there is none) without those that `exclude` names.
///
/// # Errors
/// As [`select`]; a part of `exclude` that names nothing is no error.
pub fn select_except<'p>(
    project: &'p Project,
    selector: Option<&str>,
    exclude: Option<&str>,
) -> Result<Vec<&'p str>, String> {
    let graph = Graph::of(project);
    let mut chosen: BTreeSet<usize> = match selector.filter(|text| !text.trim().is_empty()) {
        Some(text) => graph.union(text, true)?,
        None => (0..graph.nodes.len()).collect(),
    };
    if let Some(text) = exclude {
        let gone = graph.union(text, false)?;
        chosen.retain(|node| !gone.contains(node));
    }
    let models = project.models.keys().enumerate().filter(|(at, _)| chosen.contains(at));
    Ok(models.map(|(_, name)| name.as_str()).collect())
}

/// The project as a graph: models first, in their order, then seeds and source tables.
struct Graph<'p> {
    project: &'p Project,
    nodes: Vec<NodeRef>,
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl<'p> Graph<'p> {
    fn of(project: &'p Project) -> Self {
        let mut nodes: Vec<NodeRef> = project.models.keys().map(|name| NodeRef::Model(name.clone())).collect();
        nodes.extend(project.seeds.iter().map(|seed| NodeRef::Seed(seed.name.clone())));
        let source =
            |table: &super::SourceTable| NodeRef::Source { source: table.source.clone(), table: table.name.clone() };
        nodes.extend(project.sources.iter().map(source));
        let at: HashMap<&NodeRef, usize> = nodes.iter().enumerate().map(|(at, node)| (node, at)).collect();
        let (mut parents, mut children) = (vec![Vec::new(); nodes.len()], vec![Vec::new(); nodes.len()]);
        for (child, model) in project.models.values().enumerate() {
            for parent in model.depends_on.iter().filter_map(|node| at.get(node)) {
                parents[child].push(*parent);
                children[*parent].push(child);
            }
        }
        Graph { project, nodes, parents, children }
    }

    /// Parts separated by blanks: what any of them names.
    fn union(&self, text: &str, must_exist: bool) -> Result<BTreeSet<usize>, String> {
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

    fn term(&self, term: &Term, text: &str, must_exist: bool) -> Result<BTreeSet<usize>, String> {
        let start: Vec<usize> = (0..self.nodes.len()).filter(|at| self.matches(&self.nodes[*at], term)).collect();
        if start.is_empty() && must_exist {
            return Err(format!("selector \"{text}\" names nothing; {}", self.way_out(term)));
        }
        let mut found: BTreeSet<usize> = start.iter().copied().collect();
        for (depth, edges) in [(term.parents, &self.parents), (term.children, &self.children)] {
            found.extend(reach(&start, edges, depth));
        }
        Ok(found)
    }

    fn way_out(&self, term: &Term) -> String {
        let values = self.project.models.values();
        let known: Vec<&str> = match term.method {
            Method::Tag => values.flat_map(|model| model.tags.iter().map(String::as_str)).collect(),
            Method::Source => self.project.sources.iter().map(|table| table.source.as_str()).collect(),
            Method::Name | Method::Path | Method::Config(_) => self.project.models.keys().map(String::as_str).collect(),
        };
        super::nearest::did_you_mean(&term.value, known, "`sluice plan` lists the models")
    }

    fn matches(&self, node: &NodeRef, term: &Term) -> bool {
        match node {
            NodeRef::Model(name) => self.project.models.get(name).is_some_and(|model| {
                let described = model.config.get(match &term.method {
                    Method::Config(key) => key.as_str(),
                    _ => "",
                });
                match &term.method {
                    Method::Config(key) if key == "materialized" => term.is(&model.materialized.to_string()),
                    Method::Config(key) if key == "schema" => term.is(&model.schema),
                    Method::Config(_) => {
                        described.is_some_and(|value| super::values::texts_of(value).iter().any(|text| term.is(text)))
                    }
                    _ => self.named(term, &model.path, &model.fqn, &model.tags),
                }
            }),
            NodeRef::Seed(name) => {
                self.project.seed(name).is_some_and(|seed| self.named(term, &seed.path, &seed.fqn, &seed.tags))
            }
            NodeRef::Source { source, table } => match term.method {
                Method::Source => term.is(source) || term.is(&format!("{source}.{table}")),
                Method::Tag => {
                    self.project.source(source, table).is_some_and(|table| table.tags.iter().any(|tag| term.is(tag)))
                }
                Method::Name | Method::Path | Method::Config(_) => false,
            },
        }
    }

    fn named(&self, term: &Term, path: &str, fqn: &[String], tags: &[String]) -> bool {
        match term.method {
            Method::Tag => tags.iter().any(|tag| term.is(tag)),
            Method::Path => {
                term.is(path)
                    || path.strip_prefix(term.value.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
            }
            Method::Name => {
                let own = format!("{}.{}", self.project.name, fqn.join("."));
                let folders = |full: &str| {
                    full.strip_prefix(term.value.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                fqn.last().is_some_and(|name| term.is(name))
                    || folders(&own)
                    || folders(&fqn.join("."))
                    || term.is(&own)
            }
            Method::Source | Method::Config(_) => false,
        }
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

#[cfg(test)]
mod tests;
