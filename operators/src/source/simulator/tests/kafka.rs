//! Writing to Kafka, against the mock brokers that are built into librdkafka.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::super::kafka::{KafkaOptions, produce};
use super::super::{Options, Pace, STREAMS, SimulatorConfig};
use super::{options, payloads, simulator};

const PARTITIONS: i32 = 3;

fn cluster_with(topics: &[&str]) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    for topic in topics {
        cluster.create_topic(topic, PARTITIONS, 1).unwrap();
    }
    cluster
}

fn kafka(brokers: String) -> KafkaOptions {
    KafkaOptions { brokers, ..KafkaOptions::default() }
}

/// Key and payload of every record of a topic.
fn read(brokers: &str, topic: &str, count: usize) -> Vec<(Option<String>, Vec<u8>, i32)> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "reader").create().unwrap();
    let mut from = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&from).unwrap();
    let (began, mut found) = (Instant::now(), Vec::new());
    while found.len() < count {
        assert!(began.elapsed() < Duration::from_secs(30), "{} of {count} records in {topic}", found.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.unwrap();
            let key = message.key().map(|key| String::from_utf8(key.to_vec()).unwrap());
            found.push((key, message.payload().unwrap_or_default().to_vec(), message.partition()));
        }
    }
    found
}

/// Every record arrives in its topic once, byte for byte, without a key, or with its session as the key and then in
/// one partition.
#[test]
fn every_record_arrives_once() {
    for keyed in [false, true] {
        let cluster = cluster_with(&STREAMS);
        let brokers = cluster.bootstrap_servers();
        let run = || simulator(SimulatorConfig::example(), Options { keyed, ..options(100, 4_000) });
        let truth = produce(&mut run(), &kafka(brokers.clone()), &Pace::Unlimited, None, |_| {}).unwrap();
        let mut expected: [Vec<Vec<u8>>; 4] = Default::default();
        for (stream, payload) in payloads(run(), 500) {
            expected[stream].push(payload);
        }
        for (stream, mut expected) in expected.into_iter().enumerate() {
            assert_eq!(truth.streams[stream].records, expected.len() as u64);
            let found = read(&brokers, STREAMS[stream], expected.len());
            let mut partitions = HashMap::new();
            for (key, payload, partition) in &found {
                let session = super::field(std::str::from_utf8(payload).unwrap(), "sessionId").to_owned();
                assert_eq!(*key, keyed.then_some(session));
                if let Some(key) = key {
                    assert_eq!(partitions.entry(key.clone()).or_insert(*partition), partition);
                }
            }
            let mut found: Vec<_> = found.into_iter().map(|record| record.1).collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert!(found == expected, "{}", STREAMS[stream]);
        }
    }
}

/// A missing topic is an error that names it and says the way out; brokers that are not there are named, too.
#[test]
fn what_is_missing_is_named() {
    let cluster = cluster_with(&STREAMS[..2]);
    let mut run = simulator(SimulatorConfig::example(), options(10, 10));
    let error = produce(&mut run, &kafka(cluster.bootstrap_servers()), &Pace::Unlimited, None, |_| {}).unwrap_err();
    assert!(error.to_string().contains("topic \"auth_events\" does not exist; create it"), "{error}");
    let nobody = produce(&mut run, &kafka("127.0.0.1:1".to_owned()), &Pace::Unlimited, None, |_| {}).unwrap_err();
    assert!(nobody.to_string().contains("127.0.0.1:1: no answer"), "{nobody}");
    assert_eq!(run.truth().records(), 0, "nothing is sent before all topics are there");
}

/// A record that the brokers do not acknowledge in time ends the run with an error, not with a loss.
#[test]
fn a_lost_record_is_an_error() {
    let cluster = cluster_with(&STREAMS);
    let mut options_ = kafka(cluster.bootstrap_servers());
    options_.properties.push(("message.timeout.ms".to_owned(), "1500".to_owned()));
    let mut run = simulator(SimulatorConfig::example(), options(100, 1_000_000));
    let pace = Pace::Rate { records_per_second: 500.0 };
    let mut sent = 0;
    let error = produce(&mut run, &options_, &pace, Some(&AtomicBool::new(false)), |truth| {
        if sent == 0 {
            cluster.broker_down(1).unwrap();
        }
        sent = truth.records();
    })
    .unwrap_err();
    assert!(error.to_string().contains("were not delivered"), "{error}");
}
