//! The checkpoint store as one process sees it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use sluice_engine::checkpoint::{CheckpointStore, Manifest, MemoryStore, PutNew};
use sluice_engine::{Error, Result};
use std::sync::Mutex;

use super::ledger::Ledger;
use super::plant::Plant;
use super::world::{Pid, World};

/// Files in memory behind everything that may go wrong on the way to them.
pub struct SimStore {
    files: Arc<MemoryStore>,
    ledger: Ledger,
    world: World,
    pid: Pid,
    plant: Option<Plant>,
    /// A manifest that is said to be there and is not yet: only with the planted bug.
    held_back: Mutex<Option<(String, Bytes)>>,
}

/// The answer of a future of `MemoryStore`, which is always ready.
fn ready<T>(future: BoxFuture<'_, Result<T>>) -> Result<T> {
    future.now_or_never().ok_or_else(|| Error::bug("a store in memory waits"))?
}

impl SimStore {
    pub fn new(files: Arc<MemoryStore>, ledger: Ledger, pid: Pid, plant: Option<Plant>) -> Self {
        let world = ledger.world().clone();
        Self { files, ledger, world, pid, plant, held_back: Mutex::new(None) }
    }

    fn put(&self, path: &str, bytes: Bytes) -> Result<PutNew> {
        let done = ready(self.files.put_new(path, vec![bytes.clone()]))?;
        if done == PutNew::Done && path.contains("/manifests/") {
            let manifest: Manifest =
                serde_json::from_slice(&bytes).map_err(|e| Error::bug("a manifest is no manifest").because(e))?;
            let is_there = |pack: &str| matches!(ready(self.files.get(pack)), Ok(Some(_)));
            self.ledger.on_manifest(self.pid, manifest, is_there);
        }
        self.world.note(format!("{} put {path} {done:?}", self.pid));
        Ok(done)
    }

    fn release(&self) -> Result<()> {
        match self.held_back.lock().expect("one thread").take() {
            Some((path, bytes)) => self.put(&path, bytes).map(|_| ()),
            None => Ok(()),
        }
    }
}

impl CheckpointStore for SimStore {
    fn put_new<'a>(&'a self, path: &'a str, pieces: Vec<Bytes>) -> BoxFuture<'a, Result<PutNew>> {
        let effect = move || {
            let bytes = Bytes::from(pieces.concat());
            if self.plant == Some(Plant::CommitBeforeManifest) && path.contains("/manifests/") {
                *self.held_back.lock().expect("one thread") = Some((path.to_owned(), bytes));
                return Ok(PutNew::Done);
            }
            self.put(path, bytes)
        };
        self.world.later(self.pid, format!("put {path}"), effect).boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        self.world.later(self.pid, format!("get {path}"), move || ready(self.files.get(path))).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let effect = move || {
            self.release()?;
            ready(self.files.list(prefix))
        };
        self.world.later(self.pid, format!("list {prefix}"), effect).boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        let effect = move || {
            self.ledger.on_act(self.pid, "a sweep");
            self.ledger.on_delete(path);
            ready(self.files.delete(path))
        };
        self.world.later(self.pid, format!("delete {path}"), effect).boxed()
    }
}
