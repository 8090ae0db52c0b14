//! Servers that are away, refuse, or hold something else than was expected.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sluice_engine::ErrorKind;
use sluice_pipelines::daemon::{Health, HealthChange, RunOptions};
use sluice_tests::services::{ClickHouse, Kafka};

use super::command::ends_with;
use super::says;
use super::shop::{Shop, nobody};

/// A good order.
const ORDER: &str = "{\"id\":1,\"ts\":1700000000000,\"amount\":2.5,\"note\":\"x\"}\n";

/// A topic that is not there is no reason to try again; and the way out that the message names works.
#[test]
fn no_such_topic() -> anyhow::Result<()> {
    let brokers = Kafka::shared()?.brokers();
    let shop = Shop::new().kafka(&brokers, "bad-missing");
    let error = shop.run().expect_err("there is no such topic");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["kafka topic \"bad-missing\" does not exist on", &brokers, "create it", "or set"]);
    says(&error.to_string(), &["set sources.shop.kafka.create: true"]);
    let shop = shop.source(&format!("kafka: {{ brokers: \"{brokers}\", create: true }}"));
    assert_eq!(shop.run()?.rows, 0);
    assert!(shop.rows("bronze/orders", &["id"]).is_empty(), "an empty topic is an empty table");
    Ok(())
}

/// A name that no topic can have is said to be one.
#[test]
fn no_name_for_a_topic() -> anyhow::Result<()> {
    let error = Shop::new().kafka(&Kafka::shared()?.brokers(), "no such topic").run().expect_err("it is no name");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["\"no such topic\"", "no name for a kafka topic", "letters, digits"]);
    Ok(())
}

/// `check` finds a topic that is not there; the project is wrong then.
#[test]
fn check_finds_a_missing_topic() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    let shop = Shop::new().kafka(&kafka.brokers(), "bad-unchecked");
    let dir = shop.dir();
    ends_with(
        2,
        &["check", "--project", &dir],
        &["error: kafka topic \"bad-unchecked\" does not exist", "create: true"],
    );
    kafka.create_topic("bad-unchecked", 1)?;
    ends_with(0, &["check", "--project", &dir], &["ok: 1 streams"]);
    Ok(())
}

/// Brokers that are away are waited for; what is waited for is said.
#[test]
fn no_broker() {
    let brokers = nobody();
    let error = Shop::new().kafka(&brokers, "orders").first_failure();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    let gave_no_answer = format!("kafka brokers {brokers} gave no answer");
    says(&error.to_string(), &[&gave_no_answer, "check that they run", "sources.shop.kafka.brokers"]);
}

/// An option that librdkafka does not know is named, with its place.
#[test]
fn unknown_option_of_the_client() {
    let shop = Shop::new().source("kafka: { brokers: \"127.0.0.1:1\", options: { fetch.min.byts: 1 } }");
    let error = shop.run().expect_err("there is no such option");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["sources.shop.kafka.options", "fetch.min.byts"]);
}

/// Records that were deleted before they were read are not passed over in silence; the way out works.
#[test]
fn lost_records() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    kafka.create_topic("bad-lost", 1)?;
    let order = |id: u8| format!("{{\"id\":{id}}}").into_bytes();
    let produce = |id: u8| kafka.produce("bad-lost", 0, &[(None, Some(&order(id)))]);
    produce(0)?;
    let shop = Shop::new().kafka(&kafka.brokers(), "bad-lost");
    assert_eq!(shop.run()?.rows, 1);
    (1..=3).try_for_each(produce)?;
    kafka.delete_records("bad-lost", 0, 3)?;
    let error = shop.run().expect_err("offsets 1 and 2 are gone");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["\"bad-lost\"", "set sources.shop.kafka.on_lost_offsets: earliest"]);
    let shop = shop.source(&format!("kafka: {{ brokers: \"{}\", on_lost_offsets: earliest }}", kafka.brokers()));
    assert_eq!(shop.run()?.rows, 1);
    let read: Vec<_> = shop.rows("bronze/orders", &["_offset"]).iter().map(|r| r["_offset"].as_i64()).collect();
    assert_eq!(read, [Some(0), Some(3)]);
    Ok(())
}

/// A stream without a file says where it was looked for.
#[test]
fn no_file() {
    let error = Shop::new().run().expect_err("there is no file");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["\"orders\"", "orders.jsonl", "put one there", "sources.shop.files.path"]);
    let error = Shop::new().source("files: { path: ./nowhere }").run().expect_err("there is no folder");
    says(&error.to_string(), &["nowhere", "does not exist", "sources.shop.files.path"]);
}

