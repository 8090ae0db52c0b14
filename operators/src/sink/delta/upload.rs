//! Brings finished files to the store while the epoch goes on, a bounded number of bytes at a time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use sluice_engine::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::files::FullFile;
use crate::store::store_error;

/// Bytes that one worker's uploads hold at most; a bigger file goes alone.
const UPLOAD_BYTES_MAX: usize = 64 << 20;
/// Tries of one upload. A data file's name is its own, so a second try overwrites nothing else.
const UPLOAD_TRIES_MAX: u32 = 8;
/// Pause after the first failed try, in milliseconds; doubled after each up to `UPLOAD_PAUSE_MAX_MS`. In all about 18 s: what
/// a NameNode takes to restart, or to hand out no more blocks on a DataNode that died.
const UPLOAD_PAUSE_MS: u64 = 250;
/// The longest pause between two tries, in milliseconds.
const UPLOAD_PAUSE_MAX_MS: u64 = 5_000;

/// The uploads of one writer of a table.
pub(super) struct Uploads {
    objects: Arc<dyn ObjectStore>,
    runtime: Handle,
    room: Arc<Room>,
    running: Vec<JoinHandle<Result<()>>>,
}

impl Uploads {
    /// `objects` is rooted at the table.
    pub(super) fn new(objects: Arc<dyn ObjectStore>, runtime: Handle) -> Self {
        Self { objects, runtime, room: Arc::default(), running: Vec::new() }
    }

    /// Begins an upload; waits before that until there is room for its bytes. Must not be called on the async runtime
    /// itself.
    pub(super) fn begin(&mut self, path: &str, content: PutPayload) -> Result<()> {
        let location = location(path)?;
        let seat = Room::take(&self.room, content.content_length());
        let objects = self.objects.clone();
        self.running.push(self.runtime.spawn(async move {
            let _seat = seat;
            put_with_retries(objects.as_ref(), &location, content).await
        }));
        Ok(())
    }

    /// The uploads begun since the last call.
    pub(super) fn take(&mut self) -> Vec<JoinHandle<Result<()>>> {
        std::mem::take(&mut self.running)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        *self.room.lock()
    }
}

/// Waits until all have ended well.
pub(super) async fn finish_all(uploads: Vec<JoinHandle<Result<()>>>) -> Result<()> {
    for upload in uploads {
        upload.await.map_err(|e| Error::bug("an upload ended early").because(e))??;
    }
    Ok(())
}

/// Writes files one after the other, each again after a failure.
pub(super) async fn put_files(objects: &Arc<dyn ObjectStore>, files: Vec<FullFile>) -> Result<()> {
    for (path, content) in files {
        put_with_retries(objects.as_ref(), &location(&path)?, content).await?;
    }
    Ok(())
}

fn location(path: &str) -> Result<Path> {
    Path::parse(path).map_err(|e| Error::bug(format!("{path} is not a path")).because(e))
}

/// Writes a data file, again after a failure.
async fn put_with_retries(objects: &dyn ObjectStore, location: &Path, content: PutPayload) -> Result<()> {
    let mut pause = Duration::from_millis(UPLOAD_PAUSE_MS);
    for tried in 1.. {
        match objects.put(location, content.clone()).await {
            Ok(_) => return Ok(()),
            Err(e) => {
                let e = store_error(&format!("upload data file {location}"), e);
                if e.kind() != ErrorKind::Transient || tried >= UPLOAD_TRIES_MAX {
                    return Err(e);
                }
                tracing::warn!(error = %e, tried, "an upload failed and is tried again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(UPLOAD_PAUSE_MAX_MS));
            }
        }
    }
    unreachable!("the last try returns")
}

/// Counts the bytes in flight.
#[derive(Default)]
struct Room {
    used: Mutex<usize>,
    freed: Condvar,
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(room: &Arc<Room>, bytes: usize) -> Seat {
        let mut used = room.lock();
        while *used > 0 && *used + bytes > UPLOAD_BYTES_MAX {
            used = room.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used += bytes;
        Seat { room: room.clone(), bytes }
    }
}

struct Seat {
    room: Arc<Room>,
    bytes: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.room.lock() -= self.bytes;
        self.room.freed.notify_all();
    }
}
