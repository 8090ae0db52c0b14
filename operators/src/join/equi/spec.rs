//! What to join by, and which rows come of it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

/// Which rows a join gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs that match.
    Inner,
    /// Pairs that match, and left rows without a match beside NULLs.
    Left,
    /// Pairs that match, and right rows without a match beside NULLs.
    Right,
    /// Pairs that match, and rows of either side without a match beside NULLs.
    Full,
    /// Left rows that have a match, once each.
    Semi,
    /// Left rows that have none.
    Anti,
    /// All left rows, and whether they have a match.
    Mark,
}

/// What a row that stands alone is worth showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// Nothing: only pairs count.
    Never,
    /// The row, as long as it has a match or (`false`) has none; `padded` with NULLs of the other side.
    When {
        /// Shown while this is whether it has a match.
        matched: bool,
        /// NULLs stand for the other side.
        padded: bool,
    },
    /// Always, and beside it whether it has a match.
    Marked,
}

impl JoinKind {
    pub(super) fn has_pairs(self) -> bool {
        matches!(self, JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full)
    }

    /// What becomes of the rows of side `input` by themselves.
    pub(super) fn alone(self, input: usize) -> Alone {
        let padded = Alone::When { matched: false, padded: true };
        match (self, input) {
            (JoinKind::Left | JoinKind::Full, 0) | (JoinKind::Right | JoinKind::Full, 1) => padded,
            (JoinKind::Semi, 0) => Alone::When { matched: true, padded: false },
            (JoinKind::Anti, 0) => Alone::When { matched: false, padded: false },
            (JoinKind::Mark, 0) => Alone::Marked,
            _ => Alone::Never,
        }
    }
}

/// What to join by.
#[derive(Debug, Clone)]
pub struct EquiJoinSpec {
    /// Which rows.
    pub kind: JoinKind,
    /// The left input's schema.
    pub left: SchemaRef,
    /// The right input's schema.
    pub right: SchemaRef,
    /// Key columns of the left input; of the same types as the right's. None when only the residual tells what matches.
    pub left_keys: Vec<usize>,
    /// Key columns of the right input.
    pub right_keys: Vec<usize>,
    /// True when a NULL in a key matches a NULL.
    pub nulls_match: bool,
    /// A further condition over the pair (left columns, then right ones).
    pub residual: Option<Arc<dyn PhysicalExpr>>,
    /// The output: left columns, then right ones (none of them for `Semi` and `Anti`, a boolean for `Mark`).
    pub schema: SchemaRef,
}
