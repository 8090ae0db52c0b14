//! What is written: results to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::progress::Terminal;

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

/// Logs go to stderr. `SLUICE_LOG` (or `RUST_LOG`) wins over the flags.
pub fn start_logging(verbose: u8) {
    let level = match verbose {
        // hdfs-native warns of each attempt in words of the operating system; the error that comes of it says what is wrong.
        0 => "warn,hdfs_native=error,sluice_engine=warn,sluice_operators=warn,sluice_pipelines=info",
        1 => "warn,sluice_engine=debug,sluice_operators=debug,sluice_pipelines=debug",
        _ => "debug",
    };
    let filter = std::env::var("SLUICE_LOG").or_else(|_| std::env::var("RUST_LOG"));
    let filter = filter.ok().and_then(|f| EnvFilter::try_new(f).ok()).unwrap_or_else(|| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(terminal())
        .init();
}
