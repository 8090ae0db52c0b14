//! A Kafka broker (KRaft, one node), with a producer and a reader that share no code with the source under test.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::home::Home;
use super::process::{Process, run_to_end};
use super::{ports, start_with_free_ports, wait_until};
use crate::cache;

/// How long one request of the helpers below may take, a broker's restart included.
const REQUEST_DEADLINE_S: u64 = 60;

/// The node's cluster; any will do, for it is alone.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

const PROPERTIES: &str = "server.properties";

const SCRAM_USER: &str = "reader";
const SCRAM_PASSWORD: &str = "reader-password";

/// A real broker.
pub struct Kafka {
    broker: Process,
    port: u16,
    secured_port: Option<u16>,
    home: Home,
}

/// A record to produce: its key and its payload, each none when null.
pub type KeyAndPayload<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// A record as the broker holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The partition that it is in.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its key; none when null.
    pub key: Option<Vec<u8>>,
    /// Its value; none when null (a tombstone).
    pub payload: Option<Vec<u8>>,
    /// Milliseconds since 1970; none when the broker knows none.
    pub timestamp_ms: Option<i64>,
}

impl Kafka {
    /// Starts a broker with no topics; returns when it answers.
    ///
    /// # Errors
    /// When it is not installed, or does not start: with the tail of its log.
    pub fn start() -> anyhow::Result<Kafka> {
        Kafka::start_with(false)
    }

