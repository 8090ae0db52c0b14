//! Nodes of the manifest, each with all that dbt writes of one of its kind.

use serde_json::{Map, Value as Json, json};

use super::ids;
use crate::project::{
    Column, Config, DataTest, Exposure, Model, NodeRef, Project, Seed, Severity, SourceTable, UnitTest,
};

/// What nodes of all kinds have.
struct Base<'a> {
    id: String,
    kind: &'a str,
    package: &'a str,
    name: &'a str,
    path: &'a str,
    /// Without the package.
    fqn: Vec<String>,
    schema: &'a str,
    alias: &'a str,
}

impl Base<'_> {
    fn fill(self, project: &Project, config: Json, tags: &[String], description: &str) -> Map<String, Json> {
        let path = in_package(project, self.package, self.path);
        let meta = config.get("meta").cloned().unwrap_or_else(|| json!({}));
        let fqn: Vec<&str> = std::iter::once(self.package).chain(self.fqn.iter().map(String::as_str)).collect();
        let node = json!({
            "database": null, "schema": self.schema, "name": self.name, "resource_type": self.kind,
            "package_name": self.package, "path": below(path), "original_file_path": path,
            "unique_id": self.id, "fqn": fqn, "alias": self.alias,
            "checksum": { "name": "none", "checksum": "" },
            "config": config, "tags": tags, "description": description, "columns": {}, "meta": meta, "group": null,
            "docs": { "show": true, "node_color": null }, "patch_path": null, "build_path": null,
            "unrendered_config": {}, "created_at": 0.0, "raw_code": "", "doc_blocks": [], "language": "sql",
        });
        match node {
            Json::Object(node) => node,
            _ => Map::new(),
        }
    }
}

/// A file's path below its package.
fn in_package<'a>(project: &Project, package: &str, path: &'a str) -> &'a str {
    let folder = project.packages.get(package).map_or("", String::as_str);
    path.strip_prefix(folder).unwrap_or(path)
}

/// A path without its first folder.
fn below(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, below)| below)
}

fn add(mut node: Map<String, Json>, more: Json) -> Json {
    if let Json::Object(more) = more {
        node.extend(more);
    }
    Json::Object(node)
}

/// Configs in the words of dbt: hooks have statements in lists, and a contract says more than whether there is one.
fn config(written: &Config, materialized: &str, enforced: bool) -> Json {
    const NOT_COPIED: [&str; 6] =
        ["pre_hook", "post_hook", "contract", "docs", "enabled", "snapshot_meta_column_names"];
    let mut config: Config = written
        .iter()
        .filter(|(key, _)| !NOT_COPIED.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let usual = json!({
        "enabled": true, "materialized": materialized, "tags": [], "meta": {}, "persist_docs": {}, "pre-hook": [],
        "post-hook": [], "quoting": {}, "column_types": {}, "grants": {}, "packages": [],
        "docs": { "show": true, "node_color": null }, "contract": { "enforced": enforced, "alias_types": true },
    });
    if let Json::Object(usual) = usual {
        for (key, value) in usual {
            if matches!(key.as_str(), "materialized" | "enabled") {
                config.insert(key, value);
            } else {
                config.entry(key).or_insert(value);
            }
        }
    }
    Json::Object(config)
}

fn columns<'a>(columns: impl IntoIterator<Item = (&'a str, &'a str, Option<&'a str>, &'a [Json])>) -> Json {
    let column = |(name, description, data_type, constraints): (&str, &str, Option<&str>, &[Json])| {
        let column = json!({
            "name": name, "description": description, "meta": {}, "data_type": data_type, "constraints": constraints,
            "quote": null, "config": { "meta": {}, "tags": [] }, "tags": [], "granularity": null, "doc_blocks": [],
        });
        (name.to_owned(), column)
    };
    Json::Object(columns.into_iter().map(column).collect())
}

fn declared(all: &[Column]) -> Json {
    columns(all.iter().map(|c| (c.name.as_str(), c.description.as_str(), c.data_type.as_deref(), &c.constraints[..])))
}

/// What a node reads: as `ref` and `source` calls, and as ids.
fn reads(project: &Project, nodes: &[NodeRef]) -> Json {
    let mut refs = Vec::new();
    let mut sources = Vec::new();
    for node in nodes {
        match node {
            NodeRef::Model(name) | NodeRef::Seed(name) => {
                refs.push(json!({"name": name, "package": null, "version": null}))
            }
            NodeRef::Source { source, table } => sources.push(json!([source, table])),
        }
    }
    let ids: Vec<String> = nodes.iter().filter_map(|node| ids::of_node(project, node)).collect();
    json!({
        "refs": refs, "sources": sources, "metrics": [], "functions": [],
        "depends_on": { "macros": [], "nodes": ids },
        "compiled": true, "extra_ctes_injected": true, "extra_ctes": [], "compiled_path": null,
    })
}

