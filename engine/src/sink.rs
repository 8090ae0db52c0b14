//! Where rows go: written on the workers, sealed and committed once for each epoch.

use std::any::Any;

use futures::future::BoxFuture;

use crate::error::Result;
use crate::frame::Batch;

/// What one worker's instance of a sink hands over for an epoch: files that are durable but invisible, rows to take
/// back, counts. Opaque to the engine; it stays in memory and goes to the sink's own [`Committer::seal`].
pub type Part = Box<dyn Any + Send>;

/// What the commit of an epoch needs, as JSON: it is stored in the manifest and outlives a crash.
pub type Token = serde_json::Value;

/// The asynchronous half of `prepare`: uploads. Runs on the async runtime while the worker goes on with the next epoch.
pub type PrepareFuture = BoxFuture<'static, Result<Part>>;

/// Where in the graph an instance of a sink runs, and which run this is.
#[derive(Debug, Clone)]
pub struct SinkContext {
    /// The sink's stable name, unique in the graph.
    pub name: String,
    /// Which of the workers this instance belongs to, from 0.
    pub worker: usize,
    /// How many workers there are.
    pub workers: usize,
    /// Counts the starts of this pipeline; grows with every recovery.
    pub generation: u64,
    /// The runtime for everything asynchronous.
    pub runtime: tokio::runtime::Handle,
}

/// The worker's half of a sink: one instance on each worker.
///
/// Life: `write` for each batch; `flush` at every tick; `prepare` when an epoch ends. The engine prepares one epoch at
/// a time: `prepare(n + 1)` is not called before epoch `n` is committed.
pub trait Sink: Send {
    /// Stages rows; nothing becomes visible. Synchronous encoding belongs here.
    ///
    /// # Errors
    /// An error ends the run (and the epoch is done again after the restart).
    fn write(&mut self, batch: Batch) -> Result<()>;

    /// Called at every barrier, ticks and epochs, with the epoch that the rows belong to and the barrier's sequence. A sink
    /// that shows rows early does it here; others do nothing.
    ///
    /// # Errors
    /// As `write`.
    fn flush(&mut self, epoch: u64, sequence: u64) -> Result<()> {
        let _ = (epoch, sequence);
        Ok(())
    }

    /// Called when an epoch ends, after `flush`: hands over everything written since the last call. What is cheap is done at once,
    /// what waits (uploads) in the future.
    ///
    /// # Errors
    /// As `write`.
    fn prepare(&mut self, epoch: u64) -> Result<PrepareFuture>;

    /// Bytes of memory that the sink holds (buffers, encoders), for metrics and for the memory budget.
    fn memory_bytes(&self) -> usize {
        0
    }
}

/// The table's half of a sink: one for each sink, on the async runtime.
///
/// Order for each epoch: `seal` (durable, still invisible), then the engine's manifest, then `commit`. After a crash,
/// `recover` is called first, with the token of the newest manifest: the commit may have happened or not.
pub trait Committer: Send {
    /// True for a sink that shows rows at ticks, before their epoch is committed. Without one there are no ticks, which cost
    /// every aggregate a result for each group that has changed.
    fn shows_early(&self) -> bool {
        false
    }

    /// True for a sink that brings a target to the newest epoch by itself when `recover` is called without a token. Only such
    /// a sink may be new to a pipeline with history.
    fn fills_itself(&self) -> bool {
        false
    }

    /// Called once for each epoch with the parts of all workers: makes one token of them. Must leave nothing visible.
    ///
    /// # Errors
    /// `Transient` errors are retried by the committer itself within a bound; what comes out ends the run.
    fn seal<'a>(&'a mut self, epoch: u64, parts: Vec<Part>) -> BoxFuture<'a, Result<Token>>;

    /// Makes the epoch visible. **Idempotent**: a second call with the same epoch and token changes nothing.
    ///
    /// # Errors
    /// As `seal`.
    fn commit<'a>(&'a mut self, epoch: u64, token: &'a Token) -> BoxFuture<'a, Result<()>>;

    /// Called once, when a run has come to its normal end, after the last `commit`: what is under way may be brought to an
    /// end. Must not take longer than some seconds.
    fn end<'a>(&'a mut self) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    /// Called once at start, before any row, with the newest manifest's epoch and this sink's token, if there is one:
    /// commits it again and sweeps what a crashed writer has left.
    ///
    /// # Errors
    /// `Config` when the target does not fit the model, `Transient` when it is away.
    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>>;
}
