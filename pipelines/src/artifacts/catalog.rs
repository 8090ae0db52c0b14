//! `catalog.json`: the columns of all tables, with their types.

use datafusion::arrow::datatypes::Schema;
use serde_json::{Map, Value as Json, json};

use super::{Invocation, ids};
use crate::compile::{Pipeline, spark_name};

/// The catalog of a pipeline's tables, as they are planned.
pub fn catalog(pipeline: &Pipeline, by: &Invocation) -> Json {
    let project = &pipeline.project;
    let models = project.models.values().filter_map(|model| {
        let plan = pipeline.models.get(&model.name)?;
        Some((ids::of_model(model), (model.schema.as_str(), model.alias.as_str()), &plan.schema))
    });
    let seeds = project.seeds.iter().zip(&pipeline.seeds);
    let seeds: Vec<_> = seeds.map(|(seed, table)| (seed, table.rows.schema())).collect();
    let seeds =
        seeds.iter().map(|(seed, schema)| (ids::of_seed(seed), (seed.schema.as_str(), seed.alias.as_str()), schema));
    let nodes: Map<String, Json> =
        models.chain(seeds).map(|(id, name, schema)| (id.clone(), table(&id, name, schema))).collect();
    let sources = pipeline.streams.iter().filter_map(|stream| {
        let source = project.source(&stream.source, &stream.name)?;
        let id = ids::of_source(source);
        Some((id.clone(), table(&id, (&source.schema, &source.identifier), &stream.schema)))
    });
    let sources: Map<String, Json> = sources.collect();
    json!({ "metadata": by.metadata("catalog", 1), "nodes": nodes, "sources": sources, "errors": null })
}

fn table(id: &str, (schema, name): (&str, &str), columns: &Schema) -> Json {
    let column = |(index, field): (usize, &std::sync::Arc<datafusion::arrow::datatypes::Field>)| {
        let column = json!({
            "type": spark_name(field.data_type()), "index": index + 1, "name": field.name(), "comment": null,
        });
        (field.name().clone(), column)
    };
    let columns: Map<String, Json> = columns.fields().iter().enumerate().map(column).collect();
    let none = json!({
        "id": "has_stats", "label": "Has Stats?", "value": false, "include": false,
        "description": "Indicates whether there are statistics for this table",
    });
    json!({
        "metadata": { "type": "table", "schema": schema, "name": name, "database": null, "comment": null, "owner": null },
        "columns": columns, "stats": { "has_stats": none }, "unique_id": id,
    })
}
