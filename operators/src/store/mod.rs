//! The lake: one way to reach the folder, HDFS or object store under which all tables lie.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use sluice_engine::{Error, Result};
use url::Url;

mod at_epoch;
mod checkpoint;
mod contract;
mod error;
mod hdfs;
mod local;
mod parquet_file;
mod scan;
mod table;

pub use at_epoch::{TableAtEpoch, TableFile};
pub use checkpoint::OWN_FOLDER;
pub use contract::check_store;
pub use error::store_error;
pub use scan::{FileToRead, read_file};
pub(crate) use table::delta_error;
pub(crate) use table::opening;
pub use table::{count_rows, open_table, provider, read_all, read_rows};

/// Where the lake lies and how to read and write it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// Rooted at the file system or the NameNode, which is what delta-rs resolves table addresses against.
    root: Arc<dyn ObjectStore>,
    /// Rooted at the lake: what everything else uses.
    lake: Arc<dyn ObjectStore>,
    /// Where the lake lies below `root`.
    prefix: Path,
    /// The lake's address; ends with a slash.
    url: Url,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Local(PathBuf),
    Hdfs(hdfs::Hdfs),
}

impl Store {
    /// Opens the lake at `url`: a folder (a path or `file://`, made when it is missing) or
    /// `hdfs://host:port/path` (or `hdfs://nameservice/path`, with `HADOOP_CONF_DIR` set).
    ///
    /// # Errors
    /// `Config` when the address cannot be used.
    pub fn open(url: &str) -> Result<Store> {
        match url.split_once("://") {
            None => local::open(url),
            Some(("file", _)) => {
                let parsed = parse_url(url)?;
                let path = parsed.to_file_path().map_err(|()| not_usable(url, "it is not a folder of this machine"))?;
                local::open(&path.to_string_lossy())
            }
            Some(("hdfs", _)) => hdfs::open(parse_url(url)?),
            Some((scheme, _)) => {
                Err(not_usable(url, &format!("\"{scheme}\" is not known; use a folder or hdfs://host:port/path")))
            }
        }
    }

