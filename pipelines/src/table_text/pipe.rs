//! An output that remembers how it failed: the writers above it turn I/O errors into errors of their own, in which a closed pipe is lost.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How an output has failed, if it has. Shared with the [`Pipe`] below the encoders.
#[derive(Debug, Clone, Default)]
pub(super) struct PipeState {
    closed: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
}

impl PipeState {
    /// True once the reader has gone away.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// True once writing has failed in any way.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn seen<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(e) = &result
            && e.kind() != io::ErrorKind::Interrupted
        {
            self.failed.store(true, Ordering::Relaxed);
            self.closed.fetch_or(e.kind() == io::ErrorKind::BrokenPipe, Ordering::Relaxed);
        }
        result
    }
}

/// The output.
pub(super) struct Pipe<W> {
    out: W,
    state: PipeState,
}

impl<W: Write> Pipe<W> {
    pub fn new(out: W, state: PipeState) -> Self {
        Self { out, state }
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.state.seen(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.state.seen(flushed)
    }
}
