//! A row for each element of a list: Spark's `explode`, ClickHouse's `ARRAY JOIN`. No state.

#[cfg(test)]
mod tests;

use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, Int64Array, OffsetSizeTrait, RecordBatch, RecordBatchOptions,
    UInt32Array, UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

/// Rows of an output batch: one input batch can hold very many elements.
const BATCH_ROWS_MAX: usize = 8192;

/// Gives each input row once for each element of one of its columns, a `List` or a `LargeList`.
///
/// Rows whose list is NULL or empty vanish; a NULL element is an element. The weight follows the row, and so does the
/// order: rows in input order, elements in list order. An input batch becomes as many batches as its elements need.
pub struct Explode {
    sources: Vec<usize>,
    list: usize,
    schema: SchemaRef,
}

impl Explode {
    /// Output column `i` is input column `sources[i]`, repeated for each element of the list in input column `list`;
    /// where `sources[i]` is `list`, it is the element. (Who wants the whole list as well, gives it in a second column.)
    /// `schema` names and types the output.
    pub fn new(sources: Vec<usize>, list: usize, schema: SchemaRef) -> Self {
        Self { sources, list, schema }
    }

    /// The output rows of a range of the elements.
    fn rows(&self, batch: &Batch, elements: &Elements, range: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let parents = elements.parents.slice(range.start, range.len());
        let column = |&source: &usize| match source {
            list if list == self.list => Ok(elements.values.slice(range.start, range.len())),
            other => take(batch.column(other), &parents, None),
        };
        let columns = self.sources.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(range.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

impl Operator for Explode {
    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let elements = Elements::of(batch.column(self.list))?;
        let total = elements.parents.len();
        for start in (0..total).step_by(BATCH_ROWS_MAX) {
            let range = start..total.min(start + BATCH_ROWS_MAX);
            let mut parts = Vec::new();
            in_parts(range, &mut |range| self.rows(&batch, &elements, range), &mut parts)?;
            for (range, rows) in parts {
                let weights = match batch.weights() {
                    Some(weights) => {
                        let taken = take(weights, &elements.parents.slice(range.start, range.len()), None)?;
                        Some(Int64Array::from(taken.to_data()))
                    }
                    None => None,
                };
                out.emit(Batch::with_weights_of(rows, weights).with_bounds(batch.bounds()));
            }
        }
        Ok(())
    }
}

/// Makes the rows of a range, in halves where they do not fit: a long text that is repeated for many elements can be
/// more than a column's 32-bit offsets reach.
fn in_parts(
    range: Range<usize>,
    make: &mut impl FnMut(Range<usize>) -> Result<RecordBatch, ArrowError>,
    parts: &mut Vec<(Range<usize>, RecordBatch)>,
) -> Result<()> {
    match make(range.clone()) {
        Ok(rows) => parts.push((range, rows)),
        Err(ArrowError::OffsetOverflowError(_)) if range.len() > 1 => {
            let middle = range.start + range.len() / 2;
            in_parts(range.start..middle, make, parts)?;
            in_parts(middle..range.end, make, parts)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The elements of all lists of a column, one after the other.
struct Elements {
    /// The row that each comes from.
    parents: UInt32Array,
    values: ArrayRef,
}

impl Elements {
    fn of(column: &ArrayRef) -> Result<Self> {
        match column.data_type() {
            DataType::List(_) => Self::of_lists(column.as_list::<i32>()),
            DataType::LargeList(_) => Self::of_lists(column.as_list::<i64>()),
            other => Err(Error::bug(format!("explode wants a column of lists, not of {other}"))),
        }
    }

    fn of_lists<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> Result<Self> {
        let offsets = lists.value_offsets();
        let mut parents = Vec::new();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
            let (start, end) = (offsets[row].as_usize(), offsets[row + 1].as_usize());
            let parent = u32::try_from(row).map_err(|_| Error::bug("a batch has more than 2^32 rows"))?;
            parents.extend(std::iter::repeat_n(parent, end - start));
            // A list that is NULL may still lie on values, which must be passed over.
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ if start == end => {}
                _ => ranges.push(start..end),
            }
        }
        let values = match ranges.as_slice() {
            [] => lists.values().slice(0, 0),
            [all] => lists.values().slice(all.start, all.len()),
            many => {
                let indices: UInt64Array = many.iter().cloned().flatten().map(|i| i as u64).collect();
                take(lists.values(), &indices, None)?
            }
        };
        Ok(Self { parents: UInt32Array::from(parents), values })
    }
}
