//! Rows that are taken back.

use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluice_engine::{Batch, ErrorKind};

use super::table::{Lake, Running, batch, rows, table, weighted};
use crate::sink::delta::{DeltaConfig, WriteMode};

type Row<'a> = (Option<&'a str>, Option<i64>, f64, i64);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("place", DataType::Utf8, true),
        Field::new("key", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
    ]))
}

/// Rows of place, key, x and weight.
fn some(rows: &[Row]) -> Batch {
    let columns: Vec<Arc<dyn arrow::array::Array>> = vec![
        Arc::new(rows.iter().map(|r| r.0).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.2).collect::<Float64Array>()),
    ];
    weighted(batch(&schema(), columns), rows.iter().map(|r| r.3).collect())
}

fn config(lake: &Lake, mode: WriteMode) -> DeltaConfig {
    lake.config(&schema(), mode).partitioned_by(["place"]).keyed_by(["key"])
}

async fn is(lake: &Lake, expected: &[&str]) {
    assert_eq!(table(&lake.store).await.1, rows(expected));
}

/// Rows go from files of other epochs and partitions and of their own epoch; one for each that is taken back, wherever
/// nulls, NaN and odd partition values stand.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_taken_back_from_anywhere() {
    for mode in [WriteMode::Changes, WriteMode::Upsert] {
        let lake = Lake::new();
        let mut run = Running::start(&config(&lake, mode), 2);
        sluice_engine::Committer::recover(&mut run.committer, None).await.unwrap();
        let odd = Some("a b/%é=");
        let first: [Row; 4] =
            [(odd, Some(1), 1.0, 2), (None, None, f64::NAN, 1), (odd, Some(2), 2.0, 1), (odd, None, 3.0, 1)];
        run.epoch(1, vec![some(&first)]).await;
        is(&lake, &["a b/%é=|1|1.0", "a b/%é=|1|1.0", "NULL|NULL|NaN", "a b/%é=|2|2.0", "a b/%é=|NULL|3.0"]).await;

        let back = some(&[(odd, Some(1), 1.0, -1), (None, None, -f64::NAN, -1), (Some("new"), Some(5), 5.0, -1)]);
        run.epoch(2, vec![some(&[(Some("new"), Some(5), 5.0, 2), (Some(""), Some(6), 6.0, 1)]), back]).await;
        is(&lake, &["a b/%é=|1|1.0", "a b/%é=|2|2.0", "a b/%é=|NULL|3.0", "new|5|5.0", "NULL|6|6.0"]).await;

        let all =
            [(odd, Some(1), 1.0, -1), (odd, Some(2), 2.0, -1), (odd, None, 3.0, -1), (Some("new"), Some(5), 5.0, -1)];
        run.epoch(3, vec![some(&all), some(&[(Some(""), Some(6), 6.0, -1)])]).await;
        is(&lake, &[]).await;
    }
}

/// What cancels within an epoch makes neither files nor a commit.
#[tokio::test(flavor = "multi_thread")]
async fn what_cancels_is_not_written() {
    let lake = Lake::new();
    let mut run = Running::recovered(&config(&lake, WriteMode::Upsert), None).await;
    run.epoch(1, vec![some(&[(None, Some(1), 1.0, 1)])]).await;
    let there_and_back: Vec<Row> =
        (0..100).flat_map(|i| [(None, Some(1), i as f64, 1), (None, Some(1), i as f64, -1)]).collect();
    let token = run.epoch(2, vec![some(&there_and_back[..101]), some(&there_and_back[101..])]).await;
    assert_eq!(token["adds"].as_array().unwrap().len(), 0, "{token}");
    assert_eq!(table(&lake.store).await, (1, rows(&["NULL|1|1.0"])));
}

/// A row that is not there cannot be taken back: the error names the table and the key. Files that cannot hold it are not
/// looked at, and an append-only table refuses at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_row_is_an_error() {
    let lake = Lake::new();
    let mut run = Running::recovered(&config(&lake, WriteMode::Changes), None).await;
    run.epoch(1, vec![some(&[(None, Some(1), 1.0, 1)])]).await;
    for row in [(None, Some(1), 1.5, -1), (Some("x"), Some(1), 1.0, -1), (None, Some(1), 1.0, -2)] {
        let e = run.seal(2, vec![some(&[row])]).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Bug);
        let text = e.to_string();
        assert!(text.contains("delta table gold/t: 1 rows") && text.contains("| key |"), "{text}");
    }
    let append = lake.config(&schema(), WriteMode::Append).partitioned_by(["place"]);
    let mut run = Running::start(&append, 1);
    let e = run.seal(3, vec![some(&[(None, Some(1), 1.0, -1)])]).await.unwrap_err();
    assert!(e.to_string().contains("only added to"), "{e}");
}

/// Only the files that hold the row are written again, found by statistics or by the index; the index follows commits.
#[tokio::test(flavor = "multi_thread")]
async fn other_files_stay() {
    for mode in [WriteMode::Changes, WriteMode::Upsert] {
        let lake = Lake::new();
        let mut run = Running::recovered(&config(&lake, mode), None).await;
        for epoch in 1..=4u64 {
            let key = epoch as i64 * 10;
            run.epoch(epoch, vec![some(&[(None, Some(key), 1.0, 1), (None, Some(key + 1), 1.0, 1)])]).await;
        }
        let token = run.epoch(5, vec![some(&[(None, Some(20), 1.0, -1), (None, Some(20), 2.0, 1)])]).await;
        assert_eq!(token["removes"].as_array().unwrap().len(), 1, "{mode:?} {token}");
        let token = run.epoch(6, vec![some(&[(None, Some(20), 2.0, -1), (None, Some(30), 1.0, -1)])]).await;
        assert_eq!(token["removes"].as_array().unwrap().len(), 2, "{mode:?} {token}");
        is(&lake, &["NULL|10|1.0", "NULL|11|1.0", "NULL|21|1.0", "NULL|31|1.0", "NULL|40|1.0", "NULL|41|1.0"]).await;
    }
}

/// Columns that were added later are null in old rows, which are found and written again with them.
#[tokio::test(flavor = "multi_thread")]
async fn old_rows_have_new_columns() {
    let lake = Lake::new();
    let old = config(&lake, WriteMode::Changes);
    let mut run = Running::recovered(&old, None).await;
    let token = run.epoch(1, vec![some(&[(None, Some(1), 1.0, 1), (None, Some(2), 2.0, 1)])]).await;
    let mut fields: Vec<Field> = schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new("day", DataType::Date32, true));
    let new = DeltaConfig { schema: Arc::new(Schema::new(fields)), ..old };
    let mut run = Running::recovered(&new, Some((1, token))).await;
    let mut columns = some(&[(None, Some(1), 1.0, -1)]).rows().columns().to_vec();
    columns.push(Arc::new(Date32Array::from(vec![None])));
    run.epoch(2, vec![weighted(batch(&new.schema, columns), vec![-1])]).await;
    is(&lake, &["NULL|2|2.0|NULL"]).await;
}
