//! Equi-joins of all kinds, kept up to date when either side changes.
//!
//! The incremental form of DBSP: d(L x R) = dL x R + L x dR + dL x dR; a batch comes from one side at a time, so one of the
//! deltas is empty and each batch is joined with the other side as it stands. Rows that are shown by themselves (those of
//! outer, semi and anti joins) count their matches, and are shown anew when the first comes or the last goes.

mod operator;
mod saved;
mod side;
mod spec;

pub use operator::EquiJoin;
pub use spec::{EquiJoinSpec, JoinKind};
