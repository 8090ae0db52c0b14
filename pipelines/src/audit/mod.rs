//! The audit: what each epoch did to each table, kept as it is committed; and `sluice verify`, which holds the sources and
//! the tables against it. Why it is so: `engine/docs/adr/0019-the-audit.md`.

mod bag;
mod batch;
mod clickhouse;
mod contents;
mod entry;
mod log;
mod offsets;
mod recorder;
mod report;
mod tables;
mod verify;

pub use entry::{Entry, Totals, audit_schema};
pub use recorder::Recorder;
pub use report::{Check, Report, StreamLine, TableLine};
pub use tables::audit_path;
pub use verify::{VerifyOptions, verify};
