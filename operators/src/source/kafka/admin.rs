//! Topics looked up and made: for `check`, and for projects that want theirs made.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use sluice_engine::error::{Error, Result};

use super::METADATA_DEADLINE_S;
use super::config::{CreateTopic, KafkaConfig, KafkaConnection};
use super::context::{Context, KafkaStatus, Reader};
use super::{failure, options, topic};

/// Makes the topics that are not there yet; those that are there are left as they are.
///
/// # Errors
/// `Config` when the brokers refuse (not allowed, more copies than brokers), `Transient` when they do not answer in time.
pub fn create_topics(connection: &KafkaConnection, topics: &[(&str, CreateTopic)]) -> Result<()> {
    let options = options::client_options(connection, "sluice-admin")?;
    let client = AdminClient::<DefaultClientContext>::from_config_and_context(&options, DefaultClientContext)
        .map_err(|e| options::option_error(e, connection))?;
    let new = topics.iter().map(|(name, spec)| new_topic(name, *spec)).collect::<Result<Vec<_>>>()?;
    let wait = Some(Duration::from_secs(METADATA_DEADLINE_S));
    let admin_options = AdminOptions::new().request_timeout(wait).operation_timeout(wait);
    let results = futures::executor::block_on(client.create_topics(&new, &admin_options))
        .map_err(|e: KafkaError| failure::away(connection, &e.to_string()))?;
    for result in results {
        match result {
            Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
            Err((name, code @ (Code::RequestTimedOut | Code::OperationTimedOut | Code::NotController))) => {
                return Err(Error::transient(format!(
                    "kafka topic {name:?} was not created in time on {}: {code}",
                    connection.brokers
                )));
            }
            Err((name, code)) => {
                return Err(Error::config(format!(
                    "kafka topic {name:?} cannot be created on {}: {code}; create it by hand, or change {}.create",
                    connection.brokers, connection.settings
                )));
            }
        }
    }
    Ok(())
}

fn new_topic(name: &str, spec: CreateTopic) -> Result<NewTopic<'_>> {
    let wrong = |what: &str, n: u32| Error::config(format!("kafka topic {name:?} cannot have {n} {what}"));
    let partitions =
        i32::try_from(spec.partitions).ok().filter(|n| *n > 0).ok_or_else(|| wrong("partitions", spec.partitions))?;
    let copies = match spec.replication_factor {
        None => -1,
        Some(n) => i32::try_from(n).ok().filter(|n| *n > 0).ok_or_else(|| wrong("copies", n))?,
    };
    Ok(NewTopic::new(name, partitions, TopicReplication::Fixed(copies)))
}

/// How many partitions the topic has; none when there is no such topic.
///
/// # Errors
/// `Config` when the brokers refuse us, `Transient` when they do not answer in time.
pub fn topic_partitions(connection: &KafkaConnection, name: &str) -> Result<Option<usize>> {
    let config = KafkaConfig { connection: connection.clone(), ..KafkaConfig::new("", name) };
    let reader: Reader = options::consumer_options(&config, "sluice-check")?
        .create_with_context(Context { status: KafkaStatus::new(name) })
        .map_err(|e| options::option_error(e, connection))?;
    Ok(topic::find(&reader, &config)?.map(|partitions| partitions.len()))
}

/// Sees that the topic can be read: how many partitions it has, or none when it is not there and will be created.
///
/// # Errors
/// As [`topic_partitions`]; `Config` when the topic is not there and will not be created.
pub fn check_topic(config: &KafkaConfig) -> Result<Option<usize>> {
    match topic_partitions(&config.connection, &config.topic)? {
        None if config.create.is_none() => Err(failure::no_topic(config)),
        found => Ok(found),
    }
}
