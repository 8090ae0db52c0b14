//! Which run a position belongs to: offsets mean the same records only while the run is the same.

use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

use super::error::SimulatorError;
use super::generator::SimulatorSourceConfig;
use super::records::Records;
use super::run::Simulator;

/// So many of the first records tell one run from another.
const RECORDS: usize = 64;

/// Kept in each split's position, as its detail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Identity {
    /// Event time at which the run began, in milliseconds since 1970. A restart goes on with it, whatever it was given.
    pub(super) start_ms: i64,
    partitions: u32,
    /// A hash of the first records: it changes with the seed, the configuration, the options and the simulator itself.
    digest: String,
}

impl Identity {
    /// From a split's detail; `None` when that is something else.
    pub(super) fn from_detail(detail: &serde_json::Value) -> Option<Self> {
        Self::deserialize(detail).ok()
    }

    /// As a split's detail.
    pub(super) fn to_detail(&self) -> serde_json::Value {
        serde_json::json!({ "start_ms": self.start_ms, "partitions": self.partitions, "digest": self.digest })
    }

    /// The identity of a run that begins at `start_ms`.
    pub(super) fn of(config: &SimulatorSourceConfig, start_ms: i64) -> Result<Self, SimulatorError> {
        let mut options = config.options.clone();
        let mut hash = Xxh3::new();
        if !options.faults.is_none() {
            // A run lets go at its end of what faults hold back: with another end, the same records come in another order.
            hash.update(format!("{:?} {:?} {:?}", options.faults, options.events_max, options.end_ms).as_bytes());
        }
        // Growth may show only after the first records.
        hash.update(&options.growth_rate.to_le_bytes());
        hash.update(&options.attrition_rate.to_le_bytes());
        (options.start_ms, options.events_max, options.end_ms) = (start_ms, None, None);
        let mut records = Records::new();
        Simulator::new(config.config.clone(), options)?.next_records(RECORDS, &mut records);
        for record in records.iter() {
            hash.update(&[record.stream as u8]);
            hash.update(&record.key.unwrap_or(0).to_le_bytes());
            hash.update(record.payload);
        }
        Ok(Self { start_ms, partitions: config.partitions, digest: format!("{:016x}", hash.digest()) })
    }
}
