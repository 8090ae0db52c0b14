//! A run that makes a part of a graph anew and leaves the rest as it is: what a changed project begins with.
//!
//! The part is a graph of its own, over sources that come to an end; it begins without state and ends with one epoch. That
//! epoch's manifest is of the whole graph: what the part has made, and the rest as the epoch before left it. So the next
//! run goes on from it as from any other.

use std::collections::BTreeMap;

use crate::checkpoint::{Manifest, OperatorState};
use crate::graph::{Graph, NodeKind};
use crate::sink::Token;
use crate::source::Positions;

/// What the manifest of a rebuild says beside what the rebuilt part has made.
#[derive(Debug, Clone, Default)]
pub struct Rebuild {
    /// The whole graph's operators and their fingerprints: in the part they may read other nodes.
    fingerprints: BTreeMap<String, String>,
    /// Sources of the whole graph: all others of the part exist in this run only.
    positions: Positions,
    operators: BTreeMap<String, OperatorState>,
    sinks: BTreeMap<String, Token>,
}

impl Rebuild {
    /// What stays of the manifest `last` when the nodes of `whole` that `part` has too are made anew. `sinks` are the tokens
    /// of the sinks that the part does not have: a Delta table that stays needs one that changes nothing.
    pub fn new(whole: &Graph, part: &Graph, last: &Manifest, sinks: BTreeMap<String, Token>) -> Rebuild {
        let mut rebuild = Rebuild { sinks, ..Rebuild::default() };
        for node in whole.nodes() {
            let (name, stays) = (node.name.clone(), !part.nodes().iter().any(|n| n.name == node.name));
            match &node.kind {
                NodeKind::Source(_) => {
                    let position = last.positions.get(&name).filter(|_| stays).cloned();
                    rebuild.positions.insert(name, position.unwrap_or_default());
                }
                NodeKind::Operator(_) => {
                    let before = last.operators.get(&name).filter(|s| stays && s.fingerprint == node.fingerprint);
                    rebuild.operators.insert(name.clone(), before.cloned().unwrap_or_default());
                    rebuild.fingerprints.insert(name, node.fingerprint.clone());
                }
                NodeKind::Sink(..) => {}
            }
        }
        rebuild
    }

    /// Makes the manifest of the part one of the whole graph.
    pub(super) fn complete(&self, manifest: &mut Manifest) {
        let (made, made_states) = (std::mem::take(&mut manifest.positions), std::mem::take(&mut manifest.operators));
        manifest.positions = self.positions.clone();
        for (name, position) in made {
            self.positions.contains_key(&name).then(|| manifest.positions.insert(name, position));
        }
        manifest.operators = self.operators.clone();
        for (name, state) in made_states {
            self.operators.contains_key(&name).then(|| manifest.operators.insert(name, state));
        }
        for (name, state) in &mut manifest.operators {
            state.fingerprint = self.fingerprints.get(name).cloned().unwrap_or_default();
        }
        manifest.sinks.extend(self.sinks.clone());
    }
}
