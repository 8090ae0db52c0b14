//! Blocks on their way: a bounded queue, and one task that inserts them in order and waits while ClickHouse is away.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sluice_engine::metrics::{Waiting, Waits};
use sluice_engine::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};

use super::block::Block;
use super::client::{Client, Failure, Fault};

/// Blocks that wait, at most; with `BLOCK_BYTES_MAX` this bounds the queue's bytes.
pub(super) const QUEUE_BLOCKS_MAX: usize = 4;

/// Tries for an error that nobody knows, before it ends the run. With the pauses below this takes 17 seconds.
const UNCLEAR_TRIES_MAX: u32 = 12;

/// Shortest time between two warnings that blocks cannot be inserted, whichever of all tables they are for.
const WARN_EVERY_SECONDS: u64 = 10;

/// An insert that takes longer than this is one that waits, in seconds.
const SLOW_AFTER_SECONDS: u64 = 3;

/// Pauses between tries of one block: doubled each time from the first to the longest. There is one task for each
/// worker, so nothing would be won by jitter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    /// The first, in milliseconds.
    pub first_ms: u64,
    /// The longest, in milliseconds.
    pub longest_ms: u64,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { first_ms: 100, longest_ms: 2_000 }
    }
}

impl Pauses {
    /// The pause after the `tries`th try, from 1.
    fn after(self, tries: u32) -> Duration {
        let doubled = self.first_ms.saturating_mul(1 << tries.saturating_sub(1).min(32));
        Duration::from_millis(doubled.min(self.longest_ms))
    }
}

/// Inserts a block once.
pub(super) type InsertOnce = Arc<dyn Fn(Block) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// Inserts into the table that `sql` names.
pub(super) fn insert_with(client: Client, sql: String) -> InsertOnce {
    let both = Arc::new((client, sql));
    Arc::new(move |block| {
        let both = both.clone();
        Box::pin(async move { both.0.insert(&both.1, block.bytes, &block.token).await })
    })
}

enum Message {
    Block(Block),
    /// Answered when everything before it has been inserted.
    Fence(oneshot::Sender<()>),
}

/// The sending end. Blocks are inserted in the order in which they are handed over. When the last one that holds it
/// goes, so does the task.
pub(super) struct Inserter {
    sender: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    task: tokio::task::AbortHandle,
}

struct Shared {
    table: String,
    held_bytes: AtomicUsize,
    failure: OnceLock<(ErrorKind, String)>,
    waits: Waits,
}

/// A place in the queue.
pub(super) struct Place<'a>(mpsc::Permit<'a, Message>);

impl Place<'_> {
    /// Hands a block over that `hold` has counted.
    pub(super) fn fill(self, block: Block) {
        self.0.send(Message::Block(block));
    }
}

impl Inserter {
    /// Starts the task. `table` is for messages; `waits` is told while ClickHouse takes no rows.
    pub(super) fn start(
        runtime: &tokio::runtime::Handle,
        table: String,
        insert: InsertOnce,
        pauses: Pauses,
        waits: Waits,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_BLOCKS_MAX);
        let shared = Arc::new(Shared { table, held_bytes: AtomicUsize::new(0), failure: OnceLock::new(), waits });
        let task = runtime.spawn(work(receiver, shared.clone(), insert, pauses)).abort_handle();
        Self { sender, shared, task }
    }

    /// A place in the queue if there is one now.
    ///
    /// # Errors
    /// What has ended the task.
    pub(super) fn try_place(&self) -> Result<Option<Place<'_>>> {
        match self.sender.try_reserve() {
            Ok(permit) => Ok(Some(Place(permit))),
            Err(mpsc::error::TrySendError::Full(())) => Ok(None),
            Err(mpsc::error::TrySendError::Closed(())) => Err(self.ended()),
        }
    }

    /// A place in the queue, as soon as there is one.
    ///
    /// # Errors
    /// What has ended the task.
    pub(super) async fn place(&self) -> Result<Place<'_>> {
        Ok(Place(self.sender.reserve().await.map_err(|_| self.ended())?))
    }

    /// Ready when everything handed over before has been inserted.
    ///
    /// # Errors
    /// What has ended the task.
    pub(super) async fn fence(&self) -> Result<()> {
        let (done, wait) = oneshot::channel();
        self.sender.send(Message::Fence(done)).await.map_err(|_| self.ended())?;
        wait.await.map_err(|_| self.ended())
    }

    /// Counts a block that exists from now on until it has been inserted.
    pub(super) fn hold(&self, block: &Block) {
        self.shared.held_bytes.fetch_add(block.bytes.len(), Ordering::Relaxed);
    }

    /// Bytes of the blocks that exist.
    pub(super) fn held_bytes(&self) -> usize {
        self.shared.held_bytes.load(Ordering::Relaxed)
    }

    fn ended(&self) -> Error {
        match self.shared.failure.get() {
            Some((kind, text)) => Error::new(*kind, text.clone()),
            None => Error::transient(format!(
                "clickhouse table {}: inserting was stopped with the runtime",
                self.shared.table
            )),
        }
    }
}

