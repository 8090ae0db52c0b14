//! I-2: a component folder imports no sibling component.
//!
//! A component is a folder under its role (`operators/src/<role>/<part>/`), or the role's folder when it has none below it.
//! A role's own files (`window/assign.rs`) belong to all its parts. What all may import is named in `FOR_ALL`.

use std::collections::BTreeSet;

use super::Offence;
use super::lexer::{Token, tokens};
use super::tree::File;

const SOURCES: &str = "operators/src/";

/// Folders that every component may import, and that import none: opening a store is everybody's who writes or reads files.
const FOR_ALL: [&str; 1] = ["store"];

/// A path of modules from the crate's root, and the line that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The modules, and at the end maybe an item.
    pub path: Vec<String>,
    /// The line, from 1.
    pub line: usize,
}

/// Imports of one component by another.
pub fn between_components(files: &[File]) -> Vec<Offence> {
    let concerned: Vec<_> = files.iter().filter(|file| file.is_rust() && file.path.starts_with(SOURCES)).collect();
    let components = components(&concerned);
    let mut offences = Vec::new();
    for file in concerned {
        let modules = modules(&file.path);
        // A file of the crate itself (lib.rs, registry.rs) or of a role with parts joins components together.
        let for_all = || FOR_ALL.iter().find(|name| modules[0] == **name).map(|name| (*name).to_owned());
        let Some(own) = component_of(&modules, &components).or_else(for_all) else { continue };
        for import in imports(&modules, &file.text) {
            let Some(other) = component_of(&import.path, &components) else { continue };
            if other != own {
                let what = format!("{own} imports {other}; what two components share belongs to the engine");
                offences.push(Offence { file: file.path.clone(), line: import.line, what });
            }
        }
    }
    offences
}

/// All components, as `role` or `role/part`.
fn components(files: &[&File]) -> BTreeSet<String> {
    let folders =
        files.iter().filter_map(|file| file.path.strip_prefix(SOURCES)?.rsplit_once('/')).map(|(folder, _)| folder);
    let folders: BTreeSet<Vec<&str>> = folders.map(|folder| folder.split('/').take(2).collect()).collect();
    let has_parts = |role: &[&str]| folders.iter().any(|other| other.len() == 2 && other[0] == role[0]);
    let component = |folder: &&Vec<&str>| (folder.len() == 2 || !has_parts(folder)) && !FOR_ALL.contains(&folder[0]);
    folders.iter().filter(component).map(|folder| folder.join("/")).collect()
}

/// The component that a path of modules leads into.
fn component_of(path: &[String], components: &BTreeSet<String>) -> Option<String> {
    let of_length = |length: usize| (path.len() >= length).then(|| path[..length].join("/"));
    [of_length(2), of_length(1)].into_iter().flatten().find(|name| components.contains(name))
}

/// The path of modules of a file.
fn modules(path: &str) -> Vec<String> {
    let path = path.strip_prefix(SOURCES).unwrap_or(path).trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// Every path in a source that begins with `crate`, `super` or `self`, from the crate's root on. `modules` is the file's own.
pub fn imports(modules: &[String], source: &str) -> Vec<Import> {
    let tokens = tokens(source);
    let (mut found, mut inside, mut braces) = (Vec::new(), modules.to_vec(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let text = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text.as_str());
        match text(0) {
            "mod" if text(2) == "{" => {
                inside.push(text(1).to_owned());
                braces.push(true);
                at += 3;
                continue;
            }
            "{" => braces.push(false),
            "}" => {
                let left_a_module = braces.pop() == Some(true);
                inside.truncate(inside.len() - usize::from(left_a_module));
            }
            start @ ("crate" | "super" | "self") if text(1) == "::" => {
                let base = match start {
                    "crate" => Vec::new(),
                    "super" => inside[..inside.len().saturating_sub(1)].to_vec(),
                    _ => inside.clone(),
                };
                at = paths(&tokens, at + 2, &base, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads the tree of paths at `at` (`a::{b, c::d}`, `super::a`, `*`), and returns the position after it.
fn paths(tokens: &[Token], mut at: usize, base: &[String], found: &mut Vec<Import>) -> usize {
    let mut path = base.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = paths(tokens, at, &path, found);
                    // Past the comma, or past an `as name` that a path may end with.
                    while tokens.get(at).is_some_and(|token| token.text != "}" && token.text != ",") {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                }
                return at + 1;
            }
            "super" => _ = path.pop(),
            "self" => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    found.push(Import { path, line });
    at
}
