//! The source itself: assign, poll, position.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use sluice_engine::error::{Error, Result};
use sluice_engine::frame::Batch;
use sluice_engine::source::{Polled, Position, Source, SourceContext};

use super::config::{KafkaConfig, LostOffsets};
use super::context::{Context, KafkaStatus, Reader};
use super::failure::{self, Meaning};
use super::offsets::{self, Mark};
use super::splits::{Split, Splits};
use super::watch::{Seen, Watch, Watched};
use super::{options, topic};
use crate::source::raw::{BATCH_BYTES_MAX, RawBatchBuilder};

/// A poll serves at most this many events that are no records.
const EVENTS_PER_POLL_MAX: usize = 1_000;

/// Reads a worker's partitions of one topic. See the module's text.
pub struct KafkaSource {
    config: KafkaConfig,
    place: SourceContext,
    status: Arc<KafkaStatus>,
    opened: Option<Opened>,
    batch: RawBatchBuilder,
    /// An error that came after records of the same poll: it is for the next poll.
    pending: Option<Error>,
}

/// What there is once `open` has succeeded.
struct Opened {
    reader: Arc<Reader>,
    watch: Option<Watch>,
    cluster: Option<String>,
    splits: Splits,
    /// Positions when librdkafka said that one of them is not in the log, and the look that will show which.
    out_of_range: Option<(u64, Vec<(i32, i64)>)>,
}

impl KafkaSource {
    /// A source that is not connected yet.
    pub fn new(config: KafkaConfig, place: SourceContext) -> Self {
        let status = KafkaStatus::new(&config.topic);
        let batch = RawBatchBuilder::new(&config.topic);
        Self { config, place, status, opened: None, batch, pending: None }
    }

    /// How the source fares; stays usable after the source has been handed over.
    pub fn status(&self) -> Arc<KafkaStatus> {
        self.status.clone()
    }

    fn own(&self, partition: i32) -> bool {
        partition as usize % self.place.workers == self.place.worker
    }

    fn connect(&self, resume: &Position) -> Result<Opened> {
        let client_id = format!("sluice-{}-{}", self.place.name, self.place.worker);
        let reader: Reader = options::consumer_options(&self.config, &client_id)?
            .create_with_context(Context { status: self.status.clone() })
            .map_err(|e| options::option_error(e, &self.config.connection))?;
        let all = topic::find_or_create(&reader, &self.config)?;
        offsets::check_splits(&self.config, resume, &all)?;
        let cluster = reader.client().fetch_cluster_id(Duration::from_millis(topic::ANSWER_MS));
        let own: Vec<i32> = all.into_iter().filter(|p| self.own(*p)).collect();
        let mut splits = Splits::default();
        for range in topic::ranges(&reader, &self.config, &own)? {
            let start = offsets::start(&self.config, resume, cluster.as_deref(), range)?;
            self.status.count_lost(start.lost);
            let stop = self.place.until_idle.then_some(range.end);
            let mark = offsets::mark(resume, range, start);
            splits.add(Split {
                partition: range.partition,
                next: start.next,
                log_end: range.end,
                stop,
                last: mark,
                unproved: mark,
            });
        }
        Ok(Opened { reader: Arc::new(reader), watch: None, cluster, splits, out_of_range: None })
    }

    /// Takes up to the budget of records into the batch.
    fn fill(&mut self, rows: usize, bytes: usize) -> Result<()> {
        let Some(opened) = &mut self.opened else {
            return Err(Error::bug("kafka source polled before it was opened"));
        };
        let reader = opened.reader.clone();
        let bytes = bytes.min(BATCH_BYTES_MAX);
        let mut events = 0;
        while self.batch.len() < rows && self.batch.bytes() < bytes && events < EVENTS_PER_POLL_MAX {
            match reader.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    if let Some(mark) = opened.other_record(&message) {
                        opened.made_again(message.partition(), mark, &self.config)?;
                    } else {
                        opened.take(&message, &mut self.batch);
                    }
                }
                Some(Err(error)) => {
                    events += 1;
                    opened.event(&error, &self.config, &self.status)?;
                }
            }
        }
        Ok(())
    }

    /// Uses what the watch has seen since the last poll.
    fn look(&mut self) -> Result<()> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let Some(seen) = opened.watch.as_ref().and_then(Watch::take) else { return Ok(()) };
        if seen.deleted {
            return Err(failure::deleted(&self.config));
        }
        let mut assign = opened.mend(&seen, &self.config, &self.status)?;
        for range in seen.ranges {
            match opened.splits.get(range.partition) {
                Some(split) => split.log_end = range.end,
                // What was not there at open is not waited for.
                None if self.place.until_idle => {}
                None => {
                    tracing::info!(topic = %self.config.topic, partition = range.partition, "kafka: a new partition");
                    opened.splits.add(Split {
                        partition: range.partition,
                        next: range.earliest,
                        log_end: range.end,
                        stop: None,
                        last: None,
                        unproved: None,
                    });
                    assign = true;
                }
            }
        }
        if assign { opened.assign(&self.config.topic) } else { Ok(()) }
    }
}

