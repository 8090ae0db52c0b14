//! The lake on HDFS: `object_store` over `hdfs-native`.
//!
//! A file gets its name when it is whole: it is written to a temporary name beside its own and renamed. Every call has a
//! deadline, because a NameNode that hangs answers nothing for ever. A rename whose answer was lost has happened or not:
//! the NameNode is asked which, so that a file is never reported missing that is there, nor the other way round.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use hdfs_native::{Client, ClientBuilder, HdfsError};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode, Result as StoreResult,
};
use tokio::runtime::{Handle, Runtime};
use url::Url;

use self::error::{Failed, hdfs_error, overdue};
use super::{Kind, Store, not_usable};

mod error;
mod factory;
mod list;
mod read;
mod write;

/// How long one question to the NameNode may take.
const NAMENODE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a DataNode may take for the next piece of a file that is read.
const READ_DEADLINE: Duration = Duration::from_secs(90);
/// How long it may take to write one piece of `WRITE_PIECE_BYTES`, and to close a file.
const WRITE_DEADLINE: Duration = Duration::from_secs(120);
/// How often a lone NameNode that refuses connections is tried: about 12 s, well within the deadline, so that the error can
/// say what is wrong.
const CONNECT_PATIENCE: [(&str, &str); 3] = [
    ("dfs.client.failover.max.attempts", "8"),
    ("dfs.client.failover.sleep.base.millis", "250"),
    ("dfs.client.failover.sleep.max.millis", "2000"),
];
/// Files that are removed at the same time.
const DELETES_AT_ONCE: usize = 8;
/// Threads for HDFS when a store is opened outside of any runtime.
const IO_THREADS: usize = 2;

/// Opens `hdfs://host:port/path` or `hdfs://nameservice/path`.
pub(super) fn open(url: Url) -> sluice_engine::Result<Store> {
    let shown = url.to_string();
    let path = Path::from_url_path(url.path()).map_err(|e| not_usable(&shown, "its path cannot be used").because(e))?;
    if !url.has_host() {
        return Err(not_usable(&shown, "it names no namenode; write hdfs://host:port/path"));
    }
    factory::register();
    let mut name_node = url.clone();
    name_node.set_path("/");
    let mut folder = url;
    if !folder.path().ends_with('/') {
        folder.set_path(&format!("{}/", folder.path()));
    }
    // With a nameservice the configuration says how to find the active namenode, and how long to look for it.
    let patience = if folder.port().is_some() { &CONNECT_PATIENCE[..] } else { &[] };
    let client = ClientBuilder::new()
        .with_url(name_node.as_str())
        .with_config(patience.iter().copied())
        .with_io_runtime(runtime(&shown)?)
        .build()
        .map_err(|e| not_usable(&shown, "hdfs cannot be set up for it (is HADOOP_CONF_DIR right?)").because(e))?;
    let hdfs = Hdfs { client, address: Arc::from(name_node.as_str().trim_end_matches('/')) };
    Ok(Store::over(Arc::new(hdfs.clone()), path, folder, Kind::Hdfs(hdfs)))
}

/// The runtime that is there, or one for all stores that were opened without: it lives as long as the program.
fn runtime(shown: &str) -> sluice_engine::Result<Handle> {
    static OWN: OnceLock<Runtime> = OnceLock::new();
    if let Ok(handle) = Handle::try_current() {
        return Ok(handle);
    }
    if let Some(own) = OWN.get() {
        return Ok(own.handle().clone());
    }
    let made = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("hdfs")
        .enable_all()
        .build()
        .map_err(|e| not_usable(shown, "no threads can be started for it").because(e))?;
    Ok(OWN.get_or_init(|| made).handle().clone())
}

/// One NameNode (or nameservice), rooted at `/`.
#[derive(Clone)]
pub(super) struct Hdfs {
    client: Client,
    /// `hdfs://host:port`, for messages.
    address: Arc<str>,
}

impl Hdfs {
    /// One question to the NameNode, within the deadline.
    async fn ask<T>(
        &self,
        doing: &'static str,
        path: &str,
        answer: impl Future<Output = hdfs_native::Result<T>>,
    ) -> Result<T, Failed> {
        self.within(NAMENODE_DEADLINE, doing, path, answer).await
    }

    async fn within<T>(
        &self,
        deadline: Duration,
        doing: &'static str,
        path: &str,
        answer: impl Future<Output = hdfs_native::Result<T>>,
    ) -> Result<T, Failed> {
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(e)) => Err(hdfs_error(&self.address, doing, path, e)),
            Err(_) => Err(overdue(&self.address, doing, path, deadline).await),
        }
    }

    async fn delete(&self, path: &str) -> Result<bool, Failed> {
        self.ask("delete", path, self.client.delete(path, false)).await
    }

    /// Removes files that were never given their name. Those of a crashed writer are still open for writing; removing them
    /// ends their lease too.
    pub(super) async fn sweep_temp(&self, folder: &Path) -> StoreResult<usize> {
        let mut swept = 0;
        let mut files = self.files(Some(folder), true);
        while let Some(file) = files.next().await {
            let path = absolute(&file?.location);
            if write::is_temp(&path) && self.delete(&path).await? {
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// The path as HDFS has it.
fn absolute(path: &Path) -> String {
    format!("/{path}")
}

impl fmt::Debug for Hdfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hdfs").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Display for Hdfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

#[async_trait]
impl ObjectStore for Hdfs {
    async fn put_opts(&self, to: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.put(to, payload, options.mode).await
    }

    async fn put_multipart_opts(&self, to: &Path, _: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        Ok(Box::new(self.begin_parts(to).await?))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.get(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[std::ops::Range<u64>]) -> StoreResult<Vec<Bytes>> {
        self.get_pieces(from, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        let hdfs = self.clone();
        paths
            .map(move |path| {
                let hdfs = hdfs.clone();
                async move {
                    let path = path?;
                    if hdfs.delete(&absolute(&path)).await? {
                        return Ok(path);
                    }
                    let missing = HdfsError::FileNotFound(absolute(&path));
                    Err(hdfs_error(&hdfs.address, "delete", path.as_ref(), missing).into())
                }
            })
            .buffered(DELETES_AT_ONCE)
            .boxed()
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.files(folder, false)
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> StoreResult<ListResult> {
        self.children(folder).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.copy(from, to, options.mode).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> StoreResult<()> {
        self.rename_into(from, to, options.target_mode == RenameTargetMode::Overwrite).await
    }
}
