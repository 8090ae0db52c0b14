//! `manifest.json`: all nodes of a project, and which reads which.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Invocation, ids, nodes};
use crate::project::Project;

/// What dbt's docs site shows first.
const OVERVIEW: &str =
    "Tables that sluice keeps up to date. Open the tree on the left, or the graph at the lower right.";

/// The manifest of a project: nodes, sources and tests with their SQL, and the graph. It has no macros: what templates made
/// of the SQL is in `compiled_code`.
pub fn manifest(project: &Project, by: &Invocation) -> Json {
    let mut metadata = by.metadata("manifest", 12);
    if let Json::Object(metadata) = &mut metadata {
        metadata.insert("project_name".into(), project.name.clone().into());
        metadata.insert("project_id".into(), ids::hash(&project.name).into());
        metadata.insert("user_id".into(), Json::Null);
        metadata.insert("send_anonymous_usage_stats".into(), false.into());
        metadata.insert("adapter_type".into(), "spark".into());
    }
    let mut all: Map<String, Json> = Map::new();
    all.extend(project.models.values().map(|model| (ids::of_model(model), nodes::model(project, model))));
    all.extend(project.seeds.iter().map(|seed| (ids::of_seed(seed), nodes::seed(project, seed))));
    all.extend(project.tests.iter().map(|test| (ids::of_test(test), nodes::test(project, test))));
    let sources: Map<String, Json> =
        project.sources.iter().map(|table| (ids::of_source(table), nodes::source(project, table))).collect();
    let unit_tests: Map<String, Json> =
        project.unit_tests.iter().map(|test| (ids::of_unit_test(test), nodes::unit_test(project, test))).collect();
    let exposures: Map<String, Json> =
        project.exposures.iter().map(|used| (ids::of_exposure(used), nodes::exposure(project, used))).collect();
    let (parents, children) = graph([&all, &sources, &unit_tests, &exposures]);
    let selectors: Map<String, Json> = project
        .selectors
        .iter()
        .map(|s| (s.name.clone(), json!({"name": s.name, "definition": s.definition, "description": s.description})))
        .collect();
    let overview = "doc.dbt.__overview__";
    let doc = json!({
        "name": "__overview__", "resource_type": "doc", "package_name": "dbt", "path": "overview.md",
        "original_file_path": "docs/overview.md", "unique_id": overview, "block_contents": OVERVIEW,
    });
    json!({
        "metadata": metadata, "nodes": all, "sources": sources, "macros": {}, "docs": { overview: doc }, "exposures": exposures,
        "metrics": {}, "groups": {}, "selectors": selectors, "disabled": {}, "parent_map": parents, "child_map": children,
        "group_map": {}, "saved_queries": {}, "semantic_models": {}, "unit_tests": unit_tests, "functions": {},
    })
}

type Edges = BTreeMap<String, Vec<String>>;

/// What each node reads, and what reads it.
fn graph(all: [&Map<String, Json>; 4]) -> (Edges, Edges) {
    let (mut parents, mut children) = (Edges::new(), Edges::new());
    for (id, node) in all.into_iter().flatten() {
        let read = node.get("depends_on").and_then(|reads| reads.get("nodes")).and_then(Json::as_array);
        let read: Vec<String> = read.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect();
        children.entry(id.clone()).or_default();
        for parent in &read {
            children.entry(parent.clone()).or_default().push(id.clone());
        }
        parents.insert(id.clone(), read);
    }
    (parents, children)
}
