//! From which offsets to read: the manifest's positions held against what the log still has.

use serde::{Deserialize, Serialize};
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{Position, SplitPosition};

use super::config::{KafkaConfig, LostOffsets};
use super::failure::go_on;

/// The offsets that a partition has: from `earliest` up to, but without, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) partition: i32,
    pub(super) earliest: i64,
    pub(super) end: i64,
}

/// A record by which its log is known again: a topic that was made anew has another one at that offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
}

/// What a position keeps beside the offset. Earlier versions had no `last`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Detail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Mark>,
}

/// From where a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) next: i64,
    /// Offsets that had not been read and are gone.
    pub(super) lost: u64,
}

/// Where to go on in a partition whose next offset to read is `next`.
///
/// # Errors
/// `Config` when that offset is gone or was never there, unless the project says to go on.
pub(super) fn go_on_from(config: &KafkaConfig, next: i64, range: Range) -> Result<Start> {
    let Range { partition, earliest, end } = range;
    if (earliest..=end).contains(&next) {
        return Ok(Start { next, lost: 0 });
    }
    if config.on_lost_offsets == LostOffsets::Earliest {
        let lost = if next < earliest { earliest.abs_diff(next) } else { 0 };
        tracing::warn!(topic = %config.topic, partition, next, earliest, end, "kafka: the next record is not there; going on from the earliest");
        return Ok(Start { next: earliest, lost });
    }
    let what = if next < earliest {
        format!(
            "the records from offset {next} up to {earliest} are gone before they were read: the next to read is {next}, the earliest there is {earliest}"
        )
    } else {
        format!(
            "the next offset to read is {next}, but the log ends at {end} (its earliest is {earliest}): the topic was made again, or the brokers lost its tail"
        )
    };
    Err(Error::config(format!("kafka topic {:?} partition {partition}: {what}; {}", config.topic, go_on(config))))
}

/// Where to start in a partition: where the manifest says, or at the earliest record.
///
/// # Errors
/// As [`go_on_from`]; and `Config` when the position belongs to another cluster.
pub(super) fn start(config: &KafkaConfig, resume: &Position, cluster: Option<&str>, range: Range) -> Result<Start> {
    let Some(position) = resume.0.get(&range.partition.to_string()) else {
        return Ok(Start { next: range.earliest, lost: 0 });
    };
    match (detail_of(position).cluster_id, cluster) {
        (Some(was), Some(is)) if was != is => {
            if config.on_lost_offsets == LostOffsets::Earliest {
                tracing::warn!(topic = %config.topic, partition = range.partition, was, is, "kafka: another cluster; starting from the earliest record");
                return Ok(Start { next: range.earliest, lost: 0 });
            }
            Err(Error::config(format!(
                "kafka topic {:?} partition {}: the position was taken on cluster {was:?}, but {} is cluster {is:?}, where offsets mean something else; name the old brokers, or {}",
                config.topic,
                range.partition,
                config.connection.brokers,
                go_on(config)
            )))
        }
        _ => go_on_from(config, position.next, range),
    }
}

/// The last record before a position that is gone on from, if the log reaches back to it.
pub(super) fn mark(resume: &Position, range: Range, start: Start) -> Option<Mark> {
    let position = resume.0.get(&range.partition.to_string()).filter(|position| position.next == start.next)?;
    detail_of(position).last.filter(|mark| (range.earliest..start.next).contains(&mark.offset))
}

/// Sees that every split of the position is a partition that the topic has.
///
/// # Errors
/// `Config` when one is not: the topic was made again with fewer partitions, or the position is not a topic's.
pub(super) fn check_splits(config: &KafkaConfig, resume: &Position, partitions: &[i32]) -> Result<()> {
    for split in resume.0.keys() {
        let Ok(partition) = split.parse::<i32>() else {
            return Err(Error::config(format!(
                "kafka topic {:?}: the position that was kept names {split:?}, which is no partition: this stream was read from something else before; give the stream another name, or start with a new lake",
                config.topic
            )));
        };
        if !partitions.contains(&partition) {
            if config.on_lost_offsets == LostOffsets::Earliest {
                tracing::warn!(topic = %config.topic, partition, "kafka: a partition that was read is gone");
                continue;
            }
            return Err(Error::config(format!(
                "kafka topic {:?} has {} partitions now, but partition {partition} was read before: the topic was made again; {}",
                config.topic,
                partitions.len(),
                go_on(config)
            )));
        }
    }
    Ok(())
}

/// A split's position as the manifest keeps it.
pub(super) fn position(next: i64, cluster: Option<&str>, last: Option<Mark>) -> SplitPosition {
    if cluster.is_none() && last.is_none() {
        return SplitPosition { next, detail: serde_json::Value::Null };
    }
    let detail = Detail { cluster_id: cluster.map(str::to_owned), last };
    // Names and numbers always have a JSON form.
    SplitPosition { next, detail: serde_json::to_value(detail).unwrap_or_default() }
}