impl Opened {
    /// Hands librdkafka the partitions that are not done, from where they are. What it had fetched is dropped by it.
    fn assign(&self, topic: &str) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for split in self.splits.all().filter(|s| !s.done()) {
            let from = split.fetch_from();
            let added = list.add_partition_offset(topic, split.partition, Offset::Offset(from));
            added.map_err(|e| Error::bug(format!("kafka topic {topic:?}: {from} is no offset")).because(e))?;
        }
        self.reader.assign(&list).map_err(|e| {
            Error::transient(format!("kafka topic {topic:?}: partitions could not be assigned")).because(e)
        })
    }

    /// The mark of a partition whose first record is at the mark's offset and is not the one that was read there.
    #[inline]
    fn other_record(&mut self, message: &BorrowedMessage<'_>) -> Option<Mark> {
        // Where the first record lies behind the mark, the log was compacted: nothing is proved, and nothing is wrong.
        let mark = self.splits.get(message.partition())?.unproved.take()?;
        let other = message.timestamp().to_millis() != Some(mark.timestamp_ms);
        (message.offset() == mark.offset && other).then_some(mark)
    }

    /// The topic is not the one that was read: applies the policy for lost offsets.
    fn made_again(&mut self, partition: i32, mark: Mark, config: &KafkaConfig) -> Result<()> {
        if config.on_lost_offsets == LostOffsets::Fail {
            return Err(failure::made_again(config, partition, mark.offset));
        }
        tracing::warn!(topic = %config.topic, partition, "kafka: the topic was made again; starting from its earliest record");
        let end = self.splits.get(partition).map_or(0, |split| split.log_end);
        // If that is not the earliest, the brokers will say so.
        self.splits.replace(partition, 0, end);
        self.assign(&config.topic)
    }

    #[inline]
    fn take(&mut self, message: &BorrowedMessage<'_>, batch: &mut RawBatchBuilder) {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(split) = self.splits.get(partition) else { return };
        if offset < split.next || split.done() {
            return;
        }
        match split.stop {
            // The last records before the stop were none (compacted away, or marks of transactions).
            Some(stop) if offset >= stop => self.advance(partition, stop),
            _ => {
                let timestamp_ms = message.timestamp().to_millis();
                split.last = timestamp_ms.map(|timestamp_ms| Mark { offset, timestamp_ms });
                let timestamp_us = timestamp_ms.and_then(|ms| ms.checked_mul(1_000));
                batch.push(partition, offset, timestamp_us, message.key(), message.payload());
                self.advance(partition, offset + 1);
            }
        }
    }

    /// Moves a partition's position; a partition that is done is not fetched any more.
    #[inline]
    fn advance(&mut self, partition: i32, next: i64) {
        if self.splits.advance(partition, next) {
            self.pause(partition);
        }
    }

    fn pause(&self, partition: i32) {
        let Ok(assigned) = self.reader.assignment() else { return };
        let mut list = TopicPartitionList::with_capacity(1);
        for element in assigned.elements().iter().filter(|e| e.partition() == partition) {
            list.add_partition(element.topic(), partition);
        }
        if let Err(error) = self.reader.pause(&list) {
            tracing::debug!(partition, %error, "kafka: a partition that has been read goes on being fetched");
        }
    }

    /// Something that is no record.
    fn event(&mut self, error: &KafkaError, config: &KafkaConfig, status: &KafkaStatus) -> Result<()> {
        let code = match error {
            KafkaError::PartitionEOF(partition) => {
                let end = status.take_eof_offset();
                self.at_end(*partition, end);
                status.heard();
                return Ok(());
            }
            KafkaError::MessageConsumptionFatal(code) => {
                return Err(Error::transient(format!(
                    "kafka topic {:?}: the client gave up ({code}: {})",
                    config.topic,
                    status.reason()
                )));
            }
            other => other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
        };
        let said = || format!("{code}: {}", status.reason());
        match failure::meaning(code) {
            Meaning::Wait | Meaning::Group => Ok(()),
            Meaning::Forbidden => Err(failure::forbidden(config, &said())),
            Meaning::Unreadable => Err(failure::unreadable(config, &said())),
            Meaning::Truncated if config.on_lost_offsets == LostOffsets::Fail => {
                Err(failure::truncated(config, &said()))
            }
            Meaning::OutOfRange | Meaning::Truncated => {
                self.find_out_of_range();
                Ok(())
            }
        }
    }

    /// A partition was read to the end that it has now, which lies at `end` if that was said. What lies between the last
    /// record and there are marks of transactions: the position moves over them, so that they do not look like lag,
    /// and not like lost records once the log is cleaned up to there.
    fn at_end(&mut self, partition: i32, end: Option<i64>) {
        let Some(split) = self.splits.get(partition) else { return };
        // The end at open is never later than the end now.
        let next = split.stop.or(end).unwrap_or(split.next);
        self.advance(partition, next);
    }

    /// librdkafka does not say which partition it was: a look at the log does.
    fn find_out_of_range(&mut self) {
        if let (None, Some(watch)) = (&self.out_of_range, &self.watch) {
            let positions = self.splits.all().map(|s| (s.partition, s.next)).collect();
            self.out_of_range = Some((watch.look(), positions));
        }
    }

    /// Once the look that was asked for is there: applies the policy for lost offsets. True when partitions must be
    /// assigned again.
    fn mend(&mut self, seen: &Seen, config: &KafkaConfig, status: &KafkaStatus) -> Result<bool> {
        let Some((_, positions)) = self.out_of_range.take_if(|(asked, _)| *asked <= seen.asked) else {
            return Ok(false);
        };
        for (partition, next) in positions {
            let Some(range) = seen.ranges.iter().find(|r| r.partition == partition) else { continue };
            self.splits.drop_proof_before(partition, range.earliest);
            // The positions were taken before the log was looked at: a partition that is read well lies within it.
            let start = offsets::go_on_from(config, next, *range)?;
            if start.next != next {
                status.count_lost(start.lost);
                self.splits.replace(partition, start.next, range.end);
            }
        }
        Ok(true)
    }
}

