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