    /// As `start`, with a second address (`secured_brokers`) that wants TLS and a login by SCRAM.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_secured() -> anyhow::Result<Kafka> {
        Kafka::start_with(true)
    }

    fn start_with(secured: bool) -> anyhow::Result<Kafka> {
        start_with_free_ports(|| {
            let home = Home::new("kafka")?;
            let (port, controller_port) = (ports::free()?, ports::free()?);
            let data = home.path().join("data");
            let mut text = properties(port, controller_port, &data.display().to_string());
            let secured_port = if secured { Some(ports::free()?) } else { None };
            if let Some(secured_port) = secured_port {
                home.write("server.pem", include_str!("kafka-server.pem"))?;
                home.write("ca.pem", include_str!("kafka-ca.pem"))?;
                let pem = home.path().join("server.pem");
                text += &security(port, controller_port, secured_port, &pem.display().to_string());
            }
            home.write(PROPERTIES, &text)?;
            format(&home, secured)?;
            let broker = spawn(&home)?;
            let kafka = Kafka { broker, port, secured_port, home };
            kafka.wait_until_ready()?;
            Ok(kafka)
        })
    }

    /// One broker for all tests of this process that only need topics of their own; started by the first.
    ///
    /// # Errors
    /// As `start`; the same error for each caller.
    pub fn shared() -> anyhow::Result<&'static Kafka> {
        static SHARED: OnceLock<Result<Kafka, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Kafka::start().map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// What a client's `bootstrap.servers` takes.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address that wants TLS and a login, of a broker that was started with one.
    pub fn secured_brokers(&self) -> String {
        format!("127.0.0.1:{}", self.secured_port.unwrap_or(self.port))
    }

    /// The user and the password of that address.
    pub fn login(&self) -> (&'static str, &'static str) {
        (SCRAM_USER, SCRAM_PASSWORD)
    }

    /// The certificate that a client of that address must trust.
    pub fn ca(&self) -> PathBuf {
        self.home.path().join("ca.pem")
    }

    /// Kills the broker (SIGKILL).
    pub fn kill(&mut self) {
        self.broker.kill();
    }

    /// Starts it again with its data, at the same address; kills it first when it still runs.
    ///
    /// # Errors
    /// When it does not start: with the tail of its log.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.broker = spawn(&self.home)?;
        self.wait_until_ready()
    }

    /// Freezes the broker (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it has ended.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.broker.stop()
    }

    /// Lets it go on after `stop`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cont(&self) -> anyhow::Result<()> {
        self.broker.cont()
    }

    /// Makes a topic; returns when its partitions have leaders.
    ///
    /// # Errors
    /// When there is one of that name, or the broker does not answer.
    pub fn create_topic(&self, name: &str, partitions: i32) -> anyhow::Result<()> {
        self.create_topic_with(name, partitions, &[])
    }

    /// As `create_topic`, with settings such as `("retention.ms", "2000")`.
    ///
    /// # Errors
    /// When there is one of that name, a setting is wrong, or the broker does not answer.
    pub fn create_topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        single(block_on(self.admin()?.create_topics([&topic], &admin_options()))?)
            .with_context(|| format!("kafka topic \"{name}\" cannot be created"))?;
        let deadline = Instant::now() + Duration::from_secs(REQUEST_DEADLINE_S);
        while self.partitions(name)?.len() != partitions as usize {
            ensure!(Instant::now() < deadline, "kafka topic \"{name}\" has no leaders after {REQUEST_DEADLINE_S} s");
        }
        Ok(())
    }

    /// Gives a topic more partitions, `partitions` in all.
    ///
    /// # Errors
    /// When there is no such topic, or it has as many already.
    pub fn grow_topic(&self, name: &str, partitions: usize) -> anyhow::Result<()> {
        let wish = NewPartitions::new(name, partitions);
        single(block_on(self.admin()?.create_partitions([&wish], &admin_options()))?)
            .with_context(|| format!("kafka topic \"{name}\" cannot be given {partitions} partitions"))
    }

    /// Deletes a topic and waits until the broker no longer lists it.
    ///
    /// # Errors
    /// When there is no such topic, or the broker does not answer.
    pub fn delete_topic(&self, name: &str) -> anyhow::Result<()> {
        single(block_on(self.admin()?.delete_topics(&[name], &admin_options()))?)
            .with_context(|| format!("kafka topic \"{name}\" cannot be deleted"))?;
        let deadline = Instant::now() + Duration::from_secs(REQUEST_DEADLINE_S);
        while !self.partitions(name)?.is_empty() {
            ensure!(Instant::now() < deadline, "kafka topic \"{name}\" is still there after {REQUEST_DEADLINE_S} s");
        }
        Ok(())
    }

    /// Deletes a partition's records before `offset`, as retention would.
    ///
    /// # Errors
    /// When there is no such partition or offset.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> anyhow::Result<()> {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        let deleted = block_on(self.admin()?.delete_records(&before, &admin_options()))?;
        for element in deleted.elements() {
            element.error().with_context(|| format!("records of {topic}/{partition} cannot be deleted"))?;
        }
        Ok(())
    }

    /// Appends records, each a key and a payload, to one partition in their order; returns when all are acknowledged.
    ///
    /// # Errors
    /// When one of them is refused or not acknowledged in time.
    pub fn produce(&self, topic: &str, partition: i32, records: &[KeyAndPayload<'_>]) -> anyhow::Result<()> {
        let mut config = self.client();
        config.set("enable.idempotence", "true").set("linger.ms", "1").set("message.max.bytes", "10000000");
        let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries::default())?;
        for (key, payload) in records {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition);
            record.key = *key;
            record.payload = *payload;
            while let Err((error, same)) = producer.send(record) {
                let full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                ensure!(full, "a record for {topic}/{partition} was refused: {error}");
                producer.poll(Duration::from_millis(10));
                record = same;
            }
        }
        producer.flush(Duration::from_secs(REQUEST_DEADLINE_S))?;
        let acknowledged = producer.context().acknowledged.load(Ordering::Relaxed);
        ensure!(acknowledged == records.len(), "{acknowledged} of {} records were acknowledged", records.len());
        Ok(())
    }

    /// Appends records to one partition in a transaction, which is then committed or aborted.
    ///
    /// # Errors
    /// When a step of it fails.
    pub fn produce_in_transaction(
        &self,
        topic: &str,
        partition: i32,
        payloads: &[Vec<u8>],
        commit: bool,
    ) -> anyhow::Result<()> {
        let wait = Duration::from_secs(REQUEST_DEADLINE_S);
        let producer: BaseProducer = self.client().set("transactional.id", format!("tests-{topic}")).create()?;
        producer.init_transactions(wait)?;
        producer.begin_transaction()?;
        for payload in payloads {
            let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition).payload(payload);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(wait)?;
        if commit {
            producer.commit_transaction(wait)?
        } else {
            producer.abort_transaction(wait)?
        }
        Ok(())
    }

    /// Every record that a topic holds now, by partition and offset; those of aborted transactions left out.
    ///
    /// # Errors
    /// When there is no such topic, or the broker does not answer.
    pub fn read_all(&self, topic: &str) -> anyhow::Result<Vec<Record>> {
        let partitions = self.partitions(topic)?;
        ensure!(!partitions.is_empty(), "kafka topic \"{topic}\" does not exist");
        let mut config = self.client();
        config.set("group.id", "reader").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        for partition in &partitions {
            assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
        }
        consumer.assign(&assignment)?;
        let (mut records, mut left) = (Vec::new(), partitions);
        let mut deadline = Instant::now() + Duration::from_secs(REQUEST_DEADLINE_S);
        while !left.is_empty() {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    records.push(record(&message));
                    deadline = Instant::now() + Duration::from_secs(REQUEST_DEADLINE_S);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => left.retain(|other| *other != partition),
                // A broker that is down comes back, or the deadline passes.
                Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
                )))
                | None => {}
                Some(Err(error)) => return Err(error).with_context(|| format!("cannot read topic \"{topic}\"")),
            }
            ensure!(Instant::now() < deadline, "topic \"{topic}\": nothing came for {REQUEST_DEADLINE_S} s");
        }
        records.sort();
        Ok(records)
    }

    /// The offsets that a group has committed for a topic, by partition; `None` where it has committed none.
    ///
    /// # Errors
    /// When there is no such topic, or the broker does not answer.
    pub fn committed(&self, group: &str, topic: &str) -> anyhow::Result<Vec<(i32, Option<i64>)>> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create()?;
        let mut list = TopicPartitionList::new();
        for partition in self.partitions(topic)? {
            list.add_partition(topic, partition);
        }
        let committed = consumer.committed_offsets(list, Duration::from_secs(REQUEST_DEADLINE_S))?;
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        Ok(committed.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect())
    }

    /// The partitions of a topic that have a leader; none when there is no such topic.
    fn partitions(&self, topic: &str) -> anyhow::Result<Vec<i32>> {
        let consumer: BaseConsumer = self.client().create()?;
        // All topics are asked for: a request that names a topic would be answered from memory for one just deleted.
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(REQUEST_DEADLINE_S))?;
        let topic = metadata.topics().iter().find(|other| other.name() == topic && other.error().is_none());
        let partitions = topic.map(|topic| topic.partitions()).unwrap_or_default();
        Ok(partitions.iter().filter(|partition| partition.leader() >= 0).map(|partition| partition.id()).collect())
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        // A broker that was killed is looked for again at once, not after up to 10 s.
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "200");
        config
    }

    fn admin(&self) -> anyhow::Result<AdminClient<DefaultClientContext>> {
        Ok(self.client().create()?)
    }

    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let client: BaseConsumer = self.client().create()?;
        wait_until(&self.broker, || {
            let answer = client.fetch_metadata(None, Duration::from_millis(500));
            answer.is_ok_and(|metadata| !metadata.brokers().is_empty())
        })
    }
}

