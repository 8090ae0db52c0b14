//! The source against librdkafka's own mock of a broker: everything but transactions and new partitions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::RDKafkaApiKey;
use sluice_engine::error::{Error, ErrorKind};
use sluice_engine::source::{Polled, Position, Source, SourceContext};

use super::{KafkaConfig, KafkaSource, LostOffsets};
use crate::source::raw;

const TOPIC: &str = "t";
/// Nothing here takes longer when it works, in seconds.
const PATIENCE_S: u64 = 20;

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Broker {
    fn with_partitions(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, partitions, 1).unwrap();
        let mut options = ClientConfig::new();
        options.set("bootstrap.servers", cluster.bootstrap_servers()).set("message.max.bytes", "10000000");
        Self { producer: options.create().unwrap(), cluster }
    }

    fn put(&self, partition: i32, payload: &[u8]) {
        self.send(BaseRecord::<(), [u8]>::to(TOPIC).partition(partition).payload(payload));
        self.producer.flush(Duration::from_secs(PATIENCE_S)).unwrap();
    }

    /// `count` records in each of the partitions, with texts that say where they are.
    fn fill(&self, partitions: i32, count: usize) {
        for i in 0..count {
            for p in 0..partitions {
                self.send(BaseRecord::<(), str>::to(TOPIC).partition(p).payload(&format!("{p}/{i}")));
            }
        }
        self.producer.flush(Duration::from_secs(PATIENCE_S)).unwrap();
    }

    fn send<K: rdkafka::message::ToBytes + ?Sized, P: rdkafka::message::ToBytes + ?Sized>(
        &self,
        record: BaseRecord<'_, K, P>,
    ) {
        assert!(self.producer.send(record).is_ok());
        self.producer.poll(Duration::ZERO);
    }

    fn config(&self) -> KafkaConfig {
        KafkaConfig::new(self.cluster.bootstrap_servers(), TOPIC)
    }
}

fn place(worker: usize, workers: usize, until_idle: bool) -> SourceContext {
    SourceContext { name: "music.t".into(), worker, workers, until_idle }
}

fn open(config: KafkaConfig, place: SourceContext, resume: &Position) -> KafkaSource {
    let mut source = KafkaSource::new(config, place);
    source.open(resume).unwrap();
    source
}

/// The payloads read, by place.
type Read = BTreeMap<(i32, i64), Option<Vec<u8>>>;

/// Polls once; true at the end. No record may come twice.
fn poll(source: &mut KafkaSource, rows: usize, bytes: usize, read: &mut Read) -> bool {
    match source.poll(rows, bytes).unwrap() {
        Polled::End => return true,
        Polled::Idle => std::thread::sleep(Duration::from_millis(1)),
        Polled::Batch(batch) => {
            assert!(!batch.is_empty() && batch.len() <= rows);
            let partition = batch.column(raw::PARTITION).as_primitive::<Int32Type>();
            let offset = batch.column(raw::OFFSET).as_primitive::<Int64Type>();
            let payload = batch.column(raw::PAYLOAD).as_binary::<i32>();
            for i in 0..batch.len() {
                let value = payload.is_valid(i).then(|| payload.value(i).to_vec());
                assert!(read.insert((partition.value(i), offset.value(i)), value).is_none(), "a record came twice");
            }
        }
    }
    false
}

fn until(source: &mut KafkaSource, read: &mut Read, enough: impl Fn(&Read) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    while !enough(read) {
        assert!(Instant::now() < deadline, "only {} records came; {}", read.len(), source.status().text());
        poll(source, 100, 1 << 20, read);
    }
}

fn to_the_end(source: &mut KafkaSource, rows: usize) -> Read {
    let mut read = Read::new();
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    while !poll(source, rows, 1 << 20, &mut read) {
        assert!(Instant::now() < deadline, "no end after {} records; {}", read.len(), source.status().text());
    }
    read
}

fn next(position: &Position) -> Vec<(String, i64)> {
    position.0.iter().map(|(split, at)| (split.clone(), at.next)).collect()
}

fn expected(partitions: i32, count: i64) -> Read {
    let places = (0..partitions).flat_map(|p| (0..count).map(move |i| (p, i)));
    places.map(|(p, i)| ((p, i), Some(format!("{p}/{i}").into_bytes()))).collect()
}

/// However many workers share the partitions, and however small the polls are: each record once, and the ends as positions.
#[test]
fn every_record_once_for_any_number_of_workers() {
    let broker = Broker::with_partitions(4);
    broker.fill(4, 50);
    for (workers, rows) in [(1, 1), (1, 1000), (2, 7), (3, 64), (6, 64)] {
        let mut read = Read::new();
        let mut positions = Vec::new();
        for worker in 0..workers {
            let mut source = open(broker.config(), place(worker, workers, true), &Position::default());
            read.append(&mut to_the_end(&mut source, rows));
            positions.append(&mut next(&source.position()));
            assert_eq!(source.lag_rows(), Some(0));
        }
        assert_eq!(read, expected(4, 50), "{workers} workers");
        positions.sort();
        assert_eq!(positions, (0..4).map(|p| (p.to_string(), 50)).collect::<Vec<_>>());
    }
}

