//! Writing a run to Kafka: one topic for each stream.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::error::SimulatorError;
use super::json::push_u64;
use super::pace::Pace;
use super::records::{Record, Records, STREAMS};
use super::run::Simulator;
use super::send::{Stop, pump};
use super::truth::{Truth, TruthWriter};

/// Records that wait in memory for the brokers.
const QUEUE_RECORDS_MAX: &str = "200000";
/// Kilobytes that wait in memory for the brokers.
const QUEUE_KBYTES_MAX: &str = "131072";
/// How long a record may wait for its delivery before it counts as lost.
const DELIVERY_MS_MAX: &str = "60000";
/// How long the queue may stay full before the run gives up.
const QUEUE_FULL_MAX: Duration = Duration::from_secs(90);
/// How long the end of the run may take.
const FLUSH_MAX: Duration = Duration::from_secs(90);
/// How long the brokers may take to answer a question about topics.
const METADATA_MAX: Duration = Duration::from_secs(15);

/// Where and how to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KafkaOptions {
    /// `host:port`, several with commas between them.
    pub brokers: String,
    /// Create missing topics with so many partitions. `None`: a missing topic is an error.
    pub create_partitions: Option<u32>,
    /// Settings for the client, over those that are set here (`security.protocol` and so on).
    pub properties: Vec<(String, String)>,
    /// The folder for `truth.json` and `truth.jsonl`, when faults are on.
    pub truth_dir: Option<PathBuf>,
}

/// Writes a run to the topics named in [`STREAMS`] until it is over, or until `stop` says so, and waits until the
/// brokers have all of it. The key is null, or the session's number when the run is keyed. The producer is idempotent:
/// its own retries put no record in twice, and keep the order within a partition.
///
/// `on_progress` is called after each batch with what was handed over so far.
///
/// # Errors
/// [`SimulatorError::NoTopic`] when a topic is missing; [`SimulatorError::Kafka`] when the brokers do not answer, a topic
/// cannot be created, or a record is refused or not acknowledged in time; [`SimulatorError::File`] when the truth cannot
/// be written.
pub fn produce(
    simulator: &mut Simulator,
    options: &KafkaOptions,
    pace: &Pace,
    stop: Stop<'_>,
    mut on_progress: impl FnMut(&Truth),
) -> Result<Truth, SimulatorError> {
    let sender = Sender::connect(options)?;
    sender.ensure_topics(options)?;
    let mut truth = match &options.truth_dir {
        Some(dir) if simulator.has_faults() => Some(TruthWriter::create(dir)?),
        _ => None,
    };
    let mut key = Vec::new();
    pump(simulator, pace, stop, |simulator, records: &Records| {
        for record in records.iter() {
            sender.send(&record, &mut key)?;
        }
        sender.serve(Duration::ZERO)?;
        if let Some(truth) = &mut truth {
            truth.add(records)?;
        }
        on_progress(simulator.truth());
        Ok(())
    })?;
    sender.flush(simulator.truth().records())?;
    if let Some(truth) = truth {
        truth.finish(simulator.truth())?;
    }
    Ok(*simulator.truth())
}

/// Counts what the brokers say of each record.
#[derive(Debug, Default)]
struct Deliveries {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    first_error: Mutex<Option<String>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        match result {
            Ok(_) => self.acknowledged.fetch_add(1, Ordering::Relaxed),
            Err((error, _)) => {
                if let Ok(mut first) = self.first_error.lock() {
                    first.get_or_insert_with(|| error.to_string());
                }
                self.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

struct Sender {
    brokers: String,
    client: ClientConfig,
    producer: BaseProducer<Deliveries>,
}

impl Sender {
    fn connect(options: &KafkaOptions) -> Result<Self, SimulatorError> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &options.brokers)
            .set("enable.idempotence", "true")
            .set("compression.codec", "lz4")
            .set("linger.ms", "20")
            .set("batch.size", "1000000")
            .set("queue.buffering.max.messages", QUEUE_RECORDS_MAX)
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES_MAX)
            .set("message.timeout.ms", DELIVERY_MS_MAX);
        for (name, value) in &options.properties {
            client.set(name, value);
        }
        let brokers = options.brokers.clone();
        match client.create_with_context(Deliveries::default()) {
            Ok(producer) => Ok(Self { brokers, client, producer }),
            Err(error) => Err(SimulatorError::Kafka { brokers, problem: error.to_string() }),
        }
    }

