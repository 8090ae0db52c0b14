//! The commit lane: makes an epoch durable and visible, in the one order that survives a crash at any step.
//!
//! prepare and seal (durable, invisible) -> state pack -> manifest (the commit point) -> commit at each sink ->
//! acknowledge at the sources -> observer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::future::{join_all, try_join_all};

use super::control::{Control, NodeReport};
use super::observer::{Committed, Observer};
use super::rebuild::Rebuild;
use super::run::RunConfig;
use super::shelf::Shelf;
use super::states::{Named, Reported, StateWriter, wants_full};
use crate::checkpoint::{CheckpointStore, FORMAT_VERSION, Manifest, OperatorState, publish, sweep};
use crate::error::{Error, Result};
use crate::frame::Barrier;
use crate::graph::{Graph, NodeId, NodeKind};
use crate::metrics::Metrics;
use crate::sink::{Committer, Part, PrepareFuture, Token};
use crate::source::Positions;

/// An epoch whose barrier has passed everywhere.
pub(super) struct Epoch {
    pub barrier: Barrier,
    pub reports: Vec<NodeReport>,
    pub rows: u64,
    pub since: Instant,
}

/// Names and fingerprints of a graph's nodes, by id.
pub(super) struct NodeNames {
    nodes: Vec<(String, String)>,
    operators: Vec<NodeId>,
    sources: Vec<NodeId>,
}

impl NodeNames {
    pub fn of(graph: &Graph) -> Self {
        let nodes = graph.nodes().iter().map(|n| (n.name.clone(), n.fingerprint.clone())).collect();
        let pick = |wanted: fn(&NodeKind) -> bool| {
            let found = graph.nodes().iter().enumerate().filter(|(_, n)| wanted(&n.kind));
            found.map(|(i, _)| NodeId(i)).collect()
        };
        let operators = pick(|k| matches!(k, NodeKind::Operator(_)));
        let sources = pick(|k| matches!(k, NodeKind::Source(_)));
        Self { nodes, operators, sources }
    }

    fn name(&self, id: NodeId) -> &str {
        &self.nodes[id.0].0
    }
}

/// Owns everything that commits; there is one, so epochs are committed one after the other.
pub(super) struct CommitLane {
    store: Arc<dyn CheckpointStore>,
    pipeline: String,
    generation: u64,
    metrics: Metrics,
    committers: Vec<(String, Box<dyn Committer>)>,
    names: NodeNames,
    shelf: Arc<Shelf>,
    observer: Box<dyn Observer>,
    newest: Option<Manifest>,
    rebuild: Option<Arc<Rebuild>>,
}

/// What a run has when its graph is recovered.
pub(super) struct Begun {
    pub generation: u64,
    pub newest: Option<Manifest>,
    pub committers: Vec<(String, Box<dyn Committer>)>,
    pub names: NodeNames,
    pub shelf: Arc<Shelf>,
    pub rebuild: Option<Arc<Rebuild>>,
}

impl CommitLane {
    pub fn new(store: Arc<dyn CheckpointStore>, config: &RunConfig, begun: Begun, observer: Box<dyn Observer>) -> Self {
        let Begun { generation, newest, committers, names, shelf, rebuild } = begun;
        let (pipeline, metrics) = (config.pipeline.clone(), config.metrics.clone());
        Self { store, pipeline, generation, metrics, committers, names, shelf, observer, newest, rebuild }
    }

    /// The newest committed epoch, 0 when there is none.
    pub fn epoch(&self) -> u64 {
        self.newest.as_ref().map_or(0, |m| m.epoch)
    }

    /// True when the observer wants an epoch, though no rows may have come.
    pub fn wants_epoch(&self) -> bool {
        self.observer.wants_epoch()
    }

    /// Decides for each operator whether its next snapshot is full.
    pub fn choose_modes(&self, control: &Control) {
        for &id in &self.names.operators {
            let chain = self.newest.as_ref().and_then(|m| m.operators.get(self.names.name(id)));
            control.set_full(id, chain.is_none_or(|chain| wants_full(chain, self.epoch())));
        }
    }

    /// Commits an epoch and gives the lane back.
    pub async fn commit(mut self, epoch: Epoch, control: Arc<Control>) -> (Self, Result<()>) {
        let result = self.try_commit(epoch, &control).await;
        (self, result)
    }

    /// Tells the committers that the run has come to its end.
    pub async fn end(&mut self) {
        join_all(self.committers.iter_mut().map(|(_, committer)| committer.end())).await;
    }

