//! What is wrong with a project: each fault with its file, its line, and the way out.

use std::fmt;

/// One fault of a project.
///
/// Shows as `models/x.sql:12: what is wrong; the way out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectError {
    /// The file, relative to the project's folder.
    pub file: String,
    /// The line in that file, from 1; `None` when it is not known.
    pub line: Option<usize>,
    /// What is wrong, naming the object.
    pub what: String,
    /// What the user can do about it; may be empty when `what` says it all.
    pub way_out: String,
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)?;
        if !self.way_out.is_empty() {
            write!(f, "; {}", self.way_out)?;
        }
        Ok(())
    }
}

/// All faults that loading found; shows one per line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ProjectErrors(pub Vec<ProjectError>);

impl fmt::Display for ProjectErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// Collects errors and warnings while loading goes on, so that one run shows all of them.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) errors: Vec<ProjectError>,
    pub(super) warnings: Vec<String>,
}

impl Faults {
    /// Notes an error; the same error is noted once.
    pub(super) fn error(
        &mut self,
        file: &str,
        line: Option<usize>,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) {
        self.push(ProjectError { file: file.to_owned(), line, what: what.into(), way_out: way_out.into() });
    }

    /// Notes an error that is made already; the same error is noted once.
    pub(super) fn push(&mut self, error: ProjectError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Notes something that does not stop the project, but that its owner should know.
    pub(super) fn warn(&mut self, file: &str, line: Option<usize>, text: impl fmt::Display) {
        let warning = match line {
            Some(line) => format!("{file}:{line}: {text}"),
            None => format!("{file}: {text}"),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
