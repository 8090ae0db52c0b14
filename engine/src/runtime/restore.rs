//! Brings a graph back to where a manifest left it.

use std::collections::BTreeMap;

use super::stage::{EntryKind, NodeRun, Stage};
use crate::checkpoint::{CheckpointStore, Manifest, OperatorState, read_segment};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeKind};
use crate::source::{Position, Positions};
use crate::state::{Restored, Share, Snapshot};

/// State pieces by operator name, oldest first.
pub(super) type States = BTreeMap<String, Vec<Snapshot>>;

/// Nodes that a message names, at most.
const NAMED_MAX: usize = 8;

/// A manifest fits a graph when both have the same sources, operators (with equal fingerprints) and sinks: a new operator
/// would start without the history that its neighbours have already counted. A sink that fills itself may be new. The
/// start of a run asks this; it may be asked before, as nothing is opened and nothing changes.
///
/// # Errors
/// `Config` when they differ, with the names of the nodes that are changed, new or gone.
pub fn check_same_graph(graph: &Graph, manifest: &Manifest) -> Result<()> {
    let (mut changed, mut added) = (Vec::new(), Vec::new());
    for node in graph.nodes() {
        let (is_known, is_same) = match &node.kind {
            NodeKind::Source(_) => (manifest.positions.contains_key(&node.name), true),
            NodeKind::Operator(_) => {
                let before = manifest.operators.get(&node.name);
                (before.is_some(), before.is_some_and(|s| s.fingerprint == node.fingerprint))
            }
            NodeKind::Sink(_, committer) => {
                let fills_itself = committer.as_ref().is_some_and(|c| c.fills_itself());
                (fills_itself || manifest.sinks.contains_key(&node.name), true)
            }
        };
        match (is_known, is_same) {
            (true, true) => {}
            (true, false) => changed.push(node.name.as_str()),
            (false, _) => added.push(node.name.as_str()),
        }
    }
    let before = manifest.positions.keys().chain(manifest.operators.keys()).chain(manifest.sinks.keys());
    let gone = before.filter(|name| !graph.nodes().iter().any(|n| n.name == **name)).map(String::as_str).collect();
    let parts: Vec<String> = [("changed", changed), ("new", added), ("gone", gone)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", listed(&names)))
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "the project has changed since epoch {} of pipeline {:?} ({}), and the rows that are there stay as the old one \
         made them; take the change back, or begin anew with all that the sources still hold: name another folder as \
         `lake`, or delete everything in this one (the tables and _sluice), and drop its tables in databases",
        manifest.epoch,
        manifest.pipeline,
        parts.join("; ")
    )))
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let named = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
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

/// The largest time of which each operator's groups have been frozen.
fn cold_until(manifest: &Manifest) -> BTreeMap<String, i64> {
    let latest =
        |(name, state): (&String, &OperatorState)| Some((name.clone(), state.cold.iter().map(|c| c.last).max()?));
    manifest.operators.iter().filter_map(latest).collect()
}

/// Gives operators their state back and opens the sources.
pub(super) fn open_and_restore(stages: &mut [Vec<Stage>], last: Option<&Manifest>, mut states: States) -> Result<()> {
    let workers = stages.len();
    let start = Position::default();
    let no_positions = Positions::new();
    let positions = last.map_or(&no_positions, |m| &m.positions);
    let cold = last.map(cold_until).unwrap_or_default();
    // What has left memory whole comes back as nothing, and the operator must know of it.
    for name in cold.keys() {
        states.entry(name.clone()).or_default();
    }
    for (worker, stages) in stages.iter_mut().enumerate() {
        for stage in stages {
            for slot in &mut stage.slots {
                if let (NodeRun::Operator(operator), Some(pieces)) = (&mut slot.run, states.get(&slot.name)) {
                    let cold_until = cold.get(&slot.name).copied();
                    let restored = Restored { pieces: pieces.clone(), share: Share { worker, workers }, cold_until };
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
