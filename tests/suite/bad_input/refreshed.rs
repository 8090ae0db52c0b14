//! SQL that no stream can keep up to date: a full query where that can be, an error that names it where it cannot.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sluice_engine::ErrorKind;
use sluice_pipelines::daemon::RunOptions;
use sluice_pipelines::sql::op::Strategy;

use super::command::ends_with;
use super::shop::Shop;
use super::{PATIENCE_S, says, sluice};

const ORDERS: &str = "from {{ source('shop', 'orders') }}";

/// A condition that is always true and that nobody can know to be: with it a model is refreshed.
const ASKS_THE_TIME: &str = "where now() > timestamp '2000-01-01'";

/// A model that asks for the time or for chance is refreshed wherever it does so, with a warning that says why.
#[test]
fn time_and_chance() {
    let models = [
        ("filter", format!("select id {ORDERS} where timestamp_millis(ts) < current_timestamp()"), "now"),
        (
            "condition",
            format!(
                "select a.id {ORDERS} a join {{{{ ref('filter') }}}} b on a.id = b.id and now() > timestamp '2024-01-01'"
            ),
            "now",
        ),
        ("key", format!("select date_trunc('year', now()) as y, count(*) as n {ORDERS} group by 1"), "now"),
        ("argument", format!("select id, max(current_date()) as d {ORDERS} group by id"), "current_date"),
        ("projection", format!("select id, uuid() as u, current_timestamp() as at {ORDERS}"), "uuid"),
    ];
    let shop = models.iter().fold(Shop::new(), |shop, (name, sql, _)| shop.with(&format!("models/{name}.sql"), sql));
    let pipeline = shop.planned();
    for (name, _, function) in &models {
        assert_eq!(pipeline.models[*name].strategy(), Strategy::Refresh, "{name}");
        let warning = pipeline.warnings.iter().find(|w| w.starts_with(&format!("models/{name}.sql: ")));
        says(warning.map_or("", |w| w), &["refreshed by a full query", &format!("because {function}() has another")]);
    }
    assert_eq!((pipeline.warnings.len(), pipeline.models["spend"].strategy()), (5, Strategy::Aggregate));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let times = |shop: &Shop| -> Vec<i64> {
        let times = shop.query("select id, unix_micros(at) from gold.projection order by id");
        times.iter().map(|line| line.split(' ').next_back().unwrap().parse().unwrap()).collect()
    };
    let before = now();
    let shop = shop.orders("{\"id\":1,\"ts\":0}\n");
    shop.run().unwrap();
    let between = now();
    assert!(times(&shop).iter().all(|t| (before..between).contains(t)), "the moment of the query, not of the plan");
    let shop = shop.orders("{\"id\":1,\"ts\":0}\n{\"id\":2,\"ts\":0}\n");
    shop.run().unwrap();
    assert_eq!(times(&shop).len(), 2);
    assert!(times(&shop).iter().all(|t| *t > between), "all rows are made anew");
}

/// The event time of a record must be the same at each reading.
#[test]
fn event_time_of_now() {
    let sources = super::shop::SOURCES.replace("timestamp_millis(ts)", "coalesce(timestamp_millis(ts), now())");
    let faults = Shop::new().with("models/sources.yml", &sources).faults();
    says(&faults, &["models/sources.yml:5: ", "event_time of stream shop.orders", "now() has another value each time"]);
}

/// Aggregates that have no operator of their own are streams all the same; `count_if` is an ordinary count.
#[test]
fn all_aggregates() {
    let shop = Shop::new()
        .with(
            "models/firsts.sql",
            &format!("select note, first(id) as id, first(amount, true) as amount {ORDERS} group by note"),
        )
        .with(
            "models/large.sql",
            &format!("select note, count_if(amount > 1) as large, count(*) as n {ORDERS} group by note"),
        )
        .orders("{\"id\":1,\"note\":\"a\",\"ts\":0}\n{\"id\":1,\"note\":\"a\",\"amount\":2.5,\"ts\":0}\n");
    let pipeline = shop.planned();
    for model in ["firsts", "large"] {
        assert_eq!(pipeline.models[model].strategy(), Strategy::Aggregate);
    }
    assert!(pipeline.warnings.is_empty(), "{:?}", pipeline.warnings);
    shop.run().unwrap();
    assert_eq!(shop.query("select note, id, amount from gold.firsts"), ["a 1 2.5"]);
    assert_eq!(shop.query("select note, large, n from gold.large"), ["a 1 2"]);
}

/// What cannot be run at all is an error before the run, with the model and what it is.
#[test]
fn what_cannot_be_run() {
    let fault = |sql: String| Shop::new().with("models/visits.sql", &sql).faults();
    let pivot = fault("select * from {{ source('shop', 'orders') }} pivot (sum(amount) for id in (1 as one))".into());
    says(&pivot, &["models/visits.sql: ", "PIVOT is not supported", "sum(case when"]);
    says(
        &fault(format!("select histogram_numeric(id, 5) as h {ORDERS}")),
        &["models/visits.sql:1: ", "histogram_numeric"],
    );
    let correlated = format!("select a.id, (select b.amount {ORDERS} b where b.id < a.id limit 1) as x {ORDERS} a");
    says(&fault(correlated), &["models/visits.sql: model \"visits\" cannot be run: "]);
}

