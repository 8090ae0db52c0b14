//! Brings a graph back to where a manifest left it.

use std::collections::BTreeMap;

use super::stage::{EntryKind, NodeRun, Stage};
use crate::checkpoint::{CheckpointStore, Manifest, read_segment};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeKind};
use crate::source::{Position, Positions};
use crate::state::{Restored, Share, Snapshot};

/// State pieces by operator name, oldest first.
pub(super) type States = BTreeMap<String, Vec<Snapshot>>;

/// A manifest fits a graph when both have the same sources, operators (with equal fingerprints) and sinks: a new operator
/// would start without the history that its neighbours have already counted.
pub(super) fn check_same_graph(graph: &Graph, manifest: &Manifest) -> Result<()> {
    let mut changed = Vec::new();
    let mut known = 0;
    for node in graph.nodes() {
        let fits = match &node.kind {
            NodeKind::Source(_) => manifest.positions.contains_key(&node.name),
            NodeKind::Operator(_) => {
                manifest.operators.get(&node.name).is_some_and(|s| s.fingerprint == node.fingerprint)
            }
            NodeKind::Sink(..) => manifest.sinks.contains_key(&node.name),
        };
        if fits {
            known += 1;
        } else {
            changed.push(node.name.as_str());
        }
    }
    let expected = manifest.positions.len() + manifest.operators.len() + manifest.sinks.len();
    if changed.is_empty() && known == expected {
        return Ok(());
    }
    const NAMED_MAX: usize = 8;
    let more =
        if changed.len() > NAMED_MAX { format!(" and {} more", changed.len() - NAMED_MAX) } else { String::new() };
    changed.truncate(NAMED_MAX);
    let which =
        if changed.is_empty() { "something was removed".into() } else { format!("{}{more}", changed.join(", ")) };
    Err(Error::config(format!(
        "the project has changed since epoch {} of pipeline {:?} ({which}), and its state cannot be carried over; \
         run `sluice build --full-refresh` to make the tables anew from bronze, or give another `lake`",
        manifest.epoch, manifest.pipeline
    )))
}

/// Reads all state that a manifest names.
pub(super) async fn load_states(store: &dyn CheckpointStore, manifest: &Manifest) -> Result<States> {
    let mut packs = BTreeMap::new();
    let mut states = States::new();
    for (name, state) in &manifest.operators {
        for segment in &state.segments {
            if !packs.contains_key(&segment.pack) {
                let bytes = store.get(&segment.pack).await?.ok_or_else(|| {
                    Error::data(format!("state pack {} of epoch {} is missing", segment.pack, manifest.epoch))
                })?;
                packs.insert(segment.pack.clone(), bytes);
            }
            let piece = Snapshot::decode(&read_segment(&packs[&segment.pack], segment)?)?;
            states.entry(name.clone()).or_default().push(piece);
        }
    }
    Ok(states)
}

/// Gives operators their state back and opens the sources.
pub(super) fn open_and_restore(stages: &mut [Vec<Stage>], positions: &Positions, states: States) -> Result<()> {
    let workers = stages.len();
    let start = Position::default();
    for (worker, stages) in stages.iter_mut().enumerate() {
        for stage in stages {
            for slot in &mut stage.slots {
                if let (NodeRun::Operator(operator), Some(pieces)) = (&mut slot.run, states.get(&slot.name)) {
                    let restored = Restored { pieces: pieces.clone(), share: Share { worker, workers } };
                    operator.restore(restored).map_err(|e| e.at(format!("state of node {:?}", slot.name)))?;
                }
            }
            for entry in &mut stage.entries {
                if let EntryKind::Source { source, slot, .. } = &mut entry.kind {
                    let name = &stage.slots[*slot].name;
                    let position = positions.get(name).unwrap_or(&start);
                    source.open(position).map_err(|e| e.at(format!("source {name:?}")))?;
                }
            }
        }
    }
    Ok(())
}
