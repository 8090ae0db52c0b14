//! The command, over tables that real runs have made.

use std::fs;
use std::time::Duration;

use sluice_engine::checkpoint::newest;
use sluice_engine::{Committer, SinkContext};
use sluice_operators::sink::delta::{DeltaConfig, Keep};
use sluice_operators::store::Store;
use sluice_tests::readers::{self, Engine};

use super::orders;
use crate::bad_input::{Shop, sluice};

/// Many small runs leave many small files. `maintain` merges them and says what it did; every reader sees the same rows as
/// before, and the next run goes on.
#[test]
fn many_small_files_become_few() {
    const RUNS: i64 = 12;
    let mut shop = Shop::new();
    for run in 1..=RUNS {
        shop = shop.orders(&orders(0..run * 10, 50));
        shop.run().unwrap();
    }
    let bronze = shop.path("lake/bronze/orders").display().to_string();
    let before = readers::sum(Engine::DuckDb, &bronze, &[]).unwrap();
    let (code, out, err) = sluice(&["maintain", "--project", &shop.dir()]);
    assert_eq!(code, Some(0), "{err}");
    let line = out.lines().find(|line| line.starts_with("bronze.orders ")).expect("a line for each table");
    assert!(line.contains("-> 1, "), "{line}");
    assert!(out.contains("gold.spend ") && out.contains("rejects "), "{out}");
    for engine in [Engine::DuckDb, Engine::DeltaLake] {
        assert_eq!(readers::sum(engine, &bronze, &[]).unwrap(), before, "{engine:?}");
    }
    // And when nothing is kept for anybody: one file, one checkpoint.
    keep_nothing(&shop);
    let (data, log) = files(&shop, "bronze/orders");
    assert!(data == 1 && log <= 2, "{data} data files, {log} files of the log");
    for engine in [Engine::DuckDb, Engine::DeltaLake] {
        assert_eq!(readers::sum(engine, &bronze, &[]).unwrap(), before, "{engine:?}");
    }
    let shop = shop.orders(&orders(0..RUNS * 10 + 7, 50));
    shop.run().unwrap();
    assert_eq!(shop.query("select count(*) from bronze.orders"), ["127"]);
    assert_eq!(shop.query("select sum(orders), count(*) from gold.spend"), ["127 50"]);
    let (code, out, err) = sluice(&["maintain", "--project", &shop.dir(), "--select", "spend"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 1, "{out}");
}

/// As `maintain`, with nothing kept that the newest version does not need.
fn keep_nothing(shop: &Shop) {
    let store = Store::open(&shop.path("lake").display().to_string()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        let manifest = newest(&store, "shop").await.unwrap().unwrap();
        for table in shop.planned().lake_tables(&store) {
            let sink = table.sink.expect("no model is refreshed");
            let config =
                DeltaConfig { keep: Keep { log: Duration::ZERO, removed_files: Duration::ZERO }, ..table.config };
            let context = SinkContext {
                name: sink.clone(),
                worker: 0,
                workers: 1,
                generation: manifest.generation + 1,
                runtime: handle.clone(),
            };
            let mut committer = config.committer(&context).unwrap();
            committer.recover(Some((manifest.epoch, manifest.sinks[&sink].clone()))).await.unwrap();
            committer.maintain().await.unwrap();
        }
    });
}

/// How many data files there are in a table's folder, and how many files of one version in its log.
fn files(shop: &Shop, table: &str) -> (usize, usize) {
    let store = Store::open(&shop.path("lake").display().to_string()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let files = runtime.block_on(store.list(table)).unwrap();
    let (log, data): (Vec<_>, Vec<_>) = files.iter().partition(|f| f.location.as_ref().contains("/_delta_log/"));
    (data.len(), log.iter().filter(|f| !f.location.as_ref().ends_with("/_last_checkpoint")).count())
}

/// A run that goes on has the tables: the command says who it is. One that was killed says nothing, and is known to be gone
/// on its own machine only.
#[test]
fn a_run_that_goes_on_is_left_alone() {
    let shop = Shop::new().orders(&orders(0..10, 5));
    shop.run().unwrap();
    let held = |number: u64, holder: &str| {
        let folder = shop.path("lake/_sluice/shop/generations");
        fs::write(folder.join(format!("{number:020}.json")), format!("{{\"holder\":\"{holder}\"}}")).unwrap();
    };
    held(2, "elsewhere process 7");
    let (code, _, err) = sluice(&["maintain", "--project", &shop.dir()]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("is run by elsewhere process 7 (generation 2)") && err.contains("--take-over"), "{err}");
    let (code, _, err) = sluice(&["maintain", "--take-over", "--project", &shop.dir()]);
    assert_eq!(code, Some(0), "{err}");

    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let (host, alive) = (host.trim(), std::process::id());
    held(4, &format!("{host} process {alive}"));
    let (code, _, err) = sluice(&["maintain", "--project", &shop.dir()]);
    assert_eq!(code, Some(2), "{err}");
    held(5, &format!("{host} process 4194399"));
    let (code, _, err) = sluice(&["maintain", "--project", &shop.dir()]);
    assert_eq!(code, Some(0), "no process has this number: {err}");
    shop.run().unwrap();
}

/// How long things are kept can be set, within bounds.
#[test]
fn what_is_kept_too_short_is_refused() {
    let shop = Shop::new().orders(&orders(0..1, 1));
    let settings = fs::read_to_string(shop.path("sluice.yml")).unwrap();
    let shop =
        shop.with("sluice.yml", &format!("{settings}tables: {{ keep_log: 1 hour, keep_removed_files: 1 minute }}\n"));
    let faults = shop.faults();
    assert!(faults.contains("tables.keep_log") && faults.contains("set it to 120 minutes or more"), "{faults}");
    assert!(faults.contains("tables.keep_removed_files") && faults.contains("10 minutes"), "{faults}");
    let shop =
        shop.with("sluice.yml", &format!("{settings}tables: {{ keep_log: 3 hours, keep_removed_files: 1 hour }}\n"));
    shop.run().unwrap();
    let log = fs::read_to_string(shop.path("lake/bronze/orders/_delta_log/00000000000000000000.json")).unwrap();
    assert!(log.contains("interval 10800 seconds"), "{log}");
}
