//! What of a lake a changed project makes anew, and what goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sluice_engine::Result;
use sluice_engine::checkpoint::Manifest;
use sluice_engine::graph::{Graph, Node, NodeKind};
use sluice_engine::runtime::check_same_graph;

use super::plan::{How, ModelPlan, Pipeline};
use crate::node_names::{stream_of, stream_source};
use crate::sql::op::Op;

/// Why a table is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No epoch has written it yet.
    New,
    /// Its rows are made in another way than before.
    Changed,
    /// Its files are divided by other columns than before.
    Partitioned,
    /// It reads this table, which is made anew.
    Reads(String),
    /// Somebody asked for it.
    Asked,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::New => f.write_str("it is new"),
            Why::Changed => f.write_str("it has changed"),
            Why::Partitioned => f.write_str("its partitions have changed"),
            Why::Reads(table) => write!(f, "it reads {table}"),
            Why::Asked => f.write_str("a full refresh was asked for"),
        }
    }
}

/// A table that is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Why.
    pub why: Why,
    /// The tables that its model reads; none for a seed.
    pub from: BTreeSet<String>,
}

/// What differs between a project and the newest manifest of its lake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tables of models and seeds that are made anew.
    pub rebuilt: BTreeMap<String, Rebuilt>,
    /// Bronze tables of streams that no run has read yet.
    pub new_streams: BTreeSet<String>,
    /// Tables of models and seeds that the graph writes no longer; a full query may.
    pub gone: BTreeSet<String>,
    /// True when any node differs.
    differs: bool,
}

impl Changes {
    /// Compares the whole graph of a pipeline with the manifest. Tables in `partitioned` are divided otherwise than the lake's,
    /// and those in `asked` are made anew in any case; so is everything that reads them.
    ///
    /// # Errors
    /// `Config` when the declaration of a stream has changed, or a stream is gone: its rows are not made anew.
    pub fn of(
        pipeline: &Pipeline,
        whole: &Graph,
        manifest: &Manifest,
        partitioned: &BTreeSet<String>,
        asked: &BTreeSet<String>,
    ) -> Result<Changes> {
        let mut changes = Changes::default();
        let touched = changes.compare(pipeline, whole, manifest)?;
        for seed in &pipeline.seeds {
            let why = touched.get(&seed.table).cloned().or_else(|| asked.contains(&seed.table).then_some(Why::Asked));
            changes.rebuild(&seed.table, why, BTreeSet::new());
        }
        for model in pipeline.models.values() {
            let How::Stream(op) = &model.how else { continue };
            let from = tables_read(op);
            let reads = from.iter().find(|table| changes.rebuilt.contains_key(*table));
            let why = touched.get(&model.table).cloned();
            let why = why.or_else(|| partitioned.contains(&model.table).then_some(Why::Partitioned));
            let why = why.or_else(|| reads.map(|table| Why::Reads(table.clone())));
            let why = why.or_else(|| asked.contains(&model.table).then_some(Why::Asked));
            changes.rebuild(&model.table, why, from);
        }
        changes.differs |= !changes.rebuilt.is_empty();
        Ok(changes)
    }

    /// True when a run goes on from the manifest as it is.
    pub fn are_none(&self) -> bool {
        !self.differs
    }

    /// Tables that stay as they are and are read by those that are made anew.
    pub fn read(&self) -> BTreeSet<&str> {
        let read = self.rebuilt.values().flat_map(|r| r.from.iter().map(String::as_str));
        read.filter(|table| !self.rebuilt.contains_key(*table) && !self.new_streams.contains(*table)).collect()
    }

    fn rebuild(&mut self, table: &str, why: Option<Why>, from: BTreeSet<String>) {
        self.rebuilt.extend(why.map(|why| (table.to_owned(), Rebuilt { why, from })));
    }