fn detail_of(position: &SplitPosition) -> Detail {
    serde_json::from_value(position.detail.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sluice_engine::error::ErrorKind;

    use super::*;

    const RANGE: Range = Range { partition: 3, earliest: 100, end: 200 };

    fn config(on_lost_offsets: LostOffsets) -> KafkaConfig {
        KafkaConfig { on_lost_offsets, ..KafkaConfig::new("b:1", "t") }
    }

    fn at(next: i64, cluster: Option<&str>) -> Position {
        Position([("3".to_string(), position(next, cluster, None))].into())
    }

    /// Inside the log, both ends included, reading goes on where it was; an unknown partition starts at the earliest.
    #[test]
    fn positions_that_are_there() {
        let c = config(LostOffsets::Fail);
        for next in [100, 150, 200] {
            assert_eq!(start(&c, &at(next, None), None, RANGE).unwrap(), Start { next, lost: 0 });
        }
        assert_eq!(start(&c, &Position::default(), Some("x"), RANGE).unwrap(), Start { next: 100, lost: 0 });
    }

    /// Records lost to retention: an error that says all there is to know, or counted on demand.
    #[test]
    fn lost_to_retention() {
        let e = start(&config(LostOffsets::Fail), &at(40, None), None, RANGE).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Config);
        assert_eq!(
            e.to_string(),
            "kafka topic \"t\" partition 3: the records from offset 40 up to 100 are gone before they were read: the next to read is 40, the earliest there is 100; to go on with what there is, set kafka.on_lost_offsets: earliest"
        );
        let s = start(&config(LostOffsets::Earliest), &at(40, None), None, RANGE).unwrap();
        assert_eq!(s, Start { next: 100, lost: 60 });
    }

    /// A log that ends before the position is another log.
    #[test]
    fn made_again() {
        let e = start(&config(LostOffsets::Fail), &at(201, None), None, RANGE).unwrap_err();
        assert!(e.kind() == ErrorKind::Config && e.to_string().contains("the topic was made again"), "{e}");
        assert_eq!(start(&config(LostOffsets::Earliest), &at(201, None), None, RANGE).unwrap().next, 100);
    }

    /// A position of another cluster is refused although the offset would be there; the same or an unknown cluster is fine.
    #[test]
    fn another_cluster() {
        let c = config(LostOffsets::Fail);
        let e = start(&c, &at(150, Some("a")), Some("b"), RANGE).unwrap_err();
        assert!(e.kind() == ErrorKind::Config && e.to_string().contains("cluster \"a\""), "{e}");
        assert_eq!(start(&c, &at(150, Some("a")), Some("a"), RANGE).unwrap().next, 150);
        assert_eq!(start(&c, &at(150, Some("a")), None, RANGE).unwrap().next, 150);
        assert_eq!(start(&config(LostOffsets::Earliest), &at(150, Some("a")), Some("b"), RANGE).unwrap().next, 100);
    }

    /// The last record that was read is looked for where reading goes on, unless it is gone; a position of an earlier
    /// version has none.
    #[test]
    fn marks() {
        let last = Mark { offset: 148, timestamp_ms: 7 };
        let resume =
            |next: i64, last: Option<Mark>| Position([("3".to_string(), position(next, Some("c"), last))].into());
        let from = |next: i64| Start { next, lost: 0 };
        assert_eq!(mark(&resume(150, Some(last)), RANGE, from(150)), Some(last));
        assert_eq!(mark(&resume(150, Some(last)), RANGE, from(100)), None, "it goes on elsewhere");
        assert_eq!(mark(&resume(150, Some(Mark { offset: 99, ..last })), RANGE, from(150)), None, "it is gone");
        assert_eq!(mark(&resume(150, None), RANGE, from(150)), None);
        assert_eq!(mark(&Position::default(), RANGE, from(100)), None);
    }

    /// Splits that are no partitions of the topic are found whoever's they are.
    #[test]
    fn splits_of_another_topic() {
        let c = config(LostOffsets::Fail);
        assert!(check_splits(&c, &at(1, None), &[0, 1, 2, 3]).is_ok());
        let e = check_splits(&c, &at(1, None), &[0, 1]).unwrap_err();
        assert!(e.to_string().contains("has 2 partitions now, but partition 3 was read before"), "{e}");
        assert!(check_splits(&config(LostOffsets::Earliest), &at(1, None), &[0, 1]).is_ok());
        let file = Position([("a.jsonl".to_string(), position(0, None, None))].into());
        let e = check_splits(&c, &file, &[0, 1]).unwrap_err();
        assert!(e.to_string().contains("\"a.jsonl\", which is no partition"), "{e}");
    }
}
