//! The one way to the terminal: a block that is drawn in place, and lines that appear above it.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// The screen when nobody says how large it is.
const COLUMNS_USUAL: usize = 80;
const ROWS_USUAL: usize = 24;

/// How many characters a screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub columns: usize,
    /// From top to bottom.
    pub rows: usize,
}

impl Size {
    /// The screen of stderr now: `COLUMNS` and `LINES` if set, else what the terminal says, else 80 by 24.
    pub fn of_stderr() -> Self {
        let told = terminal_size::terminal_size_of(io::stderr());
        let told = told.map(|(w, h)| (usize::from(w.0), usize::from(h.0)));
        let set = |name| std::env::var(name).ok().and_then(|v: String| v.parse().ok());
        Self::from(set("COLUMNS"), set("LINES"), told)
    }

    fn from(columns: Option<usize>, rows: Option<usize>, told: Option<(usize, usize)>) -> Self {
        // A terminal without a size says 0.
        let some = |n: Option<usize>| n.filter(|n| *n > 0);
        Self {
            columns: some(columns).or(some(told.map(|t| t.0))).unwrap_or(COLUMNS_USUAL),
            rows: some(rows).or(some(told.map(|t| t.1))).unwrap_or(ROWS_USUAL),
        }
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy)]
pub enum Output {
    /// A block drawn in place, on a screen that is measured at each drawing.
    Block {
        /// Measures the screen.
        size: fn() -> Size,
    },
    /// Plain lines.
    Lines,
}

impl Output {
    /// The way that fits stderr: a block on a terminal that can move its cursor, lines elsewhere or when `NO_COLOR` is set.
    pub fn of_stderr() -> Self {
        let set = |name| std::env::var(name).unwrap_or_default();
        Self::from(io::stderr().is_terminal(), &set("NO_COLOR"), &set("TERM"))
    }

    fn from(is_terminal: bool, no_color: &str, term: &str) -> Self {
        match is_terminal && no_color.is_empty() && term != "dumb" {
            true => Self::Block { size: Size::of_stderr },
            false => Self::Lines,
        }
    }
}

/// A terminal that several write to: progress its block, the log its lines. All clones are one.
///
/// What cannot be written is dropped: a run does not end because nobody watches it.
#[derive(Clone)]
pub struct Terminal {
    screen: Arc<Mutex<Screen>>,
}

struct Screen {
    out: Box<dyn Write + Send>,
    /// The lines of the block that is on the screen, above the cursor.
    block: Vec<String>,
}

impl Terminal {
    /// The terminal of stderr.
    pub fn stderr() -> Self {
        Self::new(Box::new(io::stderr()))
    }

    /// A terminal that writes to `out`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { screen: Arc::new(Mutex::new(Screen { out, block: Vec::new() })) }
    }

    /// Draws a block in the place of the last one.
    pub(super) fn draw(&self, block: &[String]) {
        let mut screen = self.lock();
        let text = up(screen.block.len()) + &drawn(block);
        screen.block = block.to_vec();
        screen.write(text.as_bytes());
    }

    /// Leaves the block where it is: what follows comes below it.
    pub(super) fn keep(&self) {
        self.lock().block.clear();
    }

    /// Writes whole lines, above the block if there is one.
    pub fn print(&self, lines: &str) {
        self.lock().print(lines.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    fn print(&mut self, lines: &[u8]) {
        if self.block.is_empty() || lines.is_empty() {
            return self.write(lines);
        }
        let mut bytes = (up(self.block.len()) + ERASE_BELOW).into_bytes();
        bytes.extend_from_slice(lines);
        if lines.last() == Some(&b'\n') {
            bytes.extend_from_slice(drawn(&self.block).as_bytes());
        } else {
            // The line goes on: the block comes back with the next drawing.
            self.block.clear();
        }
        self.write(&bytes);
    }

    /// In one write, so that nothing flickers and other writers cannot come between.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).and_then(|()| self.out.flush());
    }
}

const ERASE_BELOW: &str = "\x1b[J";
const ERASE_TO_THE_RIGHT: &str = "\x1b[K";

/// Moves the cursor to the start of the line that is so many lines above.
fn up(lines: usize) -> String {
    match lines {
        0 => String::new(),
        n => format!("\r\x1b[{n}A"),
    }
}

/// The block over whatever is there, and nothing below it.
fn drawn(block: &[String]) -> String {
    let lines: String = block.iter().map(|line| format!("{line}{ERASE_TO_THE_RIGHT}\n")).collect();
    lines + ERASE_BELOW
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().print(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Terminal {
    type Writer = Terminal;

    fn make_writer(&'a self) -> Terminal {
        self.clone()
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block needs a terminal with a cursor, and nobody who asked for plain text.
    #[test]
    fn the_environment_chooses_the_output() {
        let is_block =
            |terminal, no_color, term| matches!(Output::from(terminal, no_color, term), Output::Block { .. });
        assert!(is_block(true, "", "xterm-256color"));
        assert!(!is_block(false, "", "xterm-256color"));
        assert!(!is_block(true, "1", "xterm-256color"));
        assert!(!is_block(true, "", "dumb"));
    }

    /// What the user set goes before what the terminal says, and 0 says nothing.
    #[test]
    fn the_size_comes_from_whoever_knows_it() {
        let size = |columns, rows, told| {
            let Size { columns, rows } = Size::from(columns, rows, told);
            (columns, rows)
        };
        assert_eq!(size(Some(100), None, Some((120, 50))), (100, 50));
        assert_eq!(size(Some(0), None, Some((0, 0))), (80, 24));
        assert_eq!(size(None, None, None), (80, 24));
    }
}