    fn error(&self, problem: impl Into<String>) -> SimulatorError {
        SimulatorError::Kafka { brokers: self.brokers.clone(), problem: problem.into() }
    }

    /// Looks for the topics without asking for one by name, which could create it with the broker's defaults.
    fn ensure_topics(&self, options: &KafkaOptions) -> Result<(), SimulatorError> {
        let metadata = self
            .producer
            .client()
            .fetch_metadata(None, METADATA_MAX)
            .map_err(|error| self.error(format!("no answer: {error}; is it running there?")))?;
        let exists = |name: &&str| metadata.topics().iter().any(|topic| topic.name() == *name);
        let missing: Vec<&'static str> = STREAMS.into_iter().filter(|name| !exists(name)).collect();
        match (missing.first(), options.create_partitions) {
            (None, _) => Ok(()),
            (Some(_), Some(partitions)) => self.create_topics(&missing, partitions),
            (Some(topic), None) => Err(SimulatorError::NoTopic { brokers: self.brokers.clone(), topic }),
        }
    }

    fn create_topics(&self, names: &[&str], partitions: u32) -> Result<(), SimulatorError> {
        let partitions = i32::try_from(partitions.max(1)).map_err(|_| self.error("that many partitions cannot be"))?;
        let mut client = ClientConfig::new();
        for (name, value) in self.client.config_map() {
            // What only a producer has would be warned of.
            if !["enable.", "compression.", "linger.", "batch.", "queue.", "message."]
                .iter()
                .any(|p| name.starts_with(p))
            {
                client.set(name, value);
            }
        }
        let admin: AdminClient<DefaultClientContext> =
            client.create().map_err(|error| self.error(error.to_string()))?;
        // -1: as many copies as the brokers have for their default.
        let topics: Vec<_> =
            names.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(-1))).collect();
        let options = AdminOptions::new().operation_timeout(Some(METADATA_MAX)).request_timeout(Some(METADATA_MAX));
        let results = futures::executor::block_on(admin.create_topics(&topics, &options))
            .map_err(|error| self.error(format!("topics cannot be created: {error}")))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(self.error(format!("topic \"{name}\" cannot be created: {code}"))),
            }
        }
        Ok(())
    }

    /// Hands a record over; while the queue is full it waits for the brokers.
    fn send(&self, record: &Record<'_>, key: &mut Vec<u8>) -> Result<(), SimulatorError> {
        let mut message = BaseRecord::<[u8], [u8]>::to(STREAMS[record.stream]).payload(record.payload);
        if let Some(session) = record.key {
            key.clear();
            push_u64(key, session);
            message = message.key(key.as_slice());
        }
        let mut full_since = None;
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    let since = *full_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > QUEUE_FULL_MAX {
                        let seconds = QUEUE_FULL_MAX.as_secs();
                        return Err(self.error(format!("takes no records: the queue has been full for {seconds} s")));
                    }
                    message = back;
                    self.serve(Duration::from_millis(20))?;
                }
                Err((error, _)) => {
                    return Err(self.error(format!("topic \"{}\" takes no records: {error}", STREAMS[record.stream])));
                }
            }
        }
    }

    /// Takes the brokers' answers, and fails when one of them is a refusal.
    fn serve(&self, wait: Duration) -> Result<(), SimulatorError> {
        self.producer.poll(wait);
        let deliveries = self.producer.context();
        let failed = deliveries.failed.load(Ordering::Relaxed);
        if failed == 0 {
            return Ok(());
        }
        let first = deliveries.first_error.lock().ok().and_then(|first| first.clone()).unwrap_or_default();
        let acknowledged = deliveries.acknowledged.load(Ordering::Relaxed);
        Err(self.error(format!("{failed} records were not delivered, {acknowledged} were; the first error: {first}")))
    }

    /// Waits until every record is acknowledged.
    fn flush(&self, sent: u64) -> Result<(), SimulatorError> {
        let began = Instant::now();
        loop {
            self.serve(Duration::from_millis(20))?;
            let acknowledged = self.producer.context().acknowledged.load(Ordering::Relaxed);
            if acknowledged >= sent {
                return Ok(());
            }
            if began.elapsed() > FLUSH_MAX {
                let (open, seconds) = (sent - acknowledged, FLUSH_MAX.as_secs());
                return Err(self.error(format!("{open} records were not acknowledged within {seconds} s")));
            }
        }
    }
}
