//! What an aggregate function keeps for each group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::DataType;
use datafusion::physical_expr::PhysicalExpr;
use sluice_engine::state::SnapshotMode;
use sluice_engine::{Error, Result};

use super::distinct::CountDistinct;
use super::extreme::extreme;
use super::kept::{Kept, KeptCall};
use super::sums::{AvgDoubles, Counts, SumDoubles, SumIntegers};

/// Which aggregate function.
#[derive(Debug, Clone)]
pub enum AggregateKind {
    /// `count(x)`, `count(*)`: bigint.
    Count,
    /// `count(distinct x)`: bigint.
    CountDistinct,
    /// `sum(x)` of bigint, decimal or double.
    Sum,
    /// `avg(x)` of double.
    Avg,
    /// `min(x)` of any type with an order.
    Min,
    /// `max(x)` of any type with an order.
    Max,
    /// Any other function; its argument is a struct.
    Kept(KeptCall),
}

/// A call of an aggregate function.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// The function.
    pub kind: AggregateKind,
    /// Its argument over the input's columns; none for `count(*)`.
    pub argument: Option<Arc<dyn PhysicalExpr>>,
    /// The argument's type (`Null` for `count(*)`).
    pub argument_type: DataType,
    /// `FILTER (WHERE ...)`.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// The result's type.
    pub output_type: DataType,
}

/// The rows of a batch as an accumulator sees them.
pub struct Rows<'a> {
    /// The group of each row.
    pub groups: &'a [u32],
    /// The argument's values; none for `count(*)`.
    pub values: Option<&'a ArrayRef>,
    /// Rows that the filter lets through; none when all.
    pub filter: Option<&'a BooleanArray>,
    /// Weights; none when all are +1.
    pub weights: Option<&'a Int64Array>,
}

impl Rows<'_> {
    /// Calls `f(row, group, weight)` for each row that counts: filter true, value not NULL.
    pub fn each(&self, mut f: impl FnMut(usize, usize, i64)) {
        let nulls = self.values.and_then(|v| v.logical_nulls());
        for (row, group) in self.groups.iter().enumerate() {
            let passes = self.filter.is_none_or(|p| p.is_valid(row) && p.value(row));
            if passes && nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
                f(row, *group as usize, self.weights.map_or(1, |w| w.value(row)));
            }
        }
    }
}

/// State of one aggregate call for all groups.
pub trait GroupAccumulator: Send {
    /// Called before `update` so that groups below `groups` have (empty) state.
    fn resize(&mut self, groups: usize);

    /// Takes rows in.
    ///
    /// # Errors
    /// `Bug` when the values are not of the declared type.
    fn update(&mut self, rows: &Rows<'_>) -> Result<()>;

    /// The results of these groups.
    ///
    /// # Errors
    /// `Data` when a result does not fit its type.
    fn output(&self, groups: &[u32]) -> Result<ArrayRef>;

    /// The state of these groups, one value for each, for a snapshot. They are all groups (`Full`), or at least those that
    /// were updated since the last snapshot (`Delta`); what [`load`](Self::load) needs beside the pieces before it is enough.
    ///
    /// # Errors
    /// Only for bugs.
    fn save(&mut self, groups: &[u32], mode: SnapshotMode) -> Result<ArrayRef>;

    /// State from `save` for these groups, the oldest piece first. `in_chain`: the chain of snapshots has it, so that the next
    /// delta need not tell of it.
    ///
    /// # Errors
    /// `Data` when it is not what `save` wrote.
    fn load(&mut self, groups: &[u32], saved: &ArrayRef, in_chain: bool) -> Result<()>;

    /// Bytes of memory.
    fn bytes(&self) -> usize;
}

/// The accumulator for a call. `append_only`: no row is ever taken back, so extremes need not remember what they beat.
///
/// # Errors
/// `Config` when the function does not take the type.
pub fn accumulator(call: &AggregateCall, append_only: bool) -> Result<Box<dyn GroupAccumulator>> {
    let value = &call.argument_type;
    Ok(match &call.kind {
        AggregateKind::Kept(kept) => Box::new(Kept::new(kept.clone(), value, call.output_type.clone())?),
        AggregateKind::Count => Box::new(Counts::default()),
        AggregateKind::CountDistinct => Box::new(CountDistinct::new(value, append_only)?),
        AggregateKind::Min => extreme(value, false, append_only)?,
        AggregateKind::Max => extreme(value, true, append_only)?,
        AggregateKind::Avg if *value == DataType::Float64 => Box::new(AvgDoubles::default()),
        AggregateKind::Sum if *value == DataType::Float64 => Box::new(SumDoubles::default()),
        AggregateKind::Sum if matches!(value, DataType::Int64 | DataType::Decimal128(..)) => {
            Box::new(SumIntegers::new(call.output_type.clone()))
        }
        kind => return Err(Error::config(format!("{kind:?} of {value} is not supported as a stream"))),
    })
}
