//! Listing folders.

use chrono::DateTime;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use hdfs_native::client::{FileStatus, ListStatusIterator};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result as StoreResult};

use super::error::{Failed, What, failed, hdfs_error, overdue};
use super::write::is_temp;
use super::{Hdfs, NAMENODE_DEADLINE, absolute};

impl Hdfs {
    /// All files below a folder, at any depth; none when it does not exist. Temporary ones only when asked for.
    pub(super) fn files(
        &self,
        folder: Option<&Path>,
        temporary_too: bool,
    ) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let address = self.address.clone();
        self.statuses(folder, true)
            .filter_map(move |status| {
                let meta = match status {
                    Ok(s) if s.isdir || (is_temp(&s.path) && !temporary_too) => None,
                    Ok(s) => Some(meta(&address, &s).map_err(Into::into)),
                    Err(e) => Some(Err(e.into())),
                };
                std::future::ready(meta)
            })
            .boxed()
    }

    /// The files and folders directly in a folder.
    pub(super) async fn children(&self, folder: Option<&Path>) -> StoreResult<ListResult> {
        let mut found = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        let mut statuses = self.statuses(folder, false);
        while let Some(status) = statuses.next().await {
            let status = status?;
            if status.isdir {
                found.common_prefixes.push(Path::parse(&status.path)?);
            } else if !is_temp(&status.path) {
                found.objects.push(meta(&self.address, &status)?);
            }
        }
        Ok(found)
    }

    /// What is in a folder. A folder that is not there, or goes meanwhile, has nothing in it.
    fn statuses(&self, folder: Option<&Path>, recursive: bool) -> BoxStream<'static, Result<FileStatus, Failed>> {
        let root = folder.map_or_else(|| "/".to_string(), absolute);
        let listing = self.client.list_status_iter(&root, recursive);
        let state = Some((listing, root, self.address.clone()));
        stream::unfold(state, |state| async move {
            let (listing, root, address) = state?;
            loop {
                match next(&listing, &root, &address).await {
                    None => return None,
                    // A file that is listed by its own name is no folder's content.
                    Some(Ok(status)) if status.path == root => {}
                    Some(Ok(status)) => return Some((Ok(status), Some((listing, root, address)))),
                    Some(Err(e)) if e.what == What::Missing => {}
                    Some(Err(e)) => return Some((Err(e), None)),
                }
            }
        })
        .boxed()
    }
}

async fn next(listing: &ListStatusIterator, root: &str, address: &str) -> Option<Result<FileStatus, Failed>> {
    match tokio::time::timeout(NAMENODE_DEADLINE, listing.next()).await {
        Ok(Some(Ok(status))) => Some(Ok(status)),
        Ok(Some(Err(e))) => Some(Err(hdfs_error(address, "list", root, e))),
        Ok(None) => None,
        Err(_) => Some(Err(overdue(address, "list", root, NAMENODE_DEADLINE).await)),
    }
}

/// A file's size, time and tag.
pub(super) fn meta(address: &str, status: &FileStatus) -> Result<ObjectMeta, Failed> {
    let other = |message: &str| failed(address, &status.path, What::Other, message);
    let millis = i64::try_from(status.modification_time).map_err(|_| other("its time is out of range"))?;
    Ok(ObjectMeta {
        location: Path::parse(&status.path).map_err(|e| other(&e.to_string()))?,
        last_modified: DateTime::from_timestamp_millis(millis).ok_or_else(|| other("its time is out of range"))?,
        size: status.length as u64,
        e_tag: Some(format!("{millis:x}-{:x}", status.length)),
        version: None,
    })
}
