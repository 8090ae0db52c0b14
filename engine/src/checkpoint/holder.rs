//! Who runs a pipeline: the newest generation, and whether it has said that it ended.

use serde::Deserialize;

use super::manifest::{generation_path, newest_generation};
use super::store::CheckpointStore;
use crate::error::{Error, Result};

/// A start of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Which start it is.
    pub generation: u64,
    /// Who it was, in its own words.
    pub name: String,
    /// True once it has ended in order. One that was killed never says so.
    pub has_ended: bool,
}

fn ended_path(pipeline: &str, generation: u64) -> String {
    format!("{}.ended", generation_path(pipeline, generation).trim_end_matches(".json"))
}

/// The newest start of a pipeline; none when it was never started.
///
/// # Errors
/// `Transient` when the store is away, `Data` when the file cannot be read.
pub async fn holder(store: &dyn CheckpointStore, pipeline: &str) -> Result<Option<Holder>> {
    #[derive(Deserialize)]
    struct Claimed {
        holder: String,
    }
    let generation = newest_generation(store, pipeline).await?;
    let path = generation_path(pipeline, generation);
    let Some(bytes) = store.get(&path).await? else { return Ok(None) };
    let claimed: Claimed = serde_json::from_slice(&bytes)
        .map_err(|e| Error::data(format!("{path} cannot be read; it is damaged")).because(e))?;
    let has_ended = store.get(&ended_path(pipeline, generation)).await?.is_some();
    Ok(Some(Holder { generation, name: claimed.holder, has_ended }))
}

/// Says that a start of a pipeline has ended: nothing of it is running any more.
///
/// # Errors
/// `Transient` when the store is away.
pub async fn release(store: &dyn CheckpointStore, pipeline: &str, generation: u64) -> Result<()> {
    store.put_new(&ended_path(pipeline, generation), vec![]).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::super::{MemoryStore, claim_generation};
    use super::*;

    /// The newest start holds the pipeline until it says that it has ended; that is no claim of its own.
    #[test]
    fn the_newest_holds() {
        let store = MemoryStore::default();
        let held = || block_on(holder(&store, "p")).expect("read");
        assert_eq!(held(), None);
        let first = block_on(claim_generation(&store, "p", "a")).expect("claimed");
        assert_eq!(held(), Some(Holder { generation: first, name: "a".into(), has_ended: false }));
        block_on(release(&store, "p", first)).expect("released");
        block_on(release(&store, "p", first)).expect("released again");
        assert!(held().is_some_and(|h| h.has_ended));
        let second = block_on(claim_generation(&store, "p", "b")).expect("claimed");
        assert_eq!(second, first + 1);
        assert_eq!(held(), Some(Holder { generation: second, name: "b".into(), has_ended: false }));
    }
}
