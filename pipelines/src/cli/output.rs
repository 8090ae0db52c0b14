//! What is written: results to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use sluice_engine::{Error, Result};
use tracing_subscriber::EnvFilter;

use crate::progress::Terminal;
use crate::project::nearest;

/// The one writer of stderr: what it writes appears above the progress block.
pub fn terminal() -> Terminal {
    static TERMINAL: OnceLock<Terminal> = OnceLock::new();
    TERMINAL.get_or_init(Terminal::stderr).clone()
}

/// Writes a line to stdout. A reader that has gone away (`| head`) is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes an error to stderr.
pub fn error(message: &str) {
    terminal().print(&format!("error: {message}\n"));
}

/// Writes a warning to stderr.
pub fn warning(message: &str) {
    terminal().print(&format!("warning: {message}\n"));
}

/// Writes a line to stderr: progress and the like.
pub fn note(line: &str) {
    terminal().print(&format!("{line}\n"));
}

/// The levels of a log, in the words of `SLUICE_LOG`.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Logs go to stderr. `SLUICE_LOG` (or `RUST_LOG`) wins over the flags.
///
/// # Errors
/// `Config` when the variable is no filter.
pub fn start_logging(verbose: u8) -> Result<()> {
    let level = match verbose {
        // hdfs-native warns of each attempt in words of the operating system; the error that comes of it says what is wrong.
        0 => "warn,hdfs_native=error,sluice_engine=warn,sluice_operators=warn,sluice_pipelines=info",
        1 => "warn,sluice_engine=debug,sluice_operators=debug,sluice_pipelines=debug",
        _ => "debug",
    };
    let set = ["SLUICE_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| Some((name, std::env::var(name).ok().filter(|text| !text.is_empty())?)));
    let filter = match set {
        Some((name, text)) => filter(name, &text)?,
        None => EnvFilter::new(level),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(terminal())
        .init();
    Ok(())
}

fn filter(name: &str, text: &str) -> Result<EnvFilter> {
    let example = "write a level (error, warn, info, debug, trace), or levels by part: \"warn,sluice_engine=debug\"";
    // A word that is no level would be the name of a part, of which there is none: nothing would be logged any more.
    let words = text.split(',').map(str::trim).filter(|word| word.chars().all(|c| c.is_ascii_alphabetic()));
    for word in words.filter(|word| !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))) {
        if let Some(level) = nearest(word, LEVELS) {
            return Err(Error::config(format!("{name}: {word:?} is no level; did you mean \"{level}\"?")));
        }
    }
    EnvFilter::try_new(text).map_err(|e| Error::config(format!("{name} {text:?} says nothing: {e}; {example}")))
}