impl Source for KafkaSource {
    fn open(&mut self, resume: &Position) -> Result<()> {
        let mut opened = self.connect(resume)?;
        if !self.place.until_idle || opened.splits.running() > 0 {
            opened.assign(&self.config.topic)?;
            let watched = Watched {
                topic: self.config.topic.clone(),
                worker: self.place.worker,
                workers: self.place.workers,
                refresh: Duration::from_secs(self.config.metadata_refresh_s.max(1)),
            };
            let watch = Watch::start(opened.reader.clone(), watched);
            opened.watch = Some(
                watch.map_err(|e| Error::transient("no thread could be started to watch a kafka topic").because(e))?,
            );
        }
        self.opened = Some(opened);
        Ok(())
    }

    fn poll(&mut self, rows: usize, bytes: usize) -> Result<Polled> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        self.look()?;
        let filled = self.fill(rows, bytes);
        if !self.batch.is_empty() {
            self.pending = filled.err();
            self.status.heard();
            return Ok(Polled::Batch(Batch::insert(self.batch.finish())));
        }
        filled?;
        if let Some(why) = self.status.refused_for_good() {
            return Err(failure::refused(&self.config.connection, &why));
        }
        let running = self.opened.as_ref().map_or(0, |o| o.splits.running());
        Ok(if self.place.until_idle && running == 0 { Polled::End } else { Polled::Idle })
    }

    fn position(&self) -> Position {
        let Some(opened) = &self.opened else { return Position::default() };
        let cluster = opened.cluster.as_deref();
        Position(
            opened
                .splits
                .all()
                .map(|s| (s.partition.to_string(), offsets::position(s.next, cluster, s.last)))
                .collect(),
        )
    }

    fn acknowledge(&mut self, position: &Position) {
        let (Some(opened), true) = (&self.opened, self.config.group_id.is_some()) else { return };
        let mut list = TopicPartitionList::new();
        for (split, at) in &position.0 {
            if let Ok(partition) = split.parse::<i32>()
                && self.own(partition)
                && let Err(error) = list.add_partition_offset(&self.config.topic, partition, Offset::Offset(at.next))
            {
                tracing::debug!(partition, %error, "kafka: a position cannot be committed");
            }
        }
        if list.count() > 0
            && let Err(error) = opened.reader.commit(&list, CommitMode::Async)
        {
            tracing::debug!(topic = %self.config.topic, %error, "kafka: positions were not committed to the group");
        }
    }

    fn lag_rows(&self) -> Option<u64> {
        let opened = self.opened.as_ref()?;
        Some(opened.splits.all().map(Split::lag).sum())
    }
}