/// Counts what the broker has acknowledged.
#[derive(Default)]
struct Deliveries {
    acknowledged: AtomicUsize,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if result.is_ok() {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn record(message: &impl Message) -> Record {
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        timestamp_ms: message.timestamp().to_millis(),
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(Duration::from_secs(REQUEST_DEADLINE_S)))
}

/// The result for the one topic that was asked for.
fn single(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> anyhow::Result<()> {
    match results.into_iter().next() {
        Some(Ok(_)) => Ok(()),
        Some(Err((_, code))) => Err(code.into()),
        None => bail!("the broker answered for no topic"),
    }
}

/// The command line that runs one of Kafka's programs in the server's folder.
fn java(program: &[&str]) -> anyhow::Result<Vec<String>> {
    let libs = cache::service("kafka")?.join("libs/*");
    let libs = libs.to_string_lossy();
    let java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN", "-cp", &libs];
    Ok(java.iter().chain(program).map(|word| (*word).to_owned()).collect())
}

fn format(home: &Home, secured: bool) -> anyhow::Result<()> {
    let user = format!("SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD}]");
    let mut tool = vec!["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", PROPERTIES];
    if secured {
        tool.extend(["--add-scram", &user]);
    }
    run_to_end(home, &java(&tool)?)
}

fn spawn(home: &Home) -> anyhow::Result<Process> {
    Process::start("kafka", home, &java(&["kafka.Kafka", PROPERTIES])?)
}

/// What a broker with a secured address has beside `properties`; later lines win.
fn security(port: u16, controller_port: u16, secured_port: u16, pem: &str) -> String {
    let plain = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}");
    format!(
        "listeners={plain},SASL_SSL://127.0.0.1:{secured_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={pem}
"
    )
}

/// The broker's settings: small, quick to restart after SIGKILL (the old lease and the group timeouts are short), and
/// with retention that works within seconds.
fn properties(port: u16, controller_port: u16, data: &str) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.initial.task.delay.ms=500
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=500
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
"
    )
}