    /// The tables of models and seeds of which a node differs.
    fn compare(&mut self, pipeline: &Pipeline, whole: &Graph, manifest: &Manifest) -> Result<BTreeMap<String, Why>> {
        let mut touched = BTreeMap::new();
        for node in whole.nodes() {
            let before = before(node, manifest);
            if before == Before::Same {
                continue;
            }
            self.differs = true;
            match owner(&node.name) {
                Owner::Shared => {}
                Owner::Stream if before == Before::Missing => {
                    self.new_streams.extend(stream_table(pipeline, &node.name))
                }
                Owner::Stream => check_same_graph(whole, manifest)?,
                Owner::Table(table) if pipeline.streams.iter().any(|s| s.table == table) => {}
                Owner::Table(table) => {
                    let is_new = !manifest.sinks.contains_key(&super::tables::delta_node(table));
                    touched.insert(table.to_owned(), if is_new { Why::New } else { Why::Changed });
                }
            }
        }
        // A stream of which only a part is new has changed.
        let known = |s: &&super::streams::Stream| manifest.positions.contains_key(&stream_source(s));
        if pipeline.streams.iter().filter(known).any(|s| self.new_streams.contains(&s.table)) {
            check_same_graph(whole, manifest)?;
        }
        let names = manifest.positions.keys().chain(manifest.operators.keys()).chain(manifest.sinks.keys());
        for name in names.filter(|name| !whole.nodes().iter().any(|n| n.name == **name)) {
            self.differs = true;
            match owner(name) {
                Owner::Shared => {}
                Owner::Stream => check_same_graph(whole, manifest)?,
                Owner::Table(table) if is_written(pipeline, table) => {
                    touched.entry(table.to_owned()).or_insert(Why::Changed);
                }
                Owner::Table(table) => {
                    self.gone.insert(table.to_owned());
                }
            }
        }
        Ok(touched)
    }
}

/// Whether operators of the pipeline write a table.
fn is_written(pipeline: &Pipeline, table: &str) -> bool {
    let streamed = |m: &ModelPlan| m.table == table && matches!(m.how, How::Stream(_));
    pipeline.seeds.iter().any(|s| s.table == table) || pipeline.models.values().any(streamed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Same,
    Other,
    Missing,
}

/// What a manifest knows of a node. A sink that fills itself needs nothing from it.
fn before(node: &Node, manifest: &Manifest) -> Before {
    let is_known = match &node.kind {
        NodeKind::Source(_) => manifest.positions.contains_key(&node.name),
        NodeKind::Operator(_) => match manifest.operators.get(&node.name) {
            Some(state) if state.fingerprint != node.fingerprint => return Before::Other,
            found => found.is_some(),
        },
        NodeKind::Sink(_, committer) => {
            committer.as_ref().is_some_and(|c| c.fills_itself()) || manifest.sinks.contains_key(&node.name)
        }
    };
    if is_known { Before::Same } else { Before::Missing }
}

/// Whose a node is.
#[derive(Debug, PartialEq, Eq)]
enum Owner<'a> {
    /// A stream reads or decodes with it.
    Stream,
    /// It makes or writes this table.
    Table(&'a str),
    /// Nobody's: rejects of all, copies in databases.
    Shared,
}

fn owner(node: &str) -> Owner<'_> {
    if stream_of(node).is_some() || node.starts_with(DECODE) {
        return Owner::Stream;
    }
    if node.starts_with("clickhouse/") || node.starts_with("rejects:") || node == "delta/rejects" {
        return Owner::Shared;
    }
    let name = node.strip_prefix("delta/").or_else(|| node.strip_prefix("seed/")).unwrap_or(node);
    // `layer.model`, then the place in its plan.
    let name = name.split([':', '/']).next().unwrap_or(name);
    let end = name.match_indices('.').nth(1).map_or(name.len(), |(at, _)| at);
    Owner::Table(&name[..end])
}

/// What the name of a stream's decoder begins with.
const DECODE: &str = "decode/";

fn stream_table(pipeline: &Pipeline, node: &str) -> Option<String> {
    let is_its = |s: &&super::streams::Stream| {
        stream_source(s) == node || node.strip_prefix(DECODE).is_some_and(|table| table == s.table)
    };
    pipeline.streams.iter().find(is_its).map(|s| s.table.clone())
}

/// The tables that a plan reads.
fn tables_read(op: &Op) -> BTreeSet<String> {
    match op {
        Op::Scan { table, .. } => [table.clone()].into(),
        _ => op.inputs().into_iter().flat_map(tables_read).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each node's name says whose it is.
    #[test]
    fn owners() {
        assert_eq!(owner("source/shop.orders"), Owner::Stream);
        assert_eq!(owner("decode/bronze.orders"), Owner::Stream);
        for node in
            ["delta/gold.sums", "gold.sums:map", "gold.sums/names", "gold.sums..0:join", "gold.sums.:constant:rows"]
        {
            assert_eq!(owner(node), Owner::Table("gold.sums"), "{node}");
        }
        assert_eq!(owner("seed/silver.kinds:rows"), Owner::Table("silver.kinds"));
        for node in ["clickhouse/gold.sums", "rejects:2", "delta/rejects"] {
            assert_eq!(owner(node), Owner::Shared, "{node}");
        }
    }
}
