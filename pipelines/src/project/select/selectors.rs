//! Named selectors of `selectors.yml`.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::super::error::Faults;
use super::super::files::Files;
use super::super::nearest::did_you_mean;
use super::super::values::{Config, bool_of, text_of};
use super::super::yaml;
use super::graph::Graph;
use super::parse::{Depth, Term, method_of, term};

/// The file's name.
const FILE: &str = "selectors.yml";
/// Selectors may name each other to this depth (in selectors); deeper is taken for a circle.
const DEPTH_MAX: usize = 16;

/// A selector with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// Its name.
    pub name: String,
    /// What it is for; empty when it is not said.
    pub description: String,
    /// Whether it is meant when a command names none.
    pub default: bool,
    /// What it names, as written.
    pub definition: Json,
}

/// The selectors of a project; none without the file.
pub(in super::super) fn read(files: &dyn Files, faults: &mut Faults) -> Vec<Selector> {
    let Ok(text) = files.read(FILE) else { return Vec::new() };
    let json = match yaml::parse(FILE, &text) {
        Ok(json) => json,
        Err(error) => {
            faults.push(error);
            return Vec::new();
        }
    };
    let read = |entry: &Json| {
        Some(Selector {
            name: entry.get("name").and_then(text_of)?,
            description: entry.get("description").and_then(text_of).unwrap_or_default(),
            default: entry.get("default").and_then(bool_of) == Some(true),
            definition: entry.get("definition")?.clone(),
        })
    };
    let entries = json.get("selectors").and_then(Json::as_array).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let selector = read(entry);
            if selector.is_none() {
                let way_out = "each needs name: and definition:";
                faults.error(FILE, None, format!("this is no selector: {entry}"), way_out);
            }
            selector
        })
        .collect()
}

/// What the selector of this name names.
pub(super) fn named(graph: &Graph<'_>, name: &str) -> Result<BTreeSet<usize>, String> {
    find(graph, name, 0)
}

fn find(graph: &Graph<'_>, name: &str, depth: usize) -> Result<BTreeSet<usize>, String> {
    if depth > DEPTH_MAX {
        return Err(format!("selectors name each other more than {DEPTH_MAX} deep, last \"{name}\""));
    }
    let known = &graph.project.selectors;
    let Some(selector) = known.iter().find(|selector| selector.name == name) else {
        let way_out = did_you_mean(name, known.iter().map(|s| s.name.as_str()), "define it in selectors.yml");
        return Err(format!("there is no selector \"{name}\"; {way_out}"));
    };
    let definition = Definition { graph, name, depth };
    definition.of(&selector.definition)
}

/// A definition that is being followed.
struct Definition<'a> {
    graph: &'a Graph<'a>,
    name: &'a str,
    depth: usize,
}

impl Definition<'_> {
    fn of(&self, json: &Json) -> Result<BTreeSet<usize>, String> {
        match json {
            Json::String(text) => self.graph.term(&term(text)?, text, false),
            Json::Object(map) => {
                let gone = self.list(map.get("exclude"))?;
                let mut found = match (map.get("union"), map.get("intersection"), map.get("method")) {
                    (Some(parts), _, _) => self.parts(parts, false)?,
                    (_, Some(parts), _) => self.parts(parts, true)?,
                    (_, _, Some(method)) => self.method(method, map)?,
                    _ => self.pair(map)?,
                };
                found.retain(|node| !gone.iter().any(|gone| gone.contains(node)));
                Ok(found)
            }
            other => Err(format!("selector \"{}\": {other} is no definition; write method: and value:", self.name)),
        }
    }

    fn list(&self, json: Option<&Json>) -> Result<Vec<BTreeSet<usize>>, String> {
        json.and_then(Json::as_array).into_iter().flatten().map(|part| self.of(part)).collect()
    }

    /// The parts of a union or an intersection; one that only excludes takes away from the others.
    fn parts(&self, json: &Json, all: bool) -> Result<BTreeSet<usize>, String> {
        let (mut found, mut gone): (Option<BTreeSet<usize>>, BTreeSet<usize>) = (None, BTreeSet::new());
        for part in json.as_array().into_iter().flatten() {
            if let Some(map) = part.as_object().filter(|map| map.len() == 1 && map.contains_key("exclude")) {
                gone.extend(self.list(map.get("exclude"))?.into_iter().flatten());
                continue;
            }
            let more = self.of(part)?;
            found = Some(match found {
                None => more,
                Some(before) if all => before.intersection(&more).copied().collect(),
                Some(before) => before.union(&more).copied().collect(),
            });
        }
        Ok(found.unwrap_or_default().difference(&gone).copied().collect())
    }

    fn method(&self, method: &Json, map: &Config) -> Result<BTreeSet<usize>, String> {
        let text = |json: &Json| text_of(json).unwrap_or_default();
        let (method, value) = (text(method), map.get("value").map(text).unwrap_or_default());
        if method == "selector" {
            return find(self.graph, &value, self.depth + 1);
        }
        let is = |key: &str| map.get(key).and_then(bool_of) == Some(true);
        let steps = |key: &str| map.get(key).and_then(Json::as_u64).and_then(|steps| usize::try_from(steps).ok());
        let depth = |all: &str, some: &str| match (is(all), steps(some)) {
            (true, Some(steps)) => Depth::Steps(steps),
            (true, None) => Depth::All,
            (false, _) => Depth::None,
        };
        let whole = format!("{method}:{value}");
        let at = is("childrens_parents");
        let children = if at { Depth::All } else { depth("children", "children_depth") };
        let method = method_of(&method, &whole)?;
        let parents = depth("parents", "parents_depth");
        self.graph.term(&Term { method, value, parents, children, at }, &whole, false)
    }

    /// `tag: nightly`.
    fn pair(&self, map: &Config) -> Result<BTreeSet<usize>, String> {
        let pairs: Vec<String> = map
            .iter()
            .filter(|(key, _)| *key != "exclude")
            .filter_map(|(key, value)| Some(format!("{key}:{}", text_of(value)?)))
            .collect();
        match &pairs[..] {
            [pair] => self.graph.term(&term(pair)?, pair, false),
            _ => Err(format!("selector \"{}\" has no definition; write method: and value:", self.name)),
        }
    }
}
