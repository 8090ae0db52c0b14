//! Upkeep that is overtaken, and upkeep that ends at any step: rows are neither lost nor doubled.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use sluice_engine::{Committer, ErrorKind};
use tokio::sync::Notify;

use super::table::{Lake, Running, table};
use super::upkeep::{back, config, some};
use crate::sink::delta::{DeltaConfig, WriteMode};

/// The numbers in the table, in order.
async fn numbers(lake: &Lake) -> Vec<i64> {
    let rows = table(&lake.store).await.1;
    let of = |(row, times): (String, i64)| {
        std::iter::repeat_n(row.rsplit('|').next().unwrap().parse().unwrap(), times as usize)
    };
    let mut numbers: Vec<i64> = rows.into_iter().flat_map(of).collect();
    numbers.sort_unstable();
    numbers
}

/// A run that has been overtaken merges the files over which the next one has sealed an epoch. Its manifest is there, so
/// the epoch comes into the table all the same, once, also when it is committed again after a crash.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_brought_in_over_merged_files() {
    for mode in [WriteMode::Changes, WriteMode::Upsert] {
        let lake = Lake::new();
        let config = config(&lake, mode);
        // What is taken out of the table stays for a while, or nobody could say what was in it.
        let config = DeltaConfig { keep: Default::default(), ..config };
        let mut old = Running::recovered(&config, None).await;
        for epoch in 1..=9 {
            old.epoch(epoch, vec![some(&[epoch as i64, epoch as i64 + 100])]).await;
        }
        let mut new = Running::recovered(&config, None.or(Some((9, empty_token())))).await;
        let token = new.seal(10, vec![some(&[10]), back(&[3, 104])]).await.unwrap();
        old.committer.maintain().await.unwrap();
        new.committer.commit(10, &token).await.unwrap();
        let expected: Vec<i64> = (1..=10).chain(101..=109).filter(|n| ![3, 104].contains(n)).collect();
        assert_eq!(numbers(&lake).await, expected);
        Running::recovered(&config, Some((10, token))).await;
        assert_eq!(numbers(&lake).await, expected);
    }
}

fn empty_token() -> serde_json::Value {
    serde_json::json!({ "version": 1, "adds": [], "removes": [], "rows": { "added": 0, "removed": 0 } })
}

/// Whoever takes rows out of the table that the epoch takes out too is another writer: that is told.
#[tokio::test(flavor = "multi_thread")]
async fn another_writer_is_told_from_a_merge() {
    let lake = Lake::new();
    let config = DeltaConfig { keep: Default::default(), ..config(&lake, WriteMode::Changes) };
    let mut one = Running::recovered(&config, None).await;
    one.epoch(1, vec![some(&[3, 6])]).await;
    let mut two = Running::recovered(&DeltaConfig { app_id: "other/t".into(), ..config }, None).await;
    let token = one.seal(2, vec![back(&[3])]).await.unwrap();
    two.epoch(1, vec![back(&[6])]).await;
    let error = one.committer.commit(2, &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("let only one pipeline"), "{error}");
}

/// Lets so many changes through; then the process has crashed: nothing is answered any more.
#[derive(Debug)]
struct Crashing {
    inner: Arc<dyn ObjectStore>,
    left: Arc<AtomicUsize>,
    crashed: Arc<Notify>,
}

fn spend(left: &AtomicUsize, crashed: &Notify) -> Result<()> {
    if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
        return Ok(());
    }
    crashed.notify_one();
    Err(Error::Generic { store: "crashed", source: "the process is gone".into() })
}

impl fmt::Display for Crashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("crashing")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Crashing {
    async fn put_opts(&self, to: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        spend(&self.left, &self.crashed)?;
        self.inner.put_opts(to, payload, options).await
    }

    async fn put_multipart_opts(&self, to: &Path, o: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        spend(&self.left, &self.crashed)?;
        self.inner.put_multipart_opts(to, o).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(from, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (left, crashed) = (self.left.clone(), self.crashed.clone());
        self.inner.delete_stream(paths.map(move |path| spend(&left, &crashed).and(path)).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        spend(&self.left, &self.crashed)?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// A crash before each single change that upkeep makes to the lake, one after the other: what is left is the table as it was,
/// and the next upkeep brings it to the same end.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_step_of_upkeep() {
    let expected: Vec<i64> = (1..=24).filter(|n| *n != 5).collect();
    let mut steps = 0;
    loop {
        let lake = Lake::new();
        let config = config(&lake, WriteMode::Changes);
        let mut run = Running::recovered(&config, None).await;
        for epoch in 1..=12 {
            run.epoch(epoch, vec![some(&[epoch as i64, epoch as i64 + 12])]).await;
        }
        let last = run.epoch(13, vec![back(&[5])]).await;
        run.committer.end().await;
        drop(run);

        let (left, crashed) = (Arc::new(AtomicUsize::new(steps)), Arc::new(Notify::new()));
        let store =
            lake.store.through(|inner| Arc::new(Crashing { inner, left: left.clone(), crashed: crashed.clone() }));
        let dying = DeltaConfig { store, ..config.clone() };
        let mut run = Running::start(&dying, 1);
        let has_crashed = tokio::select! {
            () = crashed.notified() => true,
            done = async {
                run.committer.recover(Some((13, last.clone()))).await.unwrap();
                run.committer.maintain().await
            } => done.is_err(),
        };
        drop(run);
        assert_eq!(numbers(&lake).await, expected, "after a crash at step {steps}");
        let mut again = Running::recovered(&config, Some((13, last))).await;
        let kept = again.committer.maintain().await.unwrap();
        assert_eq!(kept.files.1, 3, "{kept:?} after a crash at step {steps}");
        again.epoch(14, vec![some(&[5])]).await;
        assert_eq!(numbers(&lake).await, (1..=24).collect::<Vec<_>>(), "after a crash at step {steps}");
        if !has_crashed {
            break;
        }
        steps += 1;
    }
    assert!(steps > 20, "{steps} steps show little");
}

/// An epoch that takes rows out of files that are being merged goes first; the merge is thrown away, its files too.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_goes_before_a_merge() {
    let lake = Lake::new();
    let config = config(&lake, WriteMode::Changes);
    let mut one = Running::recovered(&config, None).await;
    for epoch in 1..=9 {
        one.epoch(epoch, vec![some(&[epoch as i64 * 3])]).await;
    }
    one.committer.end().await;
    // Both see the same files; the second is quicker.
    let mut two = Running::recovered(&DeltaConfig { app_id: "other/t".into(), ..config }, None).await;
    let merged = one.committer.merged_now().await;
    two.epoch(1, vec![back(&[6])]).await;
    assert!(!one.committer.commit_merged(merged).await.unwrap());
    assert_eq!(numbers(&lake).await, (1..=9).map(|n| n * 3).filter(|n| *n != 6).collect::<Vec<_>>());
    let left = lake.store.list("gold/t").await.unwrap();
    assert!(!left.iter().any(|f| f.location.as_ref().contains("-merge-")), "{left:?}");
}
