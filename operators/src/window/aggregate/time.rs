//! Groups that have a time, and leave memory when it is over.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use sluice_engine::Result;
use sluice_engine::state::bits::{has_bits, to_bits};

/// How a column follows event time: the value that it has in a row of an event time.
#[derive(Clone)]
pub struct FollowsTime(Arc<dyn Fn(i64) -> Option<ArrayRef> + Send + Sync>);

impl FollowsTime {
    /// `value` gives the column of one row, for an event time in microseconds; none when it has none then. It should grow
    /// with the time: where it does not, groups leave memory too early and come back, which is slow and no more.
    pub fn new(value: impl Fn(i64) -> Option<ArrayRef> + Send + Sync + 'static) -> Self {
        Self(Arc::new(value))
    }

    /// The column of one row of this event time, in microseconds.
    pub fn at(&self, time_us: i64) -> Option<ArrayRef> {
        (self.0)(time_us).filter(|column| column.len() == 1)
    }
}

impl fmt::Debug for FollowsTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FollowsTime")
    }
}

/// The key by which groups grow old.
#[derive(Debug, Clone)]
pub struct TimeKey {
    /// Which of the keys; its type has an order that 64 bits keep.
    pub key: usize,
    /// How it follows event time.
    pub follows: FollowsTime,
}

/// A group without a time never grows old.
const NEVER: i64 = i64::MAX;

/// The times of groups, as numbers in the order of the key's values.
pub(super) struct Times {
    key: TimeKey,
    /// By group.
    of_groups: Vec<i64>,
    /// Of groups of this time and before, some may be cold.
    cold_until: Option<i64>,
    /// Times before that, of which all groups are in memory.
    thawed: BTreeSet<i64>,
}

impl Times {
    /// Without groups; none when the key's values cannot be times.
    pub(super) fn new(key: TimeKey, types: &[arrow::datatypes::DataType]) -> Option<Self> {
        let fits = types.get(key.key).is_some_and(has_bits);
        fits.then(|| Self { key, of_groups: vec![], cold_until: None, thawed: BTreeSet::new() })
    }

    /// The times of rows, given their keys.
    pub(super) fn of_rows(&self, keys: &[ArrayRef]) -> Result<Vec<i64>> {
        let column = &keys[self.key.key];
        let nulls = column.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|n| n.is_null(row));
        let time = |(row, bits): (usize, u64)| if is_null(row) { NEVER } else { in_order(bits) };
        Ok(to_bits(column)?.into_iter().enumerate().map(time).collect())
    }

    /// Notes the time of the next group.
    pub(super) fn push(&mut self, time: i64) {
        self.of_groups.push(time);
    }

    /// How many groups have one.
    pub(super) fn len(&self) -> usize {
        self.of_groups.len()
    }

    /// True when nothing cold is of the group: without rows it need not be remembered.
    pub(super) fn never_cold(&self, group: u32) -> bool {
        self.cold_until.is_none_or(|until| self.of_groups[group as usize] > until)
    }

    /// True when a group of this time may be cold.
    pub(super) fn may_be_cold(&self, time: i64) -> bool {
        self.cold_until.is_some_and(|until| time <= until) && !self.thawed.contains(&time)
    }

    /// From now on groups up to this time may be cold.
    pub(super) fn set_cold_until(&mut self, until: Option<i64>) {
        self.cold_until = self.cold_until.max(until);
    }

    /// From now on all groups of these times are in memory.
    pub(super) fn set_thawed(&mut self, times: &[i64]) {
        self.thawed.extend(times);
    }

    /// Those of the groups that are over at this watermark, and those that are not.
    pub(super) fn part(&self, groups: &[u32], watermark_us: i64) -> Option<(Vec<u32>, Vec<u32>)> {
        let open_from = self.key.follows.at(watermark_us)?;
        let open_from = *self.of_value(&open_from)?.first()?;
        Some(groups.iter().partition(|g| self.of_groups[**g as usize] < open_from))
    }

    fn of_value(&self, column: &ArrayRef) -> Option<Vec<i64>> {
        let valid = column.is_valid(0) && has_bits(column.data_type());
        to_bits(column).ok().filter(|_| valid).map(|bits| bits.into_iter().map(in_order).collect())
    }

    /// The smallest and the largest time of these groups; none when there are none.
    pub(super) fn bounds(&self, groups: &[u32]) -> Option<(i64, i64)> {
        let times = || groups.iter().map(|g| self.of_groups[*g as usize]);
        times().min().zip(times().max())
    }

    /// Forgets the groups, those up to `until` having been frozen.
    pub(super) fn clear(&mut self, until: i64) {
        self.set_cold_until(Some(until));
        self.of_groups.clear();
        self.thawed.clear();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.of_groups.capacity() * 8
    }
}

/// Bits that compare as unsigned numbers, as a signed one.
fn in_order(bits: u64) -> i64 {
    (bits ^ 1 << 63) as i64
}
