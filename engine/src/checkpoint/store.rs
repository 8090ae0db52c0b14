//! Where manifests and state packs lie: a folder, HDFS, an object store.

use std::ops::Range;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};

use crate::error::Result;

/// What came of putting a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutNew {
    /// It is there now, whole.
    Done,
    /// Somebody else's file of that name was there before; it is untouched.
    Exists,
}

/// A small file store with an atomic "create if absent". Paths are relative, parts separated by `/`.
pub trait CheckpointStore: Send + Sync {
    /// Makes `path` appear at once and whole, unless it exists. Its content comes in pieces, so that none is copied.
    ///
    /// # Errors
    /// `Transient` when the store is away, after bounded retries of its own. An unknown outcome (a lost answer) must be resolved by the store
    /// before it returns.
    fn put_new<'a>(&'a self, path: &'a str, pieces: Vec<Bytes>) -> BoxFuture<'a, Result<PutNew>>;

    /// The file's bytes; none when it does not exist.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>>;

    /// These bytes of a file; none when it does not exist. A range beyond its end is cut off there.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    fn get_range<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Option<Bytes>>> {
        async move {
            let Some(all) = self.get(path).await? else { return Ok(None) };
            let end = range.end.min(all.len() as u64);
            Ok(Some(all.slice(range.start.min(end) as usize..end as usize)))
        }
        .boxed()
    }

    /// Paths of all files below `prefix` (a folder), sorted. A missing folder is empty.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>>;

    /// Removes a file; a missing one is fine.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>>;
}
