//! ClickHouse that is away for a while in the middle of a run.

use std::time::{Duration, Instant};

use sluice_pipelines::daemon::RunOptions;
use sluice_tests::services::{ClickHouse, http, ports};

use super::{append, orders, same, selling};

/// Longest wait for anything, in seconds. It is generous: the machine may be busy.
const PATIENCE_S: u64 = 60;
/// How long ClickHouse is away, in seconds.
const AWAY_S: u64 = 10;

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let since = Instant::now();
    while !ready() {
        assert!(since.elapsed() < Duration::from_secs(PATIENCE_S), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// While ClickHouse is frozen, or gone, the run waits, says so (the readiness probe, the status), commits nothing meanwhile,
/// and goes on by itself.
#[test]
fn a_run_waits_for_clickhouse_and_says_so() -> anyhow::Result<()> {
    let mut clickhouse = ClickHouse::start()?;
    let shop = selling(&clickhouse, "away").orders(&orders(0..100, 20));
    let admin = format!("127.0.0.1:{}", ports::free()?);
    let settings = std::fs::read_to_string(shop.path("sluice.yml"))?;
    let shop = shop.with("sluice.yml", &format!("{settings}admin: {{ listen: \"{admin}\" }}\n"));
    let dir = shop.dir();
    let mut daemon = std::process::Command::new(sluice_tests::sluice_binary()?)
        .args(["run", "--project", &dir])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::fs::File::create(shop.path("daemon.log"))?)
        .spawn()?;
    let get = |path: &str| http::request("GET", &admin, path, &[], b"").ok();
    let status_of = |path: &str| get(path).map(|answer| answer.status);
    let shown = |clickhouse: &ClickHouse| clickhouse.query("SELECT sum(orders) FROM away.spend").unwrap_or_default();
    let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the first rows are shown", || shown(&clickhouse) == "100\n");
        wait_until("it is ready", || status_of("/readyz") == Some(200));
        for (round, frozen) in [(1, true), (2, false)] {
            if frozen {
                clickhouse.stop().unwrap();
            } else {
                clickhouse.kill();
            }
            let since = Instant::now();
            let count = 100 + round * 100;
            append(&shop, &orders(count - 100..count, 20));
            wait_until("it says that it is not ready", || status_of("/readyz") == Some(503));
            let said = String::from_utf8(get("/readyz").unwrap().body).unwrap();
            assert!(said.contains("waiting for clickhouse table away.spend__rows"), "{said}");
            assert_eq!(status_of("/healthz"), Some(200), "waiting is no reason to be killed");
            std::thread::sleep(Duration::from_secs(AWAY_S).saturating_sub(since.elapsed()));
            if frozen {
                clickhouse.cont().unwrap();
            } else {
                clickhouse.restart().unwrap();
            }
            wait_until("the rows are shown", || shown(&clickhouse) == format!("{count}\n"));
            wait_until("it is ready again", || status_of("/readyz") == Some(200));
            wait_until("the lake has them", || shop.query("select count(*) from bronze.orders") == [count.to_string()]);
        }
    }));
    daemon.kill()?;
    daemon.wait()?;
    if let Err(panic) = worked {
        println!("{}", std::fs::read_to_string(shop.path("daemon.log"))?);
        std::panic::resume_unwind(panic);
    }
    let log = std::fs::read_to_string(shop.path("daemon.log"))?;
    assert!(log.contains("waiting for clickhouse"), "{log}");
    shop.run_with(RunOptions { until_idle: true, ..RunOptions::default() }).unwrap();
    same(&shop, &clickhouse, "away");
    Ok(())
}
