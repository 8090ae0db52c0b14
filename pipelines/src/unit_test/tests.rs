//! Unit tests of a small project, in each form of rows; and those of the built-in project.

use std::path::Path;

use expect_test::{Expect, expect};

use super::run_unit_test;
use crate::compile::{Pipeline, plan_project};
use crate::project::Project;

const SOURCES: &str = "sources:\n  - name: shop\n    schema: bronze\n    tables:\n      - name: orders\n        meta: { stream: { topic: orders } }\n        columns:\n          - { name: orderId, data_type: bigint }\n          - { name: amount, data_type: double }\n          - { name: tags, data_type: array<string> }\n          - { name: at, data_type: timestamp }\n";
const MODEL: &str = "select orderId, sum(amount) as spent, max(at) as latest, max(k.label) as label\nfrom {{ source('shop', 'orders') }} o left join {{ ref('kinds') }} k on k.kind = size(o.tags)\ngroup by orderId";

fn block<T>(f: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(f)
}

fn planned(folder: &Path) -> Pipeline {
    let project = Project::load(folder, |_| None).unwrap_or_else(|faults| panic!("{faults}"));
    block(plan_project(project)).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What the one unit test of a project says: `passed`, the difference or the error.
fn check(test: &str, expected: Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("dbt_project.yml", "name: shop\nversion: '1.0'\nmodels: { +materialized: table, +schema: gold }\n"),
        ("sluice.yml", "version: 1\nsources: { shop: { files: { path: ./events } } }\nlake: ./lake\n"),
        ("models/sources.yml", SOURCES),
        ("models/spend.sql", MODEL),
        ("seeds/kinds.csv", "kind,label\n1,one\n2,two\n"),
        ("models/unit.yml", &format!("unit_tests:\n  - name: t\n    model: spend\n{test}")),
    ];
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    let pipeline = planned(folder.path());
    let said = match block(run_unit_test(&pipeline, &pipeline.project.unit_tests[0])) {
        Ok(None) => "passed".to_owned(),
        Ok(Some(difference)) => difference,
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&said);
}

const GIVEN: &str = "    given:
      - input: source('shop', 'orders')
        rows:
          - { orderId: 1, amount: 2.5, tags: [a, b], at: \"2024-01-01 10:00:00\" }
          - { orderId: 1, amount: 1, at: \"2024-01-01 10:00:00.5\" }
          - { orderid: 2.0, amount: null, tags: '[\"x\"]' }
";

/// Rows in any order, only the columns that are named, in the types of their columns; a seed has its own rows.
#[test]
fn passes() {
    let expect = "    expect:\n      rows:\n        - { label: one, orderID: 2, latest: null }\n        - { orderId: 1, spent: 3.5, latest: \"2024-01-01 10:00:00.500\", label: two }\n";
    // `spent` of the order 2 is not written, so it is NULL, which is what the sum of nothing is.
    check(&format!("{GIVEN}{expect}"), expect!["passed"]);
    let csv = "    expect:\n      format: csv\n      rows: |\n        orderId,spent\n        1,3.5\n        2,\n";
    check(&format!("{GIVEN}{csv}"), expect!["passed"]);
    let sql = "    given:\n      - input: source('shop', 'orders')\n        format: sql\n        rows: select 7 as orderId, 1 as amount union all select 7, 2\n    expect:\n      format: sql\n      rows: select 3.0 as spent, 7 as orderId\n";
    check(sql, expect!["passed"]);
}

/// What differs is shown as rows, each as often as it is missing or too many.
#[test]
fn differs() {
    let expect = "    expect:\n      rows:\n        - { orderId: 1, spent: 3.75 }\n        - { orderId: 1, spent: 3.75 }\n        - { orderId: 2, spent: null }\n";
    check(
        &format!("{GIVEN}{expect}"),
        expect![[r#"
            rows missing (-): 2, not expected (+): 1
                orderId | spent
              - 1       | 3.75
              - 1       | 3.75
              + 1       | 3.5"#]],
    );
}

/// Nothing is expected: then there must be nothing.
#[test]
fn expects_nothing() {
    check(
        &format!("{GIVEN}    expect: {{ rows: [] }}\n"),
        expect![[r#"
            rows missing (-): 0, not expected (+): 2
                orderId | spent | latest                   | label
              + 1       | 3.5   | 2024-01-01T10:00:00.500Z | two
              + 2       | NULL  | NULL                     | one"#]],
    );
    let none = "    given:\n      - input: source('shop', 'orders')\n        rows: []\n    expect: { rows: [] }\n";
    check(none, expect!["passed"]);
}

/// What is wrong with a test is an error that names the input and the column.
#[test]
fn faults() {
    let given = |row: &str| {
        format!(
            "    given:\n      - input: source('shop', 'orders')\n        rows: [ {row} ]\n    expect: {{ rows: [] }}\n"
        )
    };
    check(
        &given("{ amount: abc }"),
        expect![[
            r#"error: given shop.orders: column "amount": Cast error: Cannot cast string 'abc' to value of Float64 type"#
        ]],
    );
    check(
        &given("{ amont: 1 }"),
        expect![[
            r#"error: given shop.orders: there is no column "amont" (there are orderId, amount, tags, at, _topic, _partition, _offset, _timestamp, _key, _rescued, _epoch, _date); correct the name"#
        ]],
    );
    check(
        &format!("{GIVEN}    expect: {{ rows: [ {{ spend: 1 }} ] }}\n"),
        expect![[
            r#"error: expect: there is no column "spend" (there are orderId, spent, latest, label); correct the name"#
        ]],
    );
    check(
        "    given: []\n    expect: { rows: [] }\n",
        expect![
            "error: table 'sluice.bronze.orders' not found; give every table that the model reads, with `rows: []` if it has none"
        ],
    );
}

/// The unit tests of the built-in project pass.
#[test]
fn built_in_project() {
    let pipeline = planned(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/music")));
    let mut wrong = Vec::new();
    for test in &pipeline.project.unit_tests {
        match block(run_unit_test(&pipeline, test)) {
            Ok(None) => {}
            Ok(Some(difference)) => wrong.push(format!("{}: {difference}", test.name)),
            Err(error) => wrong.push(format!("{}: error: {error}", test.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(pipeline.project.unit_tests.len() > 20);
}
