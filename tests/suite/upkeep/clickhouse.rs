//! Tables in ClickHouse that were lost, spoiled or never there.

use sluice_tests::services::ClickHouse;

use super::{orders, same, selling};
use crate::bad_input::sluice;

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
    let shop = crate::bad_input::Shop::new().orders(&orders(0..100, 30));
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
