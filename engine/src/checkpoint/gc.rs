//! Removes what no manifest needs any more.

use std::collections::BTreeSet;

use super::manifest::{Manifest, epoch_of};
use super::store::CheckpointStore;
use crate::error::Result;

/// How many manifests stay, newest first. The second newest is for a person who wants to look.
pub const MANIFESTS_KEPT: u64 = 2;

/// Deletes manifests older than the newest two and packs that neither `manifest` nor `previous` names.
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
        .flat_map(|m| m.operators.values().flat_map(|o| o.segments.iter().map(|s| s.pack.as_str())))
        .collect();
    for path in store.list(&format!("{}/state", manifest.pipeline)).await? {
        if !needed.contains(path.as_str()) {
            store.delete(&path).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
