//! Counts, sums and averages: taken back by subtraction.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use sluice_engine::state::SnapshotMode;
use sluice_engine::{Error, Result};

use super::accumulator::{GroupAccumulator, Rows};
use super::saved::save_each;
use crate::exact_sum::ExactSum;

/// What a sum of doubles takes in a snapshot, about, in bytes.
const SAVED_DOUBLES_BYTES: usize = 26;

fn damaged(what: &str) -> Error {
    Error::data(format!("the saved state of a {what} is damaged"))
}

/// `count(x)`.
#[derive(Default)]
pub struct Counts {
    counts: Vec<i64>,
}

impl GroupAccumulator for Counts {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        rows.each(|_, group, weight| self.counts[group] += weight);
        Ok(())
    }

    fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
        Ok(Arc::new(groups.iter().map(|g| self.counts[*g as usize]).collect::<Int64Array>()))
    }

    fn save(&mut self, groups: &[u32], _mode: SnapshotMode) -> Result<ArrayRef> {
        self.output(groups)
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef, _in_chain: bool) -> Result<()> {
        let saved = saved.as_primitive_opt::<Int64Type>().ok_or_else(|| damaged("count"))?;
        groups.iter().zip(saved.values()).for_each(|(g, c)| self.counts[*g as usize] = *c);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// `sum(x)` of bigint and of decimals (as their unscaled integers).
pub struct SumIntegers {
    output_type: DataType,
    /// Sum, and how many values it is of: a sum of nothing is NULL.
    sums: Vec<(i128, i64)>,
}

impl SumIntegers {
    /// Sums with results of this type.
    pub fn new(output_type: DataType) -> Self {
        Self { output_type, sums: vec![] }
    }
}

impl GroupAccumulator for SumIntegers {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, (0, 0));
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        let values = rows.values.ok_or_else(|| Error::bug("sum without an argument"))?;
        let sums = &mut self.sums;
        let mut add = |group: usize, value: i128, weight: i64| {
            sums[group].0 += value * i128::from(weight);
            sums[group].1 += weight;
        };
        if let Some(ints) = values.as_primitive_opt::<Int64Type>() {
            rows.each(|row, group, weight| add(group, i128::from(ints.value(row)), weight));
        } else if let Some(decimals) = values.as_primitive_opt::<Decimal128Type>() {
            rows.each(|row, group, weight| add(group, decimals.value(row), weight));
        } else {
            return Err(Error::bug(format!("sum of {}", values.data_type())));
        }
        Ok(())
    }

    fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
        let sums = groups.iter().map(|g| self.sums[*g as usize]).map(|(s, n)| (n > 0).then_some(s));
        if let DataType::Decimal128(precision, scale) = self.output_type {
            let array: Decimal128Array = sums.collect();
            return Ok(Arc::new(array.with_precision_and_scale(precision, scale)?));
        }
        let fits = |s: i128| i64::try_from(s).map_err(|_| Error::data(format!("a sum overflows bigint: {s}")));
        let array: Result<Vec<Option<i64>>> = sums.map(|s| s.map(fits).transpose()).collect();
        Ok(Arc::new(Int64Array::from(array?)))
    }

    fn save(&mut self, groups: &[u32], _mode: SnapshotMode) -> Result<ArrayRef> {
        save_each(groups, groups.len() * 24, |group, bytes| {
            let (sum, count) = self.sums[group as usize];
            bytes.extend(sum.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        })
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef, _in_chain: bool) -> Result<()> {
        let saved = saved.as_binary_opt::<i32>().ok_or_else(|| damaged("sum"))?;
        for (group, bytes) in groups.iter().zip(saved.iter().flatten()) {
            let (sum, count) = bytes.split_at_checked(16).ok_or_else(|| damaged("sum"))?;
            let sum = i128::from_le_bytes(sum.try_into().map_err(|_| damaged("sum"))?);
            let count = i64::from_le_bytes(count.try_into().map_err(|_| damaged("sum"))?);
            self.sums[*group as usize] = (sum, count);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * size_of::<(i128, i64)>()
    }
}

/// Exact sums of doubles and how many values they are of.
#[derive(Default)]
struct Doubles {
    sums: Vec<(ExactSum, i64)>,
}

impl Doubles {
    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        let values = rows.values.and_then(|v| v.as_primitive_opt::<Float64Type>());
        let values = values.ok_or_else(|| Error::bug("a double argument was expected"))?;
        rows.each(|row, group, weight| {
            let (sum, count) = &mut self.sums[group];
            sum.add(values.value(row), weight);
            *count += weight;
        });
        Ok(())
    }

    fn output(&self, groups: &[u32], result: impl Fn(f64, i64) -> f64) -> ArrayRef {
        let of = |g: &u32| {
            let (sum, count) = &self.sums[*g as usize];
            (*count > 0).then(|| result(sum.value(), *count))
        };
        Arc::new(groups.iter().map(of).collect::<Float64Array>())
    }

    fn save(&self, groups: &[u32]) -> Result<ArrayRef> {
        save_each(groups, groups.len() * SAVED_DOUBLES_BYTES, |group, bytes| {
            let (sum, count) = &self.sums[group as usize];
            bytes.extend(count.to_le_bytes());
            sum.save(bytes);
        })
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef) -> Result<()> {
        let saved = saved.as_binary_opt::<i32>().ok_or_else(|| damaged("sum of doubles"))?;
        for (group, bytes) in groups.iter().zip(saved.iter().flatten()) {
            let (count, sum) = bytes.split_at_checked(8).ok_or_else(|| damaged("sum of doubles"))?;
            let count = i64::from_le_bytes(count.try_into().map_err(|_| damaged("sum of doubles"))?);
            let sum = ExactSum::from_bytes(sum).ok_or_else(|| damaged("sum of doubles"))?;
            self.sums[*group as usize] = (sum, count);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let heap: usize = self.sums.iter().map(|(s, _)| s.heap_bytes()).sum();
        heap + self.sums.capacity() * size_of::<(ExactSum, i64)>()
    }
}

macro_rules! over_doubles {
    ($(#[$doc:meta])* $name:ident, $result:expr) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name(Doubles);

        impl GroupAccumulator for $name {
            fn resize(&mut self, groups: usize) {
                self.0.sums.resize_with(groups, Default::default);
            }

            fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
                self.0.update(rows)
            }

            fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
                Ok(self.0.output(groups, $result))
            }

            fn save(&mut self, groups: &[u32], _mode: SnapshotMode) -> Result<ArrayRef> {
                self.0.save(groups)
            }

            fn load(&mut self, groups: &[u32], saved: &ArrayRef, _in_chain: bool) -> Result<()> {
                self.0.load(groups, saved)
            }

            fn bytes(&self) -> usize {
                self.0.bytes()
            }
        }
    };
}

over_doubles!(
    /// `sum(x)` of doubles, rounded once.
    SumDoubles,
    |sum, _| sum
);
over_doubles!(
    /// `avg(x)` of doubles: the exact sum, rounded, by the count.
    AvgDoubles,
    |sum, count| sum / count as f64
);
