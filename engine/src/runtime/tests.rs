//! Whole runs of a small graph, against the answer that arithmetic gives.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, ready};

use crate::checkpoint::{Manifest, MemoryStore, newest};
use crate::error::{ErrorKind, Result};
use crate::graph::{Exchange, Graph, Input};
use crate::runtime::{Committed, NoObserver, Observer, Rebuild, RunConfig, Summary, claim, run};
use crate::testing::{Begun, CountingSource, FailsDuringCommit, MemoryTable, SlowCommitter, SumByKey};

const KEYS: i64 = 97;

/// A lake of two tables: every row, and the sums by key.
#[derive(Default)]
struct Lake {
    store: Arc<MemoryStore>,
    rows: MemoryTable,
    sums: MemoryTable,
}

impl Lake {
    fn graph(&self, rows: i64, fail_commit_at: Option<u64>) -> Result<Graph> {
        let mut graph = Graph::new();
        let source = graph.source("numbers", move |c| Ok(Box::new(CountingSource::new(c.clone(), rows, KEYS, 5))))?;
        let input = vec![Input::hash(source, vec![0])];
        let sum = graph.operator("sum", "v1", input, || Ok(Box::new(SumByKey::new()?)))?;
        let (rows, sums) = (self.rows.clone(), self.sums.clone());
        let committers = (self.rows.committer(None), self.sums.committer(fail_commit_at));
        graph.sink("rows", vec![Input::forward(source)], move |_| Ok(rows.sink()), committers.0)?;
        graph.sink("sums", vec![Input::forward(sum)], move |_| Ok(sums.sink()), committers.1)?;
        Ok(graph)
    }

    fn run(&self, rows: i64, config: RunConfig, fail_commit_at: Option<u64>) -> Result<Summary> {
        self.run_graph(self.graph(rows, fail_commit_at)?, config, Box::new(NoObserver))
    }

    fn run_graph(&self, graph: Graph, config: RunConfig, observer: Box<dyn Observer>) -> Result<Summary> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let claim = claim(self.store.as_ref(), "p", "test").await?;
            run(graph, claim, self.store.clone(), config, observer).await
        })
    }

    fn manifest(&self) -> Manifest {
        let newest = futures::executor::block_on(newest(self.store.as_ref(), "p"));
        newest.expect("it can be read").expect("an epoch")
    }

    /// Both tables equal what one run over the same rows gives.
    fn check(&self, rows: i64) {
        let whole = Lake::default();
        whole.run(rows, config(1, 8192), None).expect("a plain run");
        assert_eq!(whole.rows.rows().len() as i64, rows);
        assert_eq!(whole.sums.rows().len() as i64, rows.min(KEYS));
        assert!(self.rows.rows() == whole.rows.rows(), "every row once");
        assert!(self.sums.rows() == whole.sums.rows(), "the same sums");
    }
}

fn config(workers: usize, batch_rows: usize) -> RunConfig {
    RunConfig {
        workers,
        batch_rows,
        until_idle: true,
        tick: Duration::from_millis(1),
        epoch: Duration::from_millis(3),
        ..RunConfig::new("p")
    }
}

/// Workers and batch sizes do not change the tables.
#[test]
fn any_workers_any_batch() {
    for (workers, batch_rows, rows) in [(1, 1, 300), (2, 7, 5_000), (3, 64, 20_000), (4, 8192, 100_000), (3, 10, 2)] {
        let lake = Lake::default();
        let summary = lake.run(rows, config(workers, batch_rows), None).expect("the run ends by itself");
        assert_eq!(summary.rows as i64, rows);
        lake.check(rows);
    }
}

/// A second run goes on where the first stopped, with another number of workers, and reads nothing twice.
#[test]
fn goes_on_after_a_stop() {
    let lake = Lake::default();
    lake.run(10_000, config(3, 64), None).expect("first run");
    let summary = lake.run(25_000, config(2, 100), None).expect("second run");
    assert_eq!(summary.rows, 15_000);
    assert_eq!(summary.generation, 2);
    lake.check(25_000);
}

/// A run that fails between manifest and table commit loses nothing: recovery commits again.
#[test]
fn recovers_a_commit_that_failed() {
    let lake = Lake::default();
    let failed = lake.run(20_000, config(2, 16), Some(1)).expect_err("the commit fails");
    assert!(failed.to_string().contains("the test wants this commit to fail"), "{failed}");
    lake.run(20_000, config(2, 16), None).expect("recovery");
    lake.check(20_000);
}

/// A stop asked for from outside commits what was read; nothing is lost or doubled afterwards.
#[test]
fn stops_when_asked() {
    let lake = Lake::default();
    let asked = RunConfig { until_idle: false, ..config(2, 8) };
    let stop = asked.stop.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        stop.stop();
    });
    lake.run(1_000_000, asked, None).expect("a graceful stop");
    stopper.join().expect("the stopper ends");
    lake.run(1_000_000, config(2, 8192), None).expect("the rest");
    lake.check(1_000_000);
}

