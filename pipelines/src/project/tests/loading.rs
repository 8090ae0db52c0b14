//! What a project becomes.

use std::time::Duration;

use super::*;

const STG: (&str, &str) = ("models/silver/stg_orders.sql", "select * from {{ source('raw', 'orders') }}");

/// Models come in the order of their refs, with schema, tags, materialization and rendered SQL.
#[test]
fn models() {
    let project = loaded(&[
        (
            "models/gold/a_daily.sql",
            "{{ config(materialized='incremental', unique_key='day', tags=['daily']) }}\nselect * from {{ ref('stg_orders') }} -- {{ this }}\n",
        ),
        STG,
    ]);
    assert_eq!(project.models.keys().collect::<Vec<_>>(), ["stg_orders", "a_daily"]);
    let daily = &project.models["a_daily"];
    assert_eq!(daily.sql, "select * from `silver`.`stg_orders` -- `gold`.`a_daily`");
    assert_eq!((daily.schema.as_str(), daily.alias.as_str()), ("gold", "a_daily"));
    assert_eq!(daily.tags, ["gold", "daily"]);
    assert_eq!(daily.materialized, Materialized::Incremental);
    assert_eq!(daily.unique_key(), ["day"]);
    assert_eq!(daily.depends_on, [NodeRef::Model("stg_orders".into())]);
    let stg = &project.models["stg_orders"];
    assert_eq!(stg.sql, "select * from `bronze`.`orders`");
    assert_eq!(stg.depends_on[0].to_string(), "raw.orders");
    assert_eq!(stg.fqn, ["silver", "stg_orders"]);
    assert_eq!(project.warnings, Vec::<String>::new());
    assert_eq!(project.table_of(&stg.depends_on[0]), Some(("bronze", "orders")));
}

/// The model's own config wins over the property file, and that over the folder's; no schema is `default`.
#[test]
fn config_order() {
    let schema = "models:\n  - name: a\n    description: A thing.\n    config: { materialized: view, meta: {x: 1} }\n    columns:\n      - { name: id, data_type: string, constraints: [ {type: not_null} ] }\n";
    let project = loaded(&[
        ("models/a.sql", "{{ config(alias='aa', meta={'y': 2}) }} select {{ config.get('meta').x }} as id"),
        ("models/gold/b.sql", "{{ config(schema='other') }} select '{{ config.get('materialized') }}'"),
        ("models/schema.yml", schema),
    ]);
    let a = &project.models["a"];
    assert_eq!((a.materialized, a.schema.as_str(), a.alias.as_str()), (Materialized::View, "default", "aa"));
    assert_eq!(a.config["meta"], serde_json::json!({"x": 1, "y": 2}));
    assert_eq!((a.description.as_str(), a.sql.as_str()), ("A thing.", "select 1 as id"));
    assert_eq!(a.columns[0].data_type.as_deref(), Some("string"));
    assert_eq!(a.columns[0].origin, Origin { file: "models/schema.yml".into(), line: Some(6) });
    assert_eq!(project.models["b"].schema, "other");
    assert_eq!(project.models["b"].sql, "select 'table'");
}

/// A stream has its topic, format, event time, watermark and typed columns with their lines.
#[test]
fn streams() {
    let project = loaded(&[]);
    let orders = project.source("raw", "orders").unwrap();
    let stream = orders.stream.as_ref().unwrap();
    assert_eq!((stream.topic.as_str(), stream.format.as_str()), ("orders", "json"));
    assert_eq!(stream.event_time.as_deref(), Some("timestamp_millis(ts)"));
    assert_eq!((stream.watermark, stream.partition_by), (Some(Duration::from_secs(600)), Some(PartitionBy::Day)));
    assert_eq!(orders.columns[1].data_type, "decimal(10,2)");
    assert_eq!((orders.origin.line, orders.columns[1].origin.line), (Some(5), Some(9)));
}

