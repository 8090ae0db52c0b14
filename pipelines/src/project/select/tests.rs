//! Tests of node selection over a small graph: seed and source -> stg -> dim, fact -> daily, top.

use super::super::{Embedded, Project};
use super::*;

fn project() -> Project {
    let files = [
        ("dbt_project.yml", "name: shop\nmodels: {shop: {gold: {+tags: [gold]}, silver: {+tags: [silver]}}}\n"),
        ("sluice.yml", "version: 1\nlake: x\n"),
        ("models/sources.yml", "sources: [ { name: raw, tags: [ext], tables: [ {name: orders} ] } ]\n"),
        ("seeds/towns.csv", "id\n1\n"),
        ("models/stg.sql", "select * from {{ source('raw', 'orders') }}"),
        ("models/silver/dim.sql", "select * from {{ ref('towns') }}"),
        ("models/silver/fact.sql", "select * from {{ ref('stg') }}"),
        ("models/gold/daily.sql", "{{ config(materialized='table') }}select * from {{ ref('fact') }}"),
        ("models/gold/top.sql", "{{ config(tags='slow') }}select * from {{ ref('fact') }} join {{ ref('dim') }}"),
    ];
    Project::load_files(&Embedded(&files), |_| None).unwrap()
}

fn chosen(selector: &str) -> String {
    let project = project();
    let mut names = select(&project, selector).unwrap_or_else(|error| panic!("{error}"));
    names.sort();
    names.join(" ")
}

/// Every method chooses what it says.
#[test]
fn methods() {
    for (selector, models) in [
        ("", "daily dim fact stg top"),
        ("fact", "fact"),
        ("gold", "daily top"),
        ("shop.gold.top", "top"),
        ("d*", "daily dim"),
        ("tag:gold", "daily top"),
        ("tag:slow", "top"),
        ("path:models/silver", "dim fact"),
        ("models/gold/top.sql", "top"),
        ("config.materialized:table", "daily"),
        ("config.schema:default", "daily dim fact stg top"),
    ] {
        assert_eq!(chosen(selector), models, "{selector}");
    }
}

/// Plus signs reach up and down, with and without a number of steps; seeds and sources are starts, too.
#[test]
fn reaching() {
    for (selector, models) in [
        ("+daily", "daily fact stg"),
        ("1+daily", "daily fact"),
        ("stg+", "daily fact stg top"),
        ("stg+1", "fact stg"),
        ("+fact+", "daily fact stg top"),
        ("source:raw+", "daily fact stg top"),
        ("source:raw.orders+1", "stg"),
        ("tag:ext+1", "stg"),
        ("towns+", "dim top"),
        ("+tag:slow", "dim fact stg top"),
    ] {
        assert_eq!(chosen(selector), models, "{selector}");
    }
}

/// Blanks unite, commas intersect, and what is excluded goes.
#[test]
fn sets() {
    assert_eq!(chosen("dim tag:slow"), "dim top");
    assert_eq!(chosen("tag:gold,config.materialized:table"), "daily");
    assert_eq!(chosen("stg+,tag:gold dim"), "daily dim top");
    let project = project();
    assert_eq!(select_except(&project, Some("+top"), Some("tag:silver nothing")).unwrap(), ["stg", "top"]);
    assert_eq!(select_except(&project, None, Some("tag:gold")).unwrap().len(), 3);
}

/// What a node needs, and what all that read it need.
#[test]
fn with_all_that_is_needed() {
    assert_eq!(chosen("@dim"), "dim fact stg top");
    assert_eq!(chosen("@daily"), "daily fact stg");
    for (selector, models) in [
        ("package:shop,tag:gold", "daily top"),
        ("package:this,file:stg.sql", "stg"),
        ("file:top", "top"),
        ("resource_type:seed+1", "dim"),
        ("resource_type:model,path:models/silver", "dim fact"),
    ] {
        assert_eq!(chosen(selector), models, "{selector}");
    }
}

