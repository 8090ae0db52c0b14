//! A pipeline to the engine's graph: the one place where parts are wired.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use sluice_engine::graph::{Exchange, Graph, Input, NodeId};
use sluice_engine::{Error, Result, SinkContext};
use sluice_operators::decode::json::{DECODED, DecodeJson, DecodeSpec, REJECTED, rejects_schema};
use sluice_operators::join::equi::EquiJoin;
use sluice_operators::sink::clickhouse::{ClickHouseCommitter, ClickHouseConfig, ClickHouseSink};
use sluice_operators::sink::delta::{DeltaConfig, WriteMode};
use sluice_operators::source::constant::ConstantSource;
use sluice_operators::store::{OWN_FOLDER, Store};
use sluice_operators::transform::dedupe::Dedupe;
use sluice_operators::transform::explode::Explode;
use sluice_operators::transform::map::Map;
use sluice_operators::transform::union::Union;
use sluice_operators::window::aggregate::Aggregate;

use super::plan::{How, ModelPlan, Pipeline};
use super::streams::Stream;
use crate::lake::settled::DeltaSettled;
use crate::sources::Sources;
use crate::sql::op::{Op, Retractions};

/// What building a graph needs beside the pipeline.
pub struct GraphContext {
    /// The lake.
    pub store: Store,
    /// Which start of the pipeline this is.
    pub generation: u64,
    /// The runtime for everything asynchronous.
    pub runtime: tokio::runtime::Handle,
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
    let mut wiring = Wiring { pipeline, context, graph: Graph::new(), tables: BTreeMap::new() };
    wiring.streams()?;
    wiring.seeds()?;
    for model in pipeline.models.values() {
        wiring.model(model)?;
    }
    Ok(wiring.graph)
}

struct Wiring<'a> {
    pipeline: &'a Pipeline,
    context: &'a GraphContext,
    graph: Graph,
    tables: BTreeMap<String, Output>,
}