/// HDFS that is away is waited for; what is waited for is said.
#[test]
fn no_hdfs() {
    let name_node = nobody();
    let error = Shop::new().orders(ORDER).lake(&format!("hdfs://{name_node}/lake")).first_failure();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    says(&error.to_string(), &[&format!("hdfs://{name_node}/lake"), "nothing listens there", "host and port"]);
}

/// A lake at an address of an unknown kind says which kinds there are.
#[test]
fn no_lake_of_that_kind() {
    let error = Shop::new().orders(ORDER).lake("ftp://x/lake").run().expect_err("nobody knows it");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["lake \"ftp://x/lake\"", "\"ftp\" is not known", "hdfs://host:port/path"]);
}

/// A lake that cannot be written says so.
#[test]
fn lake_is_a_file() {
    let shop = Shop::new().orders(ORDER).with("not_a_folder", "text");
    let lake = shop.path("not_a_folder/lake").display().to_string();
    let error = shop.lake(&lake).run().expect_err("a file is no folder");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["not_a_folder/lake", "cannot be used"]);
}

/// A project with orders whose model goes to ClickHouse.
fn selling(url: &str, database: &str, password: &str) -> Shop {
    let login = format!("url: \"{url}\", database: {database}, user: etl, password: \"{password}\"");
    Shop::new().orders(ORDER).clickhouse(&login)
}

/// ClickHouse that is away is waited for; what is waited for is said.
#[test]
fn no_clickhouse() {
    let url = format!("http://{}", nobody());
    let error = selling(&url, "shop", "").first_failure();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    let does_not_answer = format!("clickhouse at {url} does not answer");
    says(&error.to_string(), &[&does_not_answer, "start it", "clickhouse.url in sluice.yml"]);
}

/// A server that is none of ClickHouse's is not waited for.
#[test]
fn not_a_clickhouse() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 65_536]);
            let page = "<html>welcome</html>";
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", page.len());
            let _ = connection.write_all((head + page).as_bytes());
        }
    });
    let error = selling(&url, "shop", "").run().expect_err("it is a web server");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &[&url, "does not answer as clickhouse does", "clickhouse.url in sluice.yml"]);
    Ok(())
}

/// A wrong password is no reason to try again, and is not shown.
#[test]
fn wrong_clickhouse_password() -> anyhow::Result<()> {
    let url = ClickHouse::shared()?.url();
    let error = selling(&url, "shop", "guessed-wrong").run().expect_err("the password is wrong");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &[&url, "user \"etl\"", "clickhouse.user and clickhouse.password in sluice.yml"]);
    assert!(!error.to_string().contains("guessed-wrong"), "{error}");
    Ok(())
}

/// A table with other columns is left alone; each difference is listed, with what to run.
#[test]
fn clickhouse_table_with_other_columns() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    clickhouse.query("CREATE DATABASE bad_columns")?;
    clickhouse.query(
        "CREATE TABLE bad_columns.spend__rows (id Int32, spent Nullable(Float64), extra String, _version UInt64, \
         _deleted UInt8, _epoch UInt64) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id",
    )?;
    let shop = selling(&clickhouse.url(), "bad_columns", clickhouse.password());
    let error = shop.run().expect_err("the table does not fit");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let text = error.to_string();
    says(&text, &["clickhouse table bad_columns.spend__rows does not fit model spend"]);
    for difference in ["column id: expected", "column orders: expected", "column extra: expected none, found String"] {
        assert!(text.contains(difference), "{text}");
    }
    says(&text, &["run DROP TABLE `bad_columns`.`spend__rows`"]);
    assert_eq!(clickhouse.query("SELECT count() FROM bad_columns.spend__rows")?, "0\n");

    clickhouse.query("CREATE DATABASE bad_view")?;
    clickhouse.query("CREATE TABLE bad_view.spend (id Int64) ENGINE = MergeTree ORDER BY id")?;
    let error = selling(&clickhouse.url(), "bad_view", clickhouse.password()).run().expect_err("the name is taken");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    says(&error.to_string(), &["bad_view.spend", "MergeTree", "RENAME TABLE", "clickhouse.database in sluice.yml"]);
    Ok(())
}

