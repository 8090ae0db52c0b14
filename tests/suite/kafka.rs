//! Kafka's odd cases, each with its policy (docs/kafka.md), on a real broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sluice_engine::{Error, ErrorKind, Polled, Position, Source, SourceContext};
use sluice_operators::source::kafka::{KafkaConfig, KafkaSource, LostOffsets};
use sluice_operators::source::raw;
use sluice_pipelines::daemon::RunOptions;
use sluice_tests::services::Kafka;
use sluice_tests::tidy::tree;

use crate::bad_input::Shop;

/// Nothing here takes longer when it works, in seconds.
const PATIENCE_S: u64 = 60;

/// What was read: payloads by partition and offset.
type Read = BTreeMap<(i32, i64), Option<String>>;

fn config(kafka: &Kafka, topic: &str) -> KafkaConfig {
    KafkaConfig { metadata_refresh_s: 1, ..KafkaConfig::new(kafka.brokers(), topic) }
}

fn open(config: KafkaConfig, until_idle: bool, resume: &Position) -> Result<KafkaSource, Error> {
    let place = SourceContext { name: "shop.t".into(), worker: 0, workers: 1, until_idle };
    let mut source = KafkaSource::new(config, place);
    source.open(resume).map(|()| source)
}

/// Polls once; true at the end. No record may come twice.
fn poll(source: &mut KafkaSource, read: &mut Read) -> Result<bool, Error> {
    match source.poll(10, 1 << 20)? {
        Polled::End => return Ok(true),
        Polled::Idle => std::thread::sleep(Duration::from_millis(2)),
        Polled::Batch(batch) => {
            let partition = batch.column(raw::PARTITION).as_primitive::<Int32Type>();
            let offset = batch.column(raw::OFFSET).as_primitive::<Int64Type>();
            let payload = batch.column(raw::PAYLOAD).as_binary::<i32>();
            for i in 0..batch.len() {
                let value = payload.is_valid(i).then(|| String::from_utf8_lossy(payload.value(i)).into_owned());
                let again = read.insert((partition.value(i), offset.value(i)), value);
                assert!(again.is_none(), "a record came twice");
            }
        }
    }
    Ok(false)
}

/// Reads on until `enough`, or until the source fails.
fn until(source: &mut KafkaSource, read: &mut Read, enough: impl Fn(&Read) -> bool) -> Result<(), Error> {
    let since = Instant::now();
    while !enough(read) {
        assert!(since.elapsed() < Duration::from_secs(PATIENCE_S), "{:?}; {}", read.keys(), source.status().text());
        poll(source, read)?;
    }
    Ok(())
}

/// All that is there, as a run that ends by itself reads it; and where it ends.
fn to_the_end(config: KafkaConfig, resume: &Position) -> Result<(Read, Position), Error> {
    let (mut source, mut read) = (open(config, true, resume)?, Read::new());
    let since = Instant::now();
    while !poll(&mut source, &mut read)? {
        assert!(since.elapsed() < Duration::from_secs(PATIENCE_S), "{:?}; {}", read.keys(), source.status().text());
    }
    assert_eq!(source.lag_rows(), Some(0));
    Ok((read, source.position()))
}