pub(super) fn model(project: &Project, model: &Model) -> Json {
    let base = Base {
        id: ids::of_model(model),
        kind: ids::kind(model),
        package: &model.package,
        name: &model.name,
        path: &model.path,
        fqn: model.fqn.clone(),
        schema: &model.schema,
        alias: &model.alias,
    };
    let enforced = model.contract_enforced();
    let config = config(&model.config, &model.materialized.to_string(), enforced);
    let mut node = base.fill(project, config, &model.tags, &model.description);
    if let Json::Object(reads) = reads(project, &model.depends_on) {
        node.extend(reads);
    }
    let described = |file| format!("{}://{}", model.package, in_package(project, &model.package, file));
    let patch = model.described.as_ref().map(|origin| described(&origin.file));
    let relation = model.has_table().then(|| format!("{}.{}", model.schema, model.alias));
    let mut more = json!({
        "raw_code": model.raw_sql.trim(), "compiled_code": model.sql, "columns": declared(&model.columns),
        "patch_path": patch, "relation_name": relation,
        "contract": { "enforced": enforced, "alias_types": true, "checksum": null },
    });
    if let (Json::Object(more), "model") = (&mut more, ids::kind(model)) {
        let access = model.config_text("access").unwrap_or_else(|| "protected".to_owned());
        more.insert("access".into(), access.into());
        more.insert("constraints".into(), model.constraints.clone().into());
        more.insert("primary_key".into(), model.unique_key().into());
        more.insert("group".into(), model.config_text("group").into());
    }
    add(node, more)
}

pub(super) fn seed(project: &Project, seed: &Seed) -> Json {
    let base = Base {
        id: ids::of_seed(seed),
        kind: "seed",
        package: &seed.package,
        name: &seed.name,
        path: &seed.path,
        fqn: seed.fqn.clone(),
        schema: &seed.schema,
        alias: &seed.alias,
    };
    let node = base.fill(project, config(&seed.config, "seed", false), &seed.tags, &seed.description);
    let relation = format!("{}.{}", seed.schema, seed.alias);
    let more = json!({
        "columns": declared(&seed.declared), "relation_name": relation, "root_path": null,
        "depends_on": { "macros": [] },
    });
    add(node, more)
}

pub(super) fn source(project: &Project, table: &SourceTable) -> Json {
    let path = in_package(project, &table.package, &table.origin.file);
    let all = table.columns.iter().map(|c| {
        (c.name.as_str(), c.description.as_str(), Some(c.data_type.as_str()).filter(|t| !t.is_empty()), &[][..])
    });
    json!({
        "database": null, "schema": table.schema, "name": table.name, "resource_type": "source",
        "package_name": table.package, "path": path, "original_file_path": path,
        "unique_id": ids::of_source(table), "fqn": [table.package, table.source, table.name],
        "source_name": table.source, "source_description": table.source_description, "loader": "",
        "identifier": table.identifier,
        "quoting": { "database": null, "schema": null, "identifier": null, "column": null },
        "loaded_at_field": null, "freshness": null, "external": null, "description": table.description,
        "columns": columns(all), "meta": table.meta, "source_meta": {}, "tags": table.tags,
        "config": { "enabled": true }, "patch_path": null, "unrendered_config": {},
        "relation_name": format!("{}.{}", table.schema, table.identifier), "created_at": 0.0,
    })
}

pub(super) fn test(project: &Project, test: &DataTest) -> Json {
    let is_generic = test.kind != "singular";
    let (schema, alias) = match &test.stored {
        Some((schema, alias)) => (schema.as_str(), alias.as_str()),
        None => ("dbt_test__audit", test.name.as_str()),
    };
    let base = Base {
        id: ids::of_test(test),
        kind: "test",
        package: &test.package,
        name: &test.name,
        path: &test.origin.file,
        fqn: vec![test.name.clone()],
        schema,
        alias,
    };
    let meta = test.config.get("meta").cloned().unwrap_or_else(|| json!({}));
    let config = json!({
        "enabled": true, "schema": "dbt_test__audit", "tags": test.tags, "meta": meta, "materialized": "test",
        "severity": if test.severity == Severity::Warn { "WARN" } else { "ERROR" },
        "store_failures": test.stored.is_some(), "store_failures_as": null,
        "where": test.config.get("where").filter(|value| value.is_string()), "limit": test.limit,
        "fail_calc": test.fail_calc, "warn_if": test.warn_if, "error_if": test.error_if,
    });
    let mut node = base.fill(project, config, &test.tags, "");
    if let Json::Object(reads) = reads(project, &test.depends_on) {
        node.extend(reads);
    }
    let relation = test.stored.as_ref().map(|(schema, alias)| format!("{schema}.{alias}"));
    let contract = json!({ "enforced": false, "alias_types": true, "checksum": null });
    let mut more = json!({ "compiled_code": test.sql, "relation_name": relation, "contract": contract });
    if let (true, Json::Object(more)) = (is_generic, &mut more) {
        let (namespace, name) = match test.kind.split_once('.') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, test.kind.as_str()),
        };
        let raw = format!("{{{{ test_{name}(**_dbt_generic_test_kwargs) }}}}");
        let metadata = json!({ "name": name, "kwargs": test.args, "namespace": namespace });
        more.insert("raw_code".into(), raw.into());
        more.insert("test_metadata".into(), metadata);
        more.insert("column_name".into(), test.column.clone().into());
        let attached = test.node.as_ref().and_then(|node| ids::of_node(project, node));
        more.insert("attached_node".into(), attached.into());
    }
    add(node, more)
}

