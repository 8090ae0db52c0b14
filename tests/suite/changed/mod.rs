//! A project that was changed after it has run goes on in the same lake: what has changed is made anew, what has not keeps its
//! state, and all tables are what their SQL says.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod music;
mod stored;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use sluice_engine::runtime::Summary;
use sluice_pipelines::daemon::RunOptions;

use crate::bad_input::{Shop, sluice};

/// Orders that are read before the change, and after it.
const ORDERS: usize = 400;

const PAID: &str = "select id, ts, amount, note, cast(note as int) as kind, _offset
    from {{ source('shop', 'orders') }} where amount > 1";
const SUMS: &str = "{{ config(unique_key='id') }}
    select id, count(*) as orders, sum(amount) as spent from {{ ref('paid') }} group by id";
const BIG: &str = "select s.id, s.spent, k.label from {{ ref('sums') }} s join {{ ref('kinds') }} k
    on k.kind = s.orders % 3 where s.spent > 20";
const FIRST: &str = "{{ config(unique_key='id') }}
    select id, amount from (
        select id, amount, row_number() over (partition by id order by ts, _offset) as n
        from {{ source('shop', 'orders') }}) where n = 1";
/// Fails for some rows.
const TIMES: &str =
    "select id, timestamp_millis(id * 1000000000000000) as at, _offset from {{ source('shop', 'orders') }}";
const KINDS: &str = "kind,label\n0,none\n1,one\n2,two\n";

fn order(i: usize) -> String {
    let (id, amount) = (i * 7 % 31, (i * 13 % 40) as f64 / 4.0);
    format!("{{\"id\":{id},\"ts\":{},\"amount\":{amount},\"note\":\"{}\"}}\n", i * 1000 % 7777, i % 3)
}

fn orders(upto: usize) -> String {
    (0..upto).map(order).collect()
}

/// A project with a table of each kind, after a first run over some orders.
fn ran(workers: usize) -> Shop {
    let shop = Shop::new()
        .workers(workers)
        .with("models/paid.sql", PAID)
        .with("models/sums.sql", SUMS)
        .with("models/big.sql", BIG)
        .with("models/first.sql", FIRST)
        .with("models/times.sql", TIMES)
        .with("seeds/kinds.csv", KINDS)
        .orders(&orders(ORDERS));
    shop.run().unwrap();
    shop.adds_up();
    shop
}

/// With twice the orders.
fn more(shop: Shop) -> Shop {
    shop.orders(&orders(2 * ORDERS))
}

fn run(shop: &Shop) -> Summary {
    let options = RunOptions { until_idle: true, batch_rows: Some(50), epoch_rows: Some(100), ..RunOptions::default() };
    shop.run_with(options).unwrap_or_else(|error| panic!("{error}"))
}

/// The commits of a table, oldest first: their actions.
fn commits(shop: &Shop, table: &str) -> Vec<Vec<Value>> {
    let log = shop.path(&format!("lake/{table}/_delta_log"));
    let entries = fs::read_dir(log).unwrap().map(|e| e.unwrap().path());
    let mut entries: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
    entries.sort();
    let actions = |text: String| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    entries.into_iter().map(|entry| actions(fs::read_to_string(entry).unwrap())).collect()
}

/// How often a table began again: commits with metadata, after the first, that take files out.
fn begun_again(shop: &Shop, table: &str) -> usize {
    let is_anew = |commit: &&Vec<Value>| {
        let has = |kind: &str| commit.iter().any(|action| action.get(kind).is_some());
        has("metaData") && has("txn")
    };
    commits(shop, table).iter().skip(1).filter(is_anew).count()
}

fn rebuilt(shop: &Shop) -> BTreeMap<&'static str, usize> {
    let tables = [
        "gold/paid",
        "gold/sums",
        "gold/big",
        "gold/first",
        "gold/times",
        "gold/spend",
        "default/kinds",
        "bronze/orders",
    ];
    let there = tables.into_iter().filter(|table| shop.path(&format!("lake/{table}")).exists());
    there.map(|table| (table, begun_again(shop, table))).filter(|(_, n)| *n > 0).collect()
}

