//! A commit that takes its time, and a source that fails while it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};

use crate::error::{Error, Result};
use crate::sink::{Committer, Part, Token};
use crate::source::{Polled, Position, Source};

/// Says that a commit has begun. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Begun(Arc<AtomicBool>);

impl Begun {
    fn tell(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_told(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A committer whose `commit` takes `takes` before it changes anything.
pub struct SlowCommitter {
    committer: Box<dyn Committer>,
    takes: Duration,
    begun: Begun,
}

impl SlowCommitter {
    /// As `committer`, slowly; `begun` is told at each commit.
    pub fn new(committer: Box<dyn Committer>, takes: Duration, begun: Begun) -> Self {
        Self { committer, takes, begun }
    }
}

impl Committer for SlowCommitter {
    fn seal<'a>(&'a mut self, epoch: u64, parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        self.committer.seal(epoch, parts)
    }

    fn commit<'a>(&'a mut self, epoch: u64, token: &'a Token) -> BoxFuture<'a, Result<()>> {
        async move {
            self.begun.tell();
            tokio::time::sleep(self.takes).await;
            self.committer.commit(epoch, token).await
        }
        .boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        self.committer.recover(last)
    }
}

/// A source that fails once a commit has begun.
pub struct FailsDuringCommit {
    source: Box<dyn Source>,
    begun: Begun,
}

impl FailsDuringCommit {
    /// As `source`, until `begun` is told.
    pub fn new(source: Box<dyn Source>, begun: Begun) -> Self {
        Self { source, begun }
    }
}

impl Source for FailsDuringCommit {
    fn open(&mut self, resume: &Position) -> Result<()> {
        self.source.open(resume)
    }

    fn poll(&mut self, rows: usize, bytes: usize) -> Result<Polled> {
        if self.begun.is_told() {
            return Err(Error::data("the test wants the source to fail"));
        }
        self.source.poll(rows, bytes)
    }

    fn position(&self) -> Position {
        self.source.position()
    }
}