/// A graph with another operator does not silently start with half of its history.
#[test]
fn refuses_a_changed_graph() {
    let lake = Lake::default();
    lake.run(100, config(1, 10), None).expect("first run");
    let mut graph = lake.graph(100, None).expect("the same graph");
    graph.operator("new", "v1", vec![], || Ok(Box::new(SumByKey::new()?))).expect("a new name");
    let error = lake.run_graph(graph, config(1, 10), Box::new(NoObserver)).expect_err("another graph");
    assert!(error.to_string().contains("the project has changed"), "{error}");
}

/// A part that is made anew begins without state and ends with one epoch, whatever the time; the rest of the manifest stays,
/// and the next run goes on from both.
#[test]
fn rebuilds_a_part() {
    for workers in [1, 3] {
        let lake = Lake::default();
        lake.run(10_000, config(2, 64), None).expect("first run");
        let before = lake.manifest();
        // The sums are lost, and made again from the rows, as another source has them.
        lake.sums.clear();
        let whole = lake.graph(20_000, None).expect("the same graph");
        let mut part = Graph::new();
        let stored =
            part.source("stored", |c| Ok(Box::new(CountingSource::new(c.clone(), 10_000, KEYS, 5)))).expect("new");
        let sums =
            part.operator("sum", "another", vec![Input::hash(stored, vec![0])], || Ok(Box::new(SumByKey::new()?)));
        let sink = lake.sums.clone();
        part.sink(
            "sums",
            vec![Input::forward(sums.expect("new"))],
            move |_| Ok(sink.sink()),
            lake.sums.committer(None),
        )
        .expect("new");
        let nothing = futures::executor::block_on(lake.rows.committer(None).seal(before.epoch + 1, vec![]));
        let tokens = [("rows".to_owned(), nothing.expect("sealed"))].into();
        let rebuild = Some(Arc::new(Rebuild::new(&whole, &part, &before, tokens)));
        let summary = lake.run_graph(part, RunConfig { rebuild, ..config(workers, 64) }, Box::new(NoObserver));
        assert_eq!(summary.expect("the rebuild").epoch, before.epoch + 1, "one epoch");
        let after = lake.manifest();
        assert_eq!(
            after.positions, before.positions,
            "the stream is where it was, and what was read once is forgotten"
        );
        assert_eq!(after.operators.keys().collect::<Vec<_>>(), before.operators.keys().collect::<Vec<_>>());
        assert_eq!(after.operators["sum"].fingerprint, before.operators["sum"].fingerprint);
        let summary = lake.run(20_000, config(2, 100), None).expect("goes on");
        assert_eq!(summary.rows, 10_000);
        lake.check(20_000);
    }
}

/// A rebuild that is stopped before its end fails, and has committed nothing.
#[test]
fn a_stopped_rebuild_commits_nothing() {
    let lake = Lake::default();
    lake.run(1_000, config(2, 64), None).expect("first run");
    let before = lake.manifest();
    let part = lake.graph(1_000_000_000, None).expect("the same graph");
    let rebuild = Rebuild::new(&lake.graph(1, None).expect("the same graph"), &part, &before, Default::default());
    let config = RunConfig { rebuild: Some(Arc::new(rebuild)), ..config(2, 64) };
    let stop = config.stop.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        stop.stop();
    });
    let error = lake.run_graph(part, config, Box::new(NoObserver)).expect_err("stopped");
    stopper.join().expect("the stopper ends");
    assert!(error.kind() == ErrorKind::Transient && error.to_string().contains("nothing has changed"), "{error}");
    assert_eq!(lake.manifest(), before);
}

/// A run that fails while an epoch is being committed ends only when the commit has: what runs next has the tables alone.
#[test]
fn a_failed_run_waits_for_its_commit() {
    let (lake, begun) = (Lake::default(), Begun::default());
    let mut graph = Graph::new();
    let told = begun.clone();
    let numbers = graph.source("numbers", move |c| {
        let counting = Box::new(CountingSource::new(c.clone(), 1_000_000_000, KEYS, 5));
        Ok(Box::new(FailsDuringCommit::new(counting, told.clone())))
    });
    let rows = lake.rows.clone();
    let slow = SlowCommitter::new(lake.rows.committer(None), Duration::from_millis(300), begun);
    let input = vec![Input::forward(numbers.expect("a new name"))];
    graph.sink("rows", input, move |_| Ok(rows.sink()), Box::new(slow)).expect("a new name");
    let failed = lake.run_graph(graph, config(2, 8), Box::new(NoObserver)).expect_err("the source fails");
    assert!(failed.to_string().contains("the test wants the source to fail"), "{failed}");
    assert_eq!(lake.rows.commits(), 1, "the commit that was under way is done when the run is over");
}

