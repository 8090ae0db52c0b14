//! Tables that begin again with other rows, columns and partitions.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluice_engine::{Batch, Committer};

use super::table::{Lake, Running, batch, rows, table, weighted};
use crate::sink::delta::{DeltaConfig, EpochChange, WriteMode, check_table, is_partitioned_otherwise};

fn old_config(lake: &Lake, mode: WriteMode) -> DeltaConfig {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    lake.config(&schema, mode)
}

fn new_config(lake: &Lake, mode: WriteMode) -> DeltaConfig {
    let fields = vec![Field::new("n", DataType::Utf8, true), Field::new("m", DataType::Int64, true)];
    lake.config(&Arc::new(Schema::new(fields)), mode).partitioned_by(["m"]).keyed_by(["n"])
}

fn numbers(config: &DeltaConfig, n: &[i64]) -> Batch {
    batch(&config.schema, vec![Arc::new(Int64Array::from(n.to_vec())) as ArrayRef])
}

fn pairs(config: &DeltaConfig, n: &[&str], m: &[i64]) -> Batch {
    batch(&config.schema, vec![Arc::new(StringArray::from(n.to_vec())), Arc::new(Int64Array::from(m.to_vec()))])
}

/// In each mode: the new rows take the place of the old ones in one commit, with the new columns and partitions, and rows that
/// the epoch itself takes back are not there; the table goes on from there, under a start that knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn other_columns_in_one_commit() {
    for mode in [WriteMode::Append, WriteMode::Changes, WriteMode::Upsert] {
        let lake = Lake::new();
        let (old, new) = (old_config(&lake, mode), new_config(&lake, mode));
        let token = Running::recovered(&old, None).await.epoch_and_upkeep(1, vec![numbers(&old, &[1, 2, 2])]).await;
        let version = table(&lake.store).await.0;
        assert!(is_partitioned_otherwise(&new).await.unwrap() && !is_partitioned_otherwise(&old).await.unwrap());
        check_table(&new).await.expect_err("other columns");

        let again = new.clone().beginning_after(1);
        check_table(&again).await.unwrap();
        let mut running = Running::recovered(&again, Some((1, token))).await;
        let mut batches = vec![pairs(&new, &["a", "b"], &[1, 2])];
        if mode != WriteMode::Append {
            batches.push(pairs(&new, &["c"], &[3]));
            batches.push(weighted(pairs(&new, &["c"], &[3]), vec![-1]));
        }
        let token = running.seal(2, batches).await.unwrap();
        assert_eq!(table(&lake.store).await, (version, rows(&["1", "2", "2"])), "{mode:?}: nothing is visible yet");
        running.committer.commit(2, &token).await.unwrap();
        running.committer.commit(2, &token).await.unwrap();
        running.committer.end().await;
        assert_eq!(table(&lake.store).await, (version + 1, rows(&["a|1", "b|2"])), "{mode:?}");
        assert!(EpochChange::of_token(&token).unwrap().anew);

        let mut running = Running::recovered(&new, Some((2, token))).await;
        let mut batches = vec![pairs(&new, &["d"], &[1])];
        if mode != WriteMode::Append {
            batches.push(weighted(pairs(&new, &["a"], &[1]), vec![-1]));
        }
        running.epoch_and_upkeep(3, batches).await;
        let expected = if mode == WriteMode::Append { vec!["a|1", "b|2", "d|1"] } else { vec!["b|2", "d|1"] };
        assert_eq!(table(&lake.store).await.1, rows(&expected), "{mode:?}");
    }
}

/// A run that was killed between its manifest and the commit: the next start commits, though the table that is there does not
/// fit. A table that begins again without rows is empty.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_beginning_is_committed() {
    let lake = Lake::new();
    let (old, new) = (old_config(&lake, WriteMode::Append), new_config(&lake, WriteMode::Append));
    let token = Running::recovered(&old, None).await.epoch_and_upkeep(1, vec![numbers(&old, &[1])]).await;
    let mut running = Running::recovered(&new.clone().beginning_after(1), Some((1, token))).await;
    let token = running.seal(2, vec![pairs(&new, &["a"], &[1])]).await.unwrap();
    drop(running);
    Running::recovered(&new, Some((2, token.clone()))).await;
    assert_eq!(table(&lake.store).await.1, rows(&["a|1"]));
    let mut running = Running::recovered(&new.clone().beginning_after(2), Some((2, token))).await;
    running.epoch_and_upkeep(3, vec![]).await;
    assert_eq!(table(&lake.store).await.1, rows(&[]));
}

/// Neither a table that others have made, nor one that is ahead of the manifest, begins again.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_known_begins_again() {
    let lake = Lake::new();
    let old = old_config(&lake, WriteMode::Append);
    Running::recovered(&old, None).await.epoch_and_upkeep(4, vec![numbers(&old, &[1])]).await;
    let refusal = async |config: &DeltaConfig| {
        let mut running = Running::start(config, 1);
        let error = running.committer.recover(None).await.expect_err("refused").to_string();
        assert_eq!(check_table(config).await.expect_err("refused").to_string(), error);
        error
    };
    let ahead = refusal(&new_config(&lake, WriteMode::Append).beginning_after(3)).await;
    assert!(ahead.contains("epoch 4") && ahead.contains("epoch 3"), "{ahead}");
    let others = DeltaConfig { app_id: "other/t".into(), ..new_config(&lake, WriteMode::Append).beginning_after(9) };
    let error = refusal(&others).await;
    assert!(error.contains("\"other/t\" has not made"), "{error}");
    assert_eq!(table(&lake.store).await.1, rows(&["1"]));
}
