//! Functions that go on from row to row: numbers of rows, sums, extremes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryBuilder, Float64Builder, Int64Array, PrimitiveArray,
    UInt32Array,
};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use sluice_engine::{Error, Result};

use super::evaluate::{Carried, rows_before};
use super::view::View;
use crate::exact_sum::ExactSum;

/// A view, and what functions had come to before it.
pub struct Running<'a> {
    pub view: &'a View,
    pub before: &'a Carried,
}

impl Running<'_> {
    /// The value of each wanted row, from that of the row before; `start(i)` is that before slice `i`.
    fn fold<T: Clone>(&self, start: impl Fn(usize) -> T, mut step: impl FnMut(T, usize) -> T) -> Vec<T> {
        let mut values = Vec::with_capacity(self.view.wanted());
        for (i, slice) in self.view.slices.iter().enumerate() {
            let mut value = start(i);
            for row in slice.wanted.clone() {
                value = step(value, row);
                values.push(value.clone());
            }
        }
        values
    }

    /// How many rows there are up to each: `row_number()`.
    pub fn rows_so_far(&self) -> Result<Int64Array> {
        let before = rows_before(self.before)?;
        let start = |i| if self.before.is_there[i] { before.value(i) } else { 0 };
        Ok(self.fold(start, |n, _| n + 1).into())
    }

    /// The number of the first row among peers. Slices begin with peers' first.
    pub fn rank(&self, row_numbers: &Int64Array) -> ArrayRef {
        let mut ranks = Vec::with_capacity(row_numbers.len());
        for (n, row) in self.view.wanted_rows().enumerate() {
            let is_first = self.view.begins_peers[row] || ranks.is_empty();
            ranks.push(if is_first { row_numbers.value(n) } else { ranks[n - 1] });
        }
        Arc::new(Int64Array::from(ranks))
    }

    /// How many groups of peers there are up to each row.
    pub fn dense_rank(&self, from: Option<ArrayRef>) -> Result<ArrayRef> {
        let from = from.map(|f| cast(&f, &DataType::Int64)).transpose()?;
        let from = from.as_ref().map(|f| f.as_primitive::<Int64Type>());
        let start = |i: usize| from.filter(|_| self.before.is_there[i]).map_or(0, |f| f.value(i));
        let step = |n, row: usize| if self.view.begins_peers[row] { n + 1 } else { n };
        Ok(Arc::new(Int64Array::from(self.fold(start, step))))
    }

    /// The first row's argument.
    pub fn first(&self, argument: &ArrayRef, from: Option<ArrayRef>) -> Result<ArrayRef> {
        let (all, carried) = with_carried(argument, from)?;
        let start = |i: usize| self.before.is_there[i].then_some(carried + i as u32);
        let places = self.fold(start, |first, row| first.or(Some(row as u32)));
        Ok(take(&all, &UInt32Array::from(places), None)?)
    }

    /// How many arguments are not NULL.
    pub fn count(&self, argument: Option<&ArrayRef>, from: Option<ArrayRef>) -> Result<ArrayRef> {
        let nulls = argument.and_then(|a| a.logical_nulls());
        let counts = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
        let from = from.as_ref().map(|f| f.as_primitive::<Int64Type>());
        let start = |i: usize| from.filter(|_| self.before.is_there[i]).map_or(0, |f| f.value(i));
        let step = |n, row| n + i64::from(counts(row));
        Ok(Arc::new(Int64Array::from(self.fold(start, step))))
    }

    /// The sum of the arguments that are not NULL, and what to carry of it; bigint wraps around, as Spark's does.
    ///
    /// # Errors
    /// `Bug` for a type that was not planned.
    pub fn sum(&self, argument: &ArrayRef, from: Option<ArrayRef>, output: &DataType) -> Result<(ArrayRef, ArrayRef)> {
        let argument = cast(argument, output)?;
        let sums: ArrayRef = match output {
            DataType::Int64 => Arc::new(self.sums::<Int64Type>(&argument, from, i64::wrapping_add)),
            DataType::Float64 => return self.exact_sums(&argument, from),
            DataType::Decimal128(precision, scale) => {
                let sums = self.sums::<Decimal128Type>(&argument, from, i128::wrapping_add);
                Arc::new(sums.with_precision_and_scale(*precision, *scale)?)
            }
            other => return Err(Error::bug(format!("a running sum of {other} was planned"))),
        };
        Ok((sums.clone(), sums))
    }

    /// Sums of doubles, rounded once when they are shown; what is carried is exact.
    fn exact_sums(&self, argument: &ArrayRef, from: Option<ArrayRef>) -> Result<(ArrayRef, ArrayRef)> {
        let values = argument.as_primitive::<Float64Type>();
        let from = from.as_ref().map(|f| f.as_binary::<i32>());
        let (mut shown, mut carried) = (Float64Builder::new(), BinaryBuilder::new());
        for (i, slice) in self.view.slices.iter().enumerate() {
            let known = from.filter(|f| self.before.is_there[i] && f.is_valid(i));
            let damaged = || Error::data("the saved sum of a window function is damaged");
            let mut sum = known.map(|f| ExactSum::from_bytes(f.value(i)).ok_or_else(damaged)).transpose()?;
            for row in slice.wanted.clone() {
                if values.is_valid(row) {
                    sum.get_or_insert_default().add(values.value(row), 1);
                }
                shown.append_option(sum.as_ref().map(ExactSum::value));
                carried.append_option(sum.as_ref().map(ExactSum::to_bytes));
            }
        }
        Ok((Arc::new(shown.finish()), Arc::new(carried.finish())))
    }

    fn sums<T: ArrowPrimitiveType>(
        &self,
        argument: &ArrayRef,
        from: Option<ArrayRef>,
        add: impl Fn(T::Native, T::Native) -> T::Native,
    ) -> PrimitiveArray<T> {
        let values = argument.as_primitive::<T>();
        let from = from.as_ref().map(|f| f.as_primitive::<T>());
        let start = |i: usize| from.filter(|f| self.before.is_there[i] && f.is_valid(i)).map(|f| f.value(i));
        let step = |sum: Option<T::Native>, row: usize| match (sum, values.is_valid(row).then(|| values.value(row))) {
            (Some(sum), Some(value)) => Some(add(sum, value)),
            (sum, value) => sum.or(value),
        };
        self.fold(start, step).into_iter().collect()
    }

    /// The smallest or largest argument that is not NULL.
    pub fn extreme(&self, argument: &ArrayRef, from: Option<ArrayRef>, largest: bool) -> Result<ArrayRef> {
        let (all, carried) = with_carried(argument, from)?;
        let converter = RowConverter::new(vec![SortField::new(all.data_type().clone())])?;
        let order = converter.convert_columns(std::slice::from_ref(&all))?;
        let nulls = all.logical_nulls();
        let is_valid = |at: u32| nulls.as_ref().is_none_or(|n| n.is_valid(at as usize));
        let start = |i: usize| Some(carried + i as u32).filter(|at| self.before.is_there[i] && is_valid(*at));
        let step = |best: Option<u32>, row: usize| {
            let row = row as u32;
            let (Some(at), true) = (best, is_valid(row)) else { return best.or(Some(row).filter(|r| is_valid(*r))) };
            let (new, old) = (order.row(row as usize), order.row(at as usize));
            let is_better = if largest { new > old } else { new < old };
            if is_better { Some(row) } else { best }
        };
        Ok(take(&all, &UInt32Array::from(self.fold(start, step)), None)?)
    }
}

/// The arguments, then what was carried for each slice; and where the latter begins.
fn with_carried(argument: &ArrayRef, from: Option<ArrayRef>) -> Result<(ArrayRef, u32)> {
    let at = argument.len() as u32;
    let Some(from) = from else { return Ok((argument.clone(), at)) };
    let from = cast(&from, argument.data_type())?;
    Ok((concat(&[argument.as_ref(), from.as_ref()])?, at))
}
