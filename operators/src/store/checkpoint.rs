//! The lake as the place for manifests and state: below `_sluice/`.

use std::ops::Range;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use sluice_engine::Result;
use sluice_engine::checkpoint::{CheckpointStore, PutNew};

use super::Store;

/// The folder of the lake in which sluice keeps what is its own.
pub const OWN_FOLDER: &str = "_sluice";

impl CheckpointStore for Store {
    fn put_new<'a>(&'a self, path: &'a str, pieces: Vec<Bytes>) -> BoxFuture<'a, Result<PutNew>> {
        async move {
            let done = Store::put_new(self, &format!("{OWN_FOLDER}/{path}"), pieces.into_iter().collect()).await?;
            Ok(if done { PutNew::Done } else { PutNew::Exists })
        }
        .boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        async move { Store::get(self, &format!("{OWN_FOLDER}/{path}")).await }.boxed()
    }

    fn get_range<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Option<Bytes>>> {
        async move { Store::get_range(self, &format!("{OWN_FOLDER}/{path}"), range).await }.boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        async move {
            let own = format!("{OWN_FOLDER}/");
            let files = Store::list(self, &format!("{own}{prefix}")).await?;
            let names = files.iter().filter_map(|f| f.location.as_ref().strip_prefix(&own).map(str::to_owned));
            let mut names: Vec<String> = names.collect();
            names.sort();
            Ok(names)
        }
        .boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move { Store::delete(self, &format!("{OWN_FOLDER}/{path}")).await }.boxed()
    }
}
