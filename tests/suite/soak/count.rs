//! A count of the test's own: the log's offsets, and those in bronze and rejects.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use sluice_tests::project::Opened;
use sluice_tests::services::Kafka;

/// Records of the topics, those that are in no table, and those that are there too often.
pub fn count(kafka: &Kafka, opened: &Opened) -> anyhow::Result<(u64, u64, u64)> {
    let (mut records, mut lost, mut doubled) = (0, 0, 0);
    let rejects = opened.table("_sluice/rejects")?;
    for stream in &opened.pipeline.streams {
        let mut found: HashMap<(i32, i64), u64> = HashMap::new();
        let bronze = opened.table(&stream.path)?;
        for place in bronze.iter().flat_map(|rows| places(rows, None)) {
            *found.entry(place).or_default() += 1;
        }
        for place in rejects.iter().flat_map(|rows| places(rows, Some(&stream.topic))) {
            *found.entry(place).or_default() += 1;
        }
        for record in kafka.read_all(&stream.topic)? {
            records += 1;
            match found.remove(&(record.partition, record.offset)) {
                None => lost += 1,
                Some(times) => doubled += times - 1,
            }
        }
        doubled += found.values().sum::<u64>();
    }
    Ok((records, lost, doubled))
}

fn places(rows: &RecordBatch, topic: Option<&str>) -> Vec<(i32, i64)> {
    let partitions = rows["_partition"].as_primitive::<Int32Type>().values();
    let offsets = rows["_offset"].as_primitive::<Int64Type>().values();
    let topics = rows["_topic"].as_string::<i32>();
    let wanted = |i: &usize| topic.is_none_or(|topic| topics.value(*i) == topic);
    (0..rows.num_rows()).filter(wanted).map(|i| (partitions[i], offsets[i])).collect()
}
