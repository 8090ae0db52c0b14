//! Versions of rows, as snapshots make them.

use expect_test::expect;

use super::{faults, rows};

/// The versions of two prices: one row comes twice, one time of a key has two rows, and a price comes back.
const PRICES: (&str, &str) = (
    "seeds/prices.csv",
    "id,price,note,at\n1,10,a,2024-01-01 00:00:00\n2,5,x,2024-01-01 12:00:00\n1,10,b,2024-01-02 00:00:00\n\
     1,12,b,2024-01-03 00:00:00\n1,12,b,2024-01-03 00:00:00\n1,11,b,2024-01-03 00:00:00\n2,,x,2024-01-04 00:00:00\n\
     2,5,x,2024-01-05 00:00:00\n",
);

fn snapshot(config: &str) -> [(&'static str, String); 2] {
    let block = format!(
        "{{% snapshot history %}}\n{{{{ config({config}) }}}}\nselect * from {{{{ ref('prices') }}}}\n{{% endsnapshot %}}"
    );
    let reader = "select id, price, note, dbt_valid_from as since, dbt_valid_to as until\n\
                  from {{ ref('history') }} order by id, since";
    [("snapshots/history.sql", block), ("models/readable.sql", reader.to_owned())]
}

fn versions(config: &str) -> String {
    let [block, reader] = snapshot(config);
    rows(&[PRICES, (block.0, &block.1), (reader.0, &reader.1)], "readable")
}

/// The strategy timestamp: each newer row is a version, valid until the next; equal rows and equal times count once.
#[test]
fn timestamp() {
    let found = versions("strategy='timestamp', unique_key='id', updated_at='at', target_schema='snapshots'");
    expect![[r#"
        +----+-------+------+----------------------+----------------------+
        | id | price | note | since                | until                |
        +----+-------+------+----------------------+----------------------+
        | 1  | 10    | a    | 2024-01-01T00:00:00Z | 2024-01-02T00:00:00Z |
        | 1  | 10    | b    | 2024-01-02T00:00:00Z | 2024-01-03T00:00:00Z |
        | 1  | 11    | b    | 2024-01-03T00:00:00Z |                      |
        | 2  | 5     | x    | 2024-01-01T12:00:00Z | 2024-01-04T00:00:00Z |
        | 2  |       | x    | 2024-01-04T00:00:00Z | 2024-01-05T00:00:00Z |
        | 2  | 5     | x    | 2024-01-05T00:00:00Z |                      |
        +----+-------+------+----------------------+----------------------+"#]]
    .assert_eq(&found);
}

/// The strategy check: a version begins where one of the columns differs from the row before, NULL included.
#[test]
fn check() {
    let found = versions("strategy='check', unique_key='id', updated_at='at', check_cols=['price']");
    expect![[r#"
        +----+-------+------+----------------------+----------------------+
        | id | price | note | since                | until                |
        +----+-------+------+----------------------+----------------------+
        | 1  | 10    | a    | 2024-01-01T00:00:00Z | 2024-01-03T00:00:00Z |
        | 1  | 11    | b    | 2024-01-03T00:00:00Z |                      |
        | 2  | 5     | x    | 2024-01-01T12:00:00Z | 2024-01-04T00:00:00Z |
        | 2  |       | x    | 2024-01-04T00:00:00Z | 2024-01-05T00:00:00Z |
        | 2  | 5     | x    | 2024-01-05T00:00:00Z |                      |
        +----+-------+------+----------------------+----------------------+"#]]
    .assert_eq(&found);
}

/// All columns are compared, those of an ephemeral model too; the current version has the end that is asked for.
#[test]
fn check_all_of_an_ephemeral_model() {
    let yaml = "snapshots:\n  - name: history\n    relation: ref('kinds')\n    config:\n      strategy: check\n      unique_key: [id, kind]\n      \
                updated_at: day\n      check_cols: all\n      dbt_valid_to_current: \"date'9999-12-31'\"\n      \
                snapshot_meta_column_names: { dbt_valid_to: until }\n      hard_deletes: new_record\n";
    let kinds = "{{ config(materialized='ephemeral') }}\nselect id, 'k' as kind, price, date'2024-01-01' as day from {{ ref('prices') }}";
    let reader = "select id, kind, price, day, until, dbt_is_deleted, dbt_scd_id from {{ ref('history') }} order by id";
    let files = [PRICES, ("models/kinds.sql", kinds), ("snapshots/history.yml", yaml), ("models/readable.sql", reader)];
    expect![[r#"
        +----+------+-------+------------+------------+----------------+----------------------------------+
        | id | kind | price | day        | until      | dbt_is_deleted | dbt_scd_id                       |
        +----+------+-------+------------+------------+----------------+----------------------------------+
        | 1  | k    | 10    | 2024-01-01 | 9999-12-31 | False          | 44c5e13e0793fa741bb73730ad653a11 |
        | 2  | k    |       | 2024-01-01 | 9999-12-31 | False          | ce8d8788eb0d62367fb39e012eb99c4d |
        +----+------+-------+------------+------------+----------------+----------------------------------+"#]]
    .assert_eq(&rows(&files, "readable"));
}

/// What is missing is said, with the config to add, at the block's line.
#[test]
fn what_is_missing() {
    let of = |config: &str| {
        let [block, _] = snapshot(config);
        let block = format!("-- versions\n{}", block.1);
        faults(&[PRICES, ("snapshots/history.sql", &block)])
    };
    let check = of("strategy='check', unique_key='id', check_cols='all'");
    let begin =
        "snapshots/history.sql:2: snapshot \"history\" has the strategy check and no updated_at; add updated_at=";
    assert!(check.starts_with(begin), "{check}");
    assert!(of("unique_key='id'").contains("has no strategy; add strategy='timestamp'"));
    assert!(of("strategy='timestamp', updated_at='at'").contains("has no unique_key; add unique_key="));
    assert!(of("strategy='check', updated_at='at', unique_key='id'").contains("no check_cols; add check_cols='all'"));
    assert!(of("strategy='mine', unique_key='id'").contains("has the strategy \"mine\"; the strategies are"));
    let column = of("strategy='timestamp', unique_key='id', updated_at='tat'");
    assert!(column.starts_with("snapshots/history.sql") && column.contains("tat"), "{column}");
}
