//! Records to Kafka without pause, whatever becomes of the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::project::record;

/// Records in one go, and the pause after them: 400 a second.
const RECORDS_AT_ONCE: usize = 40;
const PAUSE_MS: u64 = 100;
/// How long the last records may take.
const FLUSH_S: u64 = 120;

#[derive(Default)]
struct Counts {
    acknowledged: AtomicU64,
    refused: AtomicU64,
}

struct Deliveries(Arc<Counts>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        let count = if result.is_ok() { &self.0.acknowledged } else { &self.0.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A thread that produces until it is told to pause, and while it is not.
pub struct Producer {
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
    waits: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Producer {
    pub fn start(brokers: &str, partitions: i32) -> anyhow::Result<Producer> {
        let counts = Arc::new(Counts::default());
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("enable.idempotence", "true").set("linger.ms", "5");
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "200");
        let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries(counts.clone()))?;
        let flag = || Arc::new(AtomicBool::new(false));
        let (stop, paused, waits) = (flag(), flag(), flag());
        let (told, pause, waiting) = (stop.clone(), paused.clone(), waits.clone());
        let work = move || produce(&producer, partitions, [&told, &pause, &waiting]);
        Ok(Producer { counts, stop, paused, waits, thread: Some(thread::spawn(work)) })
    }

    /// Waits until all that was sent is acknowledged, and sends no more until `go_on`.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.paused.store(true, Ordering::SeqCst);
        while !self.waits.load(Ordering::SeqCst) {
            ensure!(self.thread.as_ref().is_some_and(|t| !t.is_finished()), "the producer has ended");
            thread::sleep(Duration::from_millis(10));
        }
        ensure!(self.counts.refused.load(Ordering::Relaxed) == 0, "records were refused");
        Ok(())
    }

    pub fn go_on(&self) {
        self.waits.store(false, Ordering::SeqCst);
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Records that the broker has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.counts.acknowledged.load(Ordering::Relaxed)
    }
}

fn produce(
    producer: &BaseProducer<Deliveries>,
    partitions: i32,
    [stop, paused, waits]: [&AtomicBool; 3],
) -> anyhow::Result<()> {
    let (mut partition, mut sent) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        if paused.load(Ordering::SeqCst) {
            producer.flush(Duration::from_secs(FLUSH_S)).context("records were not acknowledged")?;
            waits.store(true, Ordering::SeqCst);
        } else {
            for _ in 0..RECORDS_AT_ONCE {
                partition = (partition + 1) % partitions;
                let payload = record(sent);
                sent += 1;
                let mut record: BaseRecord<'_, [u8], [u8]> =
                    BaseRecord::to("orders").partition(partition).payload(&payload);
                while let Err((error, same)) = producer.send(record) {
                    let full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                    ensure!(full, "a record was refused: {error}");
                    producer.poll(Duration::from_millis(10));
                    record = same;
                }
            }
        }
        producer.poll(Duration::from_millis(PAUSE_MS));
        thread::sleep(Duration::from_millis(PAUSE_MS));
    }
    Ok(())
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
