//! Simulated events for tests, with faults on purpose, and what bronze must hold of them by another reading than ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use arrow::datatypes::DataType;
use serde_json::{Map, Value};
use sluice_operators::source::simulator::{Faults, Options, Records, STREAMS, Simulator, SimulatorConfig, Truth};
use sluice_pipelines::compile::Stream;

use crate::compare::{self, Line};
use crate::services::Kafka;

/// Records that are asked of the simulator at once.
const BATCH_RECORDS: usize = 4_096;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A record as it is sent.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its topic.
    pub stream: &'static str,
    /// Its key; every other record has one.
    pub key: Option<Vec<u8>>,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// One run of the simulator, taken piece by piece.
pub struct Feed {
    simulator: Simulator,
    records: Records,
    taken: usize,
}

impl Feed {
    /// About `events_max` records, and what faults add: 1 % twice, 1 % up to six hours late, 0.5 % malformed, and a
    /// tenth of the names that can be spoilt.
    ///
    /// # Errors
    /// When the simulator refuses the options.
    pub fn new(events_max: u64, users: usize, seed: u64) -> anyhow::Result<Feed> {
        let faults =
            Faults { duplicate: 0.01, late: 0.01, late_by_max_ms: 6 * HOUR_MS, malformed: 0.005, mojibake: 0.1 };
        let options = Options {
            seed: Some(seed),
            users,
            events_max: Some(events_max),
            faults,
            keyed: true,
            ..Options::default()
        };
        Ok(Feed { simulator: Simulator::new(SimulatorConfig::example(), options)?, records: Records::new(), taken: 0 })
    }

    /// The next records, `max` or a few more; fewer only at the end.
    pub fn take(&mut self, max: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < max
            && self.simulator.next_records((max - events.len()).min(BATCH_RECORDS), &mut self.records)
        {
            for record in self.records.iter() {
                self.taken += 1;
                let key = record.key.filter(|_| self.taken.is_multiple_of(2)).map(|key| key.to_string().into_bytes());
                events.push(Event { stream: STREAMS[record.stream], key, payload: record.payload.to_vec() });
            }
        }
        events
    }

    /// What the simulator says that it gave.
    pub fn truth(&self) -> &Truth {
        self.simulator.truth()
    }
}

/// Sends records to their topics, which are there already, over `partitions` partitions in turn.
///
/// # Errors
/// Those of the broker.
pub fn produce(kafka: &Kafka, events: &[Event], partitions: i32) -> anyhow::Result<()> {
    let mut parts: BTreeMap<(&str, i32), Vec<_>> = BTreeMap::new();
    for (event, partition) in events.iter().zip((0..partitions).cycle()) {
        let part = parts.entry((event.stream, partition)).or_default();
        part.push((event.key.as_deref(), Some(event.payload.as_slice())));
    }
    for ((topic, partition), records) in parts {
        kafka.produce(topic, partition, &records)?;
    }
    Ok(())
}

/// Writes records to `<folder>/<stream>/<n>.jsonl`, over `files` files in turn; over older ones.
///
/// # Errors
/// When the disk refuses.
pub fn write_files(folder: &Path, events: &[Event], files: usize) -> anyhow::Result<()> {
    for stream in STREAMS {
        fs::create_dir_all(folder.join(stream))?;
        let mut texts = vec![Vec::new(); files];
        for (event, file) in events.iter().filter(|event| event.stream == stream).zip((0..files).cycle()) {
            texts[file].extend_from_slice(event.payload.strip_suffix(b"\n").unwrap_or(&event.payload));
            texts[file].push(b'\n');
        }
        for (file, text) in texts.iter().enumerate() {
            fs::write(folder.join(stream).join(format!("{file}.jsonl")), text)?;
        }
    }
    Ok(())
}

/// A record's fields by serde_json; none when it is no record of the stream: no UTF-8, no JSON object, or a field whose
/// value is not of the declared type.
pub fn read(stream: &Stream, payload: &[u8]) -> Option<Map<String, Value>> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(payload) else { return None };
    let fits = |field: &sluice_operators::decode::json::Field| match (fields.get(&field.name), &field.data_type) {
        (None | Some(Value::Null), _) => true,
        (Some(value), DataType::Int64) => value.is_i64(),
        (Some(value), DataType::Int32) => value.as_i64().is_some_and(|value| i32::try_from(value).is_ok()),
        (Some(value), DataType::Float64) => value.is_number(),
        (Some(value), DataType::Utf8) => value.is_string(),
        (Some(value), DataType::Boolean) => value.is_boolean(),
        _ => false,
    };
    stream.fields.iter().all(fits).then_some(fields)
}

/// Adds the declared columns of a record, and `_rescued` and `_date`, to what is expected of its row in bronze.
///
/// # Errors
/// When a record has a field that nobody declared; the simulator makes none.
pub fn push_columns(line: &mut Line, stream: &Stream, fields: &Map<String, Value>) -> anyhow::Result<()> {
    let undeclared = fields.keys().find(|name| !stream.fields.iter().any(|field| field.name == **name));
    anyhow::ensure!(undeclared.is_none(), "stream {} does not declare {undeclared:?}", stream.name);
    for field in &stream.fields {
        let value = fields.get(&field.name).filter(|value| !value.is_null()).map(|value| match value {
            Value::String(value) => compare::text(value),
            Value::Number(value) if field.data_type == DataType::Float64 => {
                compare::double(value.as_f64().unwrap_or(f64::NAN))
            }
            other => other.to_string(),
        });
        line.push(&field.name, value.as_deref());
    }
    line.push("_rescued", None);
    let ts = fields.get("ts").and_then(Value::as_i64).context("a record without ts")?;
    line.push("_date", Some(&compare::date(i32::try_from(ts.div_euclid(DAY_MS))?)));
    Ok(())
}