/// A model with another filter, then with other columns and partitions, one more, one less, in one go: what reads them is made
/// anew too, all tables are what their SQL says, all others keep their files and state, and a run without changes is one as
/// ever. With one worker and with three.
#[test]
fn models_change() {
    for workers in [1, 3] {
        let shop = ran(workers);
        let sums = SUMS.replace("config(unique_key='id')", "config(unique_key='id', partition_by='id')");
        let shop = more(shop)
            .with(
                "models/sums.sql",
                &sums.replace("sum(amount) as spent", "cast(sum(amount) as int) as spent, max(ts) as latest"),
            )
            .with("models/more.sql", "select note, count(*) as n from {{ ref('paid') }} group by note")
            .without("models/first.sql");
        assert_eq!(run(&shop).rows as usize, ORDERS, "the stream is not read again");
        assert_eq!(rebuilt(&shop), BTreeMap::from([("gold/sums", 1), ("gold/big", 1)]), "{workers} workers");
        shop.adds_up();
        assert_eq!(shop.query("select sum(n) from gold.more"), shop.query("select count(*) from gold.paid"));
        assert_eq!(shop.query("select count(*) > 20 from gold.sums where latest is not null"), ["true"]);
        assert!(shop.path("lake/gold/first").exists(), "its table stays");

        let shop = shop.with("models/paid.sql", &PAID.replace("amount > 1", "amount > 2"));
        run(&shop);
        let all = BTreeMap::from([("gold/paid", 1), ("gold/sums", 2), ("gold/big", 2)]);
        assert_eq!(rebuilt(&shop), all, "{workers} workers");
        shop.adds_up();

        let shop = shop.orders(&orders(3 * ORDERS));
        assert_eq!(run(&shop).rows as usize, ORDERS);
        assert_eq!(rebuilt(&shop), all, "nothing has changed");
        shop.adds_up();

        // A model that was gone comes back over its old table.
        let shop = shop.with("models/first.sql", FIRST);
        run(&shop);
        shop.adds_up();
    }
}

/// A seed with other rows is made anew, and what reads it.
#[test]
fn seeds_change() {
    let shop = more(ran(2)).with("seeds/kinds.csv", "kind,label,weight\n0,NONE,1.5\n1,one,2\n");
    run(&shop);
    assert_eq!(rebuilt(&shop), BTreeMap::from([("default/kinds", 1), ("gold/big", 1)]));
    shop.adds_up();
    assert_eq!(shop.query("select distinct label from gold.big order by label"), ["NONE", "one"]);
}

/// Rejects of a model that is made anew, or gone, go with its rows.
#[test]
fn rejects_change() {
    let shop = ran(2);
    let count = "select count(*) from sluice.rejects where reason like 'model \"gold.times%'";
    let failing = |shop: &Shop, sql: &str| shop.query(&format!("select count(*) from bronze.orders where {sql}"));
    assert_eq!(shop.query(count), failing(&shop, "id > 9"));
    let shop = more(shop).with(
        "models/times.sql",
        &TIMES.replace("_offset from", "_offset + 1 as next from").replace("id *", "(id + 5) *"),
    );
    run(&shop);
    assert_eq!(shop.query(count), failing(&shop, "id + 5 > 9"));
    shop.adds_up();
    let shop = shop.without("models/times.sql");
    run(&shop);
    assert_eq!(shop.query(count), ["0"]);
}

/// A stream that is added is read from its beginning, beside changed models; one whose declaration has changed, or that is gone,
/// is refused.
#[test]
fn streams_come() {
    let shop = more(ran(2));
    let sources = fs::read_to_string(shop.path("models/sources.yml")).unwrap();
    let table = "      - name: carts\n        meta: { stream: { topic: carts } }\n        columns:\n          - { name: id, data_type: bigint }\n";
    let shop = shop
        .with("models/sources.yml", &format!("{sources}{table}"))
        .with("events/carts.jsonl", "{\"id\":1}\n{\"id\":2}\n")
        .with(
            "models/carted.sql",
            "select o.id, o.amount from {{ ref('first') }} o join {{ source('shop', 'carts') }} c on o.id = c.id",
        );
    run(&shop);
    shop.adds_up();
    assert_eq!(shop.query("select count(*) from gold.carted"), ["2"]);
    assert_eq!(rebuilt(&shop), BTreeMap::new());
    let gone =
        shop.without("models/carted.sql").with("models/sources.yml", &sources).run().expect_err("gone").to_string();
    assert!(gone.contains("the project has changed") && gone.contains("gone: source/shop.carts"), "{gone}");
}

