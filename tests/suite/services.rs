//! The real servers: each starts, works, is killed with SIGKILL, starts again, and still holds its data.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use sluice_tests::services::{ClickHouse, Hdfs, Kafka};

/// A broker answers, keeps what it acknowledged across SIGKILL, and answers again at the same address.
#[test]
fn kafka_keeps_its_records_across_a_kill() -> anyhow::Result<()> {
    let mut kafka = Kafka::start()?;
    let brokers = kafka.brokers();
    kafka.create_topic("t", 2)?;
    kafka.produce("t", 0, &[(Some(b"a"), Some(b"1")), (None, Some(b"2"))])?;
    kafka.produce("t", 1, &[(Some(b"gone"), None)])?;
    let before = kafka.read_all("t")?;
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let seen =
        before.iter().map(|r| format!("{}/{}: {:?} {:?}", r.partition, r.offset, text(&r.key), text(&r.payload)));
    let expected = [r#"0/0: Some("a") Some("1")"#, r#"0/1: None Some("2")"#, r#"1/0: Some("gone") None"#];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert!(before.iter().all(|record| record.timestamp_ms.is_some()));

    kafka.restart()?;
    assert_eq!(kafka.brokers(), brokers);
    assert_eq!(kafka.read_all("t")?, before);
    kafka.produce("t", 1, &[(None, Some(b"after"))])?;
    assert_eq!(kafka.read_all("t")?.len(), 4);
    Ok(())
}

/// Topics grow, lose old records and go, as they do in production.
#[test]
fn kafka_topics_change_while_the_broker_runs() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    kafka.create_topic("changing", 1)?;
    assert!(kafka.create_topic("changing", 1).is_err(), "a topic cannot be created twice");
    kafka.grow_topic("changing", 3)?;
    kafka.produce("changing", 2, &[(None, Some(b"x")), (None, Some(b"y"))])?;
    kafka.delete_records("changing", 2, 1)?;
    let offsets: Vec<_> = kafka.read_all("changing")?.iter().map(|r| (r.partition, r.offset)).collect();
    assert_eq!(offsets, [(2, 1)]);
    assert_eq!(kafka.committed("nobody", "changing")?, [(0, None), (1, None), (2, None)]);
    kafka.delete_topic("changing")?;
    let error = kafka.read_all("changing").expect_err("the topic is gone");
    assert_eq!(error.to_string(), "kafka topic \"changing\" does not exist");
    Ok(())
}

/// A frozen broker is silent and loses nothing.
#[test]
fn kafka_goes_on_after_a_freeze() -> anyhow::Result<()> {
    let kafka = Kafka::start()?;
    kafka.create_topic("t", 1)?;
    kafka.stop()?;
    std::thread::scope(|scope| {
        let produced = scope.spawn(|| kafka.produce("t", 0, &[(None, Some(b"1"))]));
        std::thread::sleep(Duration::from_secs(2));
        assert!(!produced.is_finished(), "a frozen broker cannot acknowledge");
        kafka.cont()?;
        produced.join().expect("the producer does not panic")
    })?;
    assert_eq!(kafka.read_all("t")?.len(), 1);
    Ok(())
}

/// A cluster keeps its files across SIGKILL of the NameNode and of a DataNode.
#[test]
fn hdfs_keeps_its_files_across_a_kill() -> anyhow::Result<()> {
    let mut hdfs = Hdfs::start(2)?;
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    hdfs.put("/a/b", &content)?;
    assert_eq!(hdfs.list("/a")?, ["b"]);
    assert!(hdfs.get("/a/b")? == content, "what was written is read");
    assert!(hdfs.get("/a/c").is_err(), "there is no such file");

    let url = hdfs.url();
    hdfs.kill_namenode();
    assert!(hdfs.list("/").is_err(), "nobody answers");
    hdfs.kill_datanode(1);
    hdfs.restart_namenode()?;
    hdfs.restart_datanode(1)?;
    assert_eq!(hdfs.url(), url);
    assert!(hdfs.get("/a/b")? == content, "the file is there after the restart");
    hdfs.put("/a/c", b"new")?;
    assert_eq!(hdfs.list("/a")?, ["b", "c"]);
    Ok(())
}

/// A server keeps its rows across SIGKILL, and its user can make databases, tables and views.
#[test]
fn clickhouse_keeps_its_rows_across_a_kill() -> anyhow::Result<()> {
    let mut clickhouse = ClickHouse::start()?;
    clickhouse.query("CREATE DATABASE d")?;
    clickhouse.query("CREATE TABLE d.t (k Int64, v String, n UInt64) ENGINE = ReplacingMergeTree(n) ORDER BY k")?;
    clickhouse.query("INSERT INTO d.t FORMAT TSV\n1\told\t1\n1\tnew\t2\n2\tother\t1\n")?;
    clickhouse.query("CREATE VIEW d.latest AS SELECT k, v FROM d.t FINAL")?;
    let rows = "SELECT * FROM d.latest ORDER BY k";
    assert_eq!(clickhouse.query(rows)?, "1\tnew\n2\tother\n");
    let error = clickhouse.query("SELECT * FROM d.nothing").expect_err("there is no such table");
    assert!(error.to_string().contains("UNKNOWN_TABLE"), "{error}");

    let url = clickhouse.url();
    clickhouse.kill();
    assert!(clickhouse.query("SELECT 1").is_err(), "nobody answers");
    clickhouse.restart()?;
    assert_eq!(clickhouse.url(), url);
    assert_eq!(clickhouse.query(rows)?, "1\tnew\n2\tother\n");
    Ok(())
}

/// Set in the process that the next test starts, and kills.
const VICTIM: &str = "SLUICE_TEST_VICTIM";

/// A test process that dies without a chance to clean up takes its servers and their data with it.
#[test]
fn servers_do_not_outlive_the_test_process() -> anyhow::Result<()> {
    if env::var_os(VICTIM).is_some() {
        // Started from a thread that ends: the server must live as long as the process, not the thread.
        let started = thread::spawn(ClickHouse::shared).join().expect("starting does not panic")?;
        println!("\naddress {}", started.url().trim_start_matches("http://"));
        loop {
            thread::sleep(Duration::from_secs(60));
        }
    }
    let folder = tempfile::tempdir()?;
    let mut victim = Command::new(env::current_exe()?)
        .args(["--exact", "services::servers_do_not_outlive_the_test_process", "--nocapture"])
        .env(VICTIM, "1")
        .env("TMPDIR", folder.path())
        .env_remove("SLUICE_TEST_KEEP")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(victim.stdout.take().expect("piped above")).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.strip_prefix("address ").map(str::to_owned));
    let served = address.as_ref().is_some_and(|address| TcpStream::connect(address).is_ok());
    victim.kill()?;
    victim.wait()?;
    assert!(served, "the victim has a server: {address:?}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address.as_deref().unwrap_or_default()).is_ok() || fs::read_dir(&folder)?.next().is_some()
    {
        assert!(Instant::now() < deadline, "the server or its data is still there");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
