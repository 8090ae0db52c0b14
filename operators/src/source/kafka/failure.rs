//! What to make of librdkafka's error codes, and the words for it.

use rdkafka::error::RDKafkaErrorCode as Code;
use sluice_engine::error::Error;

use super::METADATA_DEADLINE_S;
use super::config::{KafkaConfig, KafkaConnection};

/// What an error while reading asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// librdkafka goes on trying by itself.
    Wait,
    /// A position does not lie in the log any more.
    OutOfRange,
    /// The log was cut back behind what had been read.
    Truncated,
    /// We may not read the topic.
    Forbidden,
    /// Nothing to us: the group is for monitoring only.
    Group,
    /// A record batch cannot be read.
    Unreadable,
}

/// What `code` asks for when it comes instead of a record.
pub(super) fn meaning(code: Code) -> Meaning {
    match code {
        Code::AutoOffsetReset | Code::OffsetOutOfRange => Meaning::OutOfRange,
        Code::LogTruncation => Meaning::Truncated,
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Meaning::Forbidden,
        Code::GroupAuthorizationFailed | Code::InvalidGroupId => Meaning::Group,
        Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::MessageSizeTooLarge
        | Code::NotImplemented
        | Code::UnsupportedFeature
        | Code::UnsupportedCompressionType => Meaning::Unreadable,
        _ => Meaning::Wait,
    }
}

pub(super) fn no_topic(config: &KafkaConfig) -> Error {
    let KafkaConnection { brokers, settings, .. } = &config.connection;
    Error::config(format!(
        "kafka topic {:?} does not exist on {brokers}; create it, or set {settings}.create: true",
        config.topic
    ))
}

pub(super) fn deleted(config: &KafkaConfig) -> Error {
    Error::config(format!(
        "kafka topic {:?} was deleted on {} while it was read; create it again and start with a new lake, or take the stream out of the project",
        config.topic, config.connection.brokers
    ))
}

pub(super) fn refused(connection: &KafkaConnection, why: &str) -> Error {
    Error::config(format!(
        "kafka brokers {} refuse the connection: {why}; check the security options in {}.options (security.protocol, sasl.*, ssl.*)",
        connection.brokers, connection.settings
    ))
}

pub(super) fn away(connection: &KafkaConnection, why: &str) -> Error {
    Error::transient(format!(
        "kafka brokers {} gave no answer within {METADATA_DEADLINE_S} seconds ({why}); check that they run, and that {}.brokers names them as this machine reaches them",
        connection.brokers, connection.settings
    ))
}

pub(super) fn forbidden(config: &KafkaConfig, why: &str) -> Error {
    Error::config(format!(
        "kafka topic {:?} may not be read ({why}); allow READ and DESCRIBE on it to the user in {}.options",
        config.topic, config.connection.settings
    ))
}

pub(super) fn unreadable(config: &KafkaConfig, why: &str) -> Error {
    Error::data(format!(
        "kafka topic {:?} holds a record batch that cannot be read ({why}); check the broker's log, or raise receive.message.max.bytes in {}.options if it is too large",
        config.topic, config.connection.settings
    ))
}

pub(super) fn made_again(config: &KafkaConfig, partition: i32, offset: i64) -> Error {
    Error::config(format!(
        "kafka topic {:?} partition {partition}: another record lies at offset {offset} than the one that was read there: the topic was made again; {}",
        config.topic,
        go_on(config)
    ))
}

pub(super) fn truncated(config: &KafkaConfig, why: &str) -> Error {
    Error::config(format!(
        "kafka topic {:?}: the brokers lost records that had been read already ({why}); {}",
        config.topic,
        go_on(config)
    ))
}

/// The way out of lost records, as the end of a sentence.
pub(super) fn go_on(config: &KafkaConfig) -> String {
    format!("to go on with what there is, set {}.on_lost_offsets: earliest", config.connection.settings)
}

#[cfg(test)]
mod tests {
    use sluice_engine::error::ErrorKind;

    use super::*;

    fn config() -> KafkaConfig {
        let mut config = KafkaConfig::new("b1:9092,b2:9092", "listens");
        config.connection.settings = "sources.music.kafka".into();
        config
    }

    /// Broker troubles are waited for; only what a person must mend ends the run.
    #[test]
    fn meanings() {
        for code in [
            Code::AllBrokersDown,
            Code::BrokerTransportFailure,
            Code::Resolve,
            Code::OperationTimedOut,
            Code::UnknownTopicOrPartition,
        ] {
            assert_eq!(meaning(code), Meaning::Wait, "{code:?}");
        }
        assert_eq!(meaning(Code::AutoOffsetReset), Meaning::OutOfRange);
        assert_eq!(meaning(Code::TopicAuthorizationFailed), Meaning::Forbidden);
        assert_eq!(meaning(Code::BadCompression), Meaning::Unreadable);
    }

    /// Each message names the object and the way out, and has the right kind.
    #[test]
    fn words() {
        let c = config();
        let e = no_topic(&c);
        assert_eq!(e.kind(), ErrorKind::Config);
        assert_eq!(
            e.to_string(),
            "kafka topic \"listens\" does not exist on b1:9092,b2:9092; create it, or set sources.music.kafka.create: true"
        );
        let e = away(&c.connection, "1/1 brokers are down");
        assert_eq!(e.kind(), ErrorKind::Transient);
        assert_eq!(
            e.to_string(),
            "kafka brokers b1:9092,b2:9092 gave no answer within 15 seconds (1/1 brokers are down); check that they run, and that sources.music.kafka.brokers names them as this machine reaches them"
        );
        assert_eq!(refused(&c.connection, "bad password").kind(), ErrorKind::Config);
        assert_eq!(unreadable(&c, "x").kind(), ErrorKind::Data);
        assert!(made_again(&c, 0, 7).to_string().contains("at offset 7 than the one that was read there"));
        assert!(truncated(&c, "x").to_string().ends_with("set sources.music.kafka.on_lost_offsets: earliest"));
    }
}