    fn over(root: Arc<dyn ObjectStore>, prefix: Path, url: Url, kind: Kind) -> Store {
        let lake: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(root.clone(), prefix.clone()));
        Store { root, lake, prefix, url, kind }
    }

    /// The same lake, its files seen through another object store: for tests and simulations that let calls fail.
    pub fn through(&self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Store {
        Store::over(wrap(self.root.clone()), self.prefix.clone(), self.url.clone(), self.kind.clone())
    }

    /// The lake's address, ending with a slash.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The files below the lake; all paths are relative to it.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.lake.clone()
    }

    /// The address of a table (or any other folder) below the lake.
    ///
    /// # Errors
    /// `Config` when `path` leaves the lake or is not a path.
    pub fn table_url(&self, path: &str) -> Result<Url> {
        let path = parse_path(path)?;
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| not_usable(self.url.as_str(), "it cannot have folders"))?
            .pop_if_empty()
            .extend(path.parts().map(|p| p.as_ref().to_string()))
            .push("");
        Ok(url)
    }

    /// delta-rs's view of the table at `path` below the lake, whether it exists or not.
    ///
    /// # Errors
    /// `Config` when `path` is not a path below the lake.
    pub fn log_store(&self, path: &str) -> Result<LogStoreRef> {
        let url = self.table_url(path)?;
        let options = StorageConfig::default();
        let table: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(self.lake.clone(), parse_path(path)?));
        Ok(default_logstore(table, self.root.clone(), &url, &options))
    }

    /// Writes a file that must not exist yet; false when it exists. The file appears whole or not at all.
    ///
    /// # Errors
    /// `Transient` when the store is away; the file may then exist or not.
    pub async fn put_new(&self, path: &str, content: PutPayload) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.lake.put_opts(&parse_path(path)?, content, options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(self.failed("write", path, e)),
        }
    }

    /// Writes a file, in place of the one that is there.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    pub async fn put(&self, path: &str, bytes: impl Into<Bytes>) -> Result<()> {
        self.lake.put(&parse_path(path)?, bytes.into().into()).await.map_err(|e| self.failed("write", path, e))?;
        Ok(())
    }

    /// The content of a file; none when it does not exist.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        let got = match self.lake.get(&parse_path(path)?).await {
            Ok(got) => got.bytes().await,
            Err(e) => Err(e),
        };
        match got {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", path, e)),
        }
    }

    /// These bytes of a file, which has them; none when it does not exist.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    pub async fn get_range(&self, path: &str, range: Range<u64>) -> Result<Option<Bytes>> {
        match self.lake.get_range(&parse_path(path)?, range).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", path, e)),
        }
    }

    /// All files below a folder, at any depth, sorted by path; none when the folder does not exist.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    pub async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>> {
        let mut files: Vec<ObjectMeta> = self
            .lake
            .list(Some(&parse_path(folder)?))
            .try_collect()
            .await
            .map_err(|e| self.failed("list", folder, e))?;
        files.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(files)
    }

    /// Removes a file; it is no error when it does not exist.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.lake.delete(&parse_path(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("delete", path, e)),
        }
    }

    /// Removes what a crashed writer has left below a folder: files that were never given their name. Returns how many.
    /// Only for folders that nobody else writes to at this moment.
    ///
    /// # Errors
    /// `Transient` when the store is away.
    pub async fn sweep_temp(&self, folder: &str) -> Result<usize> {
        match &self.kind {
            Kind::Local(lake) => local::sweep_temp(lake.join(parse_path(folder)?.as_ref())).await,
            Kind::Hdfs(hdfs) => {
                let below: Path = self.prefix.parts().chain(parse_path(folder)?.parts()).collect();
                hdfs.sweep_temp(&below).await.map_err(|e| self.failed("sweep temporary files in", folder, e))
            }
        }
    }

    fn failed(&self, doing: &str, path: &str, e: object_store::Error) -> Error {
        store_error(&format!("{doing} {}{path}", self.url), e)
    }
}

/// A path below the lake, as it stands: nothing is encoded and nothing may leave the lake.
fn parse_path(path: &str) -> Result<Path> {
    Path::parse(path).map_err(|e| {
        Error::config(format!("\"{path}\" cannot be a path in the lake; use names and slashes")).because(e)
    })
}

fn parse_url(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| not_usable(url, "it is not an address").because(e))
}

fn not_usable(url: &str, why: &str) -> Error {
    Error::config(format!("lake \"{url}\" cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("a lake").to_string_lossy()).unwrap();
        (dir, store)
    }

    /// A folder does what every lake must.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_is_a_lake() {
        let (_dir, store) = folder();
        check_store(&store, "checked").await.unwrap();
    }

    /// Half-written files are swept, whole ones stay.
    #[tokio::test]
    async fn sweeping_leaves_whole_files() {
        let (dir, store) = folder();
        store.put("t/_delta_log/0.json", "{}").await.unwrap();
        let left = dir.path().join("a lake/t/_delta_log/1.json#1");
        std::fs::write(&left, "half").unwrap();
        assert_eq!(store.sweep_temp("t").await.unwrap(), 1);
        assert!(!left.exists());
        assert_eq!(store.list("t").await.unwrap().len(), 1);
        assert_eq!(store.sweep_temp("nowhere").await.unwrap(), 0);
    }

    /// An address that cannot work is a configuration error that says what would.
    #[test]
    fn unknown_addresses_are_refused() {
        let e = Store::open("gopher://x/y").unwrap_err();
        assert_eq!(e.kind(), sluice_engine::ErrorKind::Config);
        assert!(e.to_string().contains("hdfs://host:port/path"), "{e}");
        let (_dir, store) = folder();
        assert!(store.table_url("a/../b").is_err());
    }
}
