//! The names of nodes that are unique over all packages, as dbt makes them.

use md5::{Digest, Md5};

use crate::project::{DataTest, Exposure, Materialized, Model, NodeRef, Project, Seed, SourceTable, UnitTest};

/// The MD5 of a text in hexadecimal digits.
pub(super) fn hash(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `model` or `snapshot`.
pub(super) fn kind(model: &Model) -> &'static str {
    if model.materialized == Materialized::Snapshot { "snapshot" } else { "model" }
}

pub(super) fn of_model(model: &Model) -> String {
    format!("{}.{}.{}", kind(model), model.package, model.name)
}

pub(super) fn of_seed(seed: &Seed) -> String {
    format!("seed.{}.{}", seed.package, seed.name)
}

pub(super) fn of_source(table: &SourceTable) -> String {
    format!("source.{}.{}.{}", table.package, table.source, table.name)
}

/// Generic tests may have one name twice, so that the name is not enough.
pub(super) fn of_test(test: &DataTest) -> String {
    let id = format!("test.{}.{}", test.package, test.name);
    if test.kind == "singular" {
        return id;
    }
    let column = test.column.as_deref().unwrap_or_default();
    let all = format!("{id}/{}/{column}/{}", test.kind, serde_json::Value::Object(test.args.clone()));
    format!("{id}.{}", &hash(&all)[..10])
}

pub(super) fn of_unit_test(test: &UnitTest) -> String {
    format!("unit_test.{}.{}.{}", test.package, test.model, test.name)
}

pub(super) fn of_exposure(exposure: &Exposure) -> String {
    format!("exposure.{}.{}", exposure.package, exposure.name)
}

/// The id of what is read; none when it is not there.
pub(super) fn of_node(project: &Project, node: &NodeRef) -> Option<String> {
    match node {
        NodeRef::Model(name) => project.models.get(name).map(of_model),
        NodeRef::Seed(name) => project.seed(name).map(of_seed),
        NodeRef::Source { source, table } => project.source(source, table).map(of_source),
    }
}
