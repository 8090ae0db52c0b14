//! A pipeline to the engine's graph: the one place where parts are wired.

#[cfg(test)]
mod incremental_tests;
mod model;
mod part;
mod rejects;
mod sinks;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use sluice_engine::graph::{Exchange, Graph, Input, NodeId};
use sluice_engine::metrics::Waits;
use sluice_engine::{Operator, Result, SourceContext};
use sluice_operators::decode::json::{DECODED, DecodeReplayed, REJECTED};
use sluice_operators::source::constant::ConstantSource;
use sluice_operators::source::replayed::{FindRejects, ReplayedSource};
use sluice_operators::store::Store;
use sluice_operators::transform::union::Union;

pub use self::model::{GivenSource, model_graph};
use self::part::Part;
pub use self::part::build_part;
use self::rejects::Rejects;
pub use self::sinks::clickhouse_config;
use super::plan::{How, ModelPlan, Pipeline};
use super::streams::Stream;
use crate::replay::{Replay, decodable};
use crate::sources::{SourceFactory, Sources};
use crate::sql::fingerprint;
use crate::sql::op::Op;

/// What building a graph needs beside the pipeline.
pub struct GraphContext {
    /// The lake.
    pub store: Store,
    /// Which start of the pipeline this is.
    pub generation: u64,
    /// The runtime for everything asynchronous.
    pub runtime: tokio::runtime::Handle,
    /// Told what the run waits for.
    pub waits: Waits,
    /// Reads rejects of these streams in place of all streams' sources.
    pub replay: Option<Replay>,
}

/// A table's rows inside the graph.
#[derive(Debug, Clone, Copy)]
struct Output {
    node: NodeId,
    port: usize,
}

impl Output {
    fn input(self, exchange: Exchange) -> Input {
        Input { from: self.node, port: self.port, exchange }
    }
}

/// Builds the graph of a pipeline.
///
/// # Errors
/// `Config` when a source or a table cannot be what the project says.
pub fn build_graph(pipeline: &Pipeline, context: &GraphContext) -> Result<Graph> {
    let mut wiring = Wiring { pipeline, context, nodes: Nodes::default(), part: None };
    wiring.streams()?;
    wiring.seeds()?;
    for model in pipeline.models.values() {
        wiring.model(model)?;
    }
    wiring.rejects()?;
    Ok(wiring.nodes.graph)
}

/// Nodes that make rows.
#[derive(Default)]
struct Nodes {
    graph: Graph,
    tables: BTreeMap<String, Output>,
    rejects: Rejects,
}

/// Nodes, and the tables that they end in.
struct Wiring<'a> {
    pipeline: &'a Pipeline,
    context: &'a GraphContext,
    nodes: Nodes,
    /// What alone is built; all of it when none.
    part: Option<Part<'a>>,
}

