//! Whether the tables that are in the lake fit the project.

use datafusion::arrow::datatypes::SchemaRef;
use sluice_engine::{Error, ErrorKind};
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::sink::delta::{DeltaConfig, WriteMode, check_table};
use sluice_operators::store::{OWN_FOLDER, Store};

use crate::compile::Pipeline;
use crate::sql::op::Retractions;

/// The faults of the tables that are there: what a run would refuse. Stops at the first that says that the lake is away, as
/// all others would say the same.
pub async fn table_faults(pipeline: &Pipeline, store: &Store) -> Vec<Error> {
    let mut faults = Vec::new();
    for table in tables(pipeline, store) {
        if let Err(fault) = check_table(&table).await {
            let away = fault.kind() == ErrorKind::Transient;
            faults.push(fault);
            if away {
                break;
            }
        }
    }
    faults
}

/// All tables, as far as their form goes.
fn tables(pipeline: &Pipeline, store: &Store) -> Vec<DeltaConfig> {
    let table = |path: &str, schema: SchemaRef, mode: WriteMode| {
        DeltaConfig::new(store.clone(), path, format!("{}/check", pipeline.project.name), schema, mode)
    };
    let streams = pipeline
        .streams
        .iter()
        .map(|s| table(&s.path, s.schema.clone(), WriteMode::Append).partitioned_by(&s.partition_by));
    let seeds = pipeline.seeds.iter().map(|s| table(&s.path, s.rows.schema(), WriteMode::Append));
    let models = pipeline.models.values().map(|m| {
        let mode = if m.retractions == Retractions::None { WriteMode::Append } else { WriteMode::Changes };
        table(&m.path, m.schema.clone(), mode).partitioned_by(&m.partition_by).keyed_by(&m.key)
    });
    let rejects = table(&format!("{OWN_FOLDER}/rejects"), rejects_schema(), WriteMode::Append);
    streams.chain(seeds).chain(models).chain([rejects]).collect()
}
