//! Window functions as an operator of the engine.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sluice_engine::state::{KeyEncoder, Restored, Snapshot, SnapshotMode};
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

use super::difference::difference;
use super::evaluate::{Carried, carried_calls, evaluate};
use super::partition::{CarriedRows, Extent, Partition, Region, row_key, row_of};
use super::spec::{Function, OverCall, OverSpec};
use super::view::{View, When};

/// Rows near changes that are computed at a time.
pub(super) const ROWS_AT_A_TIME_MAX: usize = 1 << 13;

/// Changed rows that are kept as they came.
const UNSAVED_ROWS_MAX: usize = 1 << 14;

/// Window functions over a stream of changes.
pub struct Over {
    pub(super) spec: OverSpec,
    extent: Extent,
    keys: KeyEncoder,
    ranks: RowConverter,
    pub(super) rows: RowConverter,
    carried: RowConverter,
    pub(super) partitions: HashMap<Box<[u8]>, Partition, FixedState>,
    /// Partitions that changed since the last barrier.
    touched: Vec<Box<[u8]>>,
    /// Changes since the last snapshot, as it will hold them, but for the last.
    pub(super) saved: Vec<Bytes>,
    /// The last of them, as they came.
    pub(super) unsaved: Vec<Batch>,
    pub(super) unsaved_rows: usize,
    /// Of the partitions.
    pub(super) bytes: usize,
}

impl Over {
    /// An operator without rows.
    ///
    /// # Errors
    /// `Config` when a column's type has no order.
    pub fn new(spec: OverSpec) -> Result<Self> {
        let type_of = |i: usize| spec.input.field(i).data_type().clone();
        let keys = KeyEncoder::new(spec.keys.clone(), spec.keys.iter().map(|k| type_of(*k)).collect())?;
        let ranks = spec.order.iter().map(|o| {
            let options = SortOptions { descending: o.descending, nulls_first: o.nulls_first };
            SortField::new_with_options(type_of(o.column), options)
        });
        let ranks = RowConverter::new(ranks.collect())?;
        let rows = spec.input.fields().iter().map(|f| SortField::new(f.data_type().clone()));
        let rows = RowConverter::new(rows.collect())?;
        let carried = RowConverter::new(carried_types(&spec).into_iter().map(SortField::new).collect())?;
        let extent = Extent::of(&spec);
        let (partitions, touched, saved, unsaved) = Default::default();
        Ok(Self {
            spec,
            extent,
            keys,
            ranks,
            rows,
            carried,
            partitions,
            touched,
            saved,
            unsaved,
            unsaved_rows: 0,
            bytes: 0,
        })
    }

    /// For each row: the bytes of its order columns and of all its columns.
    fn encoded(&self, rows: &RecordBatch) -> Result<(Option<Rows>, Rows)> {
        let order: Vec<ArrayRef> = self.spec.order.iter().map(|o| rows.column(o.column).clone()).collect();
        let ranks = if order.is_empty() { None } else { Some(self.ranks.convert_columns(&order)?) };
        Ok((ranks, self.rows.convert_columns(rows.columns())?))
    }

    /// Calls `f` with the partition of each row, the row's key, its weight and its bytes.
    pub(super) fn each_row(&mut self, batch: &Batch, f: fn(&mut Partition, Box<[u8]>, i64) -> bool) -> Result<()> {
        let (ranks, contents) = self.encoded(batch.rows())?;
        let keys = if self.spec.keys.is_empty() { None } else { Some(self.keys.encode(batch.rows().columns())?) };
        for row in 0..batch.len() {
            let key = keys.as_ref().map_or(&[][..], |k| k.row(row).data());
            let rank = ranks.as_ref().map_or(&[][..], |r| r.row(row).data());
            let row_key = row_key(rank, contents.row(row).data());
            let partition = self.partitions.entry_ref(key).or_default();
            if f(partition, row_key, batch.weight(row)) {
                self.touched.push(key.into());
            }
        }
        Ok(())
    }

    /// Computes partitions again and emits what is other than before.
    fn refresh(&mut self, touched: &[Box<[u8]>], out: &mut Emitter<'_>) -> Result<()> {
        let mut next = 0;
        while next < touched.len() {
            let (mut regions, mut rows) = (Vec::new(), 0);
            while next < touched.len() && rows < ROWS_AT_A_TIME_MAX {
                let key = &*touched[next];
                next += 1;
                let Some(partition) = self.partitions.get(key) else { continue };
                let Some(region) = partition.region(&self.extent)? else { continue };
                rows += region.entries.len();
                regions.push((key, region));
            }
            let carried = self.changes(&regions, out)?;
            let settled: Vec<_> =
                regions.iter().zip(carried).map(|((key, r), c)| (*key, c.map(|c| from(r, c)))).collect();
            for (key, carried) in settled {
                if let Some(partition) = self.partitions.get_mut(key) {
                    partition.settle(&self.extent, carried);
                    if partition.is_empty() {
                        self.partitions.remove(key);
                    }
                }
            }
        }
        Ok(())
    }

