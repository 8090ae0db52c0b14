//! A checkpoint store in memory, for tests and simulation.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};

use super::store::{CheckpointStore, PutNew};
use crate::error::Result;

/// Files in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    files: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryStore {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CheckpointStore for MemoryStore {
    fn put_new<'a>(&'a self, path: &'a str, pieces: Vec<Bytes>) -> BoxFuture<'a, Result<PutNew>> {
        let mut files = self.files();
        let done = if files.contains_key(path) {
            PutNew::Exists
        } else {
            files.insert(path.to_owned(), Bytes::from(pieces.concat()));
            PutNew::Done
        };
        ready(Ok(done)).boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        ready(Ok(self.files().get(path).cloned())).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let folder = format!("{}/", prefix.trim_end_matches('/'));
        let found = self.files().keys().filter(|k| k.starts_with(&folder)).cloned().collect();
        ready(Ok(found)).boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        self.files().remove(path);
        ready(Ok(())).boxed()
    }
}
