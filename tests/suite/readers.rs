//! The independent readers agree with what was written, and with each other, on every type and on a table's history.

use std::path::Path;
use std::process::Command;

use sluice_tests::cache;
use sluice_tests::readers::{Engine, rows, sum};
use sluice_tests::services::Hdfs;

/// What the readers must give back, by both ways.
const EXPECTED: [&str; 3] = [
    r#"{"k":1,"name":"ü'x","raw":"01ff","ratio":0.5,"at":"2026-01-02T03:04:05.000006Z","local":"1969-12-31T23:59:59.999999","day":"2026-01-01","price":"1.250","list":[1,null],"pair":{"a":1}}"#,
    r#"{"k":2,"name":null,"raw":null,"ratio":"nan","at":null,"local":null,"day":"2026-01-02","price":null,"list":null,"pair":null}"#,
    r#"{"k":4,"name":"","raw":"","ratio":-0.0,"at":"1969-12-31T23:59:59.000000Z","local":null,"day":null,"price":"-0.001","list":[],"pair":{"a":null}}"#,
];

/// Types, nulls, partitions, appends, a checkpoint with commits after it, and a delete: both readers give the same rows.
#[test]
fn readers_agree_on_types_and_history() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let table = folder.path().join("t").display().to_string();
    write(&table)?;
    for engine in [Engine::DuckDb, Engine::DeltaLake] {
        assert_eq!(rows(engine, &table, &[])?, EXPECTED, "{engine:?}");
        assert_eq!(rows(engine, &table, &["day", "k"])?[2], r#"{"day":null,"k":4}"#, "{engine:?}");
    }
    let all = sum(Engine::DuckDb, &table, &[])?;
    assert_eq!(all.rows, 3);
    assert_eq!(sum(Engine::DeltaLake, &table, &[])?, all);
    assert_ne!(sum(Engine::DuckDb, &table, &["k"])?.checksum, all.checksum);
    Ok(())
}

/// A table that a reader cannot vouch for is an error: none there, a lost version, a feature it does not know.
#[test]
fn readers_refuse_what_they_do_not_know() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let table = folder.path().join("t").display().to_string();
    let refused = |table: &str| rows(Engine::DuckDb, table, &[]).expect_err("it must be refused").to_string();
    assert!(refused(&table).contains("there is no Delta table"));
    write(&table)?;
    let log = Path::new(&table).join("_delta_log");
    let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"]}}"#;
    std::fs::write(log.join("00000000000000000004.json"), protocol)?;
    assert!(refused(&table).contains("does not know"));
    std::fs::rename(log.join("00000000000000000004.json"), log.join("00000000000000000005.json"))?;
    assert!(refused(&table).contains("version 4 is missing"));
    Ok(())
}

/// Both readers reach a table on HDFS.
#[test]
fn readers_reach_hdfs() -> anyhow::Result<()> {
    let table = format!("{}/readers/t", Hdfs::shared()?.url());
    write(&table)?;
    for engine in [Engine::DuckDb, Engine::DeltaLake] {
        assert_eq!(rows(engine, &table, &[])?, EXPECTED, "{engine:?}");
    }
    Ok(())
}

/// Writes the table that `EXPECTED` describes, in versions 0 to 3, with a checkpoint at 1.
fn write(table: &str) -> anyhow::Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/write_sample.py");
    let output = Command::new(cache::python_program("python")?).args([script, table]).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
