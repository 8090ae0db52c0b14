//! The tables of a pipeline in the lake: how each is written, and which node of the graph does.

use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::sink::delta::{self, DeltaConfig, Keep, WriteMode};
use sluice_operators::store::{OWN_FOLDER, Store};

use super::plan::{How, ModelPlan, Pipeline};
use crate::project::{KEEP_LOG_MIN, KEEP_REMOVED_FILES_MIN};
use crate::sql::op::Retractions;

const fn same(one: Duration, other: Duration) -> bool {
    one.as_secs() == other.as_secs()
}
const _: () = assert!(same(KEEP_LOG_MIN, delta::KEEP_LOG_MIN), "settings and tables have one bound");
const _: () =
    assert!(same(KEEP_REMOVED_FILES_MIN, delta::KEEP_REMOVED_FILES_MIN), "settings and tables have one bound");

/// A table of the lake.
pub struct LakeTable {
    /// Its name, `layer.name`.
    pub name: String,
    /// How it is written.
    pub config: DeltaConfig,
    /// The graph's node that writes it; none when its model is refreshed.
    pub sink: Option<String>,
}

/// All tables of a pipeline that sluice writes.
pub fn lake_tables(pipeline: &Pipeline, store: &Store) -> Vec<LakeTable> {
    let written =
        |name: &str, config: DeltaConfig| LakeTable { name: name.to_owned(), config, sink: Some(delta_node(name)) };
    let streams = pipeline.streams.iter().map(|s| {
        let config =
            delta_config(pipeline, store, &s.path, &s.table, s.schema.clone(), WriteMode::Append, &s.description);
        written(&s.table, config.partitioned_by(&s.partition_by))
    });
    let seeds = pipeline.seeds.iter().map(|s| {
        let schema = s.rows.schema();
        written(&s.table, delta_config(pipeline, store, &s.path, &s.table, schema, WriteMode::Append, &s.description))
    });
    let models = pipeline.models.values().map(|model| LakeTable {
        sink: matches!(model.how, How::Stream(_)).then(|| delta_node(&model.table)),
        name: model.table.clone(),
        config: model_config(pipeline, store, model),
    });
    let rejects = written(REJECTS, rejects_config(pipeline, store, WriteMode::Changes));
    streams.chain(seeds).chain(models).chain([rejects]).collect()
}

/// The name of the table of rejects, beside the others' `layer.name`.
pub(super) const REJECTS: &str = "rejects";

/// The graph's node that writes a table of the lake.
pub(super) fn delta_node(table: &str) -> String {
    format!("delta/{table}")
}

/// The table of rejects.
pub(super) fn rejects_config(pipeline: &Pipeline, store: &Store, mode: WriteMode) -> DeltaConfig {
    let about = "records that could not be decoded and rows for which an expression fails, with the reason";
    delta_config(pipeline, store, &format!("{OWN_FOLDER}/rejects"), REJECTS, rejects_schema(), mode, about)
}

/// A model's table. One that is refreshed is replaced whole, and has no key.
pub fn model_config(pipeline: &Pipeline, store: &Store, model: &ModelPlan) -> DeltaConfig {
    let (mode, key) = match (&model.how, model.retractions) {
        (How::Refresh { .. }, _) => (WriteMode::Changes, &[][..]),
        (How::Stream(_), Retractions::None) => (WriteMode::Append, &model.key[..]),
        (How::Stream(_), Retractions::Rare) => (WriteMode::Changes, &model.key[..]),
        (How::Stream(_), Retractions::Frequent) => (WriteMode::Upsert, &model.key[..]),
    };
    delta_config(pipeline, store, &model.path, &model.table, model.schema.clone(), mode, &model.description)
        .partitioned_by(&model.partition_by)
        .keyed_by(key)
}

/// A table at `path` below the lake, neither divided nor keyed yet.
pub(super) fn delta_config(
    pipeline: &Pipeline,
    store: &Store,
    path: &str,
    table: &str,
    schema: SchemaRef,
    mode: WriteMode,
    about: &str,
) -> DeltaConfig {
    let app_id = format!("{}/{table}", pipeline.project.name);
    let mut config = DeltaConfig::new(store.clone(), path, app_id, schema, mode);
    let tables = pipeline.project.settings.tables;
    config.keep = Keep { log: tables.keep_log, removed_files: tables.keep_removed_files };
    config.description = (!about.is_empty()).then(|| about.to_owned());
    config
}
