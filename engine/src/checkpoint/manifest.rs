//! The manifest: the file whose appearance commits an epoch.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::generation;
use super::store::{CheckpointStore, PutNew};
use crate::error::{Error, Result};
use crate::sink::Token;
use crate::source::Positions;

/// The version of the manifest's and the packs' format. Every version that was ever released still loads.
///
/// 2: operators have cold segments.
pub const FORMAT_VERSION: u32 = 2;

/// A piece of an operator's state inside a pack file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The pack's path.
    pub pack: String,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length, in bytes.
    pub length: u64,
    /// The epoch in which it was made.
    pub epoch: u64,
    /// True when it starts a chain: everything older is superseded.
    pub full: bool,
    /// The checksum of its bytes (`segment_checksum`); none in manifests from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<u64>,
}

/// The state of one operator: a chain of segments, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorState {
    /// What the state depends on; see `graph::Node::fingerprint`.
    pub fingerprint: String,
    /// The pieces, oldest first.
    pub segments: Vec<Segment>,
    /// What has left memory, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cold: Vec<ColdSegment>,
}

impl OperatorState {
    /// The packs in which the state is; some may be named more than once.
    pub(super) fn packs(&self) -> impl Iterator<Item = &str> {
        let cold = self.cold.iter().map(|c| &c.segment);
        self.segments.iter().chain(cold).map(|s| s.pack.as_str())
    }
}

/// Groups that have left memory: their state as of the epoch in which they left. A later segment's say more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColdSegment {
    /// Where they are.
    #[serde(flatten)]
    pub segment: Segment,
    /// The smallest time among them, in the operator's own terms.
    pub first: i64,
    /// The largest.
    pub last: i64,
}

/// Everything that one epoch made durable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `FORMAT_VERSION` of the writer.
    pub version: u32,
    /// The pipeline's name.
    pub pipeline: String,
    /// Which start of the pipeline wrote it.
    pub generation: u64,
    /// The epoch, from 1.
    pub epoch: u64,
    /// How far the sources were read.
    pub positions: Positions,
    /// State by operator name.
    pub operators: BTreeMap<String, OperatorState>,
    /// What each sink needs to commit, by sink name.
    pub sinks: BTreeMap<String, Token>,
}

fn folder(pipeline: &str) -> String {
    format!("{pipeline}/manifests")
}

fn path(pipeline: &str, epoch: u64) -> String {
    format!("{}/{epoch:020}.json", folder(pipeline))
}

