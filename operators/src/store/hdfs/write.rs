//! Writing files: under a temporary name first, and by rename under their own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use hdfs_native::WriteOptions;
use hdfs_native::file::FileWriter;
use object_store::path::Path;
use object_store::{
    CopyMode, Error as StoreError, MultipartUpload, PutMode, PutPayload, PutResult, Result as StoreResult, UploadPart,
};
use tokio::sync::{Mutex, watch};

use super::error::{Failed, What, failed};
use super::{Hdfs, WRITE_DEADLINE, absolute};

/// Bytes handed to a DataNode at a time: the deadline is for one of these.
const WRITE_PIECE_BYTES: usize = 4 << 20;
/// The end of a temporary file's name; it begins with a dot.
const TEMP_SUFFIX: &str = ".tmp";

/// True for a file that has not got its name yet.
pub(super) fn is_temp(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with('.') && name.ends_with(TEMP_SUFFIX)
}

fn temp_beside(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    format!("{folder}/.{name}.{}{TEMP_SUFFIX}", uuid::Uuid::new_v4())
}

fn put_result() -> PutResult {
    PutResult { e_tag: None, version: None }
}

impl Hdfs {
    pub(super) async fn put(&self, to: &Path, payload: PutPayload, mode: PutMode) -> StoreResult<PutResult> {
        let overwrite = match mode {
            PutMode::Overwrite => true,
            PutMode::Create => false,
            PutMode::Update(_) => {
                return Err(StoreError::NotSupported {
                    source: "hdfs cannot replace a file only if it has not changed".into(),
                });
            }
        };
        let path = absolute(to);
        let temp = temp_beside(&path);
        let mut writer = self.create(&temp).await?;
        let written = self.write_all(&mut writer, &temp, &payload).await;
        drop(writer);
        if let Err(e) = written {
            self.discard(&temp).await;
            return Err(e.into());
        }
        self.give_name(&temp, &path, overwrite, Some(&payload)).await?;
        Ok(put_result())
    }

    async fn create(&self, path: &str) -> Result<FileWriter, Failed> {
        self.ask("create", path, self.client.create(path, WriteOptions::default())).await
    }

    async fn write_all(&self, writer: &mut FileWriter, path: &str, payload: &PutPayload) -> Result<(), Failed> {
        for bytes in payload.iter() {
            self.write_bytes(writer, path, bytes.clone()).await?;
        }
        self.close(writer, path).await
    }

