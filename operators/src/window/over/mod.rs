//! Window functions (`f(...) over (partition by ... order by ...)`), kept up to date when rows come and go.
//!
//! Each partition keeps its rows in order; rows that the order leaves equal are ordered by their content, so that the
//! result does not depend on the order in which rows came. At a barrier each partition that changed computes again only the
//! rows that a change can reach: how far that is, the functions say (`lag(x, 2)` reaches two rows on, a running sum to
//! the end). What a running function has come to is kept beside each row, so that a row in order touches the tail of its
//! partition and nothing else.

mod block;
mod difference;
mod evaluate;
mod operator;
mod other;
mod partition;
mod running;
mod saved;
mod spec;
mod view;

pub use operator::Over;
pub use spec::{Frame, Function, OverCall, OverSpec, Reach};