impl Drop for Inserter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn work(mut receiver: mpsc::Receiver<Message>, shared: Arc<Shared>, insert: InsertOnce, pauses: Pauses) {
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Fence(done) => drop(done.send(())),
            Message::Block(block) => {
                let bytes = block.bytes.len();
                if let Err(error) = insert_patiently(&shared, &insert, block, pauses).await {
                    drop(shared.failure.set((error.kind(), error.to_string())));
                    return;
                }
                shared.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
        }
    }
}

/// Tries until the block is in, or until that is hopeless.
async fn insert_patiently(shared: &Shared, insert: &InsertOnce, block: Block, pauses: Pauses) -> Result<()> {
    let mut wait = Wait { shared, since: Instant::now(), tries: 0, shown: None };
    loop {
        let Failure { fault, error } = match wait.watch(insert(block.clone())).await {
            Ok(()) => break,
            Err(failure) => failure,
        };
        wait.tries = wait.tries.saturating_add(1);
        if fault == Fault::Refused || (fault == Fault::Unclear && wait.tries >= UNCLEAR_TRIES_MAX) {
            return Err(error.at(format!("clickhouse table {}", shared.table)));
        }
        wait.tell(&error.to_string());
        tokio::time::sleep(pauses.after(wait.tries)).await;
    }
    if wait.shown.is_some() {
        let (seconds, tries) = (wait.since.elapsed().as_secs(), wait.tries + 1);
        tracing::info!(table = shared.table, tries, seconds, "clickhouse takes rows again");
    }
    Ok(())
}

/// One block that is not in yet.
struct Wait<'a> {
    shared: &'a Shared,
    since: Instant,
    tries: u32,
    /// There from the moment on in which it is known to wait.
    shown: Option<Waiting>,
}

impl Wait<'_> {
    /// One try; tells that it waits when there is no answer for long.
    async fn watch(&mut self, mut insert: BoxFuture<'static, Result<(), Failure>>) -> Result<(), Failure> {
        loop {
            match tokio::time::timeout(Duration::from_secs(SLOW_AFTER_SECONDS), &mut insert).await {
                Ok(done) => return done,
                Err(_) => self.tell("it takes the rows and does not answer"),
            }
        }
    }

    fn tell(&mut self, why: &str) {
        let what = format!("clickhouse table {}: {why}", self.shared.table);
        match &self.shown {
            Some(shown) => shown.because(what),
            None => self.shown = Some(self.shared.waits.begin(self.since, what)),
        }
        if self.shared.waits.tell_now(Duration::from_secs(WARN_EVERY_SECONDS)) {
            let held_bytes = self.shared.held_bytes.load(Ordering::Relaxed);
            let (table, tries, seconds) = (&self.shared.table, self.tries, self.since.elapsed().as_secs());
            tracing::warn!(table, tries, seconds, held_bytes, "waiting for clickhouse, going on by itself: {why}");
        }
    }
}

#[cfg(test)]
#[path = "inserter_tests.rs"]
pub(super) mod tests;
