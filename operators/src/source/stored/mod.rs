//! The rows of a Delta table as a source: read once, from the version that is the newest when the source is opened, to the
//! end. For models that are made anew over tables that stay as they are.

mod read;

use std::sync::{Arc, Mutex, TryLockError};

use arrow::array::RecordBatch;
use sluice_engine::{Batch, Polled, Position, Result, Source, SourceContext};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use self::read::read_into;
use crate::store::Store;

/// Batches that wait for the workers, at most.
const BATCHES_WAITING_MAX: usize = 8;

/// Makes the changes that go into the graph out of a batch of the table's rows. An empty one is left out.
pub type MakeChanges = Arc<dyn Fn(RecordBatch) -> Result<Batch> + Send + Sync>;

/// A table whose rows are read. All workers share it: each takes the batch that is next.
pub struct StoredTable {
    store: Store,
    path: String,
    runtime: tokio::runtime::Handle,
    make: MakeChanges,
    waiting: Mutex<Option<mpsc::Receiver<Result<Batch>>>>,
}

impl StoredTable {
    /// The table at `path` below the lake; one that is not there has no rows. `make` says what becomes of its rows.
    pub fn new(store: Store, path: impl Into<String>, runtime: tokio::runtime::Handle, make: MakeChanges) -> Arc<Self> {
        Arc::new(Self { store, path: path.into(), runtime, make, waiting: Mutex::new(None) })
    }

    /// What gives the rows on a worker.
    pub fn source(self: &Arc<Self>, context: &SourceContext) -> StoredSource {
        StoredSource { table: self.clone(), name: context.name.clone(), given: 0, is_told: false }
    }

    fn open(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if waiting.is_none() {
            let (send, receive) = mpsc::channel(BATCHES_WAITING_MAX);
            *waiting = Some(receive);
            self.runtime.spawn(read_into(self.store.clone(), self.path.clone(), self.make.clone(), send));
        }
    }
}

/// Gives rows of a table, then the end.
pub struct StoredSource {
    table: Arc<StoredTable>,
    name: String,
    given: usize,
    is_told: bool,
}

impl Source for StoredSource {
    fn open(&mut self, _resume: &Position) -> Result<()> {
        self.table.open();
        Ok(())
    }

    fn poll(&mut self, _rows: usize, _bytes: usize) -> Result<Polled> {
        let mut waiting = match self.table.waiting.try_lock() {
            Ok(waiting) => waiting,
            // Another worker is taking a batch.
            Err(TryLockError::WouldBlock) => return Ok(Polled::Idle),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        match waiting.as_mut().map(mpsc::Receiver::try_recv) {
            Some(Ok(batch)) => {
                let batch = batch?;
                self.given += batch.len();
                Ok(Polled::Batch(batch))
            }
            Some(Err(TryRecvError::Empty)) => Ok(Polled::Idle),
            Some(Err(TryRecvError::Disconnected)) | None => {
                if !self.is_told {
                    tracing::debug!(source = self.name, rows = self.given, "all of the table has been read");
                    self.is_told = true;
                }
                Ok(Polled::End)
            }
        }
    }

    /// It exists in one run only.
    fn position(&self) -> Position {
        Position::default()
    }
}