fn wait_for(what: &str, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let since = Instant::now();
    while !done()? {
        ensure!(since.elapsed() < Duration::from_secs(PATIENCE_S), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn next(position: &Position) -> Vec<(&str, i64)> {
    position.0.iter().map(|(split, at)| (split.as_str(), at.next)).collect()
}

fn payloads(read: &Read) -> Vec<&str> {
    read.values().map(|p| p.as_deref().unwrap_or("-")).collect()
}

/// Partitions that come while it is read are found and read from their first record; a run that ends by itself does not
/// wait for them, and the next one has them.
#[test]
fn partitions_that_are_added() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    kafka.create_topic("odd-grown", 1)?;
    kafka.produce("odd-grown", 0, &[(None, Some(b"a"))])?;
    let (mut source, mut read) = (open(config(kafka, "odd-grown"), false, &Position::default())?, Read::new());
    until(&mut source, &mut read, |r| r.len() == 1)?;
    let before = source.position();
    kafka.grow_topic("odd-grown", 3)?;
    for (partition, payload) in [(2, b"c"), (1, b"b"), (0, b"d")] {
        wait_for("a leader", || Ok(kafka.produce("odd-grown", partition, &[(None, Some(payload))]).is_ok()))?;
    }
    until(&mut source, &mut read, |r| r.len() == 4)?;
    assert_eq!(payloads(&read), ["a", "d", "b", "c"]);
    assert_eq!(next(&source.position()), [("0", 2), ("1", 1), ("2", 1)]);
    let (read, position) = to_the_end(config(kafka, "odd-grown"), &before)?;
    assert_eq!((payloads(&read), next(&position)), (vec!["d", "b", "c"], next(&source.position())));
    Ok(())
}

/// What retention takes away before it was read is an error that names it, or is counted and passed over; also while it is
/// read.
#[test]
fn records_that_retention_takes() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    let short = [("retention.ms", "1000"), ("segment.ms", "500"), ("file.delete.delay.ms", "100")];
    kafka.create_topic_with("odd-short", 1, &short)?;
    kafka.produce("odd-short", 0, &[(None, Some(b"0"))])?;
    let (_, position) = to_the_end(config(kafka, "odd-short"), &Position::default())?;
    kafka.produce("odd-short", 0, &[(None, Some(b"1")), (None, Some(b"2"))])?;
    // A segment is closed by a record that comes later.
    wait_for("retention", || {
        std::thread::sleep(Duration::from_millis(600));
        kafka.produce("odd-short", 0, &[(None, Some(b"more"))])?;
        Ok(kafka.read_all("odd-short")?.first().is_some_and(|r| r.offset > 2))
    })?;
    let error = to_the_end(config(kafka, "odd-short"), &position).expect_err("offset 1 is gone");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("the records from offset 1 up to") && error.to_string().contains("earliest"));
    let on = KafkaConfig { on_lost_offsets: LostOffsets::Earliest, ..config(kafka, "odd-short") };
    assert!(to_the_end(on, &position)?.0.keys().all(|(_, offset)| *offset > 2));

    // While it is read: more than the client keeps, deleted behind its back.
    let large = vec![b'x'; 500_000];
    let many: Vec<_> = (0..40).map(|_| (None, Some(large.as_slice()))).collect();
    let read_on = |topic: &str, on_lost_offsets: LostOffsets| -> anyhow::Result<_> {
        kafka.create_topic(topic, 1)?;
        kafka.produce(topic, 0, &many)?;
        let small = KafkaConfig { on_lost_offsets, memory_bytes: 1 << 20, ..config(kafka, topic) };
        let (mut source, mut read) = (open(small, false, &Position::default())?, Read::new());
        until(&mut source, &mut read, |r| !r.is_empty())?;
        kafka.delete_records(topic, 0, 38)?;
        kafka.produce(topic, 0, &[(None, Some(b"after"))])?;
        let rest = until(&mut source, &mut read, |r| r.contains_key(&(0, 40)));
        Ok((rest, read.len() as u64, source.status().lost_offsets()))
    };
    let (rest, _, lost) = read_on("odd-slow-fail", LostOffsets::Fail)?;
    let error = rest.expect_err("records are gone").to_string();
    assert!(lost == 0 && error.contains("are gone before they were read"), "{error}");
    let (rest, read, lost) = read_on("odd-slow-go-on", LostOffsets::Earliest)?;
    rest?;
    assert!(lost > 0 && read + lost == 41, "each one that did not come is counted: {read} and {lost}");
    Ok(())
}

/// A topic that is deleted while it is read ends the run. One that was made again is known by its end, or by another record
/// where the last one was; on demand it is read from its beginning.
#[test]
fn a_topic_that_is_made_again() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    let fill = |payloads: &[&[u8]]| {
        kafka.create_topic("odd-again", 1)?;
        let records: Vec<_> = payloads.iter().map(|p| (None, Some(*p))).collect();
        kafka.produce("odd-again", 0, &records)
    };
    fill(&[b"a", b"b"])?;
    let (mut source, mut read) = (open(config(kafka, "odd-again"), false, &Position::default())?, Read::new());
    until(&mut source, &mut read, |r| r.len() == 2)?;
    let position = source.position();
    let (read, same) = to_the_end(config(kafka, "odd-again"), &position)?;
    assert_eq!((read.len(), &same), (0, &position), "nothing has happened yet");
    kafka.delete_topic("odd-again")?;
    let error = until(&mut source, &mut Read::new(), |_| false).expect_err("it is deleted");
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("was deleted"), "{error}");
    drop(source);

    let resumed = |policy| to_the_end(KafkaConfig { on_lost_offsets: policy, ..config(kafka, "odd-again") }, &position);
    for payloads in [&[b"x" as &[u8]] as &[&[u8]], &[b"x", b"y", b"z"]] {
        fill(payloads)?;
        let error = resumed(LostOffsets::Fail).expect_err("it is another topic");
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains("the topic was made again"), "{error}");
        assert!(error.to_string().contains("on_lost_offsets: earliest"), "{error}");
        let (read, end) = resumed(LostOffsets::Earliest)?;
        assert_eq!((read.len(), next(&end)), (payloads.len(), vec![("0", payloads.len() as i64)]));
        kafka.delete_topic("odd-again")?;
    }
    Ok(())
}

