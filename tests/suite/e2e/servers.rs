//! Kafka to Delta tables on HDFS and to ClickHouse, all of them real.

use std::process::Command;
use std::time::Instant;

use sluice_tests::compare::{self, Line, difference, lines, names};
use sluice_tests::events::{Feed, produce, push_columns, read};
use sluice_tests::oracle;
use sluice_tests::project::{MusicProject, Opened};
use sluice_tests::readers::{self, Engine};
use sluice_tests::services::{ClickHouse, Hdfs, Kafka};
use sluice_tests::sluice_binary;

use super::{facts, shown};

const PARTITIONS: i32 = 4;
const DATABASE: &str = "e2e";

/// Records of the first run, and of the second.
const RECORDS: [usize; 2] = [200_000, 50_000];

/// Where the run has its servers.
struct Servers {
    kafka: &'static Kafka,
    hdfs: &'static Hdfs,
    clickhouse: &'static ClickHouse,
}

impl Servers {
    fn start() -> anyhow::Result<Servers> {
        Ok(Servers { kafka: Kafka::shared()?, hdfs: Hdfs::shared()?, clickhouse: ClickHouse::shared()? })
    }

    fn lake(&self) -> String {
        format!("{}/e2e/lake", self.hdfs.url())
    }

    fn settings(&self) -> String {
        let (brokers, lake, clickhouse) = (self.kafka.brokers(), self.lake(), self.clickhouse.url());
        let (user, password) = (self.clickhouse.user(), self.clickhouse.password());
        format!(
            "version: 1
sources: {{ music: {{ kafka: {{ brokers: \"{brokers}\" }} }} }}
lake: {lake}
clickhouse: {{ url: {clickhouse}, user: {user}, password: {password}, database: {DATABASE}, models: \"tag:gold\" }}
run: {{ workers: 2, epoch: 5 seconds }}
"
        )
    }
}

/// A run over 200,000 records with faults, a second one over 50,000 more, and upkeep after them leave in bronze, silver, gold and
/// ClickHouse exactly what the topics, the models' SQL as a batch, other readers and plain counting say.
#[test]
fn kafka_to_hdfs_and_clickhouse() -> anyhow::Result<()> {
    let servers = Servers::start()?;
    let project = MusicProject::new(&servers.settings())?;
    let opened = Opened::of(project.path())?;
    for stream in &opened.pipeline.streams {
        servers.kafka.create_topic(&stream.topic, PARTITIONS)?;
    }
    let mut feed = Feed::new((RECORDS[0] + RECORDS[1]) as u64, 3_000, 7)?;
    let mut constants = 0;
    for (generation, records) in (1..).zip([RECORDS[0], usize::MAX]) {
        let events = feed.take(records);
        produce(servers.kafka, &events, PARTITIONS)?;
        let started = Instant::now();
        let summary = opened.run(None)?;
        println!("generation {generation}: {} records in {:?}", events.len(), started.elapsed());
        assert_eq!(summary.generation, generation, "nothing made the run start again");
        // The rows that models themselves write (`select -1 as session_id`) are read once, in the first run.
        let more = summary.rows - events.len() as u64;
        assert!(more < 100, "{} rows were read of {} new records", summary.rows, events.len());
        assert!(generation == 1 || more == 0, "{more} rows of the first run were read again");
        constants += more;
        check(&servers, &opened)?;
        println!("generation {generation}: checked after {:?}", started.elapsed());
    }
    assert!(constants > 0, "the project has models with rows of their own");
    // Upkeep changes nothing of what anybody reads, and ClickHouse filled again is what it was.
    let dir = project.path().display().to_string();
    let maintain = Command::new(sluice_binary()?).args(["maintain", "--refill", "--project", &dir]).output()?;
    println!("{}", String::from_utf8_lossy(&maintain.stdout));
    assert!(maintain.status.success(), "{}", String::from_utf8_lossy(&maintain.stderr));
    check(&servers, &opened)?;
    facts::check(&servers.kafka_payloads(&opened)?, feed.truth(), &opened)
}

fn check(servers: &Servers, opened: &Opened) -> anyhow::Result<()> {
    nothing_lost(servers.kafka, opened)?;
    let tables = oracle::check(opened)?;
    for model in opened.pipeline.models.values().filter(|model| model.clickhouse) {
        let found = shown::rows(servers.clickhouse, DATABASE, model)?;
        assert!(!found.is_empty(), "clickhouse shows no row of {}", model.name);
        assert_eq!(difference(tables[&model.table].clone(), found), None, "clickhouse's {}", model.name);
    }
    for (name, tests) in [("fact_auths", "partitioned"), ("dim_users", "rewritten"), ("free_vs_paid", "upserted")] {
        let model = &opened.pipeline.models[name];
        let (columns, table) = (names(&model.schema), format!("{}/{}", servers.lake(), model.path));
        for engine in [Engine::DuckDb, Engine::DeltaLake] {
            let found = readers::rows(engine, &table, &columns)?;
            let wrong = difference(tables[&model.table].clone(), found);
            assert_eq!(wrong, None, "{engine:?} reads the {tests} table {name}");
        }
    }
    let bronze = format!("{}/bronze/listen_events", servers.lake());
    let duckdb = readers::sum(Engine::DuckDb, &bronze, &[])?;
    assert_eq!(duckdb, readers::sum(Engine::DeltaLake, &bronze, &[])?);
    assert_eq!(duckdb.rows as usize, opened.table("bronze/listen_events")?.iter().map(|b| b.num_rows()).sum::<usize>());
    Ok(())
}

impl Servers {
    /// The payloads of each stream's topic, in the order of the pipeline's streams.
    fn kafka_payloads(&self, opened: &Opened) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
        let streams = opened.pipeline.streams.iter();
        streams
            .map(|stream| {
                let records = self.kafka.read_all(&stream.topic)?;
                Ok(records.into_iter().map(|record| record.payload.unwrap_or_default()).collect())
            })
            .collect()
    }
}

/// Every record of the topics is in bronze or in rejects, exactly once, with its position, key and time: in bronze with
/// the columns that serde_json reads, in rejects with its bytes and a reason.
fn nothing_lost(kafka: &Kafka, opened: &Opened) -> anyhow::Result<()> {
    let mut rejects = Vec::new();
    for stream in &opened.pipeline.streams {
        let mut bronze = Vec::new();
        for record in kafka.read_all(&stream.topic)? {
            let mut line = Line::default();
            line.push("_topic", Some(&compare::text(&stream.topic)));
            line.push("_partition", Some(&record.partition.to_string()));
            line.push("_offset", Some(&record.offset.to_string()));
            let time = record.timestamp_ms.map(|ms| compare::timestamp(ms * 1_000)).transpose()?;
            line.push("_timestamp", time.as_deref());
            line.push("_key", record.key.as_deref().map(compare::binary).as_deref());
            let payload = record.payload.unwrap_or_default();
            match read(stream, &payload) {
                Some(fields) => {
                    push_columns(&mut line, stream, &fields)?;
                    bronze.push(line.finish());
                }
                None => {
                    line.push("payload", Some(&compare::binary(&payload)));
                    rejects.push(line.finish());
                }
            }
        }
        let mut columns = vec!["_topic", "_partition", "_offset", "_timestamp", "_key"];
        columns.extend(stream.fields.iter().map(|field| field.name.as_str()));
        columns.extend(["_rescued", "_date"]);
        assert_eq!(difference(bronze, lines(&opened.table(&stream.path)?, &columns)?), None, "{}", stream.table);
    }
    assert!(!rejects.is_empty(), "there are malformed records");
    let found = opened.table("_sluice/rejects")?;
    let columns = ["_topic", "_partition", "_offset", "_timestamp", "_key", "payload"];
    assert_eq!(difference(rejects, lines(&found, &columns)?), None, "rejects");
    let reasons = lines(&found, &["reason"])?;
    assert!(reasons.iter().all(|line| line.len() > r#"{"reason":""}"#.len() && !line.contains("null")), "{reasons:?}");
    Ok(())
}