/// A run that is stopped while it rebuilds has changed nothing, and the next one rebuilds.
#[test]
fn stopped_while_rebuilding() {
    let shop = ran(2).with("models/paid.sql", &PAID.replace("amount > 1", "amount > 2"));
    let (epoch, before) = (shop.query("select max(epoch) from sluice.audit"), commits(&shop, "gold/sums").len());
    let options = RunOptions { until_idle: true, ..RunOptions::default() };
    options.stop.stop();
    let summary = shop.run_with(options).unwrap();
    assert_eq!(vec![summary.epoch.to_string()], epoch);
    assert_eq!(commits(&shop, "gold/sums").len(), before, "nothing is visible");
    let shop = more(shop);
    run(&shop);
    assert_eq!(rebuilt(&shop), BTreeMap::from([("gold/paid", 1), ("gold/sums", 1), ("gold/big", 1)]));
    shop.adds_up();
}

/// A run that was killed between the rebuild's manifest and a table's commit: the next start commits it.
#[test]
fn killed_before_the_commit() {
    let shop = ran(2);
    let before = commits(&shop, "gold/sums").len();
    let sums = SUMS.replace("sum(amount) as spent", "sum(amount) as spent, max(ts) as latest, min(note) as note");
    let shop = shop.with("models/sums.sql", &sums);
    shop.run().unwrap();
    let (sums, big) =
        ("select id, orders, spent, latest, note from gold.sums order by id", "select count(*) from gold.big");
    let after = (shop.query(sums), shop.query(big));
    assert_eq!(commits(&shop, "gold/sums").len(), before + 1);
    // The epoch after the rebuild had no rows: without its manifest, all is as if the run had ended with the rebuild's.
    let manifests = shop.path("lake/_sluice/shop/manifests");
    let newest = fs::read_dir(manifests).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    fs::remove_file(newest).unwrap();
    fs::remove_file(shop.path(&format!("lake/gold/sums/_delta_log/{before:020}.json"))).unwrap();
    assert_ne!(shop.query("select count(*) from gold.sums"), ["0"], "the old table is there");
    shop.run().unwrap();
    assert_eq!((shop.query(sums), shop.query(big)), after);
    assert_eq!(commits(&shop, "gold/sums").len(), before + 1);
    run(&more(shop));
}

/// A model that was kept up to date by full queries becomes a stream and the other way, with other columns.
#[test]
fn ways_change() {
    let best = "select id, amount from {{ ref('paid') }} where amount > (select avg(amount) from {{ ref('paid') }}) order by random()";
    let shop = ran(2).with("models/best.sql", best);
    let strategy = |shop: &Shop| shop.planned().models["best"].strategy().name().to_owned();
    assert_eq!(strategy(&shop), "refresh");
    shop.run().unwrap();
    let shop = more(shop).with("models/best.sql", "select id, note, amount from {{ ref('paid') }} where amount > 5");
    assert_ne!(strategy(&shop), "refresh");
    run(&shop);
    shop.adds_up();
    let shop = shop.with("models/best.sql", best);
    run(&shop);
    assert!(shop.query("select id, amount from gold.best").len() > 10);
}

/// `plan` says what goes on and what is rebuilt from where, `check` refuses nothing, and `build --full-refresh` rebuilds what
/// is selected, and what reads it.
#[test]
fn commands() {
    let shop = ran(2);
    let dir = shop.dir();
    let said = |arguments: &[&str]| {
        let (code, out, err) = sluice(&[arguments, &["--project", &dir]].concat());
        assert_eq!(code, Some(0), "{err}");
        out
    };
    assert!(said(&["plan"]).contains("all tables of the lake keep their state"));
    let shop = shop.with("models/sums.sql", &SUMS.replace("sum(amount)", "max(amount)")).without("models/first.sql");
    let plan = said(&["plan"]);
    let line = |table: &str| plan.lines().rev().find(|l| l.starts_with(table)).unwrap().to_owned();
    assert!(line("gold.sums").contains("rebuilt from gold.paid: it has changed"), "{plan}");
    assert!(line("gold.big").contains("rebuilt from default.kinds, gold.sums: it reads gold.sums"), "{plan}");
    assert!(line("gold.paid").contains("keeps its state"), "{plan}");
    assert!(line("gold.first").contains("no longer written"), "{plan}");
    said(&["check"]);
    said(&["build"]);
    assert_eq!(rebuilt(&shop), BTreeMap::from([("gold/sums", 1), ("gold/big", 1)]));
    said(&["build", "--full-refresh", "--select", "paid"]);
    assert_eq!(rebuilt(&shop), BTreeMap::from([("gold/paid", 1), ("gold/sums", 2), ("gold/big", 2)]));
    shop.adds_up();
}