/// A source that goes on from another's position gives exactly the rest; with another number of workers, too.
#[test]
fn resumes_where_it_was() {
    let broker = Broker::with_partitions(3);
    broker.fill(3, 100);
    for taken in [1, 10, 150, 299] {
        let mut source = open(broker.config(), place(0, 1, false), &Position::default());
        let mut read = Read::new();
        while read.len() < taken {
            poll(&mut source, 1, 1 << 20, &mut read);
        }
        let position = source.position();
        assert_eq!(next(&position).iter().map(|(_, n)| *n as usize).sum::<usize>(), taken);
        drop(source);
        for worker in 0..2 {
            let mut source = open(broker.config(), place(worker, 2, true), &position);
            for (place, payload) in to_the_end(&mut source, 50) {
                assert!(read.insert(place, payload).is_none(), "{place:?} came again");
            }
        }
        assert_eq!(read, expected(3, 100), "after {taken}");
    }
}

/// What comes after `open` is left for the next run.
#[test]
fn until_idle_ends_where_the_log_ended_at_open() {
    let broker = Broker::with_partitions(2);
    broker.fill(2, 20);
    let mut source = open(broker.config(), place(0, 1, true), &Position::default());
    broker.fill(2, 20);
    assert_eq!(to_the_end(&mut source, 15).len(), 40);
    assert_eq!(next(&source.position()), [("0".into(), 20), ("1".into(), 20)]);
    let mut source = open(broker.config(), place(0, 1, true), &source.position());
    assert_eq!(to_the_end(&mut source, 15).len(), 40);
    let mut source = open(broker.config(), place(0, 1, true), &source.position());
    assert!(matches!(source.poll(10, 10), Ok(Polled::End)), "nothing is left");
}

/// An empty topic, and a worker without partitions, end with the first poll.
#[test]
fn nothing_to_read() {
    let broker = Broker::with_partitions(2);
    for worker in [0, 2] {
        let mut source = open(broker.config(), place(worker, 3, true), &Position::default());
        assert!(matches!(source.poll(10, 10), Ok(Polled::End)));
        assert_eq!(source.position().0.len(), usize::from(worker == 0));
    }
}

/// Tombstones, empty payloads, keys, timestamps and large records come as they are.
#[test]
fn all_parts_of_a_record() {
    let broker = Broker::with_partitions(1);
    let large = vec![b'x'; 4_000_000];
    broker.send(BaseRecord::<[u8], [u8]>::to(TOPIC).partition(0).key(b"k").timestamp(1_700_000_000_123));
    broker.send(BaseRecord::<[u8], [u8]>::to(TOPIC).partition(0).payload(b""));
    broker.put(0, &large);
    let mut source = open(broker.config(), place(0, 1, true), &Position::default());
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    let mut batches = Vec::new();
    while batches.iter().map(|b: &arrow::array::RecordBatch| b.num_rows()).sum::<usize>() < 3 {
        assert!(Instant::now() < deadline);
        if let Polled::Batch(batch) = source.poll(10, usize::MAX).unwrap() {
            batches.push(batch.rows().clone());
        }
    }
    let rows = arrow::compute::concat_batches(&raw::raw_schema(), &batches).unwrap();
    let key = rows.column(raw::KEY).as_binary::<i32>();
    let payload = rows.column(raw::PAYLOAD).as_binary::<i32>();
    assert_eq!((key.value(0), key.is_null(1)), (&b"k"[..], true));
    assert!(payload.is_null(0) && payload.is_valid(1) && payload.value(1).is_empty());
    assert_eq!(payload.value(2).len(), large.len());
    let timestamp = rows.column(raw::TIMESTAMP).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(timestamp.value(0), 1_700_000_000_123_000);
}

/// A poll gives no more than was asked for, but one record at least.
#[test]
fn polls_are_bounded_by_bytes() {
    let broker = Broker::with_partitions(1);
    broker.fill(1, 100);
    let mut source = open(broker.config(), place(0, 1, true), &Position::default());
    let (mut polls, mut read) = (0, 0);
    loop {
        match source.poll(1000, 20).unwrap() {
            Polled::End => break,
            Polled::Idle => std::thread::sleep(Duration::from_millis(1)),
            Polled::Batch(batch) => {
                assert!((1..=7).contains(&batch.len()), "{} rows for 20 bytes", batch.len());
                polls += 1;
                read += batch.len();
            }
        }
    }
    assert!(read == 100 && polls >= 15, "{read} records in {polls} polls");
}

