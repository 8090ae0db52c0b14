//! Removes what no manifest needs any more.

use std::collections::BTreeSet;

use super::manifest::{Manifest, OperatorState, epoch_of};
use super::pack::{PackKind, generation_of};
use super::store::CheckpointStore;
use crate::error::Result;

/// How many manifests stay, newest first. The second newest is for a person who wants to look.
pub const MANIFESTS_KEPT: u64 = 2;

/// Deletes manifests older than the newest two and packs that neither `manifest` nor `previous` names.
///
/// Packs of later runs stay: a run that has been held up, and does not know yet that another has taken over, would
/// otherwise delete the state of that one.
///
/// # Errors
/// `Transient` when the store is away; what was not deleted is found by the next call.
pub async fn sweep(store: &dyn CheckpointStore, manifest: &Manifest, previous: Option<&Manifest>) -> Result<usize> {
    let mut deleted = 0;
    for path in store.list(&format!("{}/manifests", manifest.pipeline)).await? {
        if epoch_of(&path).is_some_and(|e| e + MANIFESTS_KEPT <= manifest.epoch) {
            store.delete(&path).await?;
            deleted += 1;
        }
    }
    let needed: BTreeSet<&str> = std::iter::once(manifest)
        .chain(previous)
        .flat_map(|m| m.operators.values().flat_map(OperatorState::packs))
        .collect();
    for kind in PackKind::ALL {
        for path in store.list(&kind.folder(&manifest.pipeline)).await? {
            let is_ours = generation_of(&path).is_some_and(|generation| generation <= manifest.generation);
            if is_ours && !needed.contains(path.as_str()) {
                store.delete(&path).await?;
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::super::{FORMAT_VERSION, MemoryStore};
    use super::*;
    use crate::source::Positions;

    /// A run that sweeps late leaves the packs of the run that has taken over, and takes those that earlier ones have left.
    #[test]
    fn packs_of_later_runs_stay() {
        let store = MemoryStore::default();
        let pack = |epoch: u64, generation: u64| format!("p/state/{epoch:020}-{generation}.pack");
        for (epoch, generation) in [(1, 1), (2, 1), (2, 2), (2, 3), (3, 10)] {
            let path = pack(epoch, generation);
            futures::executor::block_on(store.put_new(&path, vec![Bytes::new()])).expect("put");
        }
        let manifest = Manifest {
            version: FORMAT_VERSION,
            pipeline: "p".into(),
            generation: 2,
            epoch: 2,
            positions: Positions::new(),
            operators: BTreeMap::new(),
            sinks: BTreeMap::new(),
        };
        let deleted = futures::executor::block_on(sweep(&store, &manifest, None)).expect("swept");
        let left = futures::executor::block_on(store.list("p/state")).expect("listed");
        assert_eq!((deleted, left), (3, vec![pack(2, 3), pack(3, 10)]));
    }
}
