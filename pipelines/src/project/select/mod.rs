//! Node selection: the part of dbt's selector syntax that the README lists.

mod graph;
mod parse;
mod selectors;

use std::collections::BTreeSet;

use super::load::Project;
use graph::{Graph, Node};

pub use selectors::Selector;
pub(super) use selectors::read as read_selectors;

/// What a selection names.
#[derive(Debug, Default, PartialEq)]
pub struct Selected<'p> {
    /// The models in topological order.
    pub models: Vec<&'p str>,
    /// The data tests: those that are named, and those of the nodes that are.
    pub tests: Vec<&'p super::DataTest>,
    /// The unit tests: those that are named, and those of the models that are.
    pub unit_tests: Vec<&'p super::UnitTest>,
}

/// What a command is told to work on.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// A selector; all when none is given, and no `named`.
    pub select: Option<String>,
    /// A selector of what is left out.
    pub exclude: Option<String>,
    /// The name of a selector in `selectors.yml`.
    pub named: Option<String>,
}

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
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let selection = Selection { select: owned(selector), exclude: owned(exclude), named: None };
    selected(project, &selection).map(|selected| selected.models)
}

/// All that a selection names. Without a `select` and a `named` it is what the default of `selectors.yml` names, if there is
/// one.
///
/// # Errors
/// As [`select`], and when there is no selector of that name.
pub fn selected<'p>(project: &'p Project, selection: &Selection) -> Result<Selected<'p>, String> {
    let graph = Graph::of(project);
    let given = selection.select.as_deref().filter(|text| !text.trim().is_empty());
    let by_default = || project.selectors.iter().find(|selector| selector.default);
    let mut chosen: BTreeSet<usize> = match (given, &selection.named) {
        (Some(text), _) => graph.with_tests(graph.union(text, true)?),
        (None, Some(name)) => graph.with_tests(selectors::named(&graph, name)?),
        (None, None) => match by_default() {
            Some(selector) => graph.with_tests(selectors::named(&graph, &selector.name)?),
            None => (0..graph.nodes.len()).collect(),
        },
    };
    if let Some(text) = &selection.exclude {
        let gone = graph.with_tests(graph.union(text, false)?);
        chosen.retain(|node| !gone.contains(node));
    }
    let mut selected = Selected::default();
    for at in chosen {
        match graph.nodes[at] {
            Node::Model(model) => selected.models.push(&model.name),
            Node::Test(test) => selected.tests.push(test),
            Node::Unit(test) => selected.unit_tests.push(test),
            Node::Seed(_) | Node::Source(_) | Node::Exposure(_) => {}
        }
    }
    Ok(selected)
}

#[cfg(test)]
mod tests;
