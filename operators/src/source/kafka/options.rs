//! librdkafka's options: what reading rests on, and what keeps its memory within the budget.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use sluice_engine::error::{Error, Result};

use super::config::{KafkaConfig, KafkaConnection};

/// librdkafka wants a group for `assign()`. Without a group of the user's own, nothing is ever committed to this one.
const GROUP_WHEN_NONE: &str = "sluice";

/// Fetches are kept small against the budget, because a broker sends them compressed: unpacked they are some times larger.
const FETCH_BYTES_MIN: usize = 1 << 20;
/// A larger fetch gains nothing more.
const FETCH_BYTES_MAX: usize = 16 << 20;
/// librdkafka takes no more than this, in KiB.
const QUEUE_KBYTES_MAX: usize = 2_097_151;
/// librdkafka's own bookkeeping for a waiting record is some 400 bytes, so small records are bounded by number: one for
/// each KiB of the budget.
const QUEUE_BYTES_PER_RECORD: usize = 1024;
/// How soon librdkafka looks again after it found its queue full. Its default of a second lets the queue run dry.
const QUEUE_FULL_BACKOFF_MS: u32 = 5;
/// A broker that was away is tried again after this long at most.
const RECONNECT_BACKOFF_MS_MAX: u32 = 2_000;

/// Options that may not be set, and why.
const RESERVED: [(&str, &str); 8] = [
    ("bootstrap.servers", "set `brokers` instead"),
    ("metadata.broker.list", "set `brokers` instead"),
    ("group.id", "the group has the name of the pipeline"),
    ("enable.auto.commit", "positions are kept in sluice's own manifests"),
    ("enable.auto.offset.store", "positions are kept in sluice's own manifests"),
    ("auto.offset.reset", "set `on_lost_offsets` instead"),
    ("enable.partition.eof", "sluice needs it to know that a partition has been read to its end"),
    ("group.protocol", "sluice assigns partitions to its workers itself"),
];

/// The options of a client that only asks (metadata, admin).
///
/// # Errors
/// `Config` when a reserved option is given.
pub(super) fn client_options(connection: &KafkaConnection, client_id: &str) -> Result<ClientConfig> {
    let mut options = ClientConfig::new();
    options.set("bootstrap.servers", &connection.brokers);
    options.set("client.id", client_id);
    options.set("socket.keepalive.enable", "true");
    options.set("reconnect.backoff.max.ms", RECONNECT_BACKOFF_MS_MAX.to_string());
    options.set("log.connection.close", "false");
    for (key, value) in &connection.options {
        if let Some((_, why)) = RESERVED.iter().find(|(name, _)| name == key) {
            return Err(Error::config(format!("{}.options: `{key}` cannot be set: {why}", connection.settings)));
        }
        options.set(key, value);
    }
    Ok(options)
}

/// The options of the client that reads.
///
/// # Errors
/// `Config` when a reserved option is given.
pub(super) fn consumer_options(config: &KafkaConfig, client_id: &str) -> Result<ClientConfig> {
    let budget = config.memory_bytes;
    let fetch_bytes = (budget / 16).clamp(FETCH_BYTES_MIN, FETCH_BYTES_MAX);
    let queue_kbytes = (budget / 2 / 1024).clamp(FETCH_BYTES_MIN / 1024, QUEUE_KBYTES_MAX);
    let queue_records = (budget / QUEUE_BYTES_PER_RECORD).clamp(1_000, 1_000_000);
    let mut options = client_options(&config.connection, client_id)?;
    let mut set = |key: &str, value: String| {
        if !config.connection.options.contains_key(key) {
            options.set(key, value);
        }
    };
    set("group.id", config.group_id.clone().unwrap_or_else(|| GROUP_WHEN_NONE.into()));
    set("enable.auto.commit", "false".into());
    set("enable.auto.offset.store", "false".into());
    set("auto.offset.reset", "error".into());
    set("enable.partition.eof", "true".into());
    set("isolation.level", "read_committed".into());
    set("allow.auto.create.topics", "false".into());
    set("queued.max.messages.kbytes", queue_kbytes.to_string());
    set("queued.min.messages", queue_records.to_string());
    set("fetch.queue.backoff.ms", QUEUE_FULL_BACKOFF_MS.to_string());
    // A record batch that is larger than these still comes, alone: the limit for that is receive.message.max.bytes
    // (100 MB by default).
    set("fetch.max.bytes", fetch_bytes.to_string());
    set("fetch.message.max.bytes", (fetch_bytes / 2).max(FETCH_BYTES_MIN).to_string());
    Ok(options)
}

/// What librdkafka says about an option, without the option's value: it may be a secret.
pub(super) fn option_error(error: KafkaError, connection: &KafkaConnection) -> Error {
    let said = match error {
        KafkaError::ClientConfig(_, said, key, _) => format!("`{key}`: {said}"),
        KafkaError::ClientCreation(said) => said,
        other => other.to_string(),
    };
    Error::config(format!("{}.options: librdkafka refuses {said}", connection.settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(memory_bytes: usize) -> KafkaConfig {
        KafkaConfig { memory_bytes, ..KafkaConfig::new("b:1", "t") }
    }

    fn number(options: &ClientConfig, key: &str) -> usize {
        options.get(key).unwrap().parse().unwrap()
    }

    /// Queue, fetches and bookkeeping together stay near the budget, for small and large ones.
    #[test]
    fn memory_budget() {
        for mib in [16, 64, 256] {
            let budget = mib << 20;
            let options = consumer_options(&config(budget), "c").unwrap();
            let queue = number(&options, "queued.max.messages.kbytes") * 1024;
            let bookkeeping = number(&options, "queued.min.messages") * 400;
            assert!(queue + bookkeeping + number(&options, "fetch.max.bytes") <= budget, "{mib} MiB");
            assert!(options.create_native_config().is_ok());
        }
    }

    /// The smallest and largest budgets still give options that librdkafka takes.
    #[test]
    fn extreme_budgets() {
        for budget in [0, 1, usize::MAX] {
            assert!(consumer_options(&config(budget), "c").unwrap().create_native_config().is_ok(), "{budget}");
        }
    }

    /// The user's options win, reserved ones are refused with the way out.
    #[test]
    fn user_options() {
        let mut c = config(32 << 20);
        c.connection.options.insert("queued.min.messages".into(), "7".into());
        c.connection.options.insert("client.id".into(), "mine".into());
        let options = consumer_options(&c, "c").unwrap();
        assert_eq!((options.get("queued.min.messages"), options.get("client.id")), (Some("7"), Some("mine")));
        c.connection.options.insert("group.id".into(), "g".into());
        let e = consumer_options(&c, "c").unwrap_err();
        assert_eq!(e.to_string(), "kafka.options: `group.id` cannot be set: the group has the name of the pipeline");
    }

    /// An option that librdkafka does not know is named, and its value is not shown.
    #[test]
    fn wrong_option() {
        let mut c = config(32 << 20);
        c.connection.options.insert("sasl.pasword".into(), "secret".into());
        let e = consumer_options(&c, "c").unwrap().create_native_config().err().unwrap();
        let text = option_error(e, &c.connection).to_string();
        assert!(text.contains("sasl.pasword") && !text.contains("secret"), "{text}");
    }
}