/// Rows that are gathered on one worker, and shared out again behind it, give the same tables; barriers pass where a worker
/// has no part in a stage, and state comes back on another number of workers.
#[test]
fn gathers_on_one_worker() {
    let graph = |lake: &Lake, rows| {
        let mut graph = Graph::new();
        let numbers = graph.source("numbers", move |c| Ok(Box::new(CountingSource::new(c.clone(), rows, KEYS, 5))))?;
        let gathered = Input { exchange: Exchange::Gather, ..Input::forward(numbers) };
        let first = graph.operator("first", "v1", vec![gathered], || Ok(Box::new(SumByKey::new()?)))?;
        let second = vec![Input::hash(first, vec![0])];
        let second = graph.operator("second", "v1", second, || Ok(Box::new(SumByKey::new()?)))?;
        let (rows, sums) = (lake.rows.clone(), lake.sums.clone());
        let all = Input { exchange: Exchange::Gather, ..Input::forward(numbers) };
        graph.sink("rows", vec![all], move |_| Ok(rows.sink()), lake.rows.committer(None))?;
        graph.sink("sums", vec![Input::forward(second)], move |_| Ok(sums.sink()), lake.sums.committer(None))?;
        Ok::<_, crate::Error>(graph)
    };
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let lake = Lake::default();
        for (workers, rows) in [(3, 5_000), (2, 12_000), (4, 20_000)] {
            let graph = graph(&lake, rows).expect("a graph");
            lake.run_graph(graph, config(workers, 64), Box::new(NoObserver)).expect("the run ends by itself");
            lake.check(rows);
        }
        let _ = tell.send(());
    });
    told.recv_timeout(Duration::from_secs(60)).expect("no barrier is waited for in vain, and the tables are right");
}

/// Wants one epoch, and counts those that it sees.
struct WantsOne {
    epochs: u64,
    stop: crate::runtime::StopHandle,
}

impl Observer for WantsOne {
    fn wants_epoch(&self) -> bool {
        self.epochs == 0
    }

    fn on_committed<'a>(&'a mut self, epoch: &'a Committed) -> BoxFuture<'a, Result<()>> {
        self.epochs += 1;
        assert!(epoch.rows == 0 && self.epochs <= 2, "{epoch:?}");
        assert_eq!(
            epoch.last,
            self.epochs == 2,
            "the first epoch is the one that is wanted, the last that of the stop"
        );
        self.stop.stop();
        ready(Ok(())).boxed()
    }
}

/// An observer gets the epoch that it wants when no rows come, and no more than that.
#[test]
fn an_epoch_without_rows_when_one_is_wanted() {
    let lake = Lake::default();
    let config = RunConfig { until_idle: false, ..config(2, 8) };
    let observer = WantsOne { epochs: 0, stop: config.stop.clone() };
    let summary = lake.run_graph(lake.graph(0, None).expect("a graph"), config, Box::new(observer)).expect("a stop");
    assert_eq!((summary.rows, summary.epoch), (0, 2));
}

/// Writes down how many rows the sources had given at each epoch.
struct RowsAtEpochs(Arc<std::sync::Mutex<Vec<u64>>>);

impl Observer for RowsAtEpochs {
    fn on_committed<'a>(&'a mut self, epoch: &'a Committed) -> BoxFuture<'a, Result<()>> {
        self.0.lock().expect("no panic").push(epoch.rows);
        ready(Ok(())).boxed()
    }
}

/// While a slow commit is under way, sources are read no further than a bound: what waits for the next epoch stays bounded.
#[test]
fn sources_wait_for_slow_commits() {
    const WORKERS: usize = 2;
    const BATCH_ROWS: usize = 16;
    const EPOCH_ROWS_MAX: u64 = 200;
    const ROWS: i64 = 3_000;
    let lake = Lake::default();
    let mut graph = Graph::new();
    let numbers = graph.source("numbers", |c| Ok(Box::new(CountingSource::new(c.clone(), ROWS, KEYS, 5))));
    let rows = lake.rows.clone();
    let slow = SlowCommitter::new(lake.rows.committer(None), Duration::from_millis(40), Begun::default());
    let input = vec![Input::forward(numbers.expect("a new name"))];
    graph.sink("rows", input, move |_| Ok(rows.sink()), Box::new(slow)).expect("a new name");
    let config = RunConfig { epoch_rows_max: EPOCH_ROWS_MAX, ..config(WORKERS, BATCH_ROWS) };
    let seen = Arc::new(std::sync::Mutex::new(vec![0]));
    lake.run_graph(graph, config, Box::new(RowsAtEpochs(seen.clone()))).expect("the run ends by itself");
    assert_eq!(lake.rows.rows().len() as i64, ROWS);
    let seen = seen.lock().expect("no panic");
    let most = super::cuts::EPOCHS_AHEAD_MAX * EPOCH_ROWS_MAX + (WORKERS * BATCH_ROWS) as u64;
    let epochs: Vec<u64> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(epochs.iter().all(|rows| *rows <= most), "{epochs:?} against {most}");
}
