//! What the commands show, and what `check` finds before a run would.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::Cursor;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow::ipc::reader::StreamReader;
use sluice_tests::project::MusicProject;
use sluice_tests::services::{http, ports};

use crate::bad_input::{Shop, sluice};

/// The order of every shop here.
const ORDER: &str = "{\"id\":1,\"ts\":1700000000000,\"amount\":2.5,\"note\":\"x\"}\n";

/// A shop whose tables are there.
fn run() -> Shop {
    let shop = Shop::new().orders(ORDER);
    shop.run().unwrap();
    shop
}

/// A result without rows still has columns: a head, a valid stream; and nothing where each row says its columns itself.
#[test]
fn a_query_without_rows_says_its_columns() {
    let shop = run();
    let ask = |format: &str| {
        let none = "select id, spent from gold.spend where id < 0";
        let (code, out, err) = sluice(&["query", "--project", &shop.dir(), "--format", format, none]);
        assert_eq!(code, Some(0), "{err}");
        out
    };
    assert_eq!(ask("table"), " id | spent\n----+-------\n(0 rows)\n");
    assert_eq!(ask("csv"), "id,spent\n");
    assert_eq!(ask("json"), "");
    // The stream of a result without rows is schema and end, which happens to be UTF-8.
    let sql = "select id, spent from gold.spend where id < 0";
    let mut command = Command::new(sluice_tests::sluice_binary().unwrap());
    command.args(["query", "--project", &shop.dir(), "--format", "arrow", sql]).stderr(Stdio::null());
    let stream = StreamReader::try_new(Cursor::new(command.output().unwrap().stdout), None).unwrap();
    let names: Vec<String> = stream.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["id", "spent"]);
    assert_eq!(stream.count(), 0);
}

/// Rows are written as they come: a result of many batches is whole, and has one head.
#[test]
fn a_query_of_many_rows_is_whole() {
    const ROWS: usize = 30_000;
    let orders: String = (0..ROWS).map(|id| format!("{{\"id\":{id},\"ts\":1700000000000}}\n")).collect();
    let shop = Shop::new().orders(&orders);
    shop.run().unwrap();
    let (code, out, err) =
        sluice(&["query", "--project", &shop.dir(), "--format", "csv", "select id from bronze.orders"]);
    assert_eq!(code, Some(0), "{err}");
    let mut lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.remove(0), "id");
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), ROWS);
}

/// `status` says how far the streams were read, by their names, and nothing of what is read inside.
#[test]
fn status_shows_streams_only() {
    let constant = "select 1 as id, 'none' as name union all select id, note from {{ source('shop', 'orders') }}";
    let shop = Shop::new().orders(ORDER).with("models/names.sql", constant).with("seeds/kinds.csv", "id\n7\n");
    shop.run().unwrap();
    let (code, out, err) = sluice(&["status", "--project", &shop.dir()]);
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<&str> = out.lines().skip(1).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("shop.orders "), "{out}");
}

/// `check` finds a table of the lake that the changed model does not fit, as a run would; a new column at the end is none.
#[test]
fn check_looks_into_the_lake() {
    let shop = run();
    let spend = |columns: &str| {
        format!(
            "{{{{ config(unique_key='id') }}}}\nselect {columns} from {{{{ source('shop', 'orders') }}}} group by id\n"
        )
    };
    let check = |shop: &Shop| sluice(&["check", "--project", &shop.dir()]);
    let shop = shop.with("models/spend.sql", &spend("id, count(*) as orders, max(note) as spent"));
    let (code, _, err) = check(&shop);
    assert_eq!(code, Some(2), "{err}");
    let said = err.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>();
    assert!(said.len() == 1 && said[0].contains("delta table gold/spend") && said[0].contains("spent"), "{err}");
    let (code, _, err) = sluice(&["check", "--offline", "--project", &shop.dir()]);
    assert_eq!(code, Some(0), "{err}");
    let wider = "id, count(*) as orders, sum(amount) as spent, max(note) as note";
    let shop = shop.with("models/spend.sql", &spend(wider));
    let (code, _, err) = check(&shop);
    assert_eq!(code, Some(0), "{err}");
}

/// `check` and `run` say which settings do nothing yet; other commands do not.
#[test]
fn settings_without_effect_are_named() {
    let shop = run();
    let warns = |arguments: &[&str]| {
        let (code, _, err) = sluice(&[arguments, &["--project", &shop.dir()]].concat());
        assert_eq!(code, Some(0), "{err}");
        err.contains("warning: models/sources.yml: watermark has no effect yet")
    };
    assert!(warns(&["check"]) && warns(&["run", "--until-idle"]) && warns(&["build"]));
    assert!(!warns(&["plan"]) && !warns(&["status"]));
}

/// A run that ends by itself has the admin server too, if the project wants one.
#[test]
fn a_run_until_idle_has_the_admin_server() {
    let port = ports::free().unwrap();
    let project = MusicProject::new("").unwrap();
    let lake = project.path().join("lake");
    let source = "music: { simulator: { config: example, rate: 200, events: 1000, users: 50 } }";
    let settings = format!(
        "version: 1\nsources: {{ {source} }}\nlake: {}\nrun: {{ workers: 1 }}\nadmin: {{ listen: \"127.0.0.1:{port}\" }}\n",
        lake.display()
    );
    project.set(&settings).unwrap();
    let dir = project.path().display().to_string();
    let mut command = Command::new(sluice_tests::sluice_binary().unwrap());
    command.args(["run", "--until-idle", "--project", &dir]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut run = command.stderr(Stdio::null()).spawn().unwrap();
    let answers =
        || http::request("GET", &format!("127.0.0.1:{port}"), "/healthz", &[], b"").is_ok_and(|r| r.status == 200);
    let (since, mut answered) = (Instant::now(), false);
    while since.elapsed() < Duration::from_secs(60) && run.try_wait().unwrap().is_none() && !answered {
        answered = answers();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(answered, "the server answers before the run ends");
    run.kill().unwrap();
    run.wait().unwrap();
}

/// A port that is taken is no reason for a run that ends by itself not to do its work.
#[test]
fn a_run_until_idle_does_without_the_admin_server() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let shop = Shop::new().orders(ORDER);
    let settings = std::fs::read_to_string(shop.path("sluice.yml")).unwrap();
    let shop = shop.with("sluice.yml", &format!("{settings}admin: {{ listen: \"{address}\" }}\n"));
    let (code, _, err) = sluice(&["run", "--until-idle", "--project", &shop.dir()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("is taken by another process") && err.contains("goes on without it"), "{err}");
    let (code, _, err) = sluice(&["run", "--project", &shop.dir()]);
    assert_eq!(code, Some(2), "the daemon does not start without it: {err}");
}
