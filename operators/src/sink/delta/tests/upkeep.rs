//! Tables that stay as fast as they were: what is merged, written and deleted, and what is not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow::array::{Date32Array, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluice_engine::{Batch, Committer, SinkContext, Token};

use super::table::{Lake, Running, batch, rows, table, weighted};
use crate::sink::delta::{DeltaConfig, Keep, WriteMode};
use crate::store::{Store, open_table};

/// Nothing that is not needed is kept.
const KEEP_NOTHING: Keep = Keep { log: Duration::ZERO, removed_files: Duration::ZERO };

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("day", DataType::Date32, true), Field::new("n", DataType::Int64, true)]))
}

/// One row for each number; its day is what is left when it is divided by three.
pub(super) fn some(n: &[i64]) -> Batch {
    let days: Vec<i32> = n.iter().map(|n| (n % 3) as i32).collect();
    batch(&schema(), vec![Arc::new(Date32Array::from(days)), Arc::new(Int64Array::from(n.to_vec()))])
}

/// The same rows, taken back.
pub(super) fn back(n: &[i64]) -> Batch {
    weighted(some(n), vec![-1; n.len()])
}

pub(super) fn config(lake: &Lake, mode: WriteMode) -> DeltaConfig {
    let config = lake.config(&schema(), mode).partitioned_by(["day"]).keyed_by(["n"]);
    DeltaConfig { keep: KEEP_NOTHING, ..config }
}

/// What there is of a table: data files in its folder, files of its log, bytes of the log.
async fn files(store: &Store) -> (usize, usize, u64) {
    let (mut data, mut log, mut log_bytes) = (0, 0, 0);
    for file in store.list("gold/t").await.unwrap() {
        if file.location.as_ref().contains("/_delta_log/") {
            log += 1;
            log_bytes += file.size;
        } else {
            data += 1;
        }
    }
    (data, log, log_bytes)
}

/// The quickest of some openings of the table.
async fn open_time(store: &Store) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let since = Instant::now();
        open_table(store, "gold/t").await.unwrap().unwrap();
        least = least.min(since.elapsed());
    }
    least
}

fn counts(n: impl IntoIterator<Item = i64>) -> BTreeMap<String, i64> {
    n.into_iter().map(|n| (format!("1970-01-0{}|{n}", n % 3 + 1), 1)).collect()
}

/// After 5,000 commits (1,000 where rows are taken back) the table is opened as fast as a new one, and files and log are few.
#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_commits() {
    let new = Lake::new();
    Running::recovered(&config(&new, WriteMode::Append), None).await.epoch(1, vec![some(&[1])]).await;
    let fresh = open_time(&new.store).await;
    for (mode, commits) in [(WriteMode::Append, 5_000), (WriteMode::Upsert, 1_000)] {
        let lake = Lake::new();
        let mut run = Running::recovered(&config(&lake, mode), None).await;
        let since = Instant::now();
        let mut most = 0;
        for epoch in 1..=commits {
            let mut batches = vec![some(&[epoch])];
            // Every tenth row goes again, some after a while.
            if mode == WriteMode::Upsert && epoch % 10 == 0 {
                batches.push(back(&[if epoch % 20 == 0 { epoch - 1 } else { (epoch - 8) / 2 + 1 }]));
            }
            run.epoch(epoch as u64, batches).await;
            if epoch % 20 == 0 {
                run.committer.end().await;
                most = most.max(files(&lake.store).await.0);
            }
        }
        run.committer.end().await;
        let took = since.elapsed();
        let (data, log, log_bytes) = files(&lake.store).await;
        let opened = open_time(&lake.store).await;
        println!(
            "{mode:?}: {commits} commits in {took:?}; {data} data files ({most} at most), {log} files of the log, \
             {log_bytes} bytes of it; opened in {opened:?}, a new table in {fresh:?}"
        );
        assert!(most < 300, "{most} data files");
        assert!(log < 400 && log_bytes < 2 << 20, "{log} files of the log, {log_bytes} bytes");
        assert!(opened < fresh * 20 + Duration::from_secs(1), "opened in {opened:?}, a new table in {fresh:?}");
        let expected = (1..=commits).filter(|n| {
            let later =
                mode == WriteMode::Upsert && ((n + 1) % 20 == 0 || (n * 2 + 6) % 20 == 10 && n * 2 + 6 <= commits);
            !later
        });
        assert_eq!(table(&lake.store).await.1, counts(expected));
    }
}

/// A checkpoint is written every hundred commits, and the log before it goes; the table is read from what is left.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_cut_at_checkpoints() {
    let lake = Lake::new();
    let config = config(&lake, WriteMode::Append);
    let mut run = Running::recovered(&config, None).await;
    let mut last = None;
    for epoch in 1..=130 {
        last = Some((epoch, run.epoch_and_upkeep(epoch, vec![some(&[epoch as i64])]).await));
    }
    let log = lake.store.list("gold/t/_delta_log").await.unwrap();
    let named = |end: &str| log.iter().filter(|f| f.location.as_ref().ends_with(end)).count();
    assert_eq!((named(".checkpoint.parquet"), named("_last_checkpoint")), (1, 1), "{log:?}");
    assert!(named(".json") < 100, "{} entries", named(".json"));
    let mut again = Running::recovered(&config, last).await;
    again.epoch(131, vec![some(&[131])]).await;
    assert_eq!(table(&lake.store).await.1, counts(1..=131));
}

