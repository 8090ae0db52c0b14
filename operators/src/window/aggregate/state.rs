//! The aggregate's state as rows: for snapshots, and for groups that leave memory and come back.
//!
//! A row of a group: its keys, how many rows it has, and a value for each accumulator. A group without rows is told of
//! where an older piece may tell of it otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Int64Type, Schema};
use arrow::row::Rows;
use sluice_engine::state::{Frozen, Share, Snapshot, SnapshotMode, key_hashes};
use sluice_engine::{Emitter, Error, Result};

use super::groups::Groups;
use super::operator::{Aggregate, accumulators};

/// Fewer groups do not leave memory: each time costs a file's worth of writing, and the manifest an entry.
const FROZEN_GROUPS_MIN: usize = 64;

impl Aggregate {
    /// The state of these groups.
    pub(super) fn save(&mut self, groups: &[u32], mode: SnapshotMode) -> Result<RecordBatch> {
        let mut columns = self.encoder.decode(groups.iter().map(|g| self.groups.key(*g)))?;
        columns.push(Arc::new(groups.iter().map(|g| self.rows[*g as usize]).collect::<Int64Array>()));
        for accumulator in &mut self.accumulators {
            columns.push(accumulator.save(groups, mode)?);
        }
        let fields = columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true));
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)?)
    }

    /// Takes in what `save` gave; later pieces hold against those before. Gives the groups.
    pub(super) fn load(&mut self, saved: &RecordBatch, in_chain: bool) -> Result<Vec<u32>> {
        let keys = self.keys_of(saved)?;
        let key_columns = &saved.columns()[..keys];
        let encoded = self.encoder.encode(key_columns)?;
        let times = self.times.as_ref().map(|t| t.of_rows(key_columns)).transpose()?;
        let groups = self.intern(&encoded, times.as_deref());
        let rows = saved.column(keys).as_primitive_opt::<Int64Type>();
        let rows = rows.ok_or_else(|| Error::data("the saved state of an aggregate is damaged"))?;
        groups.iter().zip(rows.values()).for_each(|(g, n)| self.rows[*g as usize] = *n);
        for (i, accumulator) in self.accumulators.iter_mut().enumerate() {
            accumulator.load(&groups, saved.column(keys + 1 + i), in_chain)?;
        }
        Ok(groups)
    }

    /// Which rows of a piece are of this instance's keys.
    pub(super) fn own(&self, saved: &RecordBatch, share: Share) -> Result<BooleanArray> {
        let keys: Vec<usize> = (0..self.keys_of(saved)?).collect();
        let hashes = key_hashes(saved.columns(), &keys)?;
        Ok(hashes.into_iter().map(|h| Some(share.owns(h))).collect())
    }

    /// How many of a piece's columns are keys.
    fn keys_of(&self, saved: &RecordBatch) -> Result<usize> {
        let keys = self.spec.keys.len();
        if saved.num_columns() == keys + 1 + self.accumulators.len() {
            return Ok(keys);
        }
        Err(Error::config("the saved state is that of another aggregate"))
    }

    /// The groups that a full snapshot tells of.
    pub(super) fn remembered(&self) -> Vec<u32> {
        let forgotten = |g: u32| self.rows[g as usize] == 0 && self.times.as_ref().is_none_or(|t| t.never_cold(g));
        (0..self.groups.len() as u32).filter(|g| !forgotten(*g)).collect()
    }

    /// Gives away the groups that are over, once they are the greater part: what stays is built anew, so that all of their
    /// memory comes free.
    pub(super) fn freeze_closed(&mut self, watermark: i64) -> Result<Option<Frozen>> {
        let Some(times) = &self.times else { return Ok(None) };
        let Some((closed, open)) = times.part(&self.remembered(), watermark) else { return Ok(None) };
        let Some((first, last)) = times.bounds(&closed) else { return Ok(None) };
        if closed.len() < FROZEN_GROUPS_MIN.max(open.len()) {
            return Ok(None);
        }
        let all = self.save(&[closed.as_slice(), &open].concat(), SnapshotMode::Full)?;
        let frozen = all.slice(0, closed.len());
        let rest = all.slice(closed.len(), open.len());
        self.groups = Groups::default();
        self.accumulators = accumulators(&self.spec)?;
        (self.rows, self.marks, self.unsaved) = (vec![], vec![], vec![]);
        if let Some(times) = &mut self.times {
            times.clear(last);
        }
        self.load(&rest, true)?;
        self.ready = Some(rest);
        Ok(Some(Frozen { first, last, state: Snapshot::of(vec![frozen]) }))
    }

    /// Brings back what is cold of the times of these rows, unless all rows are of groups that are in memory.
    pub(super) fn thaw(&mut self, keys: &Rows, times: &[i64], out: &Emitter<'_>) -> Result<()> {
        let Some(known) = &self.times else { return Ok(()) };
        let is_needed = |row: usize| known.may_be_cold(times[row]) && !self.groups.contains(keys.row(row).as_ref());
        let needed: BTreeSet<i64> = (0..times.len()).filter(|row| is_needed(*row)).map(|row| times[row]).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let needed: Vec<i64> = needed.into_iter().collect();
        let state = out.thaw(&needed)?;
        // The newest piece that tells of a group is right, and what is in memory is newer than all.
        for batch in state.pieces.iter().flat_map(|p| &p.batches).rev() {
            let wanted = self.unknown_of(batch, state.share, &needed)?;
            // The chain of snapshots has not had these groups since they left it.
            for group in self.load(&filter_record_batch(batch, &wanted)?, false)? {
                self.mark_unsaved(group);
            }
        }
        if let Some(times) = &mut self.times {
            times.set_thawed(&needed);
        }
        Ok(())
    }

    /// Which rows of a piece are of these times, this instance's, and not in memory.
    fn unknown_of(&self, saved: &RecordBatch, share: Share, needed: &[i64]) -> Result<BooleanArray> {
        let Some(times) = &self.times else { return Ok(BooleanArray::from(vec![false; saved.num_rows()])) };
        let key_columns = &saved.columns()[..self.keys_of(saved)?];
        let times = times.of_rows(key_columns)?;
        let of_time: BooleanArray = times.iter().map(|t| Some(needed.binary_search(t).is_ok())).collect();
        if of_time.true_count() == 0 {
            return Ok(of_time);
        }
        let own = self.own(saved, share)?;
        let keys = self.encoder.encode(key_columns)?;
        let is_wanted =
            |row: usize| of_time.value(row) && own.value(row) && !self.groups.contains(keys.row(row).as_ref());
        Ok((0..saved.num_rows()).map(|row| Some(is_wanted(row))).collect())
    }
}
