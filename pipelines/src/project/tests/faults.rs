//! What the errors of a project say.

use super::*;

/// A ref to nothing is placed at its line and proposes the nearest name.
#[test]
fn ref_to_nothing() {
    let files = [
        ("models/stg_orders.sql", "select 1"),
        ("models/x.sql", "select *\nfrom {{ ref('stg_order') }}\njoin {{ ref('qqq') }}"),
    ];
    assert_eq!(
        errors(&files),
        "models/x.sql:2: model \"x\" refs \"stg_order\", which is no model and no seed; did you mean \"stg_orders\"?\n\
         models/x.sql:3: model \"x\" refs \"qqq\", which is no model and no seed; add qqq.sql below model-paths, or correct the name"
    );
}

/// A source that is not declared proposes the nearest one.
#[test]
fn source_to_nothing() {
    let files = [("models/x.sql", "\nselect * from {{ source('raw', 'order') }}")];
    assert_eq!(
        errors(&files),
        "models/x.sql:2: model \"x\" reads source \"raw.order\", which is not declared; did you mean \"raw.orders\"?"
    );
}

/// Refs that dbt knows of and that cannot be followed have their own reasons.
#[test]
fn refs_that_lead_nowhere() {
    let files = [
        ("models/off.sql", "{{ config(enabled=false) }}select 1"),
        ("models/x.sql", "{{ ref('off') }}"),
        ("models/y.sql", "{{ ref('other', 'z') }}"),
    ];
    let errors = errors(&files);
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[0].starts_with("models/x.sql:1: model \"x\" refs \"off\", which is disabled; "), "{errors}");
    assert!(lines[1].starts_with("models/y.sql:1: model \"y\" refs \"z\" of package \"other\""), "{errors}");
}

/// A cycle is printed from a model back to itself.
#[test]
fn cycle() {
    let files = [
        ("models/a.sql", "-- first\nselect * from {{ ref('b') }}"),
        ("models/b.sql", "select * from {{ ref('c') }}"),
        ("models/c.sql", "select * from {{ ref('a') }}"),
    ];
    assert_eq!(
        errors(&files),
        "models/a.sql:2: models read each other in a cycle: a -> b -> c -> a; remove one of these refs"
    );
}

/// Names and tables belong to one node.
#[test]
fn duplicates() {
    let files = [("models/gold/a.sql", "select 1"), ("models/silver/a.sql", "select 2")];
    assert_eq!(
        errors(&files),
        "models/silver/a.sql: model \"a\" has the name of models/gold/a.sql; names are unique in a project and its packages; rename one of the two, or disable it"
    );
    let tables =
        [("models/a.sql", "{{ config(alias='t') }}select 1"), ("models/b.sql", "{{ config(alias='T') }}select 1")];
    assert_eq!(
        errors(&tables),
        "models/b.sql: model \"b\" makes the table `default`.`T`, and so does model \"a\"; give one of them another schema or alias"
    );
    let twice = [
        ("models/a.sql", "select 1"),
        ("models/a.yml", "models:\n  - name: a\n"),
        ("models/b.yml", "models:\n\n  - name: a\n"),
    ];
    assert_eq!(
        errors(&twice),
        "models/b.yml:3: \"a\" is described twice, also in models/a.yml:2; keep one of the two entries"
    );
}

/// Jinja's faults have their file and line.
#[test]
fn jinja_faults() {
    let of = |sql: &str| errors(&[("models/x.sql", sql)]);
    assert!(
        of("select 1\n, {{ 1 + }}").starts_with("models/x.sql:2: jinja syntax error: "),
        "{}",
        of("select 1\n, {{ 1 + }}")
    );
    assert!(
        of("\n{{ var('cutof') }}")
            .starts_with("models/x.sql:2: var \"cutof\" is not defined; did you mean \"cutoff\"?")
    );
    assert!(
        of("{{ env_var('NOT_SET') }}").starts_with("models/x.sql:1: environment variable \"NOT_SET\" is not set; ")
    );
    assert!(of("{{ dbt_util.x() }}").contains("dbt_util"));
    assert!(
        of("{{ surrogate() }}")
            .starts_with("models/x.sql:1: unknown macro \"surrogate\"; define it in a file below macro-paths")
    );
}

