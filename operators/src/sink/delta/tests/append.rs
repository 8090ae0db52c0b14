//! Rows that only appear; commits, crashes and the start of a run.

use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluice_engine::{Batch, Committer, ErrorKind};

use super::table::{Lake, Running, batch, rows, table};
use crate::sink::delta::{DeltaConfig, WriteMode};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("day", DataType::Date32, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("n", DataType::Int64, false),
    ]))
}

fn some(day: &[Option<i32>], name: &[Option<&str>], n: &[i64]) -> Batch {
    batch(
        &schema(),
        vec![
            Arc::new(Date32Array::from(day.to_vec())),
            Arc::new(StringArray::from(name.to_vec())),
            Arc::new(Int64Array::from(n.to_vec())),
        ],
    )
}

fn config(lake: &Lake) -> DeltaConfig {
    lake.config(&schema(), WriteMode::Append).partitioned_by(["day"])
}

/// Two epochs of two workers over partitions, one of them null, are read back whole; each epoch is one version.
#[tokio::test(flavor = "multi_thread")]
async fn two_epochs_are_read_back() {
    let lake = Lake::new();
    let mut run = Running::start(&config(&lake), 2);
    run.committer.recover(None).await.unwrap();
    let first = some(&[Some(0), Some(1), Some(0)], &[Some("a"), None, Some("c")], &[1, 2, 3]);
    run.epoch(1, vec![first, some(&[None], &[Some("d")], &[4])]).await;
    assert_eq!(table(&lake.store).await.0, 1);
    run.epoch(2, vec![some(&[Some(1)], &[Some("e")], &[5])]).await;
    let expected = ["1970-01-01|a|1", "1970-01-02|NULL|2", "1970-01-01|c|3", "NULL|d|4", "1970-01-02|e|5"];
    assert_eq!(table(&lake.store).await, (2, rows(&expected)));
}

/// An epoch without rows makes no version.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_epoch_makes_no_version() {
    let lake = Lake::new();
    let mut run = Running::recovered(&config(&lake), None).await;
    run.epoch(1, vec![]).await;
    assert_eq!(table(&lake.store).await, (0, rows(&[])));
}

/// A commit that comes again, at once or after a restart, changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_counts_once() {
    let lake = Lake::new();
    let mut run = Running::recovered(&config(&lake), None).await;
    let token = run.epoch(7, vec![some(&[Some(0)], &[Some("a")], &[1])]).await;
    run.committer.commit(7, &token).await.unwrap();
    let mut again = Running::recovered(&config(&lake), Some((7, token.clone()))).await;
    again.committer.commit(7, &token).await.unwrap();
    assert_eq!(table(&lake.store).await, (1, rows(&["1970-01-01|a|1"])));
    again.epoch(8, vec![some(&[Some(0)], &[Some("b")], &[2])]).await;
    assert_eq!(table(&lake.store).await, (2, rows(&["1970-01-01|a|1", "1970-01-01|b|2"])));
}

/// Sealed rows are invisible; after a crash the manifest's token makes them visible.
#[tokio::test(flavor = "multi_thread")]
async fn recovery_commits_what_was_sealed() {
    let lake = Lake::new();
    let mut run = Running::recovered(&config(&lake), None).await;
    let token = run.seal(1, vec![some(&[Some(0)], &[Some("a")], &[1])]).await.unwrap();
    assert_eq!(table(&lake.store).await, (0, rows(&[])));
    drop(run);
    let stored = serde_json::from_str(&token.to_string()).unwrap();
    Running::recovered(&config(&lake), Some((1, stored))).await;
    assert_eq!(table(&lake.store).await, (1, rows(&["1970-01-01|a|1"])));
}

/// A table that is ahead of the manifests is refused: its epochs would come again and be taken for done.
#[tokio::test(flavor = "multi_thread")]
async fn lost_manifests_are_noticed() {
    let lake = Lake::new();
    let mut run = Running::recovered(&config(&lake), None).await;
    run.epoch(5, vec![some(&[Some(0)], &[Some("a")], &[1])]).await;
    let mut late = Running::start(&config(&lake), 1);
    let e = late.committer.recover(None).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().contains("holds epoch 5"), "{e}");
}

/// A table of other columns is refused with each difference; columns at the end are added.
#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_compared() {
    let lake = Lake::new();
    let mut run = Running::recovered(&config(&lake), None).await;
    let token = run.epoch(1, vec![some(&[Some(0)], &[Some("a")], &[1])]).await;
    let other = |fields: Vec<Field>| {
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        DeltaConfig { schema, ..config(&lake) }
    };
    let day = || Field::new("day", DataType::Date32, true);
    let wrong = other(vec![day(), Field::new("name", DataType::Int64, true), Field::new("m", DataType::Int64, true)]);
    let e = Running::start(&wrong, 1).committer.recover(None).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    let text = e.to_string();
    assert!(text.starts_with("delta table gold/t: "), "{text}");
    assert!(text.contains("column \"name\" is string in the table and long in the model"), "{text}");
    assert!(text.contains("column \"n\" long is in the table and not in the model"), "{text}");

    let mut fields: Vec<Field> = schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new("x", DataType::Float64, true));
    let more = other(fields);
    let mut run = Running::recovered(&more, Some((1, token))).await;
    let mut columns = some(&[Some(0)], &[None], &[2]).rows().columns().to_vec();
    columns.push(Arc::new(Float64Array::from(vec![0.5])));
    run.epoch(2, vec![batch(&more.schema, columns)]).await;
    assert_eq!(table(&lake.store).await, (3, rows(&["1970-01-01|a|1|NULL", "1970-01-01|NULL|2|0.5"])));
}
