//! Sums the weights of equal rows, so that what appears and goes again within an epoch never reaches a file.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use sluice_engine::{Error, Result};
use xxhash_rust::xxh3::xxh3_128;

/// Rows in one batch that comes out.
const DRAINED_ROWS: usize = 32 << 10;
/// Rows whose weights are zero by now and that are held nevertheless: no more than this and as many as there are others.
const DEAD_ROWS_MAX: usize = 128 << 10;

/// Tells rows apart by a hash of 128 bits: equal rows have equal ones; null equals null, and NaN equals NaN whatever its
/// bits. Among 10^9 rows two have the same hash by accident with a probability of 10^-21.
pub(super) struct RowHasher {
    converter: RowConverter,
}

impl RowHasher {
    pub(super) fn new(columns: &SchemaRef) -> Result<Self> {
        let fields = columns.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(Self { converter: RowConverter::new(fields)? })
    }

    pub(super) fn hashes(&self, columns: &[ArrayRef]) -> Result<Vec<u128>> {
        let columns: Vec<ArrayRef> = columns.iter().map(one_nan).collect();
        let rows = self.converter.convert_columns(&columns)?;
        Ok(rows.iter().map(|row| xxh3_128(row.data())).collect())
    }
}

/// The column with every NaN having the same bits. Only top-level columns: nested ones keep theirs.
fn one_nan(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 => {
            let values: &PrimitiveArray<Float32Type> = column.as_primitive();
            if !values.values().iter().any(|x| x.is_nan()) {
                return column.clone();
            }
            Arc::new(values.unary::<_, Float32Type>(|x| if x.is_nan() { f32::NAN } else { x }))
        }
        DataType::Float64 => {
            let values: &PrimitiveArray<Float64Type> = column.as_primitive();
            if !values.values().iter().any(|x| x.is_nan()) {
                return column.clone();
            }
            Arc::new(values.unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x }))
        }
        _ => column.clone(),
    }
}

/// A row that is held: which batch, which row of it, and its weight.
#[derive(Debug, Clone, Copy)]
struct Held {
    batch: u32,
    row: u32,
    weight: i64,
}

/// A multiset of rows with weights of either sign; rows of weight zero are not there.
pub(super) struct Consolidated {
    hasher: RowHasher,
    batches: Vec<RecordBatch>,
    batch_rows: usize,
    rows: HashMap<u128, Held, FixedState>,
}

impl Consolidated {
    pub(super) fn new(columns: &SchemaRef) -> Result<Self> {
        Ok(Self { hasher: RowHasher::new(columns)?, batches: vec![], batch_rows: 0, rows: HashMap::default() })
    }

    /// Adds the rows, each with its weight.
    pub(super) fn add(&mut self, rows: &RecordBatch, weight: &dyn Fn(usize) -> i64) -> Result<()> {
        let batch = self.batches.len() as u32;
        for (i, hash) in self.hasher.hashes(rows.columns())?.into_iter().enumerate() {
            let weight = weight(i);
            if weight == 0 {
                continue;
            }
            match self.rows.entry(hash) {
                Entry::Vacant(entry) => drop(entry.insert(Held { batch, row: i as u32, weight })),
                Entry::Occupied(mut entry) => {
                    let sum = &mut entry.get_mut().weight;
                    *sum = sum.checked_add(weight).ok_or_else(|| Error::bug("a row's weight left the 64-bit range"))?;
                    if *sum == 0 {
                        entry.remove();
                    }
                }
            }
        }
        self.batches.push(rows.clone());
        self.batch_rows += rows.num_rows();
        if self.batch_rows > 2 * self.rows.len() + DEAD_ROWS_MAX {
            for (rows, weights) in self.drain()? {
                self.add(&rows, &|i| weights[i])?;
            }
        }
        Ok(())
    }

    /// Takes everything out: batches of rows with their weights, in the order in which the rows came.
    pub(super) fn drain(&mut self) -> Result<Vec<(RecordBatch, Vec<i64>)>> {
        let mut held: Vec<Held> = std::mem::take(&mut self.rows).into_values().collect();
        held.sort_unstable_by_key(|h| (h.batch, h.row));
        let batches = std::mem::take(&mut self.batches);
        self.batch_rows = 0;
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        held.chunks(DRAINED_ROWS)
            .map(|chunk| {
                let places: Vec<(usize, usize)> = chunk.iter().map(|h| (h.batch as usize, h.row as usize)).collect();
                Ok((interleave_record_batch(&batches, &places)?, chunk.iter().map(|h| h.weight).collect()))
            })
            .collect()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let batches: usize = self.batches.iter().map(RecordBatch::get_array_memory_size).sum();
        batches + self.rows.capacity() * (size_of::<(u128, Held)>() + 1)
    }
}