    async fn write_bytes(&self, writer: &mut FileWriter, path: &str, mut bytes: Bytes) -> Result<(), Failed> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(WRITE_PIECE_BYTES));
            self.within(WRITE_DEADLINE, "write", path, writer.write_bytes(piece)).await?;
        }
        Ok(())
    }

    async fn close(&self, writer: &mut FileWriter, path: &str) -> Result<(), Failed> {
        self.within(WRITE_DEADLINE, "close", path, writer.close()).await
    }

    /// Removes a temporary file as well as it can: what stays is swept at the next start.
    async fn discard(&self, temp: &str) {
        if let Err(e) = self.delete(temp).await {
            tracing::warn!(error = %e, "a temporary file stays behind");
        }
    }

    /// Renames a temporary file. `payload` is its content, where it is at hand: with it, an outcome that got lost on the way
    /// is told from a file of somebody else's.
    async fn give_name(
        &self,
        temp: &str,
        path: &str,
        overwrite: bool,
        payload: Option<&PutPayload>,
    ) -> Result<(), Failed> {
        let Err(e) = self.ask("rename to", path, self.client.rename(temp, path, overwrite)).await else {
            return Ok(());
        };
        // Once the temporary file has been removed by us, a rename that is still on its way can do nothing.
        match self.delete(temp).await {
            Ok(true) => Err(e),
            // It was not there any more: the rename has happened, or an earlier answer to this removal got lost.
            Ok(false) => match self.holds(path, payload).await {
                Ok(true) => Ok(()),
                _ => Err(e),
            },
            Err(_) => Err(e),
        }
    }

    /// True when the file is there with this content.
    async fn holds(&self, path: &str, payload: Option<&PutPayload>) -> StoreResult<bool> {
        let location = Path::parse(path)?;
        let Some(payload) = payload else {
            return Ok(self.head(&location).await.is_ok());
        };
        let reader = self.open_file(&location).await?;
        if reader.file_length() != payload.content_length() {
            return Ok(false);
        }
        let mut expected = payload.iter().flat_map(|b| b.iter().copied());
        let mut pieces = self.pieces(&location, &reader, &(0..reader.file_length() as u64));
        while let Some(piece) = pieces.try_next().await? {
            if !piece.iter().all(|byte| expected.next() == Some(*byte)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn copy(&self, from: &Path, to: &Path, mode: CopyMode) -> StoreResult<()> {
        let path = absolute(to);
        let reader = self.open_file(from).await?;
        let temp = temp_beside(&path);
        let mut writer = self.create(&temp).await?;
        let mut pieces = self.pieces(from, &reader, &(0..reader.file_length() as u64));
        let copied: StoreResult<()> = async {
            while let Some(piece) = pieces.next().await {
                self.write_bytes(&mut writer, &temp, piece?).await?;
            }
            Ok(self.close(&mut writer, &temp).await?)
        }
        .await;
        drop(writer);
        if let Err(e) = copied {
            self.discard(&temp).await;
            return Err(e);
        }
        Ok(self.give_name(&temp, &path, matches!(mode, CopyMode::Overwrite), None).await?)
    }

    /// Renames a file; folders on the way are made.
    pub(super) async fn rename_into(&self, from: &Path, to: &Path, overwrite: bool) -> StoreResult<()> {
        let (from, to) = (absolute(from), absolute(to));
        if let Some((folder, _)) = to.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            self.ask("make folder", folder, self.client.mkdirs(folder, 0o755, true)).await?;
        }
        Ok(self.ask("rename to", &to, self.client.rename(&from, &to, overwrite)).await?)
    }

    pub(super) async fn begin_parts(&self, to: &Path) -> StoreResult<Parts> {
        let path = absolute(to);
        let temp = temp_beside(&path);
        let writer = self.create(&temp).await?;
        let (turn, _) = watch::channel(0);
        let shared = Shared { hdfs: self.clone(), temp: temp.clone(), writer: Mutex::new(Some(writer)), turn };
        Ok(Parts { shared: Arc::new(shared), path, begun: 0 })
    }
}

/// A file written in parts. Nothing is queued: a part stays with whoever uploads it until its turn has come.
pub(super) struct Parts {
    shared: Arc<Shared>,
    path: String,
    begun: u64,
}

struct Shared {
    hdfs: Hdfs,
    temp: String,
    /// None after a failed part, and at the end.
    writer: Mutex<Option<FileWriter>>,
    /// The number of the part that may be written now.
    turn: watch::Sender<u64>,
}

impl Shared {
    async fn write(&self, number: u64, payload: PutPayload) -> Result<(), Failed> {
        let mut turns = self.turn.subscribe();
        let gone = || failed(&self.hdfs.address, &self.temp, What::Other, "an earlier part was not written");
        // The waiting of all parts before is within their own deadlines; this one is for a part that was dropped.
        let my_turn = turns.wait_for(|turn| *turn == number).map(|turn| turn.is_ok());
        let waited = tokio::time::timeout(WRITE_DEADLINE * 4, my_turn).await;
        let mut guard = self.writer.lock().await;
        if waited != Ok(true) {
            // The file would have a hole.
            *guard = None;
        }
        let mut writer = guard.take().ok_or_else(gone)?;
        for bytes in payload.iter() {
            self.hdfs.write_bytes(&mut writer, &self.temp, bytes.clone()).await?;
        }
        *guard = Some(writer);
        Ok(())
    }
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (shared, number) = (self.shared.clone(), self.begun);
        self.begun += 1;
        async move {
            let written = shared.write(number, payload).await;
            shared.turn.send_modify(|turn| *turn = (*turn).max(number + 1));
            Ok(written?)
        }
        .boxed()
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        let shared = &self.shared;
        let unwritten = || failed(&shared.hdfs.address, &self.path, What::Other, "not all of its parts were written");
        let writer = shared.writer.lock().await.take().filter(|_| *shared.turn.borrow() == self.begun);
        let Some(mut writer) = writer else {
            shared.hdfs.discard(&shared.temp).await;
            return Err(unwritten().into());
        };
        let closed = shared.hdfs.close(&mut writer, &shared.temp).await;
        drop(writer);
        if let Err(e) = closed {
            shared.hdfs.discard(&shared.temp).await;
            return Err(e.into());
        }
        shared.hdfs.give_name(&shared.temp, &self.path, true, None).await?;
        Ok(put_result())
    }

    async fn abort(&mut self) -> StoreResult<()> {
        drop(self.shared.writer.lock().await.take());
        self.shared.hdfs.discard(&self.shared.temp).await;
        Ok(())
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("path", &self.path).field("begun", &self.begun).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Temporary names are told from all others, and lie beside the file they become.
    #[test]
    fn temporary_names() {
        let temp = temp_beside("/lake/t/_delta_log/0.json");
        assert!(temp.starts_with("/lake/t/_delta_log/.0.json."), "{temp}");
        assert!(is_temp(&temp));
        assert!(!is_temp("/lake/.x.tmp/0.json") && !is_temp("/lake/a.tmp") && !is_temp("/lake/.hidden"));
    }
}