/// The epoch that a manifest's path names.
pub(super) fn epoch_of(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

/// The newest manifest of a pipeline, if it has one.
///
/// # Errors
/// `Data` when the newest file cannot be read as a manifest, `Config` when a later version of sluice wrote it.
pub async fn newest(store: &dyn CheckpointStore, pipeline: &str) -> Result<Option<Manifest>> {
    let files = store.list(&folder(pipeline)).await?;
    let Some(newest) = files.iter().filter_map(|f| epoch_of(f).map(|e| (e, f))).max() else { return Ok(None) };
    let bytes = store.get(newest.1).await?.ok_or_else(|| {
        Error::transient(format!("manifest {} was listed and is gone; is another daemon cleaning up?", newest.1))
    })?;
    load(newest.1, &bytes).map(Some)
}

fn load(path: &str, bytes: &[u8]) -> Result<Manifest> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let damaged = |e| Error::data(format!("manifest {path} cannot be read; it is damaged")).because(e);
    let Version { version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if version > FORMAT_VERSION {
        return Err(Error::config(format!(
            "manifest {path} has format version {version}, this sluice reads up to {FORMAT_VERSION}; use a newer sluice"
        )));
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// Makes the manifest appear: the commit point of its epoch.
///
/// Other runs are looked for before and after. Before, so that an older run does not take an epoch's number from the one
/// that has taken over. After, because the two may have happened at the same time: whoever starts later than the second
/// look finds this manifest; whoever started before it is seen. An error after the manifest has appeared is no
/// contradiction: the next start finds the manifest and commits it.
///
/// # Errors
/// `Fenced` when a newer generation has started; `Transient` when an older one has written this epoch just now, so that a
/// new start goes on from there.
pub async fn publish(store: &dyn CheckpointStore, manifest: &Manifest) -> Result<()> {
    refuse_if_newer(store, manifest).await?;
    let bytes = serde_json::to_vec(manifest).map_err(|e| Error::bug("a manifest has no JSON form").because(e))?;
    let path = path(&manifest.pipeline, manifest.epoch);
    if store.put_new(&path, vec![Bytes::from(bytes)]).await? == PutNew::Done {
        return refuse_if_newer(store, manifest).await;
    }
    refuse_if_newer(store, manifest).await?;
    Err(Error::transient(format!(
        "manifest {path} has been written by a run before this one (generation {}) while this one started; start again, \
         to go on from there",
        manifest.generation
    )))
}

async fn refuse_if_newer(store: &dyn CheckpointStore, manifest: &Manifest) -> Result<()> {
    generation::refuse_if_newer(store, &manifest.pipeline, manifest.generation).await
}

#[cfg(test)]
mod tests {
    use futures::future::{BoxFuture, FutureExt};

    use super::super::{MemoryStore, claim_generation};
    use super::*;

    fn manifest(generation: u64, epoch: u64) -> Manifest {
        Manifest {
            version: FORMAT_VERSION,
            pipeline: "p".into(),
            generation,
            epoch,
            positions: Positions::new(),
            operators: BTreeMap::new(),
            sinks: BTreeMap::new(),
        }
    }

    fn block<T>(f: impl Future<Output = T>) -> T {
        futures::executor::block_on(f)
    }

    /// The newest manifest is found by its number, and a pipeline that never ran has none.
    #[test]
    fn newest_is_found() {
        let store = MemoryStore::default();
        assert_eq!(block(newest(&store, "p")).expect("readable"), None);
        for epoch in [1, 2, 10] {
            block(publish(&store, &manifest(1, epoch))).expect("published");
        }
        assert_eq!(block(newest(&store, "p")).expect("readable").map(|m| m.epoch), Some(10));
    }

    /// An older generation cannot publish any more, and nobody can publish an epoch twice. A run that finds its epoch written,
    /// though none is newer, has been overtaken by an older one and may start again.
    #[test]
    fn fencing() {
        let store = MemoryStore::default();
        let first = block(claim_generation(&store, "p", "a")).expect("claimed");
        let second = block(claim_generation(&store, "p", "b")).expect("claimed");
        assert!(second > first);
        let old = block(publish(&store, &manifest(first, 1))).expect_err("fenced");
        assert_eq!(old.kind(), crate::ErrorKind::Fenced);
        block(publish(&store, &manifest(second, 1))).expect("published");
        let twice = block(publish(&store, &manifest(second, 1))).expect_err("it is there");
        assert_eq!(twice.kind(), crate::ErrorKind::Transient);
        assert!(twice.to_string().contains("has been written by a run before"), "{twice}");
    }

    /// A store in which another run starts while a manifest is put.
    #[derive(Default)]
    struct Overtaken(MemoryStore);

    impl CheckpointStore for Overtaken {
        fn put_new<'a>(&'a self, path: &'a str, pieces: Vec<Bytes>) -> BoxFuture<'a, Result<PutNew>> {
            async move {
                if path.contains("/manifests/") {
                    claim_generation(&self.0, "p", "the other").await?;
                }
                self.0.put_new(path, pieces).await
            }
            .boxed()
        }

        fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
            self.0.get(path)
        }

        fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
            self.0.list(prefix)
        }

        fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
            self.0.delete(path)
        }
    }

    /// A run that is overtaken between its look for others and its manifest does not go on: the number may have been used
    /// and swept meanwhile.
    #[test]
    fn others_are_looked_for_again() {
        let store = Overtaken::default();
        let first = block(claim_generation(&store, "p", "a")).expect("claimed");
        let late = block(publish(&store, &manifest(first, 1))).expect_err("the other has started");
        assert_eq!(late.kind(), crate::ErrorKind::Fenced);
    }

    /// A manifest of a later format is refused with words, and damage is no panic.
    #[test]
    fn bad_manifests() {
        let store = MemoryStore::default();
        block(store.put_new("p/manifests/00000000000000000007.json", vec![Bytes::from_static(b"{\"version\":99}")]))
            .expect("put");
        assert!(block(newest(&store, "p")).expect_err("too new").to_string().contains("use a newer sluice"));
        block(store.put_new("p/manifests/00000000000000000008.json", vec![Bytes::from_static(b"{\"ver")]))
            .expect("put");
        assert!(block(newest(&store, "p")).expect_err("damaged").to_string().contains("damaged"));
    }
}
