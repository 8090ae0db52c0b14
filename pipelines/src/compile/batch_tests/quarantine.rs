//! Rows that fail a test, set apart.

use expect_test::expect;

use super::{faults, rows};

const SEED: (&str, &str) = ("seeds/s.csv", "id,kind,n\n1,a,5\n,a,6\n3,z,7\n4,,80\n,z,9\n");

fn project(tests: &str) -> Vec<(&'static str, String)> {
    let schema = format!("models:\n  - name: m\n    config: {{ schema: gold, alias: good }}\n    columns:\n{tests}");
    vec![
        (SEED.0, SEED.1.to_owned()),
        ("models/e.sql", "{{ config(materialized='ephemeral') }}select * from {{ ref('s') }}".to_owned()),
        ("models/m.sql", "select id, kind, n from {{ ref('e') }}".to_owned()),
        ("models/schema.yml", schema),
        ("models/good.sql", "select * from {{ ref('m') }} order by n".to_owned()),
    ]
}

/// A row that fails is in the table beside the model's, with the names of the tests that it fails; NULL is not wrong where
/// the test does not say so.
#[test]
fn rows_that_fail() {
    let tests = "      - { name: id, data_tests: [ not_null: { config: { meta: { quarantine: true } } } ] }\n      \
                 - name: kind\n        data_tests: [ accepted_values: { arguments: { values: [a, b] }, config: { meta: { quarantine: true }, where: 'n < 9' } } ]\n      \
                 - name: n\n        data_tests: [ dbt_utils.accepted_range: { arguments: { max_value: 50 }, config: { meta: { quarantine: true } } } ]\n";
    let files = project(tests);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    expect![[r#"
        +----+------+---+
        | id | kind | n |
        +----+------+---+
        | 1  | a    | 5 |
        +----+------+---+"#]]
    .assert_eq(&rows(&files, "good"));
    expect![[r#"
        +----+------+----+----------------------------------+
        | id | kind | n  | failed_tests                     |
        +----+------+----+----------------------------------+
        |    | a    | 6  | not_null_m_id                    |
        | 3  | z    | 7  | accepted_values_m_kind__a__b     |
        | 4  |      | 80 | dbt_utils_accepted_range_m_n__50 |
        |    | z    | 9  | not_null_m_id                    |
        +----+------+----+----------------------------------+"#]]
    .assert_eq(&rows(&files, "m__quarantine"));
}

/// Tests that do not look at single rows cannot set any apart.
#[test]
fn faults_of_quarantines() {
    let tests = "      - { name: id, data_tests: [ unique: { config: { meta: { quarantine: true } } } ] }\n";
    let files = project(tests);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let told = faults(&files);
    assert!(
        told.starts_with(
            "models/schema.yml:5: data test \"unique_m_id\" has a quarantine, and does not look at single rows; remove"
        ),
        "{told}"
    );
    let seed = "seeds:\n  - name: s\n    columns: [ { name: id, data_tests: [ not_null: { config: { meta: { quarantine: true } } } ] } ]\n";
    assert!(faults(&[SEED, ("seeds/s.yml", seed)]).contains("tests no model with a table; test a model"));
}
