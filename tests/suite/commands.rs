//! What the commands show, and what `check` finds before a run would.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Cursor};
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

/// The errors that `sluice` writes.
fn errors(arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let (code, _, err) = sluice(arguments);
    (code, err.lines().filter_map(|line| line.strip_prefix("error: ")).map(str::to_owned).collect())
}

/// `check` refuses a stream that has changed since its table was made, as `run` would and in the same words; offline it does
/// not know. What makes no other rows is no change, and models may change.
#[test]
fn check_sees_a_changed_project() {
    let shop = run();
    let sources = fs::read_to_string(shop.path("models/sources.yml")).unwrap();
    let shop = shop.with("models/sources.yml", &sources.replace("id, data_type: bigint", "id, data_type: int"));
    let (code, said) = errors(&["check", "--project", &shop.dir()]);
    assert!(
        code == Some(2) && said.len() == 1 && said[0].starts_with("the project has changed since epoch"),
        "{said:?}"
    );
    assert!(said[0].contains("decode/bronze.orders"), "{said:?}");
    assert_eq!(errors(&["run", "--until-idle", "--project", &shop.dir()]), (Some(2), said.clone()));
    assert_eq!(errors(&["plan", "--project", &shop.dir()]), (Some(2), said));
    assert_eq!(errors(&["check", "--offline", "--project", &shop.dir()]), (Some(0), vec![]));
    let spend =
        "{{ config(unique_key='id') }} select id, max(amount) as most from {{ source('shop', 'orders') }} group by id";
    let shop = shop.with("models/sources.yml", &format!("{sources}# as it was\n")).with("models/spend.sql", spend);
    assert_eq!(errors(&["check", "--project", &shop.dir()]), (Some(0), vec![]));
}

/// `check` finds a table of the lake that the model does not fit and that somebody else has made, as a run would; one that is
/// refreshed and ours gets its new columns.
#[test]
fn check_looks_into_the_lake() {
    let ranked = |what: &str| format!("select {what} as place, random() as r from {{{{ source('shop', 'orders') }}}}");
    let shop = Shop::new().with("models/ranked.sql", &ranked("id")).orders(ORDER);
    shop.run().unwrap();
    let shop = shop.with("models/ranked.sql", &ranked("note"));
    assert_eq!(errors(&["check", "--project", &shop.dir()]), (Some(0), vec![]));
    let made = shop.path("lake/gold/ranked/_delta_log/00000000000000000000.json");
    let log = fs::read_to_string(&made).unwrap();
    fs::write(&made, log.replace("shop/gold.ranked", "others/gold.ranked")).unwrap();
    let (code, said) = errors(&["check", "--project", &shop.dir()]);
    assert!(code == Some(2) && said.len() == 1 && said[0].starts_with("delta table gold/ranked: "), "{said:?}");
    assert!(said[0].contains("place") && said[0].contains("refreshed by full queries"), "{said:?}");
    fs::write(&made, log).unwrap();
    shop.run().unwrap();
    assert_eq!(shop.query("select place from gold.ranked"), ["x"]);
}

/// `check` plans the SQL of data tests: each wrong one is one error, with file and line; and a bad `admin.listen`, where
/// a port that is taken is none.
#[test]
fn check_plans_data_tests_and_looks_at_the_address() {
    let schema = "models:\n  - name: spend\n    columns:\n      - name: id\n        data_tests: [not_null]\n      - name: idd\n        data_tests:\n          - not_null\n";
    let shop = Shop::new()
        .orders(ORDER)
        .with("tests/too_much.sql", "-- spend\nselect id,\n  orders\nfrom {{ ref('spend') }}\nwhere spend > 10\n")
        .with("tests/fine.sql", "{{ config(fail_calc='sum(orders)') }} select * from {{ ref('spend') }} where id < 0")
        .with("models/schema.yml", schema);
    let settings = std::fs::read_to_string(shop.path("sluice.yml")).unwrap();
    let listen =
        |shop: Shop, address: &str| shop.with("sluice.yml", &format!("{settings}admin: {{ listen: \"{address}\" }}\n"));
    let shop = listen(shop, "127.0.0.1:99999");
    let (code, said) = errors(&["check", "--offline", "--project", &shop.dir()]);
    assert_eq!((code, said.len()), (Some(2), 3), "{said:?}");
    assert!(said[0].starts_with("admin.listen \"127.0.0.1:99999\" is not an address; write host:port"), "{said:?}");
    assert!(said[1].starts_with("models/schema.yml:6: data test not_null_spend_idd: "), "{said:?}");
    assert!(said[2].starts_with("tests/too_much.sql:5: data test too_much: ") && said[2].contains("spent"), "{said:?}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let shop = listen(shop, &taken.local_addr().unwrap().to_string())
        .with("tests/too_much.sql", "select * from {{ ref('spend') }} where spent > 10")
        .with("models/schema.yml", &schema.replace("idd", "spent"));
    assert_eq!(errors(&["check", "--project", &shop.dir()]), (Some(0), vec![]));
}

/// A filter of the log that says nothing is refused with the way out, and one that does is not.
#[test]
fn a_log_filter_that_is_wrong_is_refused() {
    let check = |filter: &str| {
        let mut command = Command::new(sluice_tests::sluice_binary().unwrap());
        let shop = Shop::new().orders(ORDER);
        command.args(["check", "--offline", "--project", &shop.dir()]).env("SLUICE_LOG", filter).stdin(Stdio::null());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, err) = check("debgu");
    assert!(code == Some(2) && err.contains("SLUICE_LOG: \"debgu\" is no level; did you mean \"debug\"?"), "{err}");
    let (code, err) = check("warn,sluice_engine=loud");
    assert!(code == Some(2) && err.contains("SLUICE_LOG \"warn,sluice_engine=loud\" says nothing"), "{err}");
    for good in ["warn", "INFO,hyper=off", "sluice_engine", "warn,rdkafka=debug", ""] {
        assert_eq!(check(good).0, Some(0), "{good}");
    }
}

/// A demo takes another port when the usual one is taken, and says which.
#[test]
fn a_demo_finds_a_free_port() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(sluice_tests::sluice_binary().unwrap());
    command.args(["demo", "--rate", "100", "--dir", folder.path().to_str().unwrap()]).env("ADMIN_LISTEN", &address);
    command.env_remove("SLUICE_LOG").env_remove("RUST_LOG").env_remove("LAKE").stdin(Stdio::null());
    let mut demo = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.find(|line| line.contains(&address)).unwrap_or_default();
    let own = told.rsplit("this one is on ").next().unwrap_or_default().to_owned();
    let answers = || http::request("GET", &own, "/healthz", &[], b"").is_ok_and(|r| r.status == 200);
    let since = Instant::now();
    while !answers() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let answered = answers();
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert!(told.contains("is taken by another process") && answered, "{told}");
}

/// `check` and `run` say which settings do nothing yet; other commands do not.
#[test]
fn settings_without_effect_are_named() {
    let shop = run();
    let settings = fs::read_to_string(shop.path("sluice.yml")).unwrap();
    let shop = shop.with("sluice.yml", &settings.replace("run: {", "run: { keep_late: 1 day,"));
    let warns = |arguments: &[&str]| {
        let (code, _, err) = sluice(&[arguments, &["--project", &shop.dir()]].concat());
        assert_eq!(code, Some(0), "{err}");
        err.contains("warning: sluice.yml: run.keep_late has no effect yet")
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