    async fn try_commit(&mut self, epoch: Epoch, control: &Control) -> Result<()> {
        let mut positions = Positions::new();
        let mut prepared: BTreeMap<String, Vec<PrepareFuture>> = BTreeMap::new();
        let mut states: BTreeMap<NodeId, Reported> = BTreeMap::new();
        for &id in &self.names.sources {
            positions.entry(self.names.name(id).to_owned()).or_default();
        }
        for report in epoch.reports {
            match report {
                NodeReport::Position(id, p) => {
                    positions.entry(self.names.name(id).to_owned()).or_default().0.extend(p.0);
                }
                NodeReport::Prepared(id, f) => prepared.entry(self.names.name(id).to_owned()).or_default().push(f),
                NodeReport::State { node, full, snapshot, frozen } => {
                    states.entry(node).or_default().add(full, snapshot, frozen);
                }
            }
        }
        let number = epoch.barrier.epoch;
        let sinks = self.seal(number, prepared).await?;
        let (operators, bytes) = self.write_states(number, states).await?;
        self.metrics.run().snapshot_bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut manifest = Manifest {
            version: FORMAT_VERSION,
            pipeline: self.pipeline.clone(),
            generation: self.generation,
            epoch: number,
            positions,
            operators,
            sinks,
        };
        if let Some(rebuild) = &self.rebuild {
            rebuild.complete(&mut manifest);
        }
        let positions = manifest.positions.clone();
        publish(self.store.as_ref(), &manifest).await?;
        let commits = self.committers.iter_mut().filter_map(|(name, c)| {
            let token = manifest.sinks.get(name)?;
            Some(async move { c.commit(number, token).await.map_err(|e| e.at(format!("sink {name:?}"))) })
        });
        try_join_all(commits).await?;
        control.acknowledge(number, positions.clone());
        self.settle_cold(&manifest);
        let sinks = Arc::new(manifest.sinks.clone());
        let previous = self.newest.replace(manifest);
        self.count(number, epoch.since);
        let committed = Committed {
            epoch: number,
            generation: self.generation,
            positions,
            sinks,
            rows: epoch.rows,
            last: epoch.barrier.last,
        };
        self.observer.on_committed(&committed).await?;
        if let Some(newest) = &self.newest
            && let Err(e) = sweep(self.store.as_ref(), newest, previous.as_ref()).await
        {
            tracing::warn!("old manifests were not swept: {e}");
        }
        Ok(())
    }

    async fn seal(
        &mut self,
        epoch: u64,
        mut prepared: BTreeMap<String, Vec<PrepareFuture>>,
    ) -> Result<BTreeMap<String, Token>> {
        let sealing = self.committers.iter_mut().map(|(name, committer)| {
            let parts = prepared.remove(name).unwrap_or_default();
            async move {
                let sealed = async {
                    let parts: Vec<Part> = try_join_all(parts).await?;
                    committer.seal(epoch, parts).await
                };
                let token = sealed.await.map_err(|e| e.at(format!("sink {name:?}")))?;
                Ok::<_, Error>((name.clone(), token))
            }
        });
        Ok(try_join_all(sealing).await?.into_iter().collect())
    }

    async fn write_states(
        &mut self,
        epoch: u64,
        states: BTreeMap<NodeId, Reported>,
    ) -> Result<(BTreeMap<String, OperatorState>, u64)> {
        let operators = self.names.operators.iter().map(|&id| {
            let (name, fingerprint) = self.names.nodes[id.0].clone();
            let before = self.newest.as_ref().and_then(|m| m.operators.get(&name)).cloned();
            Named { id, name, fingerprint, before: before.unwrap_or_default() }
        });
        let writer = StateWriter::new(self.store.as_ref(), &self.pipeline, self.generation, epoch);
        writer.write(operators.collect(), states).await
    }

    /// From now on what was frozen is read from where the manifest says.
    fn settle_cold(&self, manifest: &Manifest) {
        for &id in &self.names.operators {
            if let Some(state) = manifest.operators.get(self.names.name(id)) {
                self.shelf.settle(id, manifest.epoch, &state.cold);
            }
        }
    }

    fn count(&self, epoch: u64, since: Instant) {
        let run = self.metrics.run();
        run.epoch.store(epoch, Ordering::Relaxed);
        run.epochs_committed.fetch_add(1, Ordering::Relaxed);
        run.commit_millis.store(since.elapsed().as_millis() as u64, Ordering::Relaxed);
    }
}
