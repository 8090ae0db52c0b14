//! What every lake must do, as checks that run against any of them: a folder in the unit tests, a real HDFS in the suite.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutPayload};
use sluice_engine::{Error, Result};

use super::{Store, store_error};

/// Runs all checks below `folder`, which must not exist yet.
///
/// # Errors
/// `Bug` that names the check that does not hold, or what the store answered.
pub async fn check_store(store: &Store, folder: &str) -> Result<()> {
    let at = |e: Error| e.at(format!("checking {}", store.url()));
    files(store, folder).await.map_err(at)?;
    only_one_creates(store, folder).await.map_err(at)?;
    ranges(store, folder).await.map_err(at)?;
    parts(store, folder).await.map_err(at)?;
    names(store, folder).await.map_err(at)
}

fn holds(what: &str, yes: bool) -> Result<()> {
    if yes { Ok(()) } else { Err(Error::bug(format!("does not hold: {what}"))) }
}

fn answer<T>(result: object_store::Result<T>) -> Result<T> {
    result.map_err(|e| store_error("check the store", e))
}

async fn files(store: &Store, folder: &str) -> Result<()> {
    let path = |name: &str| format!("{folder}/{name}");
    holds("a folder that is not there is empty", store.list(folder).await?.is_empty())?;
    holds("a file that is not there is none", store.get(&path("a")).await?.is_none())?;
    holds("a new file is written", store.put_new(&path("a/1"), "one".into()).await?)?;
    holds("it is not written again", !store.put_new(&path("a/1"), "two".into()).await?)?;
    holds("it keeps its content", store.get(&path("a/1")).await? == Some(Bytes::from("one")))?;
    store.put(&path("a/1"), "three").await?;
    holds("it is replaced", store.get(&path("a/1")).await? == Some(Bytes::from("three")))?;
    store.put(&path("a/b/2"), "").await?;
    holds("an empty file is a file", store.get(&path("a/b/2")).await? == Some(Bytes::new()))?;
    let listed: Vec<(String, u64)> =
        store.list(folder).await?.into_iter().map(|m| (m.location.to_string(), m.size)).collect();
    holds("listing finds files at any depth", listed == [(path("a/1"), 5), (path("a/b/2"), 0)])?;
    let direct = answer(store.objects().list_with_delimiter(Some(&Path::from(path("a")))).await)?;
    holds(
        "a folder's own files and folders are told apart",
        direct.objects.len() == 1 && direct.common_prefixes == [Path::from(path("a/b"))],
    )?;
    store.delete(&path("a/1")).await?;
    store.delete(&path("a/1")).await?;
    holds("a deleted file is gone", store.get(&path("a/1")).await?.is_none())
}

async fn only_one_creates(store: &Store, folder: &str) -> Result<()> {
    let path = format!("{folder}/race");
    let tries = (0..8).map(|i| store.put_new(&path, format!("writer {i}").into()));
    let won = futures::future::try_join_all(tries).await?;
    holds("of many who create a file one does", won.iter().filter(|w| **w).count() == 1)?;
    let winner = won.iter().position(|w| *w).map(|i| Bytes::from(format!("writer {i}")));
    holds("and the file is the winner's", store.get(&path).await? == winner)
}

async fn ranges(store: &Store, folder: &str) -> Result<()> {
    let path = Path::from(format!("{folder}/long"));
    let content: Bytes = (0..300_000u32).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    let objects = store.objects();
    answer(objects.put(&path, content.clone().into()).await)?;
    let wanted = [299_000..300_000, 0..10, 150_000..150_001];
    let got = answer(objects.get_ranges(&path, &wanted).await)?;
    let right = wanted.iter().zip(&got).all(|(r, g)| content.slice(r.start as usize..r.end as usize) == g);
    holds("ranges are what the file has there", right)?;
    let piece = answer(objects.get_range(&path, 5..9).await)?;
    holds("so is one range", piece == content.slice(5..9))?;
    let head = answer(objects.head(&path).await)?;
    holds("a file's size is known", head.size == content.len() as u64)?;
    let streamed: Vec<Bytes> = answer(answer(objects.get(&path).await)?.into_stream().try_collect().await)?;
    holds("a file is read piece by piece", streamed.concat() == content)
}

async fn parts(store: &Store, folder: &str) -> Result<()> {
    let path = Path::from(format!("{folder}/parts"));
    let objects = store.objects();
    let mut upload = answer(objects.put_multipart(&path).await)?;
    let part = |n: u8| PutPayload::from(vec![n; 6 << 20]);
    let (first, second, third) = (upload.put_part(part(1)), upload.put_part(part(2)), upload.put_part(part(3)));
    // Parts may be uploaded in any order; the file has them in the order in which they were made.
    answer(futures::future::try_join3(third, first, second).await)?;
    holds("nothing is visible before the end", store.get(path.as_ref()).await?.is_none())?;
    answer(upload.complete().await)?;
    let whole = store.get(path.as_ref()).await?.unwrap_or_default();
    let right = whole.len() == 18 << 20 && [1u8, 2, 3].iter().enumerate().all(|(i, n)| whole[(i << 22) * 3 / 2] == *n);
    holds("parts are in order", right)?;
    let mut dropped = answer(objects.put_multipart(&Path::from(format!("{folder}/dropped"))).await)?;
    answer(dropped.put_part(part(1)).await)?;
    answer(dropped.abort().await)?;
    let left: Vec<String> = store.list(folder).await?.into_iter().map(|m| m.location.to_string()).collect();
    holds("an upload that was given up leaves nothing", !left.iter().any(|l| l.contains("dropped")))
}

async fn names(store: &Store, folder: &str) -> Result<()> {
    let objects = store.objects();
    let odd =
        Path::parse(format!("{folder}/day=a%20b%25/x y+é.parquet")).map_err(|e| Error::bug("not a path").because(e))?;
    answer(objects.put(&odd, "odd".into()).await)?;
    holds("odd names are kept", store.list(folder).await?.iter().any(|m| m.location == odd))?;
    holds("and found again", store.get(odd.as_ref()).await? == Some(Bytes::from("odd")))?;
    let to = Path::from(format!("{folder}/new/place"));
    answer(objects.copy_if_not_exists(&odd, &to).await)?;
    let again = objects.copy_if_not_exists(&odd, &to).await;
    holds("a copy overwrites only when asked", matches!(again, Err(StoreError::AlreadyExists { .. })))?;
    let taken = objects.rename_if_not_exists(&odd, &to).await;
    holds("so does a rename", matches!(taken, Err(StoreError::AlreadyExists { .. })))?;
    answer(objects.rename(&odd, &Path::from(format!("{folder}/other/place"))).await)?;
    holds("a renamed file has gone from its place", store.get(odd.as_ref()).await?.is_none())?;
    let missing = objects.get(&odd).await;
    holds("a missing file is told from a failure", matches!(missing, Err(StoreError::NotFound { .. })))?;
    holds("nothing temporary is left", store.sweep_temp(folder).await? == 0)
}
