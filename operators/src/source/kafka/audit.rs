//! Whether the log holds records where a reader found none: for the audit.

use std::ops::Range as Offsets;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use sluice_engine::error::{Error, Result};

use super::METADATA_DEADLINE_S;
use super::config::KafkaConfig;
use super::context::{Context, KafkaStatus, Reader};
use super::{failure, options, topic};

/// Gaps with no more than this many offsets between them are read through as one.
const READ_THROUGH_OFFSETS: i64 = 50_000;
/// No more gaps than this are looked at; the others are said to be so.
const GAPS_MAX: usize = 10_000;
/// Offsets that an answer names.
const NAMED_MAX: usize = 20;

/// What a partition's log says of offsets that were not found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogAnswer {
    /// The earliest offset that the log still has: what lies before it cannot be judged.
    pub earliest: i64,
    /// How many of the offsets hold a record.
    pub records: u64,
    /// The first of those.
    pub named: Vec<i64>,
    /// How many of the offsets lie before the earliest.
    pub gone: u64,
    /// How many were not looked at, because there are too many gaps.
    pub not_looked_at: u64,
}

/// Looks which of a partition's offsets in `gaps` (in order, not overlapping) hold a record: one that a reader of committed
/// records is given. The others are marks of transactions, aborted records, or have been compacted away. Blocks.
///
/// # Errors
/// `Config` when the brokers refuse us or there is no such partition, `Transient` when they do not answer in time.
pub fn records_in_gaps(config: &KafkaConfig, partition: i32, gaps: &[Offsets<i64>]) -> Result<LogAnswer> {
    let reader: Reader = options::consumer_options(config, "sluice-verify")?
        .create_with_context(Context { status: KafkaStatus::new(&config.topic) })
        .map_err(|e| options::option_error(e, &config.connection))?;
    let partitions = topic::find(&reader, config)?.ok_or_else(|| failure::no_topic(config))?;
    if !partitions.contains(&partition) {
        return Err(Error::config(format!("kafka topic {:?} has no partition {partition} any more", config.topic)));
    }
    let range = topic::ranges(&reader, config, &[partition])?;
    let range = range.first().ok_or_else(|| Error::bug("no range for a partition that was asked for"))?;
    let (earliest, end) = (range.earliest, range.end);
    let mut answer = LogAnswer { earliest, ..LogAnswer::default() };
    let length = |gap: &Offsets<i64>| u64::try_from(gap.end - gap.start).unwrap_or(0);
    answer.gone = gaps.iter().map(|g| length(&(g.start.min(earliest)..g.end.min(earliest)))).sum();
    let within = gaps.iter().map(|g| g.start.clamp(earliest, end)..g.end.clamp(earliest, end));
    let mut within: Vec<_> = within.filter(|g| !g.is_empty()).collect();
    if within.len() > GAPS_MAX {
        answer.not_looked_at = within.split_off(GAPS_MAX).iter().map(length).sum();
    }
    for near in within.chunk_by(|a, b| b.start - a.end <= READ_THROUGH_OFFSETS) {
        read(&reader, config, partition, near, &mut answer)?;
    }
    Ok(answer)
}

/// Reads from the first gap to the end of the last one.
fn read(
    reader: &Reader,
    config: &KafkaConfig,
    partition: i32,
    gaps: &[Offsets<i64>],
    answer: &mut LogAnswer,
) -> Result<()> {
    let (Some(first), Some(last)) = (gaps.first(), gaps.last()) else { return Ok(()) };
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&config.topic, partition, Offset::Offset(first.start))
        .and_then(|()| reader.assign(&list))
        .map_err(|e| Error::bug("a partition cannot be assigned").because(e))?;
    let mut deadline = Instant::now() + Duration::from_secs(METADATA_DEADLINE_S);
    let mut left = gaps.iter().peekable();
    loop {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let offset = message.offset();
                while left.next_if(|gap| gap.end <= offset).is_some() {}
                if left.peek().is_some_and(|gap| gap.contains(&offset)) {
                    answer.records += 1;
                    answer.named.extend((answer.named.len() < NAMED_MAX).then_some(offset));
                }
                if offset + 1 >= last.end {
                    return Ok(());
                }
                deadline = Instant::now() + Duration::from_secs(METADATA_DEADLINE_S);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(e)) => match e.rdkafka_error_code() {
                Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                    return Err(Error::transient(format!(
                        "kafka topic {:?} partition {partition}: the log is being cleaned up; verify again",
                        config.topic
                    )));
                }
                Some(Code::TopicAuthorizationFailed) => return Err(failure::forbidden(config, &e.to_string())),
                _ => {}
            },
            None => {}
        }
        if Instant::now() >= deadline {
            return Err(failure::away(&config.connection, "while gaps were looked at"));
        }
    }
}
