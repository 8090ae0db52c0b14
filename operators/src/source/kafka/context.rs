//! What librdkafka tells between the records: connection troubles, ends of partitions, results of commits.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

/// A consumer with our context.
pub(super) type Reader = BaseConsumer<Context>;

/// A running source takes refused credentials for final once nothing else was heard for this long: a broker that is
/// starting refuses, too.
const AUTH_GRACE_S: u64 = 30;

const NO_OFFSET: i64 = -1;

/// How a Kafka source fares. It can be kept after the source has been handed to the engine.
#[derive(Debug)]
pub struct KafkaStatus {
    topic: String,
    troubled: AtomicBool,
    trouble: Mutex<Trouble>,
    last_eof: AtomicI64,
    lost_offsets: AtomicU64,
}

#[derive(Debug, Default)]
struct Trouble {
    reason: String,
    refused: Option<(Instant, String)>,
}

impl KafkaStatus {
    pub(super) fn new(topic: &str) -> Arc<Self> {
        Arc::new(Self {
            topic: topic.into(),
            troubled: AtomicBool::new(false),
            trouble: Mutex::default(),
            last_eof: AtomicI64::new(NO_OFFSET),
            lost_offsets: AtomicU64::new(0),
        })
    }

    /// One line for people: `reading`, or what is waited for.
    pub fn text(&self) -> String {
        if self.troubled.load(Ordering::Relaxed) {
            format!("waiting for the broker: {}", self.lock().reason)
        } else {
            "reading".into()
        }
    }

    /// Offsets that were passed over because their records were gone (only with `on_lost_offsets: earliest`).
    pub fn lost_offsets(&self) -> u64 {
        self.lost_offsets.load(Ordering::Relaxed)
    }

    pub(super) fn count_lost(&self, offsets: u64) {
        self.lost_offsets.fetch_add(offsets, Ordering::Relaxed);
    }

    /// Something is wrong that librdkafka keeps trying to mend. Said once until records come again.
    pub(super) fn wait(&self, reason: &str) {
        if !self.troubled.swap(true, Ordering::Relaxed) {
            tracing::warn!(topic = %self.topic, reason, "kafka: waiting for the broker");
        }
        self.lock().reason = reason.into();
    }

    fn wait_unless_known(&self, reason: &str) {
        if self.lock().reason.is_empty() {
            self.wait(reason);
        }
    }

    /// The brokers answered: all is well again.
    pub(super) fn heard(&self) {
        if self.troubled.load(Ordering::Relaxed) && self.troubled.swap(false, Ordering::Relaxed) {
            *self.lock() = Trouble::default();
            tracing::info!(topic = %self.topic, "kafka: reading again");
        }
    }

    fn refuse(&self, reason: &str) {
        self.wait(reason);
        self.lock().refused.get_or_insert_with(|| (Instant::now(), reason.into()));
    }

    /// Why the brokers refuse us, if they do.
    pub(super) fn refused(&self) -> Option<String> {
        self.lock().refused.as_ref().map(|(_, why)| why.clone())
    }

    /// The same, once it has lasted for so long that it will not pass by itself.
    pub(super) fn refused_for_good(&self) -> Option<String> {
        if !self.troubled.load(Ordering::Relaxed) {
            return None;
        }
        let trouble = self.lock();
        let (since, why) = trouble.refused.as_ref()?;
        (since.elapsed() > Duration::from_secs(AUTH_GRACE_S)).then(|| why.clone())
    }

    /// What was last said about the trouble.
    pub(super) fn reason(&self) -> String {
        self.lock().reason.clone()
    }

    /// The offset at which the partition that was just reported as read to its end does end, if it was said.
    pub(super) fn take_eof_offset(&self) -> Option<i64> {
        let offset = self.last_eof.swap(NO_OFFSET, Ordering::Relaxed);
        (offset != NO_OFFSET).then_some(offset)
    }

    fn lock(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What librdkafka calls while the source's own thread polls it.
pub(super) struct Context {
    pub(super) status: Arc<KafkaStatus>,
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters comes as an error, too; the rest (each refused connection, again and again) is for debugging.
        tracing::debug!(target: "librdkafka", facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => {
                self.status.last_eof.store(eof_offset(reason).unwrap_or(NO_OFFSET), Ordering::Relaxed);
            }
            Some(
                RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL,
            ) => {
                self.status.refuse(reason);
            }
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                tracing::debug!(reason, "kafka: the group may not be used")
            }
            // It follows the reasons, and says less than they do.
            Some(RDKafkaErrorCode::AllBrokersDown) => self.status.wait_unless_known(reason),
            _ => self.status.wait(reason),
        }
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "kafka: positions were not committed to the group (they are for monitoring only)");
        }
    }
}

/// librdkafka gives the place of a partition's end in words only: "... reached end of partition at offset 12 (...". It may
/// lie beyond the last record: transactions leave marks that are no records.
fn eof_offset(reason: &str) -> Option<i64> {
    let digits = reason.split_once("at offset ")?.1.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end's offset is read from the words; other words give none.
    #[test]
    fn end_in_words() {
        let words = "Fetch from broker 1 reached end of partition at offset 12 (HighwaterMark 13)";
        assert_eq!(eof_offset(words), Some(12));
        assert_eq!(eof_offset("Broker: No more messages"), None);
        assert_eq!(eof_offset("at offset INVALID"), None);
    }

    /// Trouble shows in the text until something is heard; refusals are final only after a while.
    #[test]
    fn trouble_comes_and_goes() {
        let status = KafkaStatus::new("t");
        assert_eq!(status.text(), "reading");
        let context = Context { status: status.clone() };
        context.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(status.text(), "waiting for the broker: 1/1 brokers are down");
        context.error(KafkaError::Global(RDKafkaErrorCode::Authentication), "bad password");
        assert_eq!((status.refused().as_deref(), status.refused_for_good()), (Some("bad password"), None));
        status.heard();
        assert_eq!((status.text().as_str(), status.refused()), ("reading", None));
    }
}