/// Of two daemons on one lake the older one stops, and says who took over; nothing is stored twice.
#[test]
fn second_daemon() -> anyhow::Result<()> {
    let shop = Shop::new().orders(ORDER);
    let append = |line: &str| -> anyhow::Result<()> {
        let mut file = OpenOptions::new().append(true).open(shop.path("events/orders.jsonl"))?;
        Ok(file.write_all(line.as_bytes())?)
    };
    let running = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = running.clone();
    let health = Health::new(move |change| {
        if matches!(change, HealthChange::Running) {
            seen.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let error = thread::scope(|scope| -> anyhow::Result<_> {
        let first = scope.spawn(|| shop.run_with(RunOptions { health, ..RunOptions::default() }));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !running.load(std::sync::atomic::Ordering::SeqCst) {
            anyhow::ensure!(Instant::now() < deadline, "the first daemon commits nothing");
            thread::sleep(Duration::from_millis(50));
        }
        append("{\"id\":2}\n")?;
        shop.run()?;
        append("{\"id\":3}\n")?;
        Ok(first.join().expect("it does not panic").expect_err("the first daemon is fenced"))
    })?;
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    says(&error.to_string(), &["pipeline \"shop\" is run by another sluice", "stop one of them"]);
    shop.run()?;
    let ids: Vec<_> = shop.rows("bronze/orders", &["id"]).iter().map(|r| r["id"].as_i64()).collect();
    assert_eq!(ids, [Some(1), Some(2), Some(3)]);
    Ok(())
}

/// A login in ClickHouse's address works as the one beside it does, and no password is shown anywhere: not by `check`, not in
/// an error, not in the whole log.
#[test]
fn a_login_in_the_address_of_clickhouse() -> anyhow::Result<()> {
    let clickhouse = ClickHouse::shared()?;
    let host = clickhouse.url().trim_start_matches("http://").to_owned();
    let shop = |login: &str, database: &str| {
        Shop::new().orders(ORDER).clickhouse(&format!("url: \"http://{login}@{host}\", database: {database}"))
    };
    let right = shop(&format!("{}:{}", clickhouse.user(), clickhouse.password()), "bad_login");
    let run = |verb: &[&str], shop: &Shop| -> anyhow::Result<(Option<i32>, String)> {
        let mut command = Command::new(sluice_tests::sluice_binary()?);
        command.args(verb).args(["--project", &shop.dir()]).env("SLUICE_LOG", "trace").stdin(Stdio::null());
        let output = command.output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
    };
    for verb in [&["check"][..], &["run", "--until-idle"], &["check"], &["plan"]] {
        let (code, said) = run(verb, &right)?;
        assert_eq!(code, Some(0), "{verb:?}: {said}");
        assert!(!said.contains(clickhouse.password()), "{verb:?} shows the password");
    }
    assert_eq!(clickhouse.query("SELECT id, spent FROM bad_login.spend")?, "1\t2.5\n");
    let wrong = shop("etl:hush-hush", "bad_login");
    for verb in [&["check"][..], &["run", "--until-idle"]] {
        let (code, said) = run(verb, &wrong)?;
        assert_eq!(code, Some(2), "{verb:?}: {said}");
        assert!(said.contains("does not let user \"etl\" in") && !said.contains("hush-hush"), "{verb:?}");
    }
    Ok(())
}

/// What this build cannot speak is a fault of the project, with its line and without the password; a Kafka password is in no
/// error and no log either.
#[test]
fn secrets_in_what_is_refused() -> anyhow::Result<()> {
    let shop = |url: &str| Shop::new().orders(ORDER).clickhouse(&format!("url: \"{url}\", database: x"));
    let faults = shop("https://etl:hush-hush@db:8443").faults();
    says(&faults, &["sluice.yml:5: clickhouse.url is https, which this build cannot speak", "put a TLS proxy"]);
    assert!(!faults.contains("hush-hush"), "{faults}");
    let faults = shop("http://db:8123/?user=etl&password=hush-hush").faults();
    says(&faults, &["sluice.yml:5: clickhouse.url has parameters", "clickhouse.password"]);
    assert!(!faults.contains("hush-hush"), "{faults}");
    let options =
        "security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: hush-hush";
    let brokers = Kafka::shared()?.brokers();
    let shop = Shop::new().source(&format!("kafka: {{ brokers: \"{brokers}\", options: {{ {options} }} }}"));
    let mut command = Command::new(sluice_tests::sluice_binary()?);
    command.args(["check", "--project", &shop.dir()]).env("SLUICE_LOG", "trace").stdin(Stdio::null());
    let output = command.output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.code() != Some(0) && said.contains("kafka brokers"), "{said}");
    assert!(!said.contains("hush-hush"), "the log shows the password");
    Ok(())
}