/// Faults of YAML have the line, and those of a rendered value too.
#[test]
fn yaml_faults() {
    let of = |text: &str| errors(&[("models/schema.yml", text)]);
    assert!(
        of("models:\n  - name: a\n   bad: x\n").starts_with("models/schema.yml:3: not valid YAML: "),
        "{}",
        of("models:\n  - name: a\n   bad: x\n")
    );
    assert_eq!(
        of("models:\n  name: a\n"),
        "models/schema.yml:1: models is not a list; write models: and below it lines with - "
    );
    assert_eq!(
        of("models:\n  - description: a\n"),
        "models/schema.yml:1: a model, snapshot or seed has no name; each entry needs name: ..."
    );
    let rendered = of("models:\n  - name: a\n    config: { schema: \"{{ var('layer') }}\" }\n");
    assert!(rendered.starts_with("models/schema.yml:3: var \"layer\" is not defined; "), "{rendered}");
}

/// A stream says everything that sluice needs to know.
#[test]
fn stream_faults() {
    let of = |table: &str| {
        errors(&[(
            "models/sources.yml",
            &format!("sources:\n  - name: raw\n    tables:\n      - name: orders\n{table}"),
        )])
    };
    assert_eq!(
        of("        meta: { stream: { topic: o } }\n"),
        "models/sources.yml:4: stream \"raw.orders\" has no columns; list the fields under columns:, each with name and data_type"
    );
    assert_eq!(
        of(
            "        meta:\n          stream:\n            watermark: 10\n        columns: [ {name: a, data_type: int} ]\n"
        ),
        "models/sources.yml:7: stream \"raw.orders\" has no valid watermark; \"10\" has no unit; write it as \"10 seconds\" (or 500 ms, 10 seconds or 7 days)"
    );
    assert_eq!(
        of(
            "        meta: { stream: { watermrk: 1 s, partition_by: hour } }\n        columns:\n          - {name: a}\n"
        ),
        "models/sources.yml:5: stream \"raw.orders\" has an unknown key \"watermrk\"; did you mean \"watermark\"?\n\
         models/sources.yml:7: column \"a\" of stream \"raw.orders\" has no data_type; add its Spark SQL type, as data_type: string\n\
         models/sources.yml:5: stream \"raw.orders\" has partition_by \"hour\"; it can be day or none"
    );
}

/// Sources of the project and of sluice.yml belong together; sources without streams need no entry.
#[test]
fn sources_that_do_not_match() {
    let sluice = "version: 1\nsources:\n  raws: { kafka: { brokers: x } }\nlake: x\n";
    assert_eq!(
        errors(&[("sluice.yml", sluice)]),
        "sluice.yml:3: sources.raws is no source of the dbt project; did you mean \"raw\"?\n\
         models/sources.yml:5: source \"raw\" has streams, and sluice.yml does not say where they come from; \
         add sources: { raw: { kafka: { brokers: \"host:9092\" } } } to sluice.yml"
    );
    let tables = "sources:\n  - name: lake_tables\n    tables: [ { name: t } ]\n";
    loaded(&[("models/tables.yml", tables), ("models/x.sql", "select * from {{ source('lake_tables', 't') }}")]);
}

/// Models that sluice cannot run are errors, as are materializations that nobody knows.
#[test]
fn unsupported_models() {
    assert_eq!(
        errors(&[("models/p.py", "def model(dbt, session): ...")]),
        "models/p.py: python models are not supported; write the model in SQL, or leave the file out"
    );
    assert_eq!(
        errors(&[("models/x.sql", "{{ config(materialized='tabel') }}select 1")]),
        "models/x.sql: model \"x\" has the unknown materialization \"tabel\"; did you mean \"table\"?"
    );
}

/// One run shows the faults of all files, and without a project the first thing to do.
#[test]
fn all_faults_at_once() {
    let files = [("models/x.sql", "{{ ref('q') }}"), ("models/y.sql", "{{ nothing() }}"), ("models/z.yml", "a: [")];
    assert_eq!(errors(&files).lines().count(), 3, "{}", errors(&files));
    let empty = Project::load_files(&Embedded(&[]), |_| None).unwrap_err().to_string();
    assert!(empty.starts_with("dbt_project.yml: the file cannot be read"), "{empty}");
    assert!(empty.contains("\nsluice.yml: the file cannot be read"), "{empty}");
}
