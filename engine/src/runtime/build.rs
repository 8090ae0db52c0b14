//! Copies a graph onto the workers: stages, their entries and the rings between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::control::Control;
use super::edge::{OutEdge, Route};
use super::gather::{AtHome, gathers_on, homes};
use super::shelf::Shelf;
use super::stage::{Entry, EntryKind, NodeRun, Slot, Stage, Target};
use crate::channel::Ring;
use crate::error::Result;
use crate::graph::{Exchange, Graph, Node, NodeId, NodeKind, levels};
use crate::metrics::Metrics;
use crate::sink::SinkContext;
use crate::source::{Source, SourceContext};
use crate::state::Share;

/// What building needs to know about the run.
pub(super) struct Layout<'a> {
    pub graph: &'a Graph,
    pub workers: usize,
    pub generation: u64,
    pub until_idle: bool,
    pub batch_rows: usize,
    pub batch_bytes: usize,
    pub runtime: tokio::runtime::Handle,
    pub control: Arc<Control>,
    pub shelf: Arc<Shelf>,
    pub metrics: &'a Metrics,
}

/// A ring's place: receiving node, its input, sending worker, receiving worker.
type RingKey = (usize, usize, usize, usize);

/// The stages of all workers: outer by worker, inner by level.
pub(super) fn build(layout: &Layout<'_>) -> Result<Vec<Vec<Stage>>> {
    let levels = levels(layout.graph, layout.workers);
    let homes = homes(layout.graph, layout.workers);
    let rings = rings(layout, &levels);
    (0..layout.workers).map(|worker| build_worker(layout, &levels, &homes, &rings, worker)).collect()
}

/// Which workers a worker sends to over an edge.
fn receivers(exchange: &Exchange, node: &Node, worker: usize, workers: usize) -> Vec<usize> {
    match exchange {
        Exchange::Forward => vec![worker],
        Exchange::Hash(_) => (0..workers).collect(),
        Exchange::Gather => vec![gathers_on(node, workers)],
    }
}

/// The rings between stages that there are. A stage into which nothing comes (behind a gathering exchange, on another
/// worker than the one that gathers) is left out: it would never send a barrier, and whoever waited for one would wait
/// for ever.
fn rings(layout: &Layout<'_>, levels: &[usize]) -> BTreeMap<RingKey, Ring> {
    let depth = levels.iter().max().map_or(0, |m| m + 1);
    let mut there = vec![vec![false; layout.workers]; depth];
    let mut rings = BTreeMap::new();
    // Levels only grow along edges, so a level's senders are known when it is looked at.
    for level in 0..depth {
        for (n, node) in layout.graph.nodes().iter().enumerate().filter(|(n, _)| levels[*n] == level) {
            if matches!(node.kind, NodeKind::Source(_)) {
                there[level].fill(true);
            }
            for (i, input) in node.inputs.iter().enumerate().filter(|(_, i)| levels[i.from.0] < level) {
                for from in (0..layout.workers).filter(|from| there[levels[input.from.0]][*from]) {
                    for to in receivers(&input.exchange, node, from, layout.workers) {
                        rings.insert((n, i, from, to), Ring::default());
                    }
                }
            }
        }
        for &(n, _, _, to) in rings.keys() {
            there[level][to] |= levels[n] == level;
        }
    }
    rings
}

fn build_worker(
    layout: &Layout<'_>,
    levels: &[usize],
    homes: &[Option<usize>],
    rings: &BTreeMap<RingKey, Ring>,
    worker: usize,
) -> Result<Vec<Stage>> {
    let depth = levels.iter().max().map_or(0, |m| m + 1);
    let mut stages: Vec<Stage> = (0..depth).map(|_| empty_stage(layout, worker)).collect();
    let mut place = vec![0usize; levels.len()];
    for (n, node) in layout.graph.nodes().iter().enumerate() {
        let stage = &mut stages[levels[n]];
        place[n] = stage.slots.len();
        add_node(layout, stage, NodeId(n), homes[n], worker)?;
        for (i, _) in node.inputs.iter().enumerate() {
            for from in 0..layout.workers {
                if let Some(ring) = rings.get(&(n, i, from, worker)) {
                    let kind = EntryKind::Ring { ring: ring.clone(), slot: place[n], input: i };
                    stages[levels[n]].entries.push(Entry::new(kind));
                }
            }
        }
    }
    for (n, node) in layout.graph.nodes().iter().enumerate() {
        for (i, input) in node.inputs.iter().enumerate() {
            let stage = &mut stages[levels[input.from.0]];
            let target = if levels[input.from.0] == levels[n] {
                Target::Local { slot: place[n], input: i }
            } else {
                let to = receivers(&input.exchange, node, worker, layout.workers);
                let route = match &input.exchange {
                    Exchange::Hash(columns) => Route::Hash(columns.clone()),
                    _ => Route::Single,
                };
                let ends = to.iter().filter_map(|to| rings.get(&(n, i, worker, *to)).cloned()).collect();
                stage.edges.push(OutEdge::new(route, ends));
                Target::Edge(stage.edges.len() - 1)
            };
            let outputs = &mut stage.slots[place[input.from.0]].outputs;
            if outputs.len() <= input.port {
                outputs.resize_with(input.port + 1, Vec::new);
            }
            outputs[input.port].push(target);
        }
    }
    stages.retain(|s| !s.entries.is_empty());
    Ok(stages)
}

fn empty_stage(layout: &Layout<'_>, worker: usize) -> Stage {
    Stage {
        entries: vec![],
        slots: vec![],
        edges: vec![],
        control: layout.control.clone(),
        shelf: layout.shelf.clone(),
        worker,
        batch_rows: layout.batch_rows,
        batch_bytes: layout.batch_bytes,
        seen: 0,
        acknowledged: 0,
        next_entry: 0,
    }
}

fn add_node(layout: &Layout<'_>, stage: &mut Stage, id: NodeId, home: Option<usize>, worker: usize) -> Result<()> {
    let node = &layout.graph.nodes()[id.0];
    let named = |e: crate::error::Error| e.at(format!("node {:?}", node.name));
    let run = match &node.kind {
        NodeKind::Source(build) => {
            let context = SourceContext {
                name: node.name.clone(),
                worker,
                workers: layout.workers,
                until_idle: layout.until_idle,
            };
            let source: Box<dyn Source> = build(&context).map_err(named)?;
            let slot = stage.slots.len();
            stage.entries.push(Entry::new(EntryKind::Source { source, slot, not_before: None, tries: 0 }));
            NodeRun::Source
        }
        NodeKind::Operator(build) => {
            let operator = build(&()).map_err(named)?;
            NodeRun::Operator(match home {
                Some(home) => Box::new(AtHome::new(operator, home == worker)),
                None => operator,
            })
        }
        NodeKind::Sink(build, _) => {
            let context = SinkContext {
                name: node.name.clone(),
                worker,
                workers: layout.workers,
                generation: layout.generation,
                runtime: layout.runtime.clone(),
            };
            NodeRun::Sink(build(&context).map_err(named)?)
        }
    };
    let metrics = layout.metrics.instance(&node.name, worker);
    let share = match home {
        Some(_) => Share { worker: 0, workers: 1 },
        None => Share { worker, workers: layout.workers },
    };
    stage.slots.push(Slot { id, name: node.name.clone(), run, outputs: vec![], metrics, share });
    Ok(())
}
