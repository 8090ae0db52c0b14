//! Commands that texts name are there: nobody is sent to one that is not.

use std::collections::{BTreeMap, BTreeSet};

use super::Offence;
use super::tree::File;

/// The program's subcommands, each with its flags (`--project`); the flags of the program itself are at the empty name.
pub type Commands = BTreeMap<String, BTreeSet<String>>;

/// What is to come may be named there.
const OF_THE_FUTURE: [&str; 1] = ["docs/roadmap.md"];

/// Texts that people read: documents, and everything in Rust (messages, help, comments).
fn is_read(file: &File) -> bool {
    (file.path.ends_with(".md") || file.is_rust() && !file.is_test()) && !OF_THE_FUTURE.contains(&file.path.as_str())
}

/// Mentions of `sluice <subcommand> ...`, in backquotes or after a prompt, of which the program knows nothing.
pub fn unknown_commands(files: &[File], commands: &Commands) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files.iter().filter(|file| is_read(file)) {
        for (number, line) in file.production().lines().enumerate() {
            for mention in mentions(line) {
                if let Err(what) = known(mention, commands) {
                    offences.push(Offence { file: file.path.clone(), line: number + 1, what });
                }
            }
        }
    }
    offences
}

/// What follows `sluice ` up to the closing backquote, or up to the end of the line after a prompt.
fn mentions(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.match_indices("`sluice ").map(|(at, quote)| {
        let rest = &line[at + quote.len()..];
        rest.split('`').next().unwrap_or(rest)
    });
    quoted.chain(line.trim_start().strip_prefix("$ sluice "))
}

fn known(mention: &str, commands: &Commands) -> Result<(), String> {
    let first = mention.split_whitespace().next().unwrap_or_default();
    let name = if first.starts_with('-') { "" } else { first };
    let Some(flags) = commands.get(name) else {
        return Err(format!("there is no `sluice {first}`; say what works today"));
    };
    let words = mention.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    match words.filter(|word| word.starts_with("--") && word.len() > 2).find(|word| !flags.contains(*word)) {
        Some(flag) => Err(format!("`sluice {name}` has no {flag}; say what works today")),
        None => Ok(()),
    }
}
