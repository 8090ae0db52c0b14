//! Where rows go.

pub mod clickhouse;
pub mod delta;
