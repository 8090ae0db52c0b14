//! The files of the repository, and the rules on their names, sizes and paths in them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Offence, in_file};

/// The most lines that a Rust file may have, tests at its end not counted.
const LINES_MAX: usize = 500;

/// Names that say nothing about what a file or folder holds.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "manager", "misc", "shared"];

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 7] = [".git", "target", "node_modules", "__pycache__", "lake", "dbt_packages", "logs"];

/// A text file of the repository.
pub struct File {
    /// Its path from the repository's root, with slashes.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl File {
    /// A file for a rule's own test.
    pub fn new(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is a Rust file.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether nothing but tests is in it.
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        self.path.starts_with("tests/")
            || self.path.starts_with("benches/")
            || parts.any(|part| part == "tests" || part == "tests.rs" || part == "testing")
            || self.path.ends_with("_test.rs")
            || self.path.ends_with("_tests.rs")
    }

    /// The text up to the tests at a Rust file's end. (`mod tests;` keeps its tests elsewhere, and code may follow.)
    pub fn production(&self) -> &str {
        let mut cut = None;
        let mut at = 0;
        for line in self.text.lines() {
            match cut {
                None if line == "#[cfg(test)]" => cut = Some(at),
                Some(start) if line.contains("mod ") && line.ends_with('{') => return &self.text[..start],
                Some(_) if !line.starts_with("#[") => cut = None,
                _ => {}
            }
            at += line.len() + 1;
        }
        &self.text
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the package tests lies in the repository").to_owned()
}

/// All text files of the repository.
///
/// # Errors
/// When one cannot be read.
pub fn read() -> anyhow::Result<Vec<File>> {
    let root = root();
    let (mut files, mut left) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let entry = entry?;
            let path = entry.path();
            if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                left.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(&root).expect("found below it").to_string_lossy().into_owned();
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// No Rust file is too long to be read at one sitting.
pub fn long_files(files: &[File]) -> Vec<Offence> {
    let long = files.iter().filter(|file| file.is_rust() && !file.is_test()).filter_map(|file| {
        let lines = file.production().lines().count();
        let what = format!("{lines} lines; split it by what its parts are about, {LINES_MAX} lines is the most");
        (lines > LINES_MAX).then(|| in_file(&file.path, what))
    });
    long.collect()
}

/// Every file and folder is named for what it holds.
pub fn empty_names(files: &[File]) -> Vec<Offence> {
    let of_file = |file: &File| {
        let stem = |part: &str| part.split('.').next().unwrap_or_default().to_owned();
        let empty = file.path.split('/').map(stem).find(|part| EMPTY_NAMES.contains(&part.as_str()))?;
        Some(in_file(&file.path, format!("\"{empty}\" says nothing; name it for what it holds")))
    };
    files.iter().filter(|file| is_source(&file.path)).filter_map(of_file).collect()
}

/// Whether it is code of ours; a dbt project has folders of its own naming.
fn is_source(path: &str) -> bool {
    [".rs", ".py", ".sh"].iter().any(|end| path.ends_with(end))
        || !path.rsplit('/').next().unwrap_or(path).contains('.')
}

/// No path of the machine that something was written on.
pub fn machine_paths(files: &[File]) -> Vec<Offence> {
    // Put together here, so that this file does not offend.
    let homes = ["root", "work", "Users"].map(|name| format!("/{name}/"));
    let mut offences = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            for home in &homes {
                let starts = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.}*".contains(c));
                if line.match_indices(home.as_str()).any(|(at, _)| starts(at)) {
                    let what = format!("\"{home}\" is a path of one machine; make it relative or a setting");
                    offences.push(Offence { file: file.path.clone(), line: number + 1, what });
                }
            }
        }
    }
    offences
}

/// Every package takes the workspace's lints.
pub fn missing_lints(files: &[File]) -> Vec<Offence> {
    let manifests = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let missing = manifests.filter(|file| !file.text.contains("[lints]\nworkspace = true"));
    missing.map(|file| in_file(&file.path, "add \"[lints]\" with \"workspace = true\"".to_owned())).collect()
}
