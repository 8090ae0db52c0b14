//! Tables that are kept small, and a ClickHouse that comes to hold what the lake holds, whatever was done to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod away;
mod clickhouse;
mod maintain;

use std::fs::OpenOptions;
use std::io::Write;

use sluice_tests::services::ClickHouse;

use crate::bad_input::Shop;

/// So many orders of some customers: the order `n` of customer `n % customers`.
fn orders(numbers: impl IntoIterator<Item = i64>, customers: i64) -> String {
    let order = |n: i64| {
        let (id, ts) = (n % customers, 1_700_000_000_000 + n * 1_000);
        format!("{{\"id\":{id},\"ts\":{ts},\"amount\":{n}.25,\"note\":\"n{n}\"}}\n")
    };
    numbers.into_iter().map(order).collect()
}

/// Adds orders to the file that a run may be reading.
fn append(shop: &Shop, orders: &str) {
    let mut file = OpenOptions::new().append(true).open(shop.path("events/orders.jsonl")).unwrap();
    file.write_all(orders.as_bytes()).unwrap();
}

/// A shop whose model goes to a database of this name.
fn selling(clickhouse: &ClickHouse, database: &str) -> Shop {
    let (url, user, password) = (clickhouse.url(), clickhouse.user(), clickhouse.password());
    Shop::new().clickhouse(&format!("url: \"{url}\", database: {database}, user: {user}, password: \"{password}\""))
}

/// What ClickHouse shows is what the lake's table holds, row for row.
#[track_caller]
fn same(shop: &Shop, clickhouse: &ClickHouse, database: &str) {
    let shown = clickhouse.query(&format!("SELECT id, orders, spent FROM {database}.spend ORDER BY id")).unwrap();
    let shown: Vec<String> = shown.lines().map(|line| line.replace('\t', " ")).collect();
    let gold = shop.query("select id, orders, cast(spent as string) from gold.spend order by id");
    assert_eq!(shown.len(), gold.len());
    for (shown, gold) in shown.iter().zip(&gold) {
        assert_eq!(shown, gold.trim_end_matches(".0"), "clickhouse and the lake");
    }
}
