//! GROUP BY, kept up to date: state for each group, changes out at each barrier.
//!
//! The incremental form of aggregation over Z-sets (Budiu et al., VLDB 2023, section 6): a group that changed takes its
//! old row back and shows its new one. Where groups have a time (a window, a day), those whose time is over leave memory,
//! and come back when a late row needs them.

mod accumulator;
mod distinct;
mod extreme;
#[cfg(test)]
mod freeze_tests;
mod groups;
mod kept;
mod operator;
mod saved;
mod state;
mod sums;
mod time;

pub use crate::exact_sum::ExactSum;
pub use accumulator::{AggregateCall, AggregateKind, GroupAccumulator};
pub use kept::{KeptArgument, KeptCall};
pub use operator::{Aggregate, AggregateSpec};
pub use time::{FollowsTime, TimeKey};
