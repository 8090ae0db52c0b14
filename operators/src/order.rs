//! ORDER BY of operators that keep rows in order.

/// A column of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderColumn {
    /// Its index in the input.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
    /// NULLs before all else.
    pub nulls_first: bool,
}
