//! Rejects that can be decoded now go through the graph once, whoever kills what in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sluice_pipelines::daemon::RunOptions;
use sluice_tests::sluice_binary;

use crate::bad_input::{Shop, sluice};

const SOURCES: &str = "sources:
  - name: shop
    schema: bronze
    tables:
      - name: orders
        meta: { stream: { topic: orders, event_time: \"timestamp_millis(ts)\", record_max: 64 B } }
        columns:
          - { name: id, data_type: bigint }
          - { name: ts, data_type: bigint }
          - { name: amount, data_type: double }
          - { name: note, data_type: string }
";

/// Orders of which every third is too long for `record_max`, and one is no JSON; and how many are too long.
fn orders(count: usize) -> (String, usize) {
    let order = |id: usize| {
        let note = if id.is_multiple_of(3) { "a note that makes the order longer than it may be" } else { "" };
        format!("{{\"id\":{},\"ts\":1700000000000,\"amount\":1.5,\"note\":\"{note}\"}}\n", id % 7)
    };
    let text: String = (0..count).map(order).collect();
    (text + "{\"id\":\n", count.div_ceil(3))
}

/// A project that has run, with rejects, and is mended since.
fn mended(count: usize) -> (Shop, usize) {
    let (text, long) = orders(count);
    let shop = Shop::new().with("models/sources.yml", SOURCES).orders(&text);
    shop.run().unwrap();
    (shop.with("models/sources.yml", &SOURCES.replace("64 B", "1 MiB")), long)
}

#[track_caller]
fn done(arguments: &[&str], shop: &Shop) -> String {
    let dir = shop.dir();
    let (code, out, err) = sluice(&[arguments, &["--project", &dir]].concat());
    assert_eq!(code, Some(0), "{out}\n{err}");
    out
}

/// What was rejected only because of a setting is replayed when that is mended: once, in its own place, marked. The rest
/// stays, and all tables are those of a batch.
#[test]
fn once_each() {
    let (shop, long) = mended(300);
    let said = done(&["replay", "--dry-run"], &shop);
    assert!(
        said.contains(&format!("shop.orders: {long} rejects can be decoded now, 1 cannot, 0 were replayed before")),
        "{said}"
    );
    assert!(said.contains("  1  truncated: the object is not closed at the end, byte N"), "{said}");
    assert_eq!(shop.query("select count(*) from bronze.orders"), ["200"], "a dry run does nothing");
    let said = done(&["replay"], &shop);
    assert!(said.starts_with(&format!("{long} records were replayed\n")), "{said}");
    assert!(
        said.contains(&format!("shop.orders: 0 rejects can be decoded now, 1 cannot, {long} were replayed before")),
        "{said}"
    );
    assert_eq!(shop.query("select count(*), count(distinct _offset) from bronze.orders"), ["300 300"]);
    assert_eq!(shop.query("select sum(orders) from gold.spend"), ["300"]);
    let kept = "select count(*), count(replayed), count(distinct _offset) from sluice.rejects";
    assert_eq!(shop.query(kept), [format!("{} {long} {}", long + 1, long + 1)]);
    let said = done(&["replay", "--select", "shop.orders"], &shop);
    assert!(said.starts_with("0 records were replayed\n"), "{said}");
    assert_eq!(shop.query("select count(*) from bronze.orders"), ["300"]);
    assert!(done(&["verify", "--deep"], &shop).ends_with("everything adds up\n"));
    let (text, _) = orders(300);
    let shop = shop.orders(&format!("{text}{{\"id\":1}}\n"));
    assert_eq!(shop.run().unwrap().rows, 1, "the stream goes on where it was");
    assert!(done(&["verify", "--deep"], &shop).ends_with("everything adds up\n"));
}

/// Killed again and again, a replay loses nothing and doubles nothing.
#[test]
fn killed_in_the_middle() {
    let (shop, long) = mended(6_000);
    let dir = shop.dir();
    let mut kills = 0;
    for round in 0..6 {
        let mut command = Command::new(sluice_binary().unwrap());
        command.args(["replay", "--project", &dir]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // At moments before, in and after the one epoch, which takes some tenths of a second here.
        let deadline = Instant::now() + Duration::from_millis(150 + 120 * round);
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        kills += u32::from(!child.wait().unwrap().success());
    }
    println!("{kills} kills");
    assert!(kills > 0, "it was killed before it was done");
    done(&["replay"], &shop);
    assert_eq!(shop.query("select count(*), count(distinct _offset) from bronze.orders"), ["6000 6000"]);
    assert_eq!(shop.query("select count(replayed) from sluice.rejects"), [long.to_string()]);
    assert!(done(&["verify", "--deep"], &shop).ends_with("everything adds up\n"));
}

/// While a run goes on, a replay is refused and says who it is; a stream that there is not is one, too.
#[test]
fn refused() {
    let (shop, _) = mended(10);
    let options = RunOptions::default();
    let stop = options.stop.clone();
    thread::scope(|scope| {
        let run = scope.spawn(|| shop.run_with(options));
        let claimed = shop.path("lake/_sluice/shop/generations");
        let deadline = Instant::now() + Duration::from_secs(30);
        let starts = || {
            std::fs::read_dir(&claimed).unwrap().flatten().filter(|e| e.path().extension().unwrap() == "json").count()
        };
        while starts() < 2 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let (code, _, err) = sluice(&["replay", "--project", &shop.dir()]);
        assert_eq!(code, Some(2), "{err}");
        let process = format!("process {} (generation 2); stop it first", std::process::id());
        assert!(err.contains("pipeline \"shop\" is run by ") && err.contains(&process), "{err}");
        stop.stop();
        run.join().unwrap().unwrap();
    });
    assert!(done(&["replay"], &shop).starts_with("4 records were replayed\n"));
    let (code, _, err) = sluice(&["replay", "--project", &shop.dir(), "--select", "carts"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("there is no stream \"carts\"; the streams are shop.orders"), "{err}");
    let changed = SOURCES.replace("name: id, data_type: bigint", "name: id, data_type: string");
    let shop = shop.with("models/sources.yml", &changed);
    let (code, _, err) = sluice(&["replay", "--project", &shop.dir()]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("the project has changed since epoch") || err.contains("does not fit the model"), "{err}");
}
