//! A project to a pipeline: streams, models with their strategies, and the graph that the engine runs.

#[cfg(test)]
mod batch_tests;
mod changes;
mod contract;
mod describe;
mod graph;
mod placed;
mod plan;
mod streams;
mod tables;

pub use changes::{Changes, Rebuilt, Why};
pub use describe::{load_project, spark_name};
pub use graph::{GivenSource, GraphContext, build_graph, build_part, clickhouse_config, model_graph};
pub(crate) use placed::placed;
pub use plan::{How, ModelPlan, Pipeline, plan_project};
pub use streams::{SeedTable, Stream};
pub use tables::{LakeTable, REJECTS, TableName};
