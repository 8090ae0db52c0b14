//! Rules of the source tree that keep themselves: each is a function from the tree to its offences.
//!
//! The rules read text and Cargo's own view of the packages; they are applied by `suite/tidy.rs`, which also shows that
//! each can fail.

pub mod commands;
pub mod dependencies;
pub mod imports;
mod lexer;
pub mod tree;
pub mod words;

use std::fmt;

/// One place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// The file, relative to the repository's root.
    pub file: String,
    /// The line, from 1; 0 when it is about the whole file.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.what)
        } else {
            write!(f, "{}:{}: {}", self.file, self.line, self.what)
        }
    }
}

/// An offence in a file as a whole.
fn in_file(file: &str, what: String) -> Offence {
    Offence { file: file.to_owned(), line: 0, what }
}
