//! Expressions that have no value for a row: NULL where Spark says so, and a reject where nothing can be said. The run goes
//! on, and the tables hold the other rows.

use sluice_pipelines::daemon::RunOptions;

use super::says;
use super::shop::Shop;

/// More milliseconds than a timestamp holds.
const TOO_LARGE: i64 = 99_999_999_999_999_999;

fn shop() -> Shop {
    Shop::new()
        .with(
            "models/times.sql",
            "select id, timestamp_millis(id) as at, cast(note as int) as n, 10 / cast(amount as int) as share, _offset
             from {{ source('shop', 'orders') }}",
        )
        .with(
            "models/latest.sql",
            "select note, max(timestamp_millis(id)) as latest, count(*) as orders
             from {{ source('shop', 'orders') }} group by note",
        )
        .with(
            "models/pairs.sql",
            "select a.id, b.id as other from {{ source('shop', 'orders') }} a join {{ source('shop', 'orders') }} b
             on a.note = b.note and timestamp_millis(a.id + b.id) > timestamp_millis(a.id)",
        )
        .with(
            "models/total.sql",
            "select note, timestamp_millis(total) as at
             from (select note, sum(id) as total from {{ source('shop', 'orders') }} group by note)",
        )
}

fn order(id: i64, note: &str, amount: &str) -> String {
    format!("{{\"id\":{id},\"ts\":0,\"note\":\"{note}\",\"amount\":{amount}}}\n")
}

fn run(shop: &Shop, batch_rows: usize) {
    let options = RunOptions { until_idle: true, batch_rows: Some(batch_rows), ..RunOptions::default() };
    shop.run_with(options).unwrap_or_else(|error| panic!("{error}"));
}

const REJECTS: &str = "select cast(payload as string) as row, _offset from sluice.rejects where reason like";

/// Each model has its good rows, casts and divisions are NULL, and each failing row is a reject with its text.
#[test]
fn rows_that_fail_are_rejects() {
    for batch_rows in [1, 8_192] {
        let orders = [order(1, "7", "4"), order(TOO_LARGE, "x", "0"), order(2, "abc", "1e30"), order(3, "x", "0.5")];
        let shop = shop().orders(&orders.concat());
        run(&shop, batch_rows);
        let times = shop.query("select id, at, n, share from gold.times order by id");
        assert_eq!(
            times,
            [
                "1 1970-01-01T00:00:00.001Z 7 2.5",
                "2 1970-01-01T00:00:00.002Z - 4.656612875245797e-9",
                "3 1970-01-01T00:00:00.003Z - -"
            ]
        );
        let latest = shop.query("select note, latest, orders from gold.latest order by note");
        assert_eq!(
            latest,
            ["7 1970-01-01T00:00:00.001Z 1", "abc 1970-01-01T00:00:00.002Z 1", "x 1970-01-01T00:00:00.003Z 1"]
        );
        assert_eq!(shop.query("select id, other from gold.pairs order by id"), ["1 1", "2 2", "3 3"]);
        let found = shop.query(&format!("{REJECTS} 'model \"gold.times\"%'"));
        let row = format!("{{\"id\":{TOO_LARGE},\"amount\":0.0,\"note\":\"x\",\"_offset\":");
        assert_eq!(found.len(), 1, "{found:?}");
        says(&found[0], &[&row, "}"]);
        assert!(!found[0].ends_with(" -"), "the place in the log is known: {found:?}");
        let found = shop.query("select stream, _topic, reason from sluice.rejects where reason like '%gold.latest%'");
        assert_eq!(found.len(), 1, "{found:?}");
        says(&found[0], &["- - model \"gold.latest\": timestamp_millis(", "failed: ", "is no timestamp: it overflows"]);
        assert_eq!(shop.query(&format!("{REJECTS} 'model \"gold.pairs\"%'")).len(), 3, "with itself, and both ways");
    }
}

/// A row that is taken back is taken back among the rejects too, in the same epoch and in a later one.
#[test]
fn rejects_are_taken_back() {
    let (small, large, back) = (order(1, "x", "1"), order(TOO_LARGE, "x", "1"), order(1 - TOO_LARGE, "x", "1"));
    let stages = [(small.clone(), 1, 0), (format!("{small}{large}"), 0, 1), (format!("{small}{large}{back}"), 1, 0)];
    let shop = shop();
    for (orders, good, bad) in &stages {
        let shop = &shop;
        std::fs::write(shop.path("events/orders.jsonl"), orders).unwrap();
        run(shop, 8_192);
        assert_eq!(shop.query("select at from gold.total").len(), *good, "after {orders}");
        assert_eq!(shop.query(&format!("{REJECTS} 'model \"gold.total\"%'")).len(), *bad, "after {orders}");
    }
    let at_once = self::shop().orders(&stages[2].0);
    run(&at_once, 1);
    assert_eq!(at_once.query("select at from gold.total"), shop.query("select at from gold.total"));
    assert_eq!(at_once.query(&format!("{REJECTS} 'model \"gold.total\"%'")).len(), 0);
}
