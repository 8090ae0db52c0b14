//! Unit tests of a small project, in each form of rows; and those of the built-in project.

use std::path::Path;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::Schema;
use expect_test::{Expect, expect};

use super::*;
use crate::compile::plan_project;
use crate::project::{Embedded, Project};

const SOURCES: &str = "sources:\n  - name: shop\n    schema: bronze\n    tables:\n      - name: orders\n        meta: { stream: { topic: orders } }\n        columns:\n          - { name: orderId, data_type: bigint }\n          - { name: amount, data_type: double }\n          - { name: tags, data_type: array<string> }\n          - { name: at, data_type: timestamp }\n";
const MODEL: &str = "select orderId, sum(amount) as spent, max(at) as latest, max(k.label) as label\nfrom {{ source('shop', 'orders') }} o left join {{ ref('kinds') }} k on k.kind = size(o.tags)\ngroup by orderId";

fn block<T>(f: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(f)
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

/// A model with operators runs through them too: its rows are those of the batch, each row of the input an epoch of its own,
/// and rows for which an expression fails are told. A model that is refreshed has none.
#[test]
fn through_the_operators() {
    let test = "unit_tests:
  - name: t
    model: MODEL
    given:
      - input: source('shop', 'orders')
        rows: [ { orderId: 1, amount: 2 }, { orderId: 2, amount: 4 }, { orderId: 1, amount: 8 } ]
    expect: { rows: [] }
";
    let streamed = |model: &'static str, sql: &'static str| {
        let test = test.replace("MODEL", model);
        let files = [
            ("dbt_project.yml", "name: shop\nversion: '1.0'\nmodels: { +schema: gold }\n"),
            ("sluice.yml", "version: 1\nsources: { shop: { files: { path: ./events } } }\nlake: ./lake\n"),
            ("models/sources.yml", SOURCES),
            (if model == "sums" { "models/sums.sql" } else { "models/ranks.sql" }, sql),
            ("models/unit.yml", &test),
        ];
        let project = Project::load_files(&Embedded(&files), |_| None).unwrap_or_else(|faults| panic!("{faults}"));
        let pipeline = block(plan_project(project)).unwrap_or_else(|faults| panic!("{faults}"));
        let test = &pipeline.project.unit_tests[0];
        let found = block(async { streamed(&pipeline, test, tables(&pipeline, test).await?).await });
        found.unwrap_or_else(|error| panic!("{error}"))
    };
    let sums =
        "select orderId, sum(amount) as spent, timestamp_millis(cast(sum(amount) as bigint) * 9000000000000000) as at
        from {{ source('shop', 'orders') }} group by orderId";
    let found = streamed("sums", sums).expect("it has operators");
    assert_eq!(found.rows.num_rows(), 0, "no sum has a time");
    assert!(found.rejected.len() == 2 && found.rejected[0].contains("overflows"), "{:?}", found.rejected);
    let sums = "select orderId, sum(amount) as spent from {{ source('shop', 'orders') }} group by orderId";
    let found = streamed("sums", sums).expect("it has operators");
    let batch = RecordBatch::try_from_iter([
        ("orderId", Arc::new(Int64Array::from(vec![2, 1])) as ArrayRef),
        ("spent", Arc::new(Float64Array::from(vec![4.0, 10.0]))),
    ]);
    let batch = batch.expect("two columns");
    assert_eq!(apart(&batch, std::slice::from_ref(&batch), &found).expect("comparable"), None);
    let ranks = "select orderId, current_timestamp() as at from {{ source('shop', 'orders') }}";
    assert!(streamed("ranks", ranks).is_none(), "it is refreshed");
}

/// Rows that only the batch or only the stream gives are a failure that names both, also when the batch passes; columns
/// that nobody expects do not count.
#[test]
fn batch_and_stream_differ() {
    let rows = |ids: Vec<i64>, labels: Vec<&str>| {
        let columns: [(&str, ArrayRef); 2] =
            [("id", Arc::new(Int64Array::from(ids))), ("label", Arc::new(StringArray::from(labels)))];
        RecordBatch::try_from_iter(columns).expect("two columns")
    };
    let batch = rows(vec![1, 2], vec!["a", "b"]);
    let ids = batch.project(&[0]).expect("the first column");
    let streamed = |rows: RecordBatch, rejected: &[&str]| Streamed {
        schema: rows.schema(),
        rows,
        rejected: rejected.iter().map(|r| (*r).to_owned()).collect(),
    };
    let same = streamed(rows(vec![2, 1], vec!["b", "x"]), &[]);
    assert_eq!(apart(&ids, std::slice::from_ref(&batch), &same).expect("comparable"), None);
    let other = streamed(rows(vec![2, 3], vec!["b", "a"]), &["it overflows"]);
    let found = apart(&ids, std::slice::from_ref(&batch), &other).expect("comparable");
    expect![[r#"
        as a batch it passes
        but as a stream it gives other rows (-: the batch's, +: the stream's): rows missing (-): 1, not expected (+): 1
            id
          - 1
          + 3
        rejected: it overflows"#]]
    .assert_eq(&told(None, found.clone()).unwrap_or_default());
    let both = told(Some("rows missing (-): 1".into()), found).unwrap_or_default();
    assert!(
        both.starts_with("as a batch it fails, rows missing (-): 1\nbut as a stream it gives other rows"),
        "{both}"
    );
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let found = apart(&nothing, &[], &streamed(batch, &[])).expect("comparable").unwrap_or_default();
    assert!(found.starts_with("rows missing (-): 0, not expected (+): 2"), "{found}");
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
