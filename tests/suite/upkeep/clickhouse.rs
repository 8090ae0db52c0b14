//! Tables in ClickHouse that were lost, spoiled or never there.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sluice_engine::Committer;
use sluice_engine::checkpoint::newest;
use sluice_operators::sink::clickhouse::ClickHouseCommitter;
use sluice_operators::store::Store;
use sluice_pipelines::compile::clickhouse_config;
use sluice_pipelines::lake::settled::DeltaSettled;
use sluice_tests::services::ClickHouse;

use super::{append, orders, same, selling};
use crate::bad_input::{Shop, sluice};

/// A table that was dropped, emptied, or has lost some rows is filled at the next start, though no rows come; so is one
/// whose whole database is gone.
#[test]
fn a_table_that_lost_rows_is_filled_at_the_start() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    let shop = selling(clickhouse, "lost").orders(&orders(0..200, 50));
    shop.run().unwrap();
    same(&shop, clickhouse, "lost");
    for harm in [
        "TRUNCATE TABLE lost.spend__rows",
        "DROP TABLE lost.spend__rows SYNC",
        "ALTER TABLE lost.spend__rows DELETE WHERE id % 3 = 0 SETTINGS mutations_sync = 2",
        "DROP DATABASE lost SYNC",
    ] {
        clickhouse.query(harm)?;
        shop.run().unwrap();
        same(&shop, clickhouse, "lost");
    }
    // And what comes later replaces what was filled in.
    let shop = shop.orders(&orders(0..333, 50));
    shop.run().unwrap();
    same(&shop, clickhouse, "lost");
    Ok(())
}

/// ClickHouse may be added to a lake that has run without it.
#[test]
fn clickhouse_is_added_to_a_lake_with_history() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    let shop = Shop::new().orders(&orders(0..100, 30));
    shop.run().unwrap();
    let (url, user, password) = (clickhouse.url(), clickhouse.user(), clickhouse.password());
    let shop = shop.clickhouse(&format!("url: \"{url}\", database: added, user: {user}, password: \"{password}\""));
    shop.run().unwrap();
    same(&shop, clickhouse, "added");
    let shop = shop.orders(&orders(0..150, 30));
    shop.run().unwrap();
    same(&shop, clickhouse, "added");
    Ok(())
}

/// `maintain --refill` makes the tables what the lake's are, also where the number of rows does not betray that they are not;
/// the run after it has nothing to set back and goes on.
#[test]
fn a_refill_sets_right_what_is_stale() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    let shop = selling(clickhouse, "stale").orders(&orders(0..200, 50));
    shop.run().unwrap();
    let newest = "(SELECT max(_version) FROM stale.spend__rows)";
    clickhouse.query(&format!(
        "INSERT INTO stale.spend__rows SELECT id, 7, 7, {newest}, _deleted, _epoch FROM stale.spend__rows WHERE id < 20"
    ))?;
    clickhouse.query("OPTIMIZE TABLE stale.spend__rows FINAL")?;
    let (code, out, err) = sluice(&["maintain", "--refill", "--project", &shop.dir()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("clickhouse stale.spend: 50 rows of epoch"), "{out}");
    same(&shop, clickhouse, "stale");
    let written = clickhouse.query("SELECT count() FROM stale.spend__rows")?;
    shop.run().unwrap();
    assert_eq!(clickhouse.query("SELECT count() FROM stale.spend__rows")?, written, "nothing was set back");
    let shop = shop.orders(&orders(0..321, 60));
    shop.run().unwrap();
    same(&shop, clickhouse, "stale");
    Ok(())
}

/// Rows that other runs have shown and not committed are set back at the start, whatever number of epoch they carry: of a run
/// that came later and committed nothing, of one before that shows them late, and keys that it had taken away.
#[test]
fn rows_of_runs_that_overlap_are_set_back() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    let mut shop = selling(clickhouse, "overlap");
    for run in 1..=3 {
        shop = shop.orders(&orders(0..run * 50, 50));
        shop.run().unwrap();
    }
    let epochs = clickhouse.query("SELECT max(_epoch) FROM overlap.spend__rows")?;
    let last: u64 = epochs.trim().parse()?;
    // Key, generation, sequence, epoch, whether it is taken away.
    for (key, generation, sequence, epoch, deleted) in
        [(1, 9u64, 3u64, last, 0), (2, 9, 4, last + 1, 0), (3, 9, 4, 1, 1), (777, 9, 5, last, 0), (778, 1, 99, last, 0)]
    {
        clickhouse.query(&format!(
            "INSERT INTO overlap.spend__rows VALUES ({key}, 1000, 1000, {}, {deleted}, {epoch})",
            (generation << 40) + sequence
        ))?;
    }
    // The numbers up to 9 are taken, as if those runs had started.
    for generation in 4..=9 {
        let path = format!("lake/_sluice/shop/generations/{generation:020}.json");
        std::fs::write(shop.path(&path), "{\"holder\":\"another\"}")?;
    }
    shop.run().unwrap();
    same(&shop, clickhouse, "overlap");
    let shop = shop.orders(&orders(0..200, 50));
    shop.run().unwrap();
    same(&shop, clickhouse, "overlap");
    Ok(())
}