/// Tests come with the nodes that they test, and can be named themselves.
#[test]
fn tests_are_selected() {
    let schema = "models:\n  - name: stg\n    columns: [ { name: id, data_tests: [ unique, not_null: { config: { tags: [quick] } } ] } ]\n\
                  unit_tests:\n  - { name: adds, model: stg, given: [], expect: { rows: [] } }\n";
    let files = [
        ("dbt_project.yml", "name: shop\n"),
        ("sluice.yml", "version: 1\nlake: x\n"),
        ("models/schema.yml", schema),
        ("models/stg.sql", "select 1 as id"),
        ("models/other.sql", "select * from {{ ref('stg') }}"),
        ("tests/both.sql", "select 1 from {{ ref('stg') }} join {{ ref('other') }}"),
    ];
    let project = Project::load_files(&Embedded(&files), |_| None).unwrap();
    let names = |select: &str, exclude: Option<&str>| {
        let selection = Selection { select: Some(select.into()), exclude: exclude.map(str::to_owned), named: None };
        let found = selected(&project, &selection).unwrap_or_else(|error| panic!("{error}"));
        let tests = found.tests.iter().map(|test| test.name.as_str());
        tests.chain(found.unit_tests.iter().map(|test| test.name.as_str())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("stg", None), "unique_stg_id not_null_stg_id both adds");
    assert_eq!(names("other", None), "both");
    assert_eq!(names("tag:quick", None), "not_null_stg_id");
    assert_eq!(names("test_type:singular test_type:unit", None), "both adds");
    assert_eq!(names("resource_type:test", Some("unique_stg_id other")), "not_null_stg_id");
}

/// Selectors with names: texts, methods, unions, intersections, what is excluded, and each other.
#[test]
fn named_selectors() {
    let selectors = "selectors:\n  - name: gold\n    definition: { tag: gold }\n  - name: above\n    default: true\n    definition:\n      \
                     union:\n        - { method: fqn, value: daily, parents: true, parents_depth: 1 }\n        - dim+\n        - exclude: [ { method: selector, value: top } ]\n  \
                     - name: top\n    definition: { intersection: [ 'tag:gold', { method: config.materialized, value: view } ] }\n  \
                     - name: round\n    definition: { method: selector, value: round }\n";
    let mut project = project();
    let files = [("selectors.yml", selectors)];
    project.selectors = read_selectors(&Embedded(&files), &mut crate::project::error::Faults::default());
    let of = |name: Option<&str>| {
        let selection = Selection { named: name.map(str::to_owned), ..Selection::default() };
        selected(&project, &selection).map(|found| found.models.join(" "))
    };
    assert_eq!(of(Some("gold")), Ok("daily top".to_owned()));
    assert_eq!(of(Some("top")), Ok("top".to_owned()));
    assert_eq!(of(None), Ok("fact daily dim".to_owned()));
    assert_eq!(of(Some("golt")), Err("there is no selector \"golt\"; did you mean \"gold\"?".to_owned()));
    assert!(of(Some("round")).is_err_and(|error| error.contains("deep")));
}

/// What is chosen comes in topological order.
#[test]
fn order() {
    let project = project();
    let names = select(&project, "").unwrap();
    let at = |name: &str| names.iter().position(|other| *other == name).unwrap();
    assert!(at("stg") < at("fact") && at("fact") < at("daily") && at("dim") < at("top"), "{names:?}");
}

/// A selector that names nothing is an error that proposes what is near.
#[test]
fn faults() {
    let project = project();
    let fault = |selector: &str| select(&project, selector).unwrap_err();
    assert_eq!(fault("tag:golden"), "selector \"tag:golden\" names nothing; did you mean \"gold\"?");
    assert_eq!(fault("dayly"), "selector \"dayly\" names nothing; did you mean \"daily\"?");
    assert!(fault("tags:x").contains("unknown method \"tags\"; did you mean \"tag\"?"));
}
