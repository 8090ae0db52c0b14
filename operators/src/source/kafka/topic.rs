//! What the cluster says about a topic: its partitions and the offsets that they hold.

use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use sluice_engine::error::{Error, Result};

use super::METADATA_DEADLINE_S;
use super::admin;
use super::config::KafkaConfig;
use super::context::Reader;
use super::failure;
use super::offsets::Range;

/// One question waits this long for its answer, in milliseconds.
pub(super) const ANSWER_MS: u64 = 2_000;
/// Pause between two questions that were not answered, in milliseconds.
const PAUSE_MS: u64 = 200;

/// Why there is no answer.
enum Unanswered {
    /// It may come yet.
    Retry(String),
    /// It never will.
    Never(Error),
}

/// The topic's partitions, in order; none when there is no such topic. Waits for brokers that are away.
///
/// # Errors
/// `Config` when the brokers refuse us; `Transient` when they do not answer in time.
pub(super) fn find(reader: &Reader, config: &KafkaConfig) -> Result<Option<Vec<i32>>> {
    ask(reader, config, |wait| look_up(reader, &config.topic, wait).map_err(|e| unanswered(&e, config)))
}

/// The topic's partitions, in order; makes the topic if it is not there and the project says so.
///
/// # Errors
/// As [`find`]; `Config` when there is no such topic.
pub(super) fn find_or_create(reader: &Reader, config: &KafkaConfig) -> Result<Vec<i32>> {
    if let Some(partitions) = find(reader, config)? {
        return Ok(partitions);
    }
    let spec = config.create.ok_or_else(|| failure::no_topic(config))?;
    admin::create_topics(&config.connection, &[(&config.topic, spec)])?;
    tracing::info!(topic = %config.topic, partitions = spec.partitions, "kafka: topic created");
    ask(reader, config, |wait| match look_up(reader, &config.topic, wait) {
        Ok(Some(partitions)) => Ok(partitions),
        Ok(None) => Err(Unanswered::Retry("the new topic is not known to the brokers yet".into())),
        Err(e) => Err(unanswered(&e, config)),
    })
}

/// The offsets that `partitions` hold. Waits for brokers that are away.
///
/// # Errors
/// `Config` when the brokers refuse us; `Transient` when they do not answer in time.
pub(super) fn ranges(reader: &Reader, config: &KafkaConfig, partitions: &[i32]) -> Result<Vec<Range>> {
    ask(reader, config, |wait| ranges_now(reader, &config.topic, partitions, wait).map_err(|e| unanswered(&e, config)))
}

/// Asks again and again until the deadline. Events are served meanwhile, so nothing may be assigned yet.
fn ask<T>(
    reader: &Reader,
    config: &KafkaConfig,
    mut question: impl FnMut(Duration) -> Result<T, Unanswered>,
) -> Result<T> {
    let status = &reader.context().status;
    let deadline = Instant::now() + Duration::from_secs(METADATA_DEADLINE_S);
    loop {
        let said = match question(Duration::from_millis(ANSWER_MS)) {
            Ok(answer) => {
                status.heard();
                return Ok(answer);
            }
            Err(Unanswered::Never(e)) => return Err(e),
            Err(Unanswered::Retry(said)) => said,
        };
        serve_events(reader, Duration::from_millis(PAUSE_MS));
        if let Some(why) = status.refused() {
            return Err(failure::refused(&config.connection, &why));
        }
        if Instant::now() >= deadline {
            let reason = status.reason();
            return Err(failure::away(&config.connection, if reason.is_empty() { &said } else { &reason }));
        }
    }
}

/// Why brokers do not answer comes as events.
fn serve_events(reader: &Reader, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        // There are no records before the first assignment, and errors have gone to the status.
        let _ = reader.poll(time);
    }
}

fn unanswered(error: &KafkaError, config: &KafkaConfig) -> Unanswered {
    match error.rdkafka_error_code() {
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            Unanswered::Never(failure::forbidden(config, &error.to_string()))
        }
        Some(Code::InvalidTopic) => Unanswered::Never(Error::config(format!(
            "{:?} is no name for a kafka topic: use letters, digits, `.`, `_` and `-`, 249 at most",
            config.topic
        ))),
        _ => Unanswered::Retry(error.to_string()),
    }
}

/// The topic's partitions as one broker knows them now; none when there is no such topic.
pub(super) fn look_up(reader: &Reader, topic: &str, wait: Duration) -> KafkaResult<Option<Vec<i32>>> {
    let metadata = reader.fetch_metadata(Some(topic), wait)?;
    let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(Code::from) {
        None => {}
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(None),
        Some(code) => return Err(KafkaError::MetadataFetch(code)),
    }
    let mut partitions: Vec<i32> = found.partitions().iter().map(|p| p.id()).collect();
    partitions.sort_unstable();
    Ok(Some(partitions))
}

/// The offsets that `partitions` hold now: one question to each leader for their starts, and one for their ends.
/// With `read_committed` a partition ends before the first open transaction.
pub(super) fn ranges_now(reader: &Reader, topic: &str, partitions: &[i32], wait: Duration) -> KafkaResult<Vec<Range>> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    // Starts first: a log only moves forward, so no start can lie behind an end that is asked for later.
    let starts = listed(reader, topic, partitions, Offset::Beginning, wait)?;
    let ends = listed(reader, topic, partitions, Offset::End, wait)?;
    let ranges = partitions.iter().zip(starts.into_iter().zip(ends));
    Ok(ranges.map(|(&partition, (earliest, end))| Range { partition, earliest, end: end.max(earliest) }).collect())
}

fn listed(reader: &Reader, topic: &str, partitions: &[i32], which: Offset, wait: Duration) -> KafkaResult<Vec<i64>> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for &partition in partitions {
        list.add_partition_offset(topic, partition, which)?;
    }
    let list = reader.offsets_for_times(list, wait)?;
    let offset_of = |&partition: &i32| {
        let found = list.find_partition(topic, partition).ok_or(KafkaError::OffsetFetch(Code::UnknownPartition))?;
        found.error()?;
        match found.offset() {
            Offset::Offset(offset) => Ok(offset),
            _ => Err(KafkaError::OffsetFetch(Code::OffsetNotAvailable)),
        }
    };
    partitions.iter().map(offset_of).collect()
}