/// Ephemeral models become CTEs of whoever reads them, through each other too, and have no table.
#[test]
fn ephemerals() {
    let project = loaded(&[
        ("models/e1.sql", "{{ config(materialized='ephemeral') }}select 1 as x"),
        ("models/e2.sql", "{{ config(materialized='ephemeral') }}select * from {{ ref('e1') }}"),
        ("models/m.sql", "with a as (select * from {{ ref('e2') }}) select * from a"),
    ]);
    let expected = "with __dbt__cte__e1 as (\nselect 1 as x\n), __dbt__cte__e2 as (\nselect * from __dbt__cte__e1\n), a as (select * from __dbt__cte__e2) select * from a";
    assert_eq!(project.models["m"].sql, expected);
    assert!(!project.models["e2"].has_table() && project.models["m"].has_table());
}

/// Macros, vars, environment and incremental branches, as in an everyday project; seeds can be read.
#[test]
fn jinja() {
    let project = loaded(&[
        ("macros/cents.sql", "{% macro to_money(c) %}({{ c }} / {{ hundred() }}){% endmacro %}"),
        ("macros/more/hundred.sql", "{% macro hundred() %}{{ return(100) }}{% endmacro %}"),
        (
            "macros/generate_schema_name.sql",
            "{% macro generate_schema_name(custom_schema_name, node) -%}{{ custom_schema_name }}{%- endmacro %}",
        ),
        ("seeds/towns.csv", "id,name\n1,a\n"),
        (
            "models/m.sql",
            "select {{ to_money('c') }}, '{{ model.alias }} {{ model['unique_id'] }}', '{{ env_var('SET') }}' from {{ ref('towns') }} where x > {{ var('cutoff') }}{% if is_incremental() %} and y{% endif %}",
        ),
    ]);
    assert_eq!(project.models["m"].sql, "select (c / 100), 'm model.shop.m', 'yes' from `default`.`towns` where x > 3");
    assert_eq!(project.models["m"].depends_on, [NodeRef::Seed("towns".into())]);
    assert_eq!(project.seed("towns").unwrap().columns[0].data_type, "bigint");
}

/// A folder on disk gives the same project as the embedded files.
#[test]
fn from_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let files = [("dbt_project.yml", DBT), ("sluice.yml", SLUICE), ("models/sources.yml", SOURCES), STG];
    for (path, text) in files {
        std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(dir.path().join(path), text).unwrap();
    }
    let project = Project::load(dir.path(), |_| None).unwrap();
    assert_eq!(project.root, dir.path());
    assert_eq!(project.models, loaded(&[STG]).models);
}

/// What does not stop the project is said in warnings.
#[test]
fn warnings() {
    let dbt = format!("{DBT}    golden: {{ +schema: x }}\n");
    let schema = "models:\n  - name: stg_order\nexposures:\n  - name: page\n    anything: 1\nnew_thing: 1\n";
    let project = loaded(&[
        ("dbt_project.yml", &dbt),
        ("models/silver/stg_orders.sql", "{{ config(post_hook='optimize') }}select 1"),
        ("models/off.sql", "{{ config(enabled=false) }}select * from {{ ref('nothing') }}"),
        ("models/gold/g.sql", "select 1"),
        ("models/schema.yml", schema),
        (
            "snapshots/s.sql",
            "\n{% snapshot s %}{{ config(strategy='timestamp', unique_key='a', updated_at='b', hard_deletes='invalidate') }}\nselect 1{% endsnapshot %}",
        ),
        ("packages.yml", "packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.0.0\n"),
    ]);
    let mut warnings = project.warnings.clone();
    warnings.sort();
    assert_eq!(
        warnings,
        [
            "dbt_project.yml: models.shop.golden configures a folder in which nothing is",
            "models/schema.yml:2: model \"stg_order\" is described here, and there is no file stg_order.sql; did you mean \"stg_orders\"?",
            "models/silver/stg_orders.sql: post_hook is ignored: sluice runs no statements beside the model's query",
            "snapshots/s.sql:2: snapshot \"s\": hard_deletes has no effect: a version ends with the next one of its key, not when a row is gone; give deletions as rows, and filter them where you read the snapshot",
        ]
    );
    assert!(!project.models.contains_key("off"));
}