/// A model whose query fails keeps its old table, as does the refreshed one that reads it; everything else goes on. The failure
/// is told at the end and by `status`, until a refresh succeeds.
#[test]
fn a_query_that_fails() {
    let failing =
        format!("select id, timestamp_millis(id) as at, rank() over (order by id) as place {ORDERS} {ASKS_THE_TIME}");
    let shop = Shop::new()
        .with("models/places.sql", &failing)
        .with("models/between.sql", "{{ config(materialized='ephemeral') }} select * from {{ ref('places') }}")
        .with("models/first.sql", "select at from {{ ref('between') }} where place = 1")
        .with("models/best.sql", &format!("select max(id) as id {ORDERS} {ASKS_THE_TIME}"))
        .orders("{\"id\":1,\"ts\":0}\n");
    shop.run().unwrap();
    assert_eq!(shop.query("select id, place from gold.places"), ["1 1"]);

    let shop = shop.orders("{\"id\":1,\"ts\":0}\n{\"id\":99999999999999999,\"ts\":0}\n");
    let options = RunOptions { until_idle: true, ..RunOptions::default() };
    let (metrics, failures) = (options.metrics.clone(), options.refresh_failures.clone());
    let error = shop.run_with(options).expect_err("a model is old");
    assert_eq!(error.kind(), ErrorKind::Data);
    says(
        &error.to_string(),
        &["model \"first\" is not up to date: it reads model \"places\"", "model \"places\" is not"],
    );
    says(&error.to_string(), &["model \"places\" is not up to date: ", "overflows"]);
    let counted: Vec<(String, u64)> = metrics.refresh_failure_counts().into_iter().collect();
    assert_eq!(counted, [("best".to_owned(), 0), ("first".to_owned(), 1), ("places".to_owned(), 1)]);
    assert_eq!(failures.now().keys().collect::<Vec<_>>(), ["first", "places"]);
    assert_eq!(shop.query("select id, place from gold.places"), ["1 1"], "the old table stays");
    assert_eq!(shop.query("select count(*) from gold.first"), ["1"]);
    assert_eq!(shop.query("select id from gold.best"), ["99999999999999999"], "others are up to date");
    assert_eq!(shop.query("select count(*) from gold.spend"), ["2"]);

    let dir = shop.dir();
    let old = ["places ", " is old: its refresh at epoch ", "failed: ", "overflows"];
    ends_with(0, &["status", "--project", &dir], &old);
    ends_with(
        1,
        &["run", "--until-idle", "--project", &dir],
        &["model \"places\" could not be refreshed", "error: model"],
    );
    ends_with(
        1,
        &["build", "--project", &dir],
        &["error: model \"first\" is not up to date: it reads model \"places\""],
    );
    let shop = shop.with("models/places.sql", &failing.replace("(id) as at", "(id % 1000) as at"));
    ends_with(0, &["build", "--project", &dir], &["data tests: 0 passed"]);
    assert_eq!(shop.query("select count(*) from gold.places"), ["2"]);
    let (_, out, _) = sluice(&["status", "--project", &dir]);
    assert!(!out.contains("is old"), "{out}");
}

/// A daemon goes on after a failure, and tries again when rows have come; when it is stopped it ends well.
#[test]
fn a_daemon_goes_on_after_a_failure() {
    let shop = Shop::new()
        .with(
            "models/places.sql",
            &format!("select timestamp_millis(sum(id)) as at, count(*) as n {ORDERS} {ASKS_THE_TIME}"),
        )
        .orders("{\"id\":99999999999999999,\"ts\":0}\n");
    let settings = std::fs::read_to_string(shop.path("sluice.yml")).unwrap();
    let shop = shop.with("sluice.yml", &settings.replace("epoch: 200 ms", "epoch: 100 ms, refresh: 100 ms"));
    let options = RunOptions::default();
    let (stop, failures) = (options.stop.clone(), options.refresh_failures.clone());
    let wait_until = |done: &dyn Fn() -> bool| {
        let since = Instant::now();
        while !done() {
            assert!(since.elapsed() < Duration::from_secs(PATIENCE_S), "{:?}", failures.now());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    std::thread::scope(|scope| {
        let daemon = scope.spawn(|| shop.run_with(options));
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(&|| failures.now().contains_key("places"));
            let more = "{\"id\":99999999999999999,\"ts\":0}\n{\"id\":-99999999999999998,\"ts\":0}\n";
            std::fs::write(shop.path("events/orders.jsonl"), more).unwrap();
            wait_until(&|| failures.now().is_empty());
        }));
        stop.stop();
        daemon.join().unwrap().unwrap();
        worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert_eq!(shop.query("select unix_millis(at), n from gold.places"), ["1 2"]);
}
