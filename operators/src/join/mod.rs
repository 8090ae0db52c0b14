//! Joins: both sides are indexed by key, and a change of either side is joined with what the other side holds.

pub mod equi;
