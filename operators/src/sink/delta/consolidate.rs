//! Sums the weights of equal rows, so that what appears and goes again within an epoch never reaches a file.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use hashbrown::HashMap;
use sluice_engine::{Error, Result};
use std::sync::Arc;

/// Rows in one batch that comes out.
const DRAINED_ROWS: usize = 8192;
/// Bytes that a row costs in the map beside its own: pointer, length, weight, control byte, and the map's free room.
const ROW_OVERHEAD_BYTES: usize = 48;

/// Encodes rows as bytes that are equal when the rows are: null equals null, and NaN equals NaN whatever its bits.
pub(super) struct RowCoder {
    converter: RowConverter,
    columns: SchemaRef,
}

impl RowCoder {
    pub(super) fn new(columns: &SchemaRef) -> Result<Self> {
        let fields = columns.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(Self { converter: RowConverter::new(fields)?, columns: columns.clone() })
    }

    pub(super) fn encode(&self, columns: &[ArrayRef]) -> Result<arrow::row::Rows> {
        let columns: Vec<ArrayRef> = columns.iter().map(one_nan).collect();
        Ok(self.converter.convert_columns(&columns)?)
    }

    /// The rows that were encoded so.
    pub(super) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<RecordBatch> {
        let parser = self.converter.parser();
        let columns = self.converter.convert_rows(rows.map(|r| parser.parse(r)))?;
        Ok(RecordBatch::try_new(self.columns.clone(), columns)?)
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

/// A multiset of rows with weights of either sign; rows of weight zero are not there.
pub(super) struct Consolidated {
    coder: RowCoder,
    weights: HashMap<Box<[u8]>, i64>,
    row_bytes: usize,
}

impl Consolidated {
    pub(super) fn new(columns: &SchemaRef) -> Result<Self> {
        Ok(Self { coder: RowCoder::new(columns)?, weights: HashMap::new(), row_bytes: 0 })
    }

    /// Adds the rows, each with its weight.
    pub(super) fn add(&mut self, rows: &RecordBatch, weight: impl Fn(usize) -> i64) -> Result<()> {
        let encoded = self.coder.encode(rows.columns())?;
        for (i, row) in encoded.iter().enumerate() {
            let row: &[u8] = row.as_ref();
            let weight = weight(i);
            if weight == 0 {
                continue;
            }
            match self.weights.get_mut(row) {
                None => {
                    self.weights.insert(row.into(), weight);
                    self.row_bytes += row.len();
                }
                Some(sum) => {
                    *sum = sum.checked_add(weight).ok_or_else(|| Error::bug("a row's weight left the 64-bit range"))?;
                    if *sum == 0 {
                        self.weights.remove(row);
                        self.row_bytes -= row.len();
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows' encodings and weights.
    pub(super) fn into_weights(self) -> (RowCoder, HashMap<Box<[u8]>, i64>) {
        (self.coder, self.weights)
    }

    /// Takes everything out: batches of rows with their weights, in the rows' order, so that equal input gives equal files.
    pub(super) fn drain(&mut self) -> Result<Vec<(RecordBatch, Vec<i64>)>> {
        let mut rows: Vec<(Box<[u8]>, i64)> = std::mem::take(&mut self.weights).into_iter().collect();
        self.row_bytes = 0;
        rows.sort_unstable();
        rows.chunks(DRAINED_ROWS)
            .map(|chunk| {
                let batch = self.coder.decode(chunk.iter().map(|(row, _)| row.as_ref()))?;
                Ok((batch, chunk.iter().map(|(_, w)| *w).collect()))
            })
            .collect()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.row_bytes + self.weights.capacity() * ROW_OVERHEAD_BYTES
    }
}
