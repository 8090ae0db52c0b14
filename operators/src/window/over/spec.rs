//! What to compute over which partitions.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::window::WindowExpr;

use crate::order::OrderColumn;

/// The rows of a partition that a function looks at, for each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// From the first row to this one.
    ToRow,
    /// From the first row to the last one that the order leaves equal to this one.
    ToPeers,
    /// All rows.
    All,
}

/// How far a change of one row reaches, in rows of its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A row's result depends on so many rows before it and so many after it.
    Rows {
        /// Rows before it.
        before: usize,
        /// Rows after it.
        after: usize,
    },
    /// On all rows of the partition.
    All,
}

/// A window function.
#[derive(Debug, Clone)]
pub enum Function {
    /// `row_number()`.
    RowNumber,
    /// `rank()`.
    Rank,
    /// `dense_rank()`.
    DenseRank,
    /// The argument of the row so many rows before this one; of one after it when negative. `default` where there is none.
    Shift {
        /// How many rows before.
        by: i64,
        /// Of the argument's type.
        default: ScalarValue,
    },
    /// The argument of the first row of the frame.
    First(Frame),
    /// The argument of the last row of the frame.
    Last(Frame),
    /// How many arguments are not NULL; all rows when there is no argument.
    Count(Frame),
    /// The sum of bigint, double or decimal arguments, of the output's type.
    Sum(Frame),
    /// The smallest argument.
    Min(Frame),
    /// The largest argument.
    Max(Frame),
    /// Anything else, by DataFusion, a partition at a time; over the input's columns.
    Other {
        /// What evaluates it for the rows of one partition, in order.
        expr: Arc<dyn WindowExpr>,
        /// How far a change reaches.
        reach: Reach,
    },
}

/// A function, its argument and its result.
#[derive(Debug, Clone)]
pub struct OverCall {
    /// The function.
    pub function: Function,
    /// Its argument: a column of the input.
    pub argument: Option<usize>,
    /// The result's type.
    pub output_type: DataType,
}

/// Functions over the same partitions in the same order.
#[derive(Debug, Clone)]
pub struct OverSpec {
    /// The input.
    pub input: SchemaRef,
    /// PARTITION BY: columns of the input; none when all rows are one partition.
    pub keys: Vec<usize>,
    /// ORDER BY.
    pub order: Vec<OrderColumn>,
    /// The functions.
    pub calls: Vec<OverCall>,
    /// Only the first rows of each partition are wanted, so many.
    pub first_rows: Option<u64>,
    /// The output: the input's columns, then one for each function.
    pub schema: SchemaRef,
}

impl Function {
    /// How far a change of one row reaches; none for functions whose results go on from those of the row before.
    pub(super) fn reach(&self) -> Option<Reach> {
        use Function as F;
        let rows = |before, after| Some(Reach::Rows { before, after });
        match self {
            F::Shift { by, .. } => match usize::try_from(*by) {
                Ok(before) => rows(before, 0),
                Err(_) => rows(0, by.unsigned_abs() as usize),
            },
            F::Last(Frame::ToRow | Frame::ToPeers) => rows(0, 0),
            F::Last(Frame::All)
            | F::Count(Frame::All)
            | F::Sum(Frame::All)
            | F::Min(Frame::All)
            | F::Max(Frame::All) => Some(Reach::All),
            F::Other { reach, .. } => Some(*reach),
            F::RowNumber | F::Rank | F::DenseRank | F::First(_) | F::Count(_) | F::Sum(_) | F::Min(_) | F::Max(_) => {
                None
            }
        }
    }

    /// True when rows that the order leaves equal must be seen together.
    pub(super) fn sees_peers(&self) -> bool {
        use Function as F;
        match self {
            F::Rank | F::DenseRank => true,
            F::First(frame) | F::Last(frame) | F::Count(frame) | F::Sum(frame) | F::Min(frame) | F::Max(frame) => {
                *frame == Frame::ToPeers
            }
            F::RowNumber | F::Shift { .. } | F::Other { .. } => false,
        }
    }
}

impl OverSpec {
    /// True when each new row in order changes rows that were shown before it.
    pub fn changes_rows_before(&self) -> bool {
        let changes = |c: &OverCall| match c.function.reach() {
            Some(Reach::All) => true,
            Some(Reach::Rows { after, .. }) => after > 0 || c.function.sees_peers(),
            None => c.function.sees_peers(),
        };
        self.calls.iter().any(changes)
    }

    /// True when a row in order costs the same however many rows its partition has.
    pub fn touches_the_tail_only(&self) -> bool {
        self.calls.iter().all(|c| c.function.reach() != Some(Reach::All))
    }
}