fn open_error(config: KafkaConfig, resume: &Position) -> Error {
    KafkaSource::new(config, place(0, 1, true)).open(resume).unwrap_err()
}

/// A topic that does not exist is a configuration error that says what to do.
#[test]
fn no_such_topic() {
    let broker = Broker::with_partitions(1);
    let e = open_error(KafkaConfig { topic: "missing".into(), ..broker.config() }, &Position::default());
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().starts_with("kafka topic \"missing\" does not exist on 127.0.0.1:"), "{e}");
    assert_eq!(super::topic_partitions(&broker.config().connection, "missing").unwrap(), None);
    let mut config = KafkaConfig { topic: "missing".into(), ..broker.config() };
    assert_eq!(super::check_topic(&config).unwrap_err().kind(), ErrorKind::Config);
    config.create = Some(super::CreateTopic { partitions: 1, replication_factor: None });
    assert_eq!(super::check_topic(&config).unwrap(), None, "it will be created");
    assert_eq!(super::check_topic(&broker.config()).unwrap(), Some(1));
}

/// Records that the broker threw away before they were read: an error by default, counted on demand.
#[test]
fn lost_records() {
    let broker = Broker::with_partitions(1);
    // The mock keeps 5 MB of a partition.
    for i in 0..12 {
        broker.put(0, &vec![b'a' + i; 1_000_000]);
    }
    let resume = Position([("0".to_string(), super::offsets::position(1, None, None))].into());
    let e = open_error(broker.config(), &resume);
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().contains("partition 0: the records from offset 1 up to "), "{e}");
    let config = KafkaConfig { on_lost_offsets: LostOffsets::Earliest, ..broker.config() };
    let mut source = open(config, place(0, 1, true), &resume);
    let read = to_the_end(&mut source, 10);
    let earliest = read.keys().next().unwrap().1;
    assert!(earliest > 1);
    assert_eq!((source.status().lost_offsets(), read.len() as i64), (earliest as u64 - 1, 12 - earliest));
}

/// A log that ends before the position is another log.
#[test]
fn topic_made_again() {
    let broker = Broker::with_partitions(1);
    broker.fill(1, 5);
    let e = open_error(broker.config(), &Position([("0".to_string(), super::offsets::position(6, None, None))].into()));
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().contains("the topic was made again"), "{e}");
}

/// While the broker is away polls are idle and the status says so; afterwards reading goes on without loss or repeat.
#[test]
fn broker_away_while_reading() {
    let broker = Broker::with_partitions(2);
    broker.fill(2, 10);
    let config = KafkaConfig { metadata_refresh_s: 1, ..broker.config() };
    let mut source = open(config, place(0, 1, false), &Position::default());
    let mut read = Read::new();
    until(&mut source, &mut read, |r| r.len() == 20);
    let mut until_reading = |reading: bool| {
        let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
        while (source.status().text() == "reading") != reading {
            assert!(Instant::now() < deadline, "{}", source.status().text());
            poll(&mut source, 10, 1000, &mut read);
        }
    };
    until_reading(true);
    broker.cluster.broker_down(1).unwrap();
    until_reading(false);
    broker.cluster.broker_up(1).unwrap();
    until_reading(true);
    broker.put(1, b"1/10");
    until(&mut source, &mut read, |r| r.len() == 21);
    assert_eq!(source.status().text(), "reading");
    assert_eq!(next(&source.position()), [("0".into(), 10), ("1".into(), 11)]);
}

/// Positions are committed for a group that was named, and a refused commit hurts nobody.
#[test]
fn acknowledges_to_the_group() {
    let broker = Broker::with_partitions(2);
    broker.fill(2, 10);
    let config = KafkaConfig { group_id: Some("g".into()), ..broker.config() };
    let mut source = open(config, place(0, 1, false), &Position::default());
    let mut read = Read::new();
    until(&mut source, &mut read, |r| r.len() == 20);
    source.acknowledge(&source.position());
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    while committed(&broker) != [10, 10] {
        assert!(Instant::now() < deadline, "{:?} are committed", committed(&broker));
        poll(&mut source, 10, 1000, &mut read);
    }
    let refused = rdkafka::bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    broker.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[refused; 3]);
    broker.put(0, b"0/10");
    source.acknowledge(&source.position());
    until(&mut source, &mut read, |r| r.len() == 21);
}

fn committed(broker: &Broker) -> Vec<i64> {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let mut options = ClientConfig::new();
    options.set("bootstrap.servers", broker.cluster.bootstrap_servers()).set("group.id", "g");
    let consumer: BaseConsumer = options.create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_range(TOPIC, 0, 1);
    let Ok(list) = consumer.committed_offsets(list, Duration::from_secs(2)) else { return Vec::new() };
    list.elements().iter().map(|e| e.offset().to_raw().unwrap()).collect()
}
