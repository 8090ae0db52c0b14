//! What can be wrong with a simulation.

use std::path::PathBuf;

/// Why a simulation cannot be set up, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The configuration is not JSON at all.
    #[error("simulator config is not JSON: {0}")]
    NotJson(String),
    /// A field of the configuration is missing, of the wrong type, or out of range.
    #[error("simulator config field \"{field}\" {problem}")]
    Config {
        /// The way to the field, as in `transitions[3].p`.
        field: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// An option of the run is out of range.
    #[error("simulator option \"{option}\" {problem}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// A file could not be made or written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A topic is missing.
    #[error("kafka at {brokers}: topic \"{topic}\" does not exist; create it, or ask for topics to be created")]
    NoTopic {
        /// The brokers, as they were given.
        brokers: String,
        /// The topic.
        topic: &'static str,
    },
    /// Kafka refused the work, or did not answer in time.
    #[error("kafka at {brokers}: {problem}")]
    Kafka {
        /// The brokers, as they were given.
        brokers: String,
        /// What went wrong, and the way out.
        problem: String,
    },
}

impl SimulatorError {
    /// True when another command would do it: what was asked for is wrong, and not what it met.
    pub fn is_wrong_command(&self) -> bool {
        use std::io::ErrorKind::{
            AlreadyExists, InvalidInput, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
        };
        match self {
            Self::NotJson(_) | Self::Config { .. } | Self::Option { .. } | Self::NoTopic { .. } => true,
            // The place cannot be written to at all, in contrast to a disk that is full.
            Self::File { source, .. } => matches!(
                source.kind(),
                AlreadyExists | InvalidInput | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem
            ),
            Self::Kafka { .. } => false,
        }
    }

    pub(super) fn config(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { field: field.into(), problem: problem.into() }
    }

    pub(super) fn option(option: &'static str, problem: impl Into<String>) -> Self {
        Self::Option { option, problem: problem.into() }
    }

    pub(super) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }
}
