//! How many rows fail the generic tests that sluice brings.

use super::{block, computed};
use crate::lake::run_data_test;

const SPANS: &str = "id,kind,low,high,day,at,note\n1,a,0,5,2024-01-01,2024-01-01 00:00:00,x\n2,a,5,9,2024-01-02,2024-01-02 00:00:00,\n3,a,8,10,2024-01-04,2024-01-03 12:00:00,y\n4,b,0,1,2024-01-01,2024-01-04 00:00:00,z\n";
const OTHER: &str = "id,kind,low\n1,a,0\n2,a,5\n3,c,8\n";

/// The failing rows of one test of the model `spans`, written as YAML.
fn failing(test: &str) -> i64 {
    let schema = format!("models:\n  - name: spans\n    data_tests:\n      - {test}\n");
    let files = [
        ("seeds/spans_seed.csv", SPANS),
        ("seeds/other.csv", OTHER),
        ("models/spans.sql", "select * from {{ ref('spans_seed') }}"),
        ("models/schema.yml", schema.as_str()),
    ];
    let (pipeline, context) = computed(&files);
    let test = &pipeline.project.tests[0];
    block(run_data_test(&context, test)).map(|found| found.rows).unwrap_or_else(|e| panic!("{e}\n{}", test.sql))
}

/// Each test of dbt_utils finds what is wrong, and nothing else.
#[test]
fn dbt_utils() {
    let cases = [
        ("unique_combination_of_columns: { combination_of_columns: [kind, day] }", 0),
        ("unique_combination_of_columns: { combination_of_columns: [kind] }", 1),
        ("expression_is_true: { expression: 'low < high' }", 0),
        ("expression_is_true: { expression: '+ low < 12', column_name: high }", 2),
        ("equal_rowcount: { compare_model: ref('other') }", 1),
        ("equal_rowcount: { compare_model: ref('other'), group_by_columns: [kind] }", 3),
        ("fewer_rows_than: { compare_model: ref('other') }", 1),
        ("equality: { compare_model: ref('spans_seed') }", 0),
        ("equality: { compare_model: ref('other'), compare_columns: [id, kind] }", 3),
        ("recency: { field: at, datepart: day, interval: 1 }", 1),
        ("recency: { field: at, datepart: day, interval: 100000 }", 0),
        ("at_least_one: { column_name: note }", 0),
        ("at_least_one: { column_name: note, group_by_columns: [id] }", 1),
        ("not_constant: { column_name: kind }", 0),
        ("not_constant: { column_name: kind, group_by_columns: [kind] }", 2),
        ("not_empty_string: { column_name: kind }", 0),
        ("cardinality_equality: { column_name: kind, to: ref('other'), field: kind }", 3),
        ("not_null_proportion: { column_name: note, at_least: 0.75 }", 0),
        ("not_null_proportion: { column_name: note, at_least: 0.8 }", 1),
        ("accepted_range: { column_name: low, min_value: 1, max_value: 8 }", 2),
        ("relationships_where: { column_name: kind, to: ref('other'), field: kind, from_condition: 'id > 1' }", 1),
        ("mutually_exclusive_ranges: { lower_bound_column: low, upper_bound_column: high, partition_by: kind }", 1),
        (
            "mutually_exclusive_ranges: { lower_bound_column: id, upper_bound_column: id, zero_length_range_allowed: true }",
            0,
        ),
        ("mutually_exclusive_ranges: { lower_bound_column: id, upper_bound_column: id }", 4),
        ("sequential_values: { column_name: id }", 0),
        ("sequential_values: { column_name: day, datepart: day, group_by_columns: [kind] }", 1),
    ];
    let found = cases.map(|(test, _)| (test, failing(&format!("dbt_utils.{test}"))));
    assert_eq!(found, cases);
}

/// The four tests of dbt.
#[test]
fn dbt() {
    assert_eq!(failing("not_null: { column_name: note }"), 1);
    assert_eq!(failing("unique: { column_name: kind }"), 1);
    assert_eq!(failing("accepted_values: { column_name: kind, values: [a] }"), 1);
    assert_eq!(failing("relationships: { column_name: kind, to: ref('other'), field: kind }"), 1);
}
