//! Generations: each start of a pipeline takes the next number, and from then on older ones are fenced.
//!
//! `<pipeline>/generations/<number>.json` says who has taken a number, `<number>.ended` that its run is over. A run that was
//! killed leaves no such word, so nobody can be sure that it is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::manifest::epoch_of;
use super::store::{CheckpointStore, PutNew};
use crate::error::{Error, Result};

#[derive(Serialize, Deserialize)]
struct Body {
    holder: String,
}

/// Who has taken the newest generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub generation: u64,
    /// Who has taken it, in the words of `claim_generation`.
    pub holder: String,
    /// True when its run has said that it is over.
    pub ended: bool,
}

fn folder(pipeline: &str) -> String {
    format!("{pipeline}/generations")
}

fn path(pipeline: &str, generation: u64) -> String {
    format!("{}/{generation:020}.json", folder(pipeline))
}

fn ended_path(pipeline: &str, generation: u64) -> String {
    format!("{}/{generation:020}.ended", folder(pipeline))
}

async fn newest_generation(store: &dyn CheckpointStore, pipeline: &str) -> Result<u64> {
    let files = store.list(&folder(pipeline)).await?;
    Ok(files.iter().filter_map(|f| epoch_of(f)).max().unwrap_or(0))
}

/// Fails when a generation later than this one has been taken.
///
/// # Errors
/// `Fenced`, with who has taken it.
pub async fn refuse_if_newer(store: &dyn CheckpointStore, pipeline: &str, generation: u64) -> Result<()> {
    let newest = newest_generation(store, pipeline).await?;
    if newest <= generation {
        return Ok(());
    }
    let by = taken_by(store, pipeline, newest).await.unwrap_or_default();
    Err(Error::fenced(format!(
        "pipeline {pipeline:?} is run by another sluice (generation {newest} has started{}; this is generation \
         {generation}); stop one of them",
        if by.is_empty() { String::new() } else { format!(", by {by}") }
    )))
}

async fn taken_by(store: &dyn CheckpointStore, pipeline: &str, generation: u64) -> Result<String> {
    let path = path(pipeline, generation);
    let Some(bytes) = store.get(&path).await? else { return Ok(String::new()) };
    let body: Body = serde_json::from_slice(&bytes)
        .map_err(|e| Error::data(format!("{path} cannot be read; it is damaged")).because(e))?;
    Ok(body.holder)
}

/// Takes the next generation number for a start of the pipeline; from now on older generations are fenced.
///
/// # Errors
/// `Fenced` when others take generations at the same time, again and again.
pub async fn claim_generation(store: &dyn CheckpointStore, pipeline: &str, holder: &str) -> Result<u64> {
    const TRIES_MAX: usize = 16;
    for _ in 0..TRIES_MAX {
        let next = newest_generation(store, pipeline).await? + 1;
        let body = serde_json::to_vec(&Body { holder: holder.to_owned() });
        let body = body.map_err(|e| Error::bug("a generation has no JSON form").because(e))?;
        if store.put_new(&path(pipeline, next), vec![Bytes::from(body)]).await? == PutNew::Done {
            return Ok(next);
        }
    }
    Err(Error::fenced(format!("pipeline {pipeline:?} is being started by others at the same time; start only one")))
}

/// Says that the run of a generation is over, however it has ended. Saying it twice is no fault.
///
/// # Errors
/// `Transient` when the store is away.
pub async fn release_generation(store: &dyn CheckpointStore, pipeline: &str, generation: u64) -> Result<()> {
    store.put_new(&ended_path(pipeline, generation), vec![Bytes::new()]).await.map(|_| ())
}

/// Who has taken the newest generation; none when the pipeline has never been started.
///
/// # Errors
/// `Transient` when the store is away, `Data` when the file cannot be read.
pub async fn newest_holder(store: &dyn CheckpointStore, pipeline: &str) -> Result<Option<Holder>> {
    let generation = newest_generation(store, pipeline).await?;
    if generation == 0 {
        return Ok(None);
    }
    let holder = taken_by(store, pipeline, generation).await?;
    let ended = store.get(&ended_path(pipeline, generation)).await?.is_some();
    Ok(Some(Holder { generation, holder, ended }))
}

#[cfg(test)]
mod tests {
    use super::super::MemoryStore;
    use super::*;

    fn block<T>(f: impl Future<Output = T>) -> T {
        futures::executor::block_on(f)
    }

    /// Who runs is known, and whether it has ended; that word is no generation of its own.
    #[test]
    fn holders_are_known() {
        let store = MemoryStore::default();
        assert_eq!(block(newest_holder(&store, "p")).expect("readable"), None);
        let first = block(claim_generation(&store, "p", "a")).expect("claimed");
        let holder = |generation, name: &str, ended| Some(Holder { generation, holder: name.into(), ended });
        assert_eq!(block(newest_holder(&store, "p")).expect("readable"), holder(first, "a", false));
        block(release_generation(&store, "p", first)).expect("released");
        block(release_generation(&store, "p", first)).expect("released");
        assert_eq!(block(newest_holder(&store, "p")).expect("readable"), holder(first, "a", true));
        let second = block(claim_generation(&store, "p", "b")).expect("claimed");
        assert_eq!(block(newest_holder(&store, "p")).expect("readable"), holder(second, "b", false));
        let fenced = block(refuse_if_newer(&store, "p", first)).expect_err("the other has started");
        assert!(fenced.to_string().contains("generation 2 has started, by b"), "{fenced}");
    }
}
