//! The servers, the project, the producer and the program; and what can be done to them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sluice_tests::project::Opened;
use sluice_tests::services::{ClickHouse, Hdfs, Kafka};
use tempfile::TempDir;

use super::count::count;
use super::daemon::Program;
use super::fault::Fault;
use super::producer::Producer;
use super::project;

const PARTITIONS: i32 = 4;
/// How long the program may take until it commits again.
const GOES_ON_S: u64 = 240;
/// A server is away for so long, in milliseconds: at least, and how much more at most.
const AWAY_MS: (u64, u64) = (2_000, 1_500);
/// A program that commits is left alone for so long at most before the next fault, in milliseconds.
const QUIET_MS_MAX: u64 = 1_500;

pub struct World {
    // Dropped in this order: who uses the servers goes first.
    program: Program,
    producer: Producer,
    project: TempDir,
    kafka: Kafka,
    hdfs: Hdfs,
    clickhouse: ClickHouse,
    random: u64,
    counted: u64,
    started: Instant,
}

impl World {
    pub fn start(seed: u64) -> anyhow::Result<World> {
        let (kafka, hdfs, clickhouse) = thread::scope(|scope| {
            let kafka = scope.spawn(Kafka::start);
            let hdfs = scope.spawn(|| Hdfs::start(2));
            let clickhouse = scope.spawn(ClickHouse::start);
            let gone = "a thread that starts a server does not panic";
            (kafka.join().expect(gone), hdfs.join().expect(gone), clickhouse.join().expect(gone))
        });
        let (kafka, hdfs, clickhouse) = (kafka?, hdfs?, clickhouse?);
        let project = tempfile::Builder::new().prefix("sluice-soak-").tempdir()?;
        let settings = format!(
            "version: 1
sources: {{ shop: {{ kafka: {{ brokers: \"{}\" }} }} }}
lake: {}/soak
clickhouse: {{ url: {}, user: {}, password: {}, database: soak, models: \"tag:gold\" }}
run: {{ workers: 2, epoch: 500 ms, freshness: 200 ms, refresh: 5 seconds }}
",
            kafka.brokers(),
            hdfs.url(),
            clickhouse.url(),
            clickhouse.user(),
            clickhouse.password()
        );
        project::write(project.path(), &settings)?;
        for stream in &Opened::of(project.path())?.pipeline.streams {
            kafka.create_topic(&stream.topic, PARTITIONS)?;
        }
        let producer = Producer::start(&kafka.brokers(), PARTITIONS)?;
        let program = Program::new(project.path())?;
        let started = Instant::now();
        let mut world =
            World { program, producer, project, kafka, hdfs, clickhouse, random: seed.max(1), counted: 0, started };
        world.program.run()?;
        world.goes_on(0).context("the first start")?;
        Ok(world)
    }

    /// A number below `bound`, by the seed (xorshift).
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    /// The newest manifest's epoch; none while the NameNode is away or nothing is committed.
    fn epoch(&self) -> Option<u64> {
        let names = self.hdfs.list("/soak/_sluice/soak/manifests").ok()?;
        names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).max()
    }

    /// Waits until an epoch later than `epoch` is committed; how long that took.
    fn goes_on(&mut self, epoch: u64) -> anyhow::Result<Duration> {
        let since = Instant::now();
        while self.epoch().is_none_or(|newest| newest <= epoch) {
            self.program.must_run()?;
            ensure!(
                since.elapsed() < Duration::from_secs(GOES_ON_S),
                "nothing was committed after epoch {epoch} for {GOES_ON_S} s; it said:\n{}",
                self.program.said(0)?
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(since.elapsed())
    }

    /// A fault at a moment that the seed says, and its end; how long after that the program has committed again.
    pub fn suffer(&mut self, fault: Fault) -> anyhow::Result<Duration> {
        self.program.run()?;
        let epoch = self.epoch().unwrap_or(0);
        self.goes_on(epoch)?;
        thread::sleep(Duration::from_millis(self.below(QUIET_MS_MAX)));
        let said = self.program.said_bytes()?;
        let epoch = self.epoch().unwrap_or(0);
        let node = self.below(2) as usize;
        match fault {
            Fault::KillProgram => self.program.kill()?,
            Fault::KillKafka => self.kafka.kill(),
            Fault::KillNameNode => self.hdfs.kill_namenode(),
            Fault::KillDataNode => self.hdfs.kill_datanode(node),
            Fault::KillClickHouse => self.clickhouse.kill(),
            Fault::FreezeKafka => self.kafka.stop()?,
            Fault::FreezeNameNode => self.hdfs.stop_namenode()?,
            Fault::FreezeDataNode => self.hdfs.stop_datanode(node)?,
            Fault::FreezeClickHouse => self.clickhouse.stop()?,
        }
        if fault != Fault::KillProgram {
            let (least, more) = AWAY_MS;
            thread::sleep(Duration::from_millis(least + self.below(more)));
        }
        match fault {
            Fault::KillProgram => self.program.run()?,
            Fault::KillKafka => self.kafka.restart()?,
            Fault::KillNameNode => self.hdfs.restart_namenode()?,
            Fault::KillDataNode => self.hdfs.restart_datanode(node)?,
            Fault::KillClickHouse => self.clickhouse.restart()?,
            Fault::FreezeKafka => self.kafka.cont()?,
            Fault::FreezeNameNode => self.hdfs.cont_namenode()?,
            Fault::FreezeDataNode => self.hdfs.cont_datanode(node)?,
            Fault::FreezeClickHouse => self.clickhouse.cont()?,
        }
        // An epoch that was under way may have been committed meanwhile.
        let epoch = self.epoch().unwrap_or(epoch);
        let took = self.goes_on(epoch)?;
        if let Some(words) = fault.words() {
            let said = self.program.said(said)?;
            ensure!(said.to_lowercase().contains(words), "{}: it does not say {words:?}:\n{said}", fault.text());
        }
        Ok(took)
    }

    /// Reads all that was sent and holds it against the tables; how many records are lost, and how many doubled.
    pub fn check(&mut self) -> anyhow::Result<(u64, u64)> {
        self.producer.pause()?;
        self.program.run_until_idle()?;
        self.program.verify()?;
        let (records, lost, doubled) = count(&self.kafka, &Opened::of(self.project.path())?)?;
        let acknowledged = self.producer.acknowledged();
        ensure!(records == acknowledged, "{records} records are in the log, {acknowledged} were acknowledged");
        self.counted = records;
        self.producer.go_on();
        Ok((lost, doubled))
    }

    /// What it was, in a line.
    pub fn summary(&self) -> anyhow::Result<String> {
        let (records, epoch) = (self.counted, self.epoch().context("no epoch")?);
        Ok(format!("{records} records in {epoch} epochs, within {} s", self.started.elapsed().as_secs()))
    }
}