impl Wiring<'_> {
    fn streams(&mut self) -> Result<()> {
        let sources = Sources::of(&self.pipeline.project)?;
        for stream in &self.pipeline.streams {
            if self.stored(&stream.table, &stream.path, &stream.schema)? {
                continue;
            }
            let build = match &self.context.replay {
                // A stream that is new begins when the changed tables are there.
                _ if self.part.is_some() => nothing(),
                None => sources.factory(stream)?,
                Some(replay) => self.rejects_of(stream, replay),
            };
            let source = self.nodes.graph.source(format!("source/{}.{}", stream.source, stream.name), build)?;
            let decoded = self.decode(stream, source)?;
            self.nodes.rejects.add(Output { node: decoded.node, port: REJECTED });
            self.nodes.tables.insert(stream.table.clone(), decoded);
            self.delta_sink(&stream.table, self.pipeline.stream_table(&self.context.store, stream), decoded)?;
        }
        Ok(())
    }

    fn decode(&mut self, stream: &Stream, source: NodeId) -> Result<Output> {
        let (stream_again, is_replay) = (stream.clone(), self.context.replay.is_some());
        let name = format!("decode/{}", stream.table);
        let fingerprint = stream.fingerprint();
        let build = move || {
            let decode = stream_again.decoder()?;
            Ok(if is_replay { Box::new(DecodeReplayed::new(decode)) as _ } else { Box::new(decode) as _ })
        };
        let node = self.nodes.operator(name, fingerprint, vec![Input::forward(source)], build)?;
        Ok(Output { node, port: DECODED })
    }

    /// Rejects of a stream, read when the tables have been recovered; none when they are not wanted.
    fn rejects_of(&self, stream: &Stream, replay: &Replay) -> SourceFactory {
        let wanted = replay.wants(stream).then(|| stream.clone());
        let (store, runtime) = (self.context.store.clone(), self.context.runtime.clone());
        let find: FindRejects = Arc::new(move || match &wanted {
            Some(stream) => runtime.block_on(decodable(&store, stream)),
            None => Ok(vec![]),
        });
        Box::new(move |c| Ok(Box::new(ReplayedSource::new(find.clone(), c.clone())) as _))
    }

    fn seeds(&mut self) -> Result<()> {
        for seed in &self.pipeline.seeds {
            if self.stored(&seed.table, &seed.path, &seed.rows.schema())? {
                continue;
            }
            let node = self.nodes.constant(&format!("seed/{}", seed.table), seed.rows.clone())?;
            self.nodes.tables.insert(seed.table.clone(), node);
            let table = self.begins(&seed.table, self.pipeline.seed_table(&self.context.store, seed));
            self.delta_sink(&seed.table, table, node)?;
        }
        Ok(())
    }

    fn model(&mut self, model: &ModelPlan) -> Result<()> {
        let How::Stream(op) = &model.how else { return Ok(()) };
        if self.stored(&model.table, &model.path, &model.schema)? {
            return Ok(());
        }
        let output = self.nodes.model(op, &model.schema, &model.table)?;
        self.nodes.tables.insert(model.table.clone(), output);
        let table = self.begins(&model.table, self.pipeline.model_table(&self.context.store, model));
        self.delta_sink(&model.table, table, output)?;
        // A database is filled from the lake when the table is there.
        if model.clickhouse && self.part.is_none() { self.clickhouse_sink(model, output) } else { Ok(()) }
    }
}

/// A source that gives nothing.
fn nothing() -> SourceFactory {
    let find: FindRejects = Arc::new(|| Ok(vec![]));
    Box::new(move |c| Ok(Box::new(ReplayedSource::new(find.clone(), c.clone())) as _))
}

impl Nodes {
    /// A model's operators: its rows, under its own names.
    fn model(&mut self, op: &Op, schema: &SchemaRef, table: &str) -> Result<Output> {
        let output = self.op(op, table, table)?;
        self.named_as(output, op, schema, table)
    }

    /// Rows that are known. A source has no fingerprint, so they pass through an operator that has theirs.
    fn constant(&mut self, name: &str, rows: RecordBatch) -> Result<Output> {
        let (fingerprint, schema) = (fingerprint::of_rows(&rows), rows.schema());
        let build = move |c: &SourceContext| Ok(Box::new(ConstantSource::new(rows.clone(), c.clone())) as _);
        let source = self.graph.source(name, build)?;
        let build = move || Ok(Box::new(Union::new(schema.clone())) as _);
        let node = self.operator(format!("{name}:rows"), fingerprint, vec![Input::forward(source)], build)?;
        Ok(Output { node, port: 0 })
    }

    /// The model's own column names, on rows that have the plan's. A model that is another table as it stands has a node
    /// here too: it must be noticed when it becomes yet another one.
    fn named_as(&mut self, output: Output, op: &Op, to: &SchemaRef, table: &str) -> Result<Output> {
        if op.schema() == *to && !matches!(op, Op::Scan { .. }) {
            return Ok(output);
        }
        let fingerprint = fingerprint::short(format!("names v1 [{}]", fingerprint::of_schema(to)));
        let to = to.clone();
        let build = move || Ok(Box::new(Union::new(to.clone())) as _);
        let node =
            self.operator(format!("{table}/names"), fingerprint, vec![output.input(Exchange::Forward)], build)?;
        Ok(Output { node, port: 0 })
    }

    /// Adds an operator. What it reads is part of its fingerprint: it may be the same over another table.
    fn operator(
        &mut self,
        name: String,
        fingerprint: String,
        inputs: Vec<Input>,
        build: impl Fn() -> Result<Box<dyn Operator>> + Send + Sync + 'static,
    ) -> Result<NodeId> {
        let read = inputs.iter().map(|i| format!("{}:{}", self.graph.nodes()[i.from.0].name, i.port));
        let fingerprint = format!("{fingerprint} reads {}", read.collect::<Vec<_>>().join(", "));
        self.graph.operator(name, fingerprint::short(fingerprint), inputs, build)
    }
}