impl Wiring<'_> {
    fn streams(&mut self) -> Result<()> {
        let sources = Sources::of(&self.pipeline.project)?;
        let mut rejects = Vec::new();
        for stream in &self.pipeline.streams {
            let build = sources.factory(stream)?;
            let source = self.graph.source(format!("source/{}.{}", stream.source, stream.name), build)?;
            let decoded = self.decode(stream, source)?;
            rejects.push(Output { node: decoded.node, port: REJECTED }.input(Exchange::Forward));
            self.tables.insert(stream.table.clone(), decoded);
            let table =
                self.delta(&stream.path, &stream.table, stream.schema.clone(), WriteMode::Append, &stream.description);
            self.delta_sink(&stream.table, table.partitioned_by(&stream.partition_by), decoded)?;
        }
        let path = format!("{OWN_FOLDER}/rejects");
        let about = "records that could not be decoded, with their bytes, position and reason";
        let table = self.delta(&path, "rejects", rejects_schema(), WriteMode::Append, about);
        self.add_delta_sink("rejects", table, rejects)
    }

    fn decode(&mut self, stream: &Stream, source: NodeId) -> Result<Output> {
        let spec = DecodeSpec {
            stream: stream.name.clone(),
            fields: stream.fields.clone(),
            event_time: stream.event_time.clone(),
        };
        let name = format!("decode/{}", stream.table);
        let build = move || Ok(Box::new(DecodeJson::new(spec.clone())?) as _);
        let node = self.graph.operator(name, "", vec![Input::forward(source)], build)?;
        Ok(Output { node, port: DECODED })
    }

    fn seeds(&mut self) -> Result<()> {
        for seed in &self.pipeline.seeds {
            let node = self.constant(&format!("seed/{}", seed.table), seed.rows.clone())?;
            self.tables.insert(seed.table.clone(), node);
            let table = self.delta(&seed.path, &seed.table, seed.rows.schema(), WriteMode::Append, &seed.description);
            self.delta_sink(&seed.table, table, node)?;
        }
        Ok(())
    }

    fn constant(&mut self, name: &str, rows: datafusion::arrow::array::RecordBatch) -> Result<Output> {
        let build =
            move |c: &sluice_engine::SourceContext| Ok(Box::new(ConstantSource::new(rows.clone(), c.clone())) as _);
        Ok(Output { node: self.graph.source(name, build)?, port: 0 })
    }

    fn model(&mut self, model: &ModelPlan) -> Result<()> {
        let How::Stream(op) = &model.how else { return Ok(()) };
        let output = self.op(op, &model.table)?;
        let output = self.named_as(output, op.schema(), &model.schema, &model.table)?;
        self.tables.insert(model.table.clone(), output);
        let mode = match model.retractions {
            Retractions::None => WriteMode::Append,
            Retractions::Rare => WriteMode::Changes,
            Retractions::Frequent => WriteMode::Upsert,
        };
        let table = self.delta(&model.path, &model.table, model.schema.clone(), mode, &model.description);
        let table = table.partitioned_by(&model.partition_by).keyed_by(&model.key);
        self.delta_sink(&model.table, table, output)?;
        if model.clickhouse { self.clickhouse_sink(model, output) } else { Ok(()) }
    }

    /// The model's own column names, on rows that have the plan's.
    fn named_as(&mut self, output: Output, from: SchemaRef, to: &SchemaRef, table: &str) -> Result<Output> {
        if from == *to {
            return Ok(output);
        }
        let to = to.clone();
        let build = move || Ok(Box::new(Union::new(to.clone())) as _);
        let node = self.graph.operator(format!("{table}/names"), "", vec![output.input(Exchange::Forward)], build)?;
        Ok(Output { node, port: 0 })
    }

    /// Adds an operator and, first, what it reads. `name` is stable as long as the model's plan has the same shape.
    fn op(&mut self, op: &Op, name: &str) -> Result<Output> {
        let fingerprint = op.fingerprint();
        let inputs = op.inputs();
        let mut outputs = Vec::new();
        for (i, input) in inputs.iter().enumerate() {
            let name = if inputs.len() == 1 { format!("{name}.") } else { format!("{name}.{i}") };
            outputs.push(self.op(input, &name)?);
        }
        let forward = || outputs.iter().map(|o| o.input(Exchange::Forward)).collect::<Vec<_>>();
        let node = match op {
            Op::Scan { table, .. } => {
                let found = self.tables.get(table).copied();
                return found.ok_or_else(|| Error::bug(format!("table {table} is read before it is there")));
            }
            Op::Constant { rows } => return self.constant(&format!("{name}:constant"), rows.clone()),
            Op::Map { predicate, columns, schema, .. } => {
                let (predicate, columns, schema) = (predicate.clone(), columns.clone(), schema.clone());
                let build = move || Ok(Box::new(Map::new(predicate.clone(), columns.clone(), schema.clone())) as _);
                self.graph.operator(format!("{name}:map"), fingerprint, forward(), build)?
            }
            Op::Union { schema, .. } => {
                let schema = schema.clone();
                let build = move || Ok(Box::new(Union::new(schema.clone())) as _);
                self.graph.operator(format!("{name}:union"), fingerprint, forward(), build)?
            }
            Op::Explode { sources, list, schema, .. } => {
                let (sources, list, schema) = (sources.clone(), *list, schema.clone());
                let build = move || Ok(Box::new(Explode::new(sources.clone(), list, schema.clone())) as _);
                self.graph.operator(format!("{name}:explode"), fingerprint, forward(), build)?
            }
            Op::Aggregate { spec, .. } => {
                let by_key = Exchange::Hash((0..spec.keys.len()).collect());
                let spec = spec.clone();
                let build = move || Ok(Box::new(Aggregate::new(spec.clone())?) as _);
                self.graph.operator(format!("{name}:aggregate"), fingerprint, vec![outputs[0].input(by_key)], build)?
            }
            Op::Dedupe { spec, .. } => {
                let by_key = Exchange::Hash(spec.keys.clone());
                let spec = spec.clone();
                let build = move || Ok(Box::new(Dedupe::new(spec.clone())?) as _);
                self.graph.operator(format!("{name}:dedupe"), fingerprint, vec![outputs[0].input(by_key)], build)?
            }
            Op::Join { spec, .. } => {
                let left = outputs[0].input(Exchange::Hash(spec.left_keys.clone()));
                let right = outputs[1].input(Exchange::Hash(spec.right_keys.clone()));
                let spec = spec.clone();
                let build = move || Ok(Box::new(EquiJoin::new(spec.clone())?) as _);
                self.graph.operator(format!("{name}:join"), fingerprint, vec![left, right], build)?
            }
        };
        Ok(Output { node, port: 0 })
    }

    fn delta(&self, path: &str, table: &str, schema: SchemaRef, mode: WriteMode, about: &str) -> DeltaConfig {
        let app_id = format!("{}/{table}", self.pipeline.project.name);
        let mut config = DeltaConfig::new(self.context.store.clone(), path, app_id, schema, mode);
        config.description = (!about.is_empty()).then(|| about.to_owned());
        config
    }

    fn delta_sink(&mut self, table: &str, config: DeltaConfig, output: Output) -> Result<()> {
        self.add_delta_sink(table, config, vec![output.input(Exchange::Forward)])
    }

    fn add_delta_sink(&mut self, table: &str, config: DeltaConfig, inputs: Vec<Input>) -> Result<()> {
        let name = format!("delta/{table}");
        let committer = config.committer(&self.table_context(&name))?;
        let config = Arc::new(config);
        self.graph.sink(name, inputs, move |c| config.build(c), Box::new(committer))?;
        Ok(())
    }

    fn clickhouse_sink(&mut self, model: &ModelPlan, output: Output) -> Result<()> {
        let Some(config) = clickhouse_config(self.pipeline, model) else { return Ok(()) };
        let name = format!("clickhouse/{}", model.table);
        let settled = DeltaSettled::new(self.context.store.clone(), &model.path, model.key.clone());
        let committer = ClickHouseCommitter::new(config.clone(), self.context.generation, Some(Box::new(settled)))?;
        let build = move |c: &SinkContext| Ok(Box::new(ClickHouseSink::new(config.clone(), c)?) as _);
        // All changes of a key go through one worker, in order.
        let keys = model.key.iter().filter_map(|k| model.schema.index_of(k).ok()).collect();
        self.graph.sink(name, vec![output.input(Exchange::Hash(keys))], build, Box::new(committer))?;
        Ok(())
    }

    fn table_context(&self, name: &str) -> SinkContext {
        SinkContext {
            name: name.to_owned(),
            worker: 0,
            workers: 1,
            generation: self.context.generation,
            runtime: self.context.runtime.clone(),
        }
    }
}

/// A model's table in ClickHouse; none when the project has no ClickHouse.
pub fn clickhouse_config(pipeline: &Pipeline, model: &ModelPlan) -> Option<ClickHouseConfig> {
    let settings = pipeline.project.settings.clickhouse.as_ref()?;
    Some(ClickHouseConfig {
        pipeline: pipeline.project.name.clone(),
        url: settings.url.clone(),
        user: settings.user.clone().unwrap_or_else(|| "default".into()),
        password: settings.password.as_ref().map(|p| p.0.clone()).unwrap_or_default(),
        database: settings.database.clone(),
        table: model.path.rsplit('/').next().unwrap_or(&model.name).to_owned(),
        schema: model.schema.clone(),
        key: model.key.clone(),
        comment: model.description.clone(),
        descriptions: model.column_descriptions.clone(),
    })
}