/// Records of aborted transactions do not come, marks of transactions are no records and no lag, and an open transaction
/// waits for its end.
#[test]
fn transactions() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    kafka.create_topic("odd-transactions", 1)?;
    let producer = |id: &str| -> anyhow::Result<BaseProducer> {
        let mut options = ClientConfig::new();
        options.set("bootstrap.servers", kafka.brokers()).set("transactional.id", id);
        let producer: BaseProducer = options.create()?;
        producer.init_transactions(Duration::from_secs(PATIENCE_S))?;
        Ok(producer)
    };
    let put = |producer: &BaseProducer, payload: &str| {
        let record = BaseRecord::<(), str>::to("odd-transactions").partition(0).payload(payload);
        producer.send(record).map_err(|(error, _)| error)?;
        producer.flush(Duration::from_secs(PATIENCE_S))
    };
    let wait = Duration::from_secs(PATIENCE_S);
    let (first, second) = (producer("odd-1")?, producer("odd-2")?);
    first.begin_transaction()?;
    put(&first, "aborted")?;
    first.abort_transaction(wait)?;
    first.begin_transaction()?;
    put(&first, "kept")?;
    first.commit_transaction(wait)?;
    second.begin_transaction()?;
    put(&second, "open")?;
    kafka.produce("odd-transactions", 0, &[(None, Some(b"behind"))])?;
    let (read, position) = to_the_end(config(kafka, "odd-transactions"), &Position::default())?;
    assert_eq!((payloads(&read), next(&position)), (vec!["kept"], vec![("0", 4)]), "an open one bounds what is read");
    let (mut source, mut read) = (open(config(kafka, "odd-transactions"), false, &position)?, Read::new());
    second.commit_transaction(wait)?;
    until(&mut source, &mut read, |r| r.len() == 2)?;
    assert_eq!(payloads(&read), ["open", "behind"]);
    first.begin_transaction()?;
    put(&first, "aborted too")?;
    first.abort_transaction(wait)?;
    let (read, position) = to_the_end(config(kafka, "odd-transactions"), &source.position())?;
    assert_eq!((read.len(), next(&position)), (0, vec![("0", 9)]), "marks at the end are passed");
    Ok(())
}

/// A compacted topic has holes; they are no lost records, also where the position or the last record that was read lies in
/// one.
#[test]
fn a_compacted_topic() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    let compact = [("cleanup.policy", "compact"), ("segment.ms", "200"), ("min.cleanable.dirty.ratio", "0.01")];
    kafka.create_topic_with("odd-compacted", 1, &compact)?;
    let put = |keys: &[&str]| {
        let records: Vec<_> = keys.iter().map(|k| (Some(k.as_bytes()), Some(k.as_bytes()))).collect();
        kafka.produce("odd-compacted", 0, &records)
    };
    put(&["a", "b"])?;
    let (_, position) = to_the_end(config(kafka, "odd-compacted"), &Position::default())?;
    put(&["a", "b", "a", "c", "a"])?;
    wait_for("the cleaner", || {
        std::thread::sleep(Duration::from_millis(300));
        put(&["more"])?;
        Ok(kafka.read_all("odd-compacted")?.iter().filter(|r| r.key.as_deref() == Some(b"a")).count() == 1)
    })?;
    let (read, _) = to_the_end(config(kafka, "odd-compacted"), &position)?;
    let there = kafka.read_all("odd-compacted")?;
    assert!(read.keys().next().is_some_and(|(_, offset)| *offset > 2), "offset 2 is gone: {:?}", read.keys());
    let offsets = |from: i64| there.iter().map(|r| r.offset).filter(move |o| *o >= from).collect::<Vec<_>>();
    assert_eq!(read.keys().map(|(_, offset)| *offset).collect::<Vec<_>>(), offsets(2));
    let (all, _) = to_the_end(config(kafka, "odd-compacted"), &Position::default())?;
    assert_eq!(all.len(), offsets(0).len());
    Ok(())
}

/// A record without a time has none, and one with a time of its own has that.
#[test]
fn records_without_a_time() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    // Retention would take an old record at once.
    kafka.create_topic_with("odd-times", 1, &[("retention.ms", "-1")])?;
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", kafka.brokers()).create()?;
    for time in [-1, 1_700_000_000_123] {
        let record = BaseRecord::<(), str>::to("odd-times").partition(0).payload("x").timestamp(time);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(PATIENCE_S))?;
    let mut source = open(config(kafka, "odd-times"), false, &Position::default())?;
    let (mut times, since) = (Vec::new(), Instant::now());
    while times.len() < 2 {
        assert!(since.elapsed() < Duration::from_secs(PATIENCE_S), "{times:?}");
        if let Polled::Batch(batch) = source.poll(10, 1 << 20)? {
            times.extend(batch.column(raw::TIMESTAMP).as_primitive::<TimestampMicrosecondType>().iter());
        }
    }
    assert_eq!(times, [None, Some(1_700_000_000_123_000)]);
    Ok(())
}