    /// Emits the changes of these regions; gives what running functions have come to at each row of each, where they are
    /// kept.
    fn changes(&self, regions: &[(&[u8], Region<'_>)], out: &mut Emitter<'_>) -> Result<Vec<Option<CarriedRows>>> {
        let parser = self.rows.parser();
        let entries = regions.iter().flat_map(|(_, r)| &r.entries);
        let columns = self.rows.convert_rows(entries.map(|e| parser.parse(row_of(e.key))))?;
        let rows = RecordBatch::try_new(self.spec.input.clone(), columns)?;
        let (mut old, mut new) = (View::default(), View::default());
        let mut first = 0;
        for (_, region) in regions {
            old.add(region, first, When::Old);
            new.add(region, first, When::New);
            first += region.entries.len() as u32;
        }
        let before = self.before(regions)?;
        let old = evaluate(&self.spec, &rows, &old, &before)?;
        let new = evaluate(&self.spec, &rows, &new, &before)?;
        if let Some(changed) = difference(&self.spec, &rows, regions, &old, &new)? {
            out.emit(changed);
        }
        if !self.extent.carries {
            return Ok(vec![None; regions.len()]);
        }
        let carried = self.carried.convert_columns(&new.carried)?;
        let mut row = 0;
        let of_region = |(_, region): &(&[u8], Region<'_>)| {
            let mut of_rows = Vec::new();
            for entry in region.entries[region.changing.clone()].iter().filter(|e| e.new > 0) {
                row += entry.new;
                of_rows.push(carried.row(row - 1).data().into());
            }
            Some(of_rows)
        };
        Ok(regions.iter().map(of_region).collect())
    }

    /// What running functions had come to before each region.
    fn before(&self, regions: &[(&[u8], Region<'_>)]) -> Result<Carried> {
        let is_there: Vec<bool> = regions.iter().map(|(_, r)| r.carried.is_some() && self.extent.carries).collect();
        let nulls = || carried_types(&self.spec).into_iter().map(|t| new_null_array(&t, regions.len())).collect();
        if !is_there.contains(&true) {
            return Ok(Carried { is_there, columns: nulls() });
        }
        let parser = self.carried.parser();
        let known = regions.iter().filter_map(|(_, r)| r.carried);
        let known = self.carried.convert_rows(known.map(|c| parser.parse(c)))?;
        let mut places = Vec::with_capacity(is_there.len());
        let mut next = 0;
        for is_there in &is_there {
            places.push(is_there.then_some(next));
            next += u32::from(*is_there);
        }
        let places = UInt32Array::from(places);
        let columns = known.iter().map(|c| take(c, &places, None)).collect::<std::result::Result<_, _>>()?;
        Ok(Carried { is_there, columns })
    }
}

/// The number of rows, then what the calls that go on from row to row have come to: their outputs, but sums of doubles
/// without rounding.
fn carried_types(spec: &OverSpec) -> Vec<DataType> {
    let of_call = |call: &OverCall| match (&call.function, &call.output_type) {
        (Function::Sum(_), DataType::Float64) => DataType::Binary,
        (_, output) => output.clone(),
    };
    [DataType::Int64].into_iter().chain(carried_calls(spec).map(of_call)).collect()
}

/// From which row on a partition is told what functions have come to.
fn from(region: &Region<'_>, carried: CarriedRows) -> (Box<[u8]>, CarriedRows) {
    let first = region.entries.get(region.changing.start).map_or(&[][..], |e| e.key);
    (first.into(), carried)
}

impl Operator for Over {
    fn on_batch(&mut self, _input: usize, batch: Batch, _out: &mut Emitter<'_>) -> Result<()> {
        self.each_row(&batch, Partition::change)?;
        self.unsaved_rows += batch.len();
        self.unsaved.push(batch);
        // Packed, they take a fifth of the room until the epoch ends.
        if self.unsaved_rows >= UNSAVED_ROWS_MAX {
            self.pack_unsaved()?;
        }
        Ok(())
    }

    fn on_barrier(&mut self, _watermark: Option<i64>, out: &mut Emitter<'_>) -> Result<()> {
        let touched = std::mem::take(&mut self.touched);
        for key in &touched {
            if let Some(partition) = self.partitions.get_mut(key) {
                self.bytes = self.bytes.saturating_sub(partition.memory_bytes());
                partition.open(&self.extent)?;
            }
        }
        self.refresh(&touched, out)?;
        let held = touched.iter().filter_map(|key| self.partitions.get(key));
        self.bytes += held.map(Partition::memory_bytes).sum::<usize>();
        Ok(())
    }

    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        self.save(mode)
    }

    fn restore(&mut self, state: Restored) -> Result<()> {
        self.load(state)
    }

    fn state_bytes(&self) -> usize {
        let unsaved: usize = self.unsaved.iter().map(Batch::memory_bytes).sum();
        let saved: usize = self.saved.iter().map(Bytes::len).sum();
        self.bytes + saved + unsaved + self.partitions.capacity() * size_of::<(Box<[u8]>, Partition)>()
    }
}

/// A saved batch that is not one of this operator's.
pub(super) fn foreign() -> Error {
    Error::config("the saved state is that of another window function")
}
