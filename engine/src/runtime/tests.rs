//! Whole runs of a small graph, against the answer that arithmetic gives.

use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::MemoryStore;
use crate::error::Result;
use crate::graph::{Graph, Input};
use crate::runtime::{NoObserver, RunConfig, Summary, claim, run};
use crate::testing::{CountingSource, MemoryTable, SumByKey};

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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let graph = self.graph(rows, fail_commit_at)?;
        runtime.block_on(async {
            let claim = claim(self.store.as_ref(), "p", "test").await?;
            run(graph, claim, self.store.clone(), config, Box::new(NoObserver)).await
        })
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let result = runtime.block_on(async {
        let claim = claim(lake.store.as_ref(), "p", "test").await?;
        run(graph, claim, lake.store.clone(), config(1, 10), Box::new(NoObserver)).await
    });
    let error = result.expect_err("another graph");
    assert!(error.to_string().contains("the project has changed"), "{error}");
}
