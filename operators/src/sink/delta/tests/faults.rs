//! Commits whose answer is lost, and commits that others get in between.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use sluice_engine::{Batch, Committer, ErrorKind};

use super::table::{Lake, Running, batch, rows, table};
use crate::sink::delta::{DeltaConfig, WriteMode};

/// Fails the next `n` commits: before they are written, or after.
#[derive(Debug)]
struct Lossy {
    inner: Arc<dyn ObjectStore>,
    before: AtomicUsize,
    after: AtomicUsize,
}

fn spend(n: &AtomicUsize) -> bool {
    n.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

impl fmt::Display for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lossy")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Lossy {
    async fn put_opts(&self, to: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let commit = to.as_ref().ends_with(".json");
        let lost = || Error::Generic { store: "lossy", source: "connection reset".into() };
        if commit && spend(&self.before) {
            return Err(lost());
        }
        let done = self.inner.put_opts(to, payload, options).await?;
        if commit && spend(&self.after) { Err(lost()) } else { Ok(done) }
    }

    async fn put_multipart_opts(&self, to: &Path, o: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, o).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(from, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn some(n: &[i64]) -> Batch {
    batch(&schema(), vec![Arc::new(Int64Array::from(n.to_vec()))])
}

/// The table's config through a store that loses commits, and the store.
fn lossy(lake: &Lake) -> (DeltaConfig, Arc<Lossy>) {
    let mut made = None;
    let store = lake.store.through(|inner| {
        let lossy = Arc::new(Lossy { inner, before: AtomicUsize::new(0), after: AtomicUsize::new(0) });
        made = Some(lossy.clone());
        lossy
    });
    (DeltaConfig { store, ..lake.config(&schema(), WriteMode::Append) }, made.unwrap())
}

/// A commit that happened but was called failed is found in the log and not done again; so is the making of the table.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_doubles_nothing() {
    let lake = Lake::new();
    let (config, store) = lossy(&lake);
    store.after.store(1, Ordering::SeqCst);
    let mut run = Running::recovered(&config, None).await;
    assert_eq!(store.after.load(Ordering::SeqCst), 0);
    store.after.store(1, Ordering::SeqCst);
    run.epoch(1, vec![some(&[1])]).await;
    run.epoch(2, vec![some(&[2])]).await;
    assert_eq!(table(&lake.store).await, (2, rows(&["1", "2"])));
}

/// A commit that did not happen is done again, after a pause, as often as it takes within the bound.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_commit_is_done_again() {
    let lake = Lake::new();
    let (config, store) = lossy(&lake);
    let mut run = Running::recovered(&config, None).await;
    store.before.store(2, Ordering::SeqCst);
    run.epoch(1, vec![some(&[1])]).await;
    assert_eq!(table(&lake.store).await, (1, rows(&["1"])));
}

/// While the store is away the commit is tried again and again; a run that ends meanwhile brings the epoch in after its
/// restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_ends_the_run_only() {
    let lake = Lake::new();
    let (config, store) = lossy(&lake);
    let mut run = Running::recovered(&config, None).await;
    let token = run.seal(1, vec![some(&[1])]).await.unwrap();
    store.before.store(usize::MAX, Ordering::SeqCst);
    let commit = tokio::time::timeout(std::time::Duration::from_secs(2), run.committer.commit(1, &token)).await;
    assert!(commit.is_err(), "it is still trying");
    store.before.store(0, Ordering::SeqCst);
    Running::recovered(&config, Some((1, token))).await;
    assert_eq!(table(&lake.store).await, (1, rows(&["1"])));
}

/// Another writer's appends come in between without harm: each application has its own epochs.
#[tokio::test(flavor = "multi_thread")]
async fn two_applications_append_to_one_table() {
    let lake = Lake::new();
    let config = lake.config(&schema(), WriteMode::Append);
    let mut one = Running::recovered(&config, None).await;
    let mut two = Running::recovered(&DeltaConfig { app_id: "other/t".into(), ..config }, None).await;
    for epoch in 1..=3 {
        one.epoch(epoch, vec![some(&[epoch as i64])]).await;
        two.epoch(epoch, vec![some(&[epoch as i64 * 10])]).await;
    }
    assert_eq!(table(&lake.store).await, (6, rows(&["1", "2", "3", "10", "20", "30"])));
}

/// A file that somebody else has rewritten between seal and commit fences the commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_taken_by_another_fences() {
    let lake = Lake::new();
    let config = lake.config(&schema(), WriteMode::Changes);
    let mut one = Running::recovered(&config, None).await;
    one.epoch(1, vec![some(&[1, 2])]).await;
    let mut two = Running::recovered(&DeltaConfig { app_id: "other/t".into(), ..config }, None).await;
    let back = |n: i64| Batch::weighted(some(&[n]).rows().clone(), Int64Array::from(vec![-1]));
    let token = one.seal(2, vec![back(1)]).await.unwrap();
    two.epoch(1, vec![back(2)]).await;
    let e = one.committer.commit(2, &token).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Fenced);
    assert_eq!(table(&lake.store).await.1, rows(&["1"]));
}
