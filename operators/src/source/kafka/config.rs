//! What a person says about a Kafka topic to read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::METADATA_REFRESH_S;

/// One topic to read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// How to reach the cluster.
    #[serde(flatten)]
    pub connection: KafkaConnection,
    /// The topic's name.
    pub topic: String,
    /// Make the topic if it does not exist; otherwise a missing topic is an error.
    #[serde(default)]
    pub create: Option<CreateTopic>,
    /// The group to which positions are committed for monitoring; none are committed without it. Never read from.
    #[serde(default)]
    pub group_id: Option<String>,
    /// What to do when records that were never read are gone.
    #[serde(default)]
    pub on_lost_offsets: LostOffsets,
    /// Bytes of memory that one instance of the source (one for each worker) may use for records that wait.
    #[serde(default = "memory_bytes_default")]
    pub memory_bytes: usize,
    /// Seconds between two looks for new partitions and at the partitions' ends.
    #[serde(default = "metadata_refresh_s_default")]
    pub metadata_refresh_s: u64,
}

/// How to reach a Kafka cluster. Shown without the options' values: some are passwords.
#[derive(Clone, Deserialize)]
pub struct KafkaConnection {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// librdkafka's options, by its names (security, tuning). They win over what sluice sets, but for those that
    /// reading rests on, which are refused.
    #[serde(default, deserialize_with = "scalars_as_text")]
    pub options: BTreeMap<String, String>,
    /// Where in the project these settings are, for error messages: `sources.music.kafka`.
    #[serde(skip, default = "settings_default")]
    pub settings: String,
}

/// A topic to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTopic {
    /// How many partitions.
    pub partitions: u32,
    /// Copies of each partition; the broker's default when not given.
    #[serde(default)]
    pub replication_factor: Option<u32>,
}

/// What to do when records between the position and the log's start are gone (retention, deleted records), or the
/// log is not the one that the position was taken from (topic made again).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostOffsets {
    /// Stop with an error that names them.
    #[default]
    Fail,
    /// Go on from the earliest record there is, and count what is missing.
    Earliest,
}

impl fmt::Debug for KafkaConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&String> = self.options.keys().collect();
        f.debug_struct("KafkaConnection")
            .field("brokers", &self.brokers)
            .field("options", &options)
            .field("settings", &self.settings)
            .finish()
    }
}

impl KafkaConnection {
    /// A connection without further options.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), options: BTreeMap::new(), settings: settings_default() }
    }
}

impl KafkaConfig {
    /// A topic with everything else left at its default.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            connection: KafkaConnection::new(brokers),
            topic: topic.into(),
            create: None,
            group_id: None,
            on_lost_offsets: LostOffsets::default(),
            memory_bytes: memory_bytes_default(),
            metadata_refresh_s: METADATA_REFRESH_S,
        }
    }
}

fn settings_default() -> String {
    "kafka".into()
}

fn memory_bytes_default() -> usize {
    32 << 20
}

fn metadata_refresh_s_default() -> u64 {
    METADATA_REFRESH_S
}

/// Options are texts to librdkafka; in YAML people write `true` and `1000`.
fn scalars_as_text<'de, D: serde::Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    let raw = BTreeMap::<String, serde_json::Value>::deserialize(d)?;
    raw.into_iter()
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => Ok((key, text)),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Ok((key, value.to_string())),
            _ => Err(serde::de::Error::custom(format!("option {key:?} must be a text, a number or true/false"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A config as it comes from a file: defaults, and options that are no texts.
    #[test]
    fn from_json() {
        let config: KafkaConfig = serde_json::from_str(
            r#"{"brokers":"a:1,b:2","topic":"t","create":{"partitions":3},"on_lost_offsets":"earliest",
                "options":{"socket.keepalive.enable":true,"fetch.wait.max.ms":20,"client.id":"x"}}"#,
        )
        .unwrap();
        assert_eq!(config.connection.brokers, "a:1,b:2");
        assert_eq!(config.create, Some(CreateTopic { partitions: 3, replication_factor: None }));
        assert_eq!(config.on_lost_offsets, LostOffsets::Earliest);
        let options: Vec<_> = config.connection.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(options, ["client.id=x", "fetch.wait.max.ms=20", "socket.keepalive.enable=true"]);
        assert_eq!((config.memory_bytes, config.metadata_refresh_s), (32 << 20, METADATA_REFRESH_S));
    }

    /// A misspelt field is an error and not ignored.
    #[test]
    fn unknown_fields_are_refused() {
        let e = serde_json::from_str::<KafkaConfig>(r#"{"brokers":"a:1","topic":"t","grup_id":"g"}"#).unwrap_err();
        assert!(e.to_string().contains("grup_id"), "{e}");
    }
}
