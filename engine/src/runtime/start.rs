//! The start of a run: the newest manifest is committed again, state read, and the graph built where it left off.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::build::{Layout, build};
use super::commit::{Begun, CommitLane, NodeNames};
use super::control::Control;
use super::observer::Observer;
use super::restore::{States, check_same_graph, load_states, open_and_restore};
use super::run::{Claim, RunConfig};
use super::shelf::Shelf;
use super::stage::Stage;
use crate::checkpoint::{CheckpointStore, Manifest, newest, refuse_if_newer};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, NodeKind};
use crate::sink::Committer;

/// Rows of an epoch that nothing bounds but its sources; sums with it do not overflow.
const REBUILD_ROWS_MAX: u64 = 1 << 60;

/// A graph whose tables are at the newest manifest and whose state has been read; it is not built yet.
pub(super) struct Recovered {
    pub config: RunConfig,
    pub control: Arc<Control>,
    shelf: Arc<Shelf>,
    pub generation: u64,
    graph: Graph,
    last: Option<Manifest>,
    committers: Vec<(String, Box<dyn Committer>)>,
    states: States,
}

impl Recovered {
    /// Recovers what the claim's manifest says.
    ///
    /// # Errors
    /// `Config` when the configuration or the manifest does not fit the graph; those of committers and store otherwise.
    pub async fn of(
        mut graph: Graph,
        claim: Claim,
        store: &Arc<dyn CheckpointStore>,
        mut config: RunConfig,
    ) -> Result<Recovered> {
        if config.workers == 0 {
            return Err(Error::config("run.workers is 0; give at least 1, or \"auto\""));
        }
        let Claim { generation, mut last } = claim;
        if config.rebuild.is_some() {
            // One epoch, at the end of all sources.
            config.until_idle = true;
            (config.tick, config.epoch, config.epoch_rows_max) = (Duration::MAX, Duration::MAX, REBUILD_ROWS_MAX);
        } else if let Some(manifest) = &last {
            check_same_graph(&graph, manifest)?;
        }
        config.metrics.run().generation.store(generation, Ordering::Relaxed);
        config.metrics.run().epoch.store(last.as_ref().map_or(0, |m| m.epoch), Ordering::Relaxed);

        let mut committers = take_committers(&mut graph);
        if !committers.iter().any(|(_, c)| c.shows_early()) {
            config.tick = Duration::MAX;
        }
        let recovered = recover(store.as_ref(), &mut committers, last.as_ref(), config.rebuild.is_none()).await;
        let states = match recovered {
            Ok(states) => states,
            Err(e) => {
                let epoch = last.as_ref().map_or(0, |m| m.epoch);
                refuse_if_overtaken(store.as_ref(), &config.pipeline, generation, epoch).await?;
                return Err(e);
            }
        };
        if let Some(last) = last.as_mut().filter(|_| config.rebuild.is_some()) {
            last.operators.clear();
            last.positions.clear();
        }
        let control = Arc::new(Control::new(graph.nodes().len()));
        let shelf =
            Shelf::new(graph.nodes().len(), store.clone(), tokio::runtime::Handle::current(), config.metrics.clone());
        for (i, node) in graph.nodes().iter().enumerate() {
            let state = last.as_ref().and_then(|m| m.operators.get(&node.name));
            state.into_iter().for_each(|s| shelf.settle(NodeId(i), u64::MAX, &s.cold));
        }
        let shelf = Arc::new(shelf);
        Ok(Recovered { config, control, shelf, generation, graph, last, committers, states })
    }

    /// Builds the stages of all workers, gives them their state and opens the sources. May block: sources look at brokers
    /// and sinks at tables. To be called once.
    ///
    /// # Errors
    /// What the parts report.
    pub fn build(&mut self, runtime: tokio::runtime::Handle) -> Result<Vec<Vec<Stage>>> {
        let layout = Layout {
            graph: &self.graph,
            workers: self.config.workers,
            generation: self.generation,
            until_idle: self.config.until_idle,
            batch_rows: self.config.batch_rows,
            batch_bytes: self.config.batch_bytes,
            runtime,
            control: self.control.clone(),
            shelf: self.shelf.clone(),
            metrics: &self.config.metrics,
        };
        let mut stages = build(&layout)?;
        open_and_restore(&mut stages, self.last.as_ref(), std::mem::take(&mut self.states))?;
        let first_epoch = self.last.as_ref().map_or(0, |m| m.epoch) + 1;
        stages.iter_mut().flatten().for_each(|s| s.begin_epoch(first_epoch));
        Ok(stages)
    }

    /// What commits the run's epochs.
    pub fn into_lane(self, store: Arc<dyn CheckpointStore>, observer: Box<dyn Observer>) -> CommitLane {
        let begun = Begun {
            generation: self.generation,
            newest: self.last,
            committers: self.committers,
            names: NodeNames::of(&self.graph),
            shelf: self.shelf,
            rebuild: self.config.rebuild.clone(),
        };
        CommitLane::new(store, &self.config, begun, observer)
    }
}

async fn recover(
    store: &dyn CheckpointStore,
    committers: &mut [(String, Box<dyn Committer>)],
    last: Option<&Manifest>,
    with_states: bool,
) -> Result<States> {
    for (name, committer) in committers {
        let token = last.and_then(|m| m.sinks.get(name).map(|t| (m.epoch, t.clone())));
        committer.recover(token).await.map_err(|e| e.at(format!("sink {name:?}")))?;
    }
    match last.filter(|_| with_states) {
        Some(manifest) => load_states(store, manifest).await,
        None => Ok(Default::default()),
    }
}

/// What fails at a start may fail because another run goes on meanwhile: its tables are ahead of the manifest that was
/// read here, or its state has been swept. Then that is what is to be said.
async fn refuse_if_overtaken(store: &dyn CheckpointStore, pipeline: &str, generation: u64, epoch: u64) -> Result<()> {
    refuse_if_newer(store, pipeline, generation).await?;
    match newest(store, pipeline).await? {
        Some(other) if other.epoch > epoch => Err(Error::transient(format!(
            "pipeline {pipeline:?} is still run by another sluice (generation {}), which has committed epoch {} while this \
             one (generation {generation}) started; it ends by itself now, and this one starts again from there",
            other.generation, other.epoch
        ))),
        _ => Ok(()),
    }
}

fn take_committers(graph: &mut Graph) -> Vec<(String, Box<dyn Committer>)> {
    let mut committers = Vec::new();
    for node in graph.nodes_mut() {
        if let NodeKind::Sink(_, committer) = &mut node.kind
            && let Some(committer) = committer.take()
        {
            committers.push((node.name.clone(), committer));
        }
    }
    committers
}
