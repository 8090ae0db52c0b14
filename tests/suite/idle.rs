//! Models that are computed by a full query, while no rows come.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::{Duration, Instant};

use sluice_operators::store::{Store, read_all};
use sluice_pipelines::daemon::RunOptions;

use crate::bad_input::Shop;

/// Longest wait for a table, in seconds. It is generous: the machine may be busy.
const PATIENCE_S: u64 = 60;

/// A model that asks for the time, so that it is refreshed.
const RANKING: &str = "{{ config(unique_key='id') }}
select id, rank() over (order by spent desc) as place
from {{ ref('spend') }}
where now() > timestamp '2000-01-01'
";

fn shop(refresh: &str) -> Shop {
    let shop = Shop::new().with("models/ranking.sql", RANKING);
    let settings = std::fs::read_to_string(shop.path("sluice.yml")).unwrap();
    let settings = settings.replace("epoch: 200 ms", &format!("epoch: 200 ms, refresh: {refresh}"));
    shop.with("sluice.yml", &settings)
}

fn order(id: i64) -> String {
    format!("{{\"id\":{id},\"ts\":1700000000000,\"amount\":{id}.5,\"note\":\"x\"}}\n")
}

/// The rows in the ranking; none when there is no such table.
fn ranked(shop: &Shop) -> Option<usize> {
    let store = Store::open(shop.path("lake").to_str().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_, rows) = runtime.block_on(read_all(&store, "gold/ranking")).ok()?;
    Some(rows.iter().map(|b| b.num_rows()).sum())
}

/// Waits until the ranking has so many rows.
fn wait_for(shop: &Shop, rows: usize) {
    let since = Instant::now();
    while ranked(shop) != Some(rows) {
        assert!(since.elapsed() < Duration::from_secs(PATIENCE_S), "{:?} and not {rows} rows", ranked(shop));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs the daemon while `work` is done.
fn daemon_while(shop: &Shop, work: impl FnOnce()) {
    let options = RunOptions::default();
    let stop = options.stop.clone();
    std::thread::scope(|scope| {
        let daemon = scope.spawn(|| shop.run_with(options));
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.stop();
        daemon.join().unwrap().unwrap();
        worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// A refresh that has failed is made up for at the next start, though no rows come; and so is one of a table that has gone.
#[test]
fn a_refresh_is_made_up_for() {
    let shop = shop("60 seconds").orders(&order(1));
    std::fs::create_dir_all(shop.path("lake/gold")).unwrap();
    std::fs::write(shop.path("lake/gold/ranking"), "no folder").unwrap();
    shop.run().expect_err("there is no room for the table");
    std::fs::remove_file(shop.path("lake/gold/ranking")).unwrap();
    daemon_while(&shop, || wait_for(&shop, 1));

    std::fs::remove_dir_all(shop.path("lake/gold/ranking")).unwrap();
    daemon_while(&shop, || wait_for(&shop, 1));
}

/// Rows that came too soon after a refresh are seen by the next one, though no others come.
#[test]
fn a_refresh_follows_the_last_rows() {
    let shop = shop("3 seconds").orders(&order(1));
    daemon_while(&shop, || {
        wait_for(&shop, 1);
        std::fs::write(shop.path("events/orders.jsonl"), order(1) + &order(2)).unwrap();
        wait_for(&shop, 2);
    });
}