/// While a run goes on, an overtaken one shows rows late: they are set back when the run looks for them, once, and its own
/// rows stay. Two such looks do not take each other's blocks for the same.
#[test]
fn late_rows_are_set_back_while_a_run_goes_on() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    let shop = selling(clickhouse, "late").orders(&orders(0..60, 30));
    shop.run().unwrap();
    let shop = shop.orders(&orders(0..90, 30));
    shop.run().unwrap();
    let pipeline = shop.planned();
    let model = &pipeline.models["spend"];
    let store = Store::open(&shop.path("lake").display().to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let manifest = runtime.block_on(newest(&store, "shop"))?.unwrap();
    let (epoch, token) = (manifest.epoch, &manifest.sinks["clickhouse/gold.spend"]);
    let settled = DeltaSettled::new(store, &model.path, model.key.clone());
    let config = clickhouse_config(&pipeline, model).unwrap();
    let mut committer = ClickHouseCommitter::new(config, 3, Some(Box::new(settled)))?.look_every(Duration::ZERO);
    runtime.block_on(committer.recover(Some((epoch, token.clone()))))?;
    for (look, key) in [(1, 4u64), (2, 5), (3, 5)] {
        let late = ((2u64 << 40) + 1_000 + look, epoch + look);
        clickhouse.query(&format!("INSERT INTO late.spend__rows VALUES ({key}, 9, 9, {}, 0, {})", late.0, late.1))?;
        runtime.block_on(committer.commit(epoch + look, token))?;
        same(&shop, clickhouse, "late");
    }
    Ok(())
}

/// The program, killed with SIGKILL again and again while orders come, and ClickHouse harmed in between: in the end it shows
/// what the lake holds.
#[test]
fn killed_again_and_again() -> anyhow::Result<()> {
    const ROUNDS: i64 = 6;
    let clickhouse = ClickHouse::shared()?;
    let shop = selling(clickhouse, "killed").orders(&orders(0..50, 40));
    let mut n = 50;
    for round in 1..=ROUNDS {
        let mut run = Command::new(sluice_tests::sluice_binary()?)
            .args(["run", "--project", &shop.dir()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(shop.path(&format!("run{round}.log")))?)
            .spawn()?;
        let since = Instant::now();
        // Not always at the same step: the first moments of a run, and later ones.
        while since.elapsed() < Duration::from_millis(700 + 350 * round as u64) {
            append(&shop, &orders(n..n + 37, 40 + round));
            n += 37;
            std::thread::sleep(Duration::from_millis(60));
        }
        run.kill()?;
        // An end of its own would have a code.
        let end = run.wait()?;
        let log = std::fs::read_to_string(shop.path(&format!("run{round}.log")))?;
        assert!(end.code().is_none(), "run {round} has ended by itself: {log}");
        match round {
            2 => drop(clickhouse.query("TRUNCATE TABLE IF EXISTS killed.spend__rows")?),
            4 => drop(clickhouse.query("DROP TABLE IF EXISTS killed.spend__rows SYNC")?),
            _ => {}
        }
    }
    shop.run().unwrap();
    assert_eq!(shop.query("select sum(orders) from gold.spend"), [n.to_string()]);
    same(&shop, clickhouse, "killed");
    Ok(())
}

/// A table that is dropped while a run goes on is made and filled again, by itself.
#[test]
fn a_table_that_is_dropped_meanwhile_comes_back() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    let shop = selling(clickhouse, "dropped").orders(&orders(0..100, 20));
    let mut run = Command::new(sluice_tests::sluice_binary()?)
        .args(["run", "--project", &shop.dir()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(shop.path("run.log"))?)
        .spawn()?;
    let shown = |count: i64| {
        let sql = "SELECT sum(orders) FROM dropped.spend";
        let since = Instant::now();
        while clickhouse.query(sql).unwrap_or_default() != format!("{count}\n") {
            if since.elapsed() > Duration::from_secs(60) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    };
    let first = shown(100);
    clickhouse.query("DROP TABLE dropped.spend__rows SYNC")?;
    append(&shop, &orders(100..130, 20));
    let then = first && shown(130);
    run.kill()?;
    run.wait()?;
    let log = std::fs::read_to_string(shop.path("run.log"))?;
    assert!(first && then, "the rows are shown: {first}, {then}: {log}");
    shop.run().unwrap();
    same(&shop, clickhouse, "dropped");
    Ok(())
}