pub(super) fn unit_test(project: &Project, test: &UnitTest) -> Json {
    let model = project.models.get(&test.model);
    let fqn: Vec<String> = std::iter::once(test.package.clone())
        .chain(model.iter().flat_map(|model| model.fqn.clone()))
        .chain([test.name.clone()])
        .collect();
    let given = test.given.iter().map(|given| {
        let (format, rows) = rows(&given.rows);
        let input = match &given.node {
            NodeRef::Model(name) | NodeRef::Seed(name) => format!("ref('{name}')"),
            NodeRef::Source { source, table } => format!("source('{source}', '{table}')"),
        };
        json!({ "input": input, "rows": rows, "format": format, "fixture": null })
    });
    let (format, expected) = rows(&test.expect);
    let path = in_package(project, &test.package, &test.origin.file);
    json!({
        "model": test.model, "given": given.collect::<Vec<_>>(),
        "expect": { "rows": expected, "format": format, "fixture": null },
        "name": test.name, "resource_type": "unit_test", "package_name": test.package,
        "path": below(path), "original_file_path": path,
        "unique_id": ids::of_unit_test(test), "fqn": fqn, "description": test.description, "overrides": null,
        "depends_on": { "macros": [], "nodes": model.map(ids::of_model).into_iter().collect::<Vec<_>>() },
        "config": { "tags": test.tags, "meta": {}, "enabled": true }, "checksum": null,
        "schema": model.map(|model| model.schema.clone()), "created_at": 0.0, "versions": null, "version": null,
    })
}

pub(super) fn exposure(project: &Project, used: &Exposure) -> Json {
    let path = in_package(project, &used.package, &used.origin.file);
    let said = |key: &str| used.body.get(key).cloned().unwrap_or(Json::Null);
    let config = used.body.get("config").and_then(|config| config.get("meta")).cloned();
    let meta = used.body.get("meta").cloned().or(config).unwrap_or_else(|| json!({}));
    let owner = used.body.get("owner").cloned().unwrap_or_else(|| json!({"name": null, "email": null}));
    let Json::Object(node) = json!({
        "name": used.name, "resource_type": "exposure", "package_name": used.package, "path": below(path),
        "original_file_path": path, "unique_id": ids::of_exposure(used), "fqn": [used.package, used.name],
        "type": said("type"), "owner": owner, "description": said("description").as_str().unwrap_or_default(),
        "label": said("label"), "maturity": said("maturity"), "url": said("url"), "meta": meta, "tags": used.tags,
        "config": { "enabled": true, "tags": used.tags, "meta": meta }, "unrendered_config": {}, "created_at": 0.0,
    }) else {
        return Json::Null;
    };
    let mut reads = reads(project, &used.depends_on);
    if let Json::Object(reads) = &mut reads {
        reads.retain(|key, _| matches!(key.as_str(), "refs" | "sources" | "metrics" | "depends_on"));
    }
    add(node, reads)
}

/// Rows as dbt writes them: csv as its rows, not as its text.
fn rows(rows: &crate::project::Rows) -> (&'static str, Json) {
    use crate::project::Rows;
    match rows {
        Rows::Dict(rows) => ("dict", Json::Array(rows.iter().cloned().map(Json::Object).collect())),
        Rows::Sql(sql) => ("sql", sql.as_str().into()),
        Rows::Csv { header, rows } => {
            let row = |row: &Vec<Option<String>>| {
                Json::Object(header.iter().cloned().zip(row.iter().map(|v| v.clone().into())).collect())
            };
            ("csv", rows.iter().map(row).collect())
        }
    }
}
