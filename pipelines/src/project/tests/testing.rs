//! Data tests and unit tests of a project.

use super::*;

const MODEL: (&str, &str) = ("models/silver/orders.sql", "select * from {{ source('raw', 'orders') }}");

/// The one data test that a property file of a column `status` has.
fn test_of(body: &str) -> DataTest {
    let schema = format!(
        "models:\n  - name: orders\n    columns:\n      - name: status\n        data_tests:\n          - {body}\n"
    );
    let mut project = loaded(&[MODEL, ("models/schema.yml", &schema), ("models/parents.sql", "select 1 as id")]);
    assert_eq!(project.tests.len(), 1);
    project.tests.remove(0)
}

fn flat(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The four generic tests have the names of dbt, and select what fails.
#[test]
fn generic_tests() {
    let not_null = test_of("not_null");
    assert_eq!((not_null.name.as_str(), not_null.kind.as_str()), ("not_null_orders_status", "not_null"));
    assert_eq!(flat(&not_null.sql), "select status from `silver`.`orders` where status is null");
    assert_eq!(not_null.node, Some(NodeRef::Model("orders".into())));
    assert_eq!((not_null.column.as_deref(), not_null.severity), (Some("status"), Severity::Error));
    assert_eq!(not_null.origin, Origin { file: "models/schema.yml".into(), line: Some(4) });
    assert!(flat(&test_of("unique").sql).contains("group by status having count(*) > 1"));
    let values = test_of("accepted_values: { values: [placed, 'on its way'] }");
    assert_eq!(values.name, "accepted_values_orders_status__placed__on_its_way");
    assert!(flat(&values.sql).ends_with("where value_field not in ('placed', 'on its way')"), "{}", values.sql);
    let relationships = test_of("relationships: { arguments: { to: ref('parents'), field: id } }");
    assert!(relationships.sql.contains("select id as to_field from `default`.`parents`"), "{}", relationships.sql);
    assert_eq!(relationships.depends_on, [NodeRef::Model("orders".into()), NodeRef::Model("parents".into())]);
    assert_eq!(relationships.name, "relationships_orders_status__id__ref_parents_");
}

/// Configs of a test, beside its arguments or in `config`, and `where`.
#[test]
fn test_configs() {
    let test = test_of(
        "not_null: { name: mine, where: \"x > {{ var('cutoff') }}\", config: { severity: warn, error_if: '>10', tags: [t] } }",
    );
    assert_eq!(test.name, "mine");
    assert!(test.sql.contains("(select * from `silver`.`orders` where x > 3) dbt_subquery"), "{}", test.sql);
    assert_eq!((test.severity, test.error_if.as_str(), test.warn_if.as_str()), (Severity::Warn, ">10", "!= 0"));
    assert_eq!((test.tags, test.args.len()), (vec!["t".to_owned()], 1));
    let range = test_of("dbt_utils.accepted_range: { min_value: 0, inclusive: false }");
    assert_eq!(range.kind, "dbt_utils.accepted_range");
    assert!(flat(&range.sql).ends_with("where false or not status > 0"), "{}", range.sql);
}

/// Own test blocks, tests of sources and of whole models, and singular tests.
#[test]
fn other_tests() {
    let sources = format!("{SOURCES}        data_tests: [ unique: {{ column_name: ts }} ]\n");
    let schema = "models:\n  - name: orders\n    tests:\n      - odd: { column_name: id }\n      - dbt_utils.unique_combination_of_columns: { combination_of_columns: [a, b] }\n";
    let project = loaded(&[
        MODEL,
        ("models/sources.yml", &sources),
        ("models/schema.yml", schema),
        (
            "tests/generic/odd.sql",
            "{% test odd(model, column_name) %}select 1 from {{ model }} where {{ column_name }} % 2 = 1{% endtest %}",
        ),
        ("tests/no_gaps.sql", "{{ config(severity='warn') }}\nselect * from {{ ref('orders') }} where x"),
    ]);
    let names: Vec<&str> = project.tests.iter().map(|test| test.name.as_str()).collect();
    let combination = "dbt_utils_unique_combination_of_columns_orders_a__b";
    assert_eq!(names, ["odd_orders_id", combination, "source_unique_raw_orders_ts", "no_gaps"]);
    assert_eq!(project.tests[0].sql, "select 1 from `silver`.`orders` where id % 2 = 1");
    assert_eq!(flat(&project.tests[1].sql), "select a, b from `silver`.`orders` group by a, b having count(*) > 1");
    assert!(project.tests[2].sql.contains("from `bronze`.`orders`"));
    assert_eq!((project.tests[3].kind.as_str(), project.tests[3].severity), ("singular", Severity::Warn));
}

/// A test of an ephemeral model brings the model's SQL along.
#[test]
fn test_of_ephemeral() {
    let files = [
        ("models/e.sql", "{{ config(materialized='ephemeral') }}select 1 as id"),
        ("models/e.yml", "models:\n  - name: e\n    columns: [ { name: id, tests: [not_null] } ]\n"),
    ];
    let sql = flat(&loaded(&files).tests[0].sql);
    assert_eq!(sql, "with __dbt__cte__e as ( select 1 as id ) select id from __dbt__cte__e where id is null");
}

/// Faults of tests have the line of the column, and propose what is near.
#[test]
fn test_faults() {
    let of = |body: &str| {
        let schema = format!("models:\n  - name: orders\n    columns:\n      - name: id\n        tests: [ {body} ]\n");
        errors(&[MODEL, ("models/schema.yml", &schema)])
    };
    assert_eq!(
        of("notnull"),
        "models/schema.yml:4: unknown data test \"notnull\" on \"orders\"; did you mean \"not_null\"?"
    );
    let arguments = of("relationships: { to: ref('order'), field: id }");
    assert_eq!(
        arguments,
        "models/schema.yml:4: test \"relationships\" refs \"order\", which is no model and no seed; did you mean \"orders\"?"
    );
    let unknown = of("not_null: { colour: red }");
    assert!(
        unknown.starts_with("models/schema.yml:4: jinja error: too many arguments: unknown keyword argument `colour`"),
        "{unknown}"
    );
    assert!(of("[a]").contains("this is not a data test"), "{}", of("[a]"));
}

/// A unit test has the model's SQL under its overrides, and rows in each of the forms.
#[test]
fn unit_tests() {
    let tests = "unit_tests:\n  - name: adds_up\n    model: orders_daily\n    overrides: { vars: {cutoff: 9}, macros: {is_incremental: true} }\n    \
                 given:\n      - input: ref('e')\n        rows: [ {id: 1, at: null} ]\n      - input: source('raw', 'orders')\n        format: csv\n        rows: |\n          ts,amount\n          1,\n      \
                 - input: this\n        format: sql\n        rows: select 1 as id\n    expect:\n      format: csv\n      fixture: daily\n";
    let project = loaded(&[
        ("models/e.sql", "{{ config(materialized='ephemeral') }}select 1 as id"),
        (
            "models/orders_daily.sql",
            "select {{ var('cutoff') }} from {{ ref('e') }}, {{ source('raw', 'orders') }}{% if is_incremental() %} where x > (select max(x) from {{ this }}){% endif %}",
        ),
        ("models/unit.yml", tests),
        ("tests/fixtures/daily.csv", "id\n7\n"),
    ]);
    let test = &project.unit_tests[0];
    assert_eq!((test.name.as_str(), test.model.as_str(), test.origin.line), ("adds_up", "orders_daily", Some(2)));
    assert_eq!(
        test.sql,
        "select 9 from `default`.`e`, `bronze`.`orders` where x > (select max(x) from `default`.`orders_daily`)"
    );
    let given: Vec<(&str, &str)> =
        test.given.iter().map(|given| (given.schema.as_str(), given.table.as_str())).collect();
    assert_eq!(given, [("default", "e"), ("bronze", "orders"), ("default", "orders_daily")]);
    let Rows::Dict(rows) = &test.given[0].rows else { panic!("{test:?}") };
    assert_eq!(rows[0]["id"], 1);
    let csv = |header: &[&str], row: Vec<Option<String>>| Rows::Csv {
        header: header.iter().map(|h| (*h).to_owned()).collect(),
        rows: vec![row],
    };
    assert_eq!(test.given[1].rows, csv(&["ts", "amount"], vec![Some("1".into()), None]));
    assert_eq!(test.given[2].rows, Rows::Sql("select 1 as id".into()));
    assert_eq!(test.expect, csv(&["id"], vec![Some("7".into())]));
}

/// Faults of unit tests name the test.
#[test]
fn unit_test_faults() {
    let of = |rest: &str| {
        let text = format!("unit_tests:\n  - name: u\n    {rest}\n");
        errors(&[MODEL, ("models/unit.yml", &text)])
    };
    assert_eq!(
        of("model: order"),
        "models/unit.yml:2: unit test \"u\" tests \"order\", which is no model; did you mean \"orders\"?"
    );
    assert!(of("{model: orders, given: [ {input: ref('x'), rows: []} ]}").contains("not valid YAML"));
    let wrong = of("model: orders\n    given: [ {input: ref('orderz'), rows: []} ]");
    assert!(
        wrong.starts_with(
            "models/unit.yml:2: unit test \"u\" refs \"orderz\", which is no model and no seed; did you mean"
        ),
        "{wrong}"
    );
    let rows = of("model: orders\n    given: []\n    expect: { rows: 7 }");
    assert!(rows.contains("unit test \"u\" has rows in expect that are not dict"), "{rows}");
    let fixture = of("model: orders\n    given: []\n    expect: { format: csv, fixture: nope }");
    assert!(
        fixture.contains("names the fixture \"nope\", which is not there; add tests/fixtures/nope.csv"),
        "{fixture}"
    );
}
