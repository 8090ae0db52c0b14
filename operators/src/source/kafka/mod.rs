//! One Kafka topic, read partition by partition from positions that the manifests keep.
//!
//! Partitions are given to the workers by `partition % workers` and read with `assign()` from explicit offsets: there
//! is no subscription, no `seek`, and the group's offsets are never read. Transactions are honoured (`read_committed`).
//! A position's split is the partition's number as text, and its `next` the next offset to read; `detail` holds the
//! cluster's identity, because another cluster's offsets mean nothing, and the last record that was read. A topic that was
//! deleted and made again is known by a log that ends before the position, or that has another record there: that one is
//! fetched again at each start. (The topic's own identity is not to be had from the client library.)
//!
//! With `until_idle` the ends are taken at `open` and not one record beyond them is given. An open transaction bounds
//! them: what lies behind it comes in a later run.

mod admin;
mod audit;
mod config;
mod context;
mod failure;
mod offsets;
mod options;
mod source;
mod splits;
mod topic;
mod watch;

#[cfg(test)]
mod mock_tests;

pub use admin::{check_topic, create_topics, topic_partitions};
pub use audit::{LogAnswer, records_in_gaps};
pub use config::{CreateTopic, KafkaConfig, KafkaConnection, LostOffsets};
pub use context::KafkaStatus;
pub use source::KafkaSource;

/// How long `open` (and `check`) wait for brokers that do not answer, in seconds.
pub const METADATA_DEADLINE_S: u64 = 15;

/// Seconds between two looks for new partitions, when the project says nothing.
pub const METADATA_REFRESH_S: u64 = 10;
