//! Equi-joins, inner and left, kept up to date when either side changes.
//!
//! The incremental form of DBSP: d(L x R) = dL x R + L x dR + dL x dR; a batch comes from one side at a time, so one of the
//! deltas is empty and each batch is joined with the other side as it stands.

mod operator;
mod side;

pub use operator::{EquiJoin, EquiJoinSpec, JoinKind};
