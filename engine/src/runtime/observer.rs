//! Who is told of each committed epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, ready};

use crate::error::Result;
use crate::sink::Token;
use crate::source::Positions;

/// An epoch that has just been committed.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The epoch.
    pub epoch: u64,
    /// Which start of the pipeline wrote it.
    pub generation: u64,
    /// How far the sources have been read.
    pub positions: Positions,
    /// What each sink has committed, by the sink's name.
    pub sinks: Arc<BTreeMap<String, Token>>,
    /// Rows that sources gave since the start of this run.
    pub rows: u64,
    /// True when the run ends with this epoch.
    pub last: bool,
}

/// Told of each committed epoch, before the next one can be: the tables stand still at this epoch meanwhile.
pub trait Observer: Send {
    /// Called once when recovery is over, sources are open and workers run.
    fn on_started(&mut self) {}

    /// True when there is something to do at the end of an epoch: one is then committed as soon as it may be, also when no
    /// rows come. Asked a few hundred times a second, so it must be cheap.
    fn wants_epoch(&self) -> bool {
        false
    }

    /// Called after the sinks have committed.
    ///
    /// # Errors
    /// An error ends the run.
    fn on_committed<'a>(&'a mut self, epoch: &'a Committed) -> BoxFuture<'a, Result<()>>;
}

/// An observer that does nothing.
#[derive(Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn on_committed<'a>(&'a mut self, _epoch: &'a Committed) -> BoxFuture<'a, Result<()>> {
        ready(Ok(())).boxed()
    }
}