/// Through the whole product, while the broker is killed and comes back: each record once; a record of 5 MB is a row, and a
/// tombstone is a reject.
#[test]
fn a_broker_that_is_killed() -> anyhow::Result<()> {
    let mut kafka = Kafka::start()?;
    kafka.create_topic_with("odd", 2, &[("max.message.bytes", "10000000")])?;
    let shop = Shop::new().kafka(&kafka.brokers(), "odd");
    let order = |id: i64, note: &str| format!("{{\"id\":{id},\"ts\":0,\"amount\":1,\"note\":\"{note}\"}}").into_bytes();
    let options = RunOptions::default();
    let stop = options.stop.clone();
    let rows = |sql: &str| shop.query(sql).first().and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
    let count = || rows("select count(*) from bronze.orders");
    std::thread::scope(|scope| {
        let daemon = scope.spawn(|| shop.run_with(options));
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| -> anyhow::Result<()> {
            let large = order(0, &"x".repeat(5_000_000));
            kafka.produce("odd", 0, &[(Some(b"k"), Some(&large)), (Some(b"k"), None)])?;
            kafka.produce("odd", 1, &[(None, Some(&order(1, "y")))])?;
            wait_for("two orders", || Ok(count() == 2))?;
            kafka.restart()?;
            for id in 2..6 {
                kafka.produce("odd", (id % 2) as i32, &[(None, Some(&order(id, "z")))])?;
            }
            wait_for("all orders", || Ok(count() == 6))
        }));
        stop.stop();
        daemon.join().expect("it does not panic")?;
        worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    assert_eq!(shop.query("select id, orders, spent from gold.spend order by id").len(), 6);
    assert_eq!(rows("select max(length(note)) from bronze.orders"), 5_000_000);
    let rejects = shop.query("select _partition, _offset, reason from sluice.rejects");
    assert_eq!(rejects, ["0 1 tombstone: the record has no payload"]);
    shop.run()?;
    assert_eq!(count(), 6, "a new start reads nothing again");
    Ok(())
}

/// A broker that wants TLS and a login by SCRAM is read; a wrong password and an unknown certificate are errors that say where
/// to look, without the password.
#[test]
fn sasl_and_tls() -> anyhow::Result<()> {
    let kafka = Kafka::start_secured()?;
    kafka.create_topic("secured", 1)?;
    kafka.produce("secured", 0, &[(None, Some(b"{\"id\":1,\"ts\":0}"))])?;
    let (user, password) = kafka.login();
    let (brokers, ca) = (kafka.secured_brokers(), kafka.ca().display().to_string());
    let shop = |password: &str, ca: &str| {
        let options = format!(
            "security.protocol: sasl_ssl, sasl.mechanism: SCRAM-SHA-512, sasl.username: {user}, sasl.password: {password}{ca}"
        );
        let shop = Shop::new().kafka(&brokers, "secured");
        shop.source(&format!("kafka: {{ brokers: \"{brokers}\", options: {{ {options} }} }}"))
    };
    let trusted = format!(", ssl.ca.location: \"{ca}\"");
    assert_eq!(shop(password, &trusted).run()?.rows, 1);
    for (password, ca, why) in [("guessed-wrong", trusted.as_str(), "uthentication"), (password, "", "certificate")] {
        let error = shop(password, ca).run().expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let text = error.to_string();
        assert!(text.contains("refuse the connection") && text.contains(why), "{text}");
        assert!(text.contains("sources.shop.kafka.options") && !text.contains(password), "{text}");
    }
    Ok(())
}

/// The document's tests are there, by their names.
#[test]
fn the_document_names_tests_that_are_there() -> anyhow::Result<()> {
    let files = tree::read()?;
    let document = files.iter().find(|file| file.path == "docs/kafka.md").expect("the document");
    let rows = document.text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| case"));
    let mut named = 0;
    for test in rows.filter_map(|row| row.trim_end_matches(" |").rsplit("| ").next()).flat_map(|cell| cell.split(", "))
    {
        let name = test.trim_matches('`');
        let is_there = files.iter().any(|file| file.is_rust() && file.text.contains(&format!("fn {name}(")));
        assert!(is_there, "docs/kafka.md names the test {name:?}, which is not there");
        named += 1;
    }
    assert!(named > 15, "{named}");
    Ok(())
}
