//! How far event time has come in a stream: the watermark.
//!
//! Each partition has its own time, and the slowest holds the others back. A partition from which nothing comes while
//! others go on is left out after a while, or one that nobody writes to would hold back for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{Array, Int32Array, TimestampMicrosecondArray};
use arrow::compute::max;
use sluice_engine::BarrierKind;

/// A partition that has been silent for so many epochs, while others were not, does not count.
const SILENT_EPOCHS_MAX: u32 = 3;

#[derive(Debug, Clone, Copy)]
struct Partition {
    newest_us: i64,
    silent_epochs: u32,
    spoke: bool,
}

/// The newest event times of the partitions that one instance reads.
#[derive(Debug)]
pub(super) struct Progress {
    delay_us: i64,
    partitions: BTreeMap<i32, Partition>,
    watermark: Option<i64>,
}

impl Progress {
    /// `delay`: how much older than the newest row of its partition a row may be before it is late.
    pub(super) fn new(delay: Duration) -> Self {
        let delay_us = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        Self { delay_us, partitions: BTreeMap::new(), watermark: None }
    }

    /// Notes rows: the event time and the partition of each.
    pub(super) fn note(&mut self, times: &TimestampMicrosecondArray, partitions: &Int32Array) {
        // Most batches are of one partition.
        let first = if partitions.is_empty() || partitions.is_null(0) { 0 } else { partitions.value(0) };
        if partitions.null_count() == 0 && partitions.values().iter().all(|p| *p == first) {
            max(times).into_iter().for_each(|newest| self.note_one(first, newest));
            return;
        }
        for (row, time) in times.iter().enumerate() {
            let partition = if partitions.is_valid(row) { partitions.value(row) } else { 0 };
            time.into_iter().for_each(|time| self.note_one(partition, time));
        }
    }

    fn note_one(&mut self, partition: i32, time_us: i64) {
        let entry =
            self.partitions.entry(partition).or_insert(Partition { newest_us: time_us, silent_epochs: 0, spoke: true });
        entry.newest_us = entry.newest_us.max(time_us);
        entry.spoke = true;
    }

    /// The event time below which no more rows are expected, in microseconds; `i64::MAX` when nothing has ever come.
    pub(super) fn watermark(&mut self, barrier: BarrierKind) -> i64 {
        if barrier == BarrierKind::Epoch && self.partitions.values().any(|p| p.spoke) {
            for partition in self.partitions.values_mut() {
                partition.silent_epochs = if partition.spoke { 0 } else { partition.silent_epochs + 1 };
                partition.spoke = false;
            }
        }
        let heard = self.partitions.values().filter(|p| p.silent_epochs < SILENT_EPOCHS_MAX);
        let now = heard.map(|p| p.newest_us.saturating_sub(self.delay_us)).min();
        self.watermark = self.watermark.max(now);
        self.watermark.unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(progress: &mut Progress, rows: &[(i32, i64)]) {
        let times = rows.iter().map(|r| Some(r.1)).collect();
        progress.note(&times, &rows.iter().map(|r| Some(r.0)).collect());
    }

    /// The slowest partition that is heard counts, less the delay; the watermark never goes back.
    #[test]
    fn the_slowest_counts() {
        let mut progress = Progress::new(Duration::from_micros(10));
        assert_eq!(progress.watermark(BarrierKind::Epoch), i64::MAX);
        note(&mut progress, &[(0, 100), (1, 50), (0, 90)]);
        assert_eq!(progress.watermark(BarrierKind::Tick), 40);
        note(&mut progress, &[(1, 70)]);
        assert_eq!(progress.watermark(BarrierKind::Epoch), 60);
        note(&mut progress, &[(2, 5)]);
        assert_eq!(progress.watermark(BarrierKind::Epoch), 60);
        for newest in [200, 300, 400] {
            note(&mut progress, &[(0, newest)]);
            assert_eq!(progress.watermark(BarrierKind::Tick), 60, "partitions 1 and 2 hold back");
            progress.watermark(BarrierKind::Epoch);
        }
        assert_eq!(progress.watermark(BarrierKind::Epoch), 390, "they have been silent for three epochs");
        assert_eq!(progress.watermark(BarrierKind::Epoch), 390, "nothing came, so nobody is more silent than others");
    }
}