/// What is kept for a while is kept: entries of the log, and files that are no part of the table any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_kept_stays() {
    let lake = Lake::new();
    let config = DeltaConfig { keep: Keep::default(), ..config(&lake, WriteMode::Append) };
    let mut run = Running::recovered(&config, None).await;
    for epoch in 1..=120 {
        run.epoch_and_upkeep(epoch, vec![some(&[epoch as i64])]).await;
    }
    let kept = run.committer.maintain().await.unwrap();
    let (data, log, _) = files(&lake.store).await;
    assert!(kept.files.1 == 3 && data >= 120 + 3, "{kept:?}, {data} data files");
    assert!(log > 120, "{log} files of the log");
    assert_eq!(kept.deleted_files, 0);
    let mut table = open_table(&lake.store, "gold/t").await.unwrap().unwrap();
    table.load_version(7).await.unwrap();
    assert_eq!(table.version(), Some(7));
}

/// `maintain` leaves one small file in each partition and one checkpoint, and what comes after it is right: rows that are
/// taken out of merged files too. A second time there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn rows_go_from_merged_files() {
    for mode in [WriteMode::Changes, WriteMode::Upsert] {
        let lake = Lake::new();
        let mut run = Running::recovered(&config(&lake, mode), None).await;
        for epoch in 1..=30 {
            run.epoch(epoch, vec![some(&[epoch as i64])]).await;
        }
        run.epoch(31, vec![back(&[7])]).await;
        let kept = run.committer.maintain().await.unwrap();
        assert_eq!(kept.files.1, 3, "{kept:?}");
        assert!(kept.files.0 >= 3 && kept.log_files.1 <= 2 && kept.bytes.1 <= kept.bytes.0, "{kept:?}");
        assert_eq!(files(&lake.store).await.0, 3);
        assert_eq!(table(&lake.store).await.1, counts((1..=30).filter(|n| *n != 7)));
        run.epoch(32, vec![some(&[32]), back(&[1, 2, 3, 30])]).await;
        assert_eq!(table(&lake.store).await.1, counts((4..=32).filter(|n| ![7, 30, 31].contains(n))));
        run.committer.maintain().await.unwrap();
        let (version, _) = table(&lake.store).await;
        let again = run.committer.maintain().await.unwrap();
        assert_eq!((again.files.0, again.log_files.0), (again.files.1, again.log_files.1));
        assert_eq!(table(&lake.store).await.0, version);
    }
}

/// A table that was made before it said how long things are kept says so from the next start on.
#[tokio::test(flavor = "multi_thread")]
async fn properties_follow_the_settings() {
    let lake = Lake::new();
    let first = config(&lake, WriteMode::Append);
    let mut run = Running::recovered(&first, None).await;
    let token = run.epoch(1, vec![some(&[1])]).await;
    let longer = Keep { log: Duration::from_secs(7_200), removed_files: Duration::from_secs(600) };
    let second = DeltaConfig { keep: longer, ..first };
    let mut last = Some((1, token));
    for _ in 0..2 {
        Running::recovered(&second, last.clone()).await;
        last = last.take();
    }
    let table = open_table(&lake.store, "gold/t").await.unwrap().unwrap();
    assert_eq!(table.version(), Some(2), "once");
    let properties = table.snapshot().unwrap().metadata().configuration().clone();
    assert_eq!(properties["delta.logRetentionDuration"], "interval 7200 seconds");
    assert_eq!(properties["delta.deletedFileRetentionDuration"], "interval 87000 seconds");
}

fn later_run(config: &DeltaConfig, generation: u64) -> Running {
    let runtime = tokio::runtime::Handle::current();
    let ctx = SinkContext { name: "t".into(), worker: 0, workers: 1, generation, runtime };
    Running { sinks: vec![config.build(&ctx).unwrap()], committer: config.committer(&ctx).unwrap() }
}

/// Files that a run has written and not committed stay, and so do those of other programs; what an earlier run has left goes
/// after a week.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_committed_yet_stay() {
    let lake = Lake::new();
    let config = config(&lake, WriteMode::Append);
    let mut dead = Running::recovered(&config, None).await;
    let last: Option<(u64, Token)> = Some((1, dead.epoch(1, vec![some(&[3])]).await));
    dead.seal(2, vec![some(&[4])]).await.unwrap();
    let left = data_files(&lake);
    assert_eq!(left.len(), 2);
    let mut run = later_run(&config, 2);
    run.committer.recover(last.clone()).await.unwrap();
    let sealed = run.seal(2, vec![some(&[5])]).await.unwrap();
    run.committer.maintain().await.unwrap();
    assert_eq!(data_files(&lake).len(), 3, "they are young");
    let folder = lake.folder().join("gold/t/day=1970-01-01");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("part-00000-0b0a6a1e-52a4-4d37-8f5b-3c1b5e3f6a11-c000.snappy.parquet"), "spark's")
        .unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    for path in data_files(&lake) {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let mut run = later_run(&config, 2);
    run.committer.recover(last).await.unwrap();
    run.committer.maintain().await.unwrap();
    let names: Vec<String> = data_files(&lake).iter().map(|p| p.display().to_string()).collect();
    assert_eq!(names.len(), 3, "the dead run's has gone: {names:?}");
    run.committer.commit(2, &sealed).await.unwrap();
    assert_eq!(table(&lake.store).await.1, rows(&["1970-01-01|3", "1970-01-03|5"]));
}

fn data_files(lake: &Lake) -> Vec<std::path::PathBuf> {
    let days = std::fs::read_dir(lake.folder().join("gold/t")).unwrap().flatten();
    let days = days.filter(|day| day.file_name().to_string_lossy().starts_with("day="));
    days.flat_map(|day| std::fs::read_dir(day.path()).unwrap().flatten().map(|f| f.path())).collect()
}
