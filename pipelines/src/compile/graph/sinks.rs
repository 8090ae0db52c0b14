//! Tables as nodes: in the lake and in ClickHouse.

use std::sync::Arc;

use sluice_engine::graph::{Exchange, Input};
use sluice_engine::metrics::Waits;
use sluice_engine::{Result, SinkContext};
use sluice_operators::sink::clickhouse::{ClickHouseCommitter, ClickHouseConfig, ClickHouseSink};
use sluice_operators::sink::delta::DeltaConfig;

use super::{Output, Wiring};
use crate::compile::plan::{ModelPlan, Pipeline};
use crate::compile::tables::delta_node;
use crate::lake::settled::DeltaSettled;

impl Wiring<'_> {
    pub(super) fn delta_sink(&mut self, table: &str, config: DeltaConfig, output: Output) -> Result<()> {
        self.add_delta_sink(table, config, vec![output.input(Exchange::Forward)])
    }

    pub(super) fn add_delta_sink(&mut self, table: &str, config: DeltaConfig, inputs: Vec<Input>) -> Result<()> {
        let name = delta_node(table);
        let committer = config.committer(&self.table_context(&name))?;
        let config = Arc::new(config);
        self.nodes.graph.sink(name, inputs, move |c| config.build(c), Box::new(committer))?;
        Ok(())
    }

    pub(super) fn clickhouse_sink(&mut self, model: &ModelPlan, output: Output) -> Result<()> {
        let Some(mut config) = clickhouse_config(self.pipeline, model) else { return Ok(()) };
        config.waits = self.context.waits.clone();
        let name = format!("clickhouse/{}", model.table);
        let settled = DeltaSettled::new(self.context.store.clone(), &model.path, model.key.clone());
        let committer = ClickHouseCommitter::new(config.clone(), self.context.generation, Some(Box::new(settled)))?;
        let build = move |c: &SinkContext| Ok(Box::new(ClickHouseSink::new(config.clone(), c)?) as _);
        // All changes of a key go through one worker, in order.
        let keys = model.key.iter().filter_map(|k| model.schema.index_of(k).ok()).collect();
        self.nodes.graph.sink(name, vec![output.input(Exchange::Hash(keys))], build, Box::new(committer))?;
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
        waits: Waits::default(),
    })
}
