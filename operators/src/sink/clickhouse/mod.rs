//! ClickHouse: gold rows as they change, idempotently.
//!
//! For a model `top_orders` there are a table `top_orders__rows` (`ReplacingMergeTree(_version, _deleted)` ordered by the
//! model's key) and a view `top_orders` that reads the newest version of each key from it and leaves out what is
//! deleted. People query the view.
//!
//! The way of a change: `sink` stages it -> `consolidate` adds it up by key -> `block` makes the immutable bytes of an
//! insert -> `inserter` sends them in order, and again until they are in. Rows are visible at once; `committer` has
//! nothing to commit. What makes that safe is `_version` (see `version`): whatever is written again, and in whatever
//! order, the latest wins; `settle`, which sets back what had been shown and was never committed (`runs` knows what was); and
//! `refill`, for a table that has lost rows.

mod block;
mod check;
mod client;
mod committer;
mod config;
mod consolidate;
mod ddl;
mod inserter;
mod refill;
mod runs;
mod settle;
mod shown;
mod sink;
mod target;
mod types;
mod version;

pub use check::{Plan, check, drop_misfit};
pub use committer::{ClickHouseCommitter, fill};
pub use config::{ClickHouseConfig, ROWS_SUFFIX};
pub use refill::{Refill, maintain, replace_all};
pub use settle::Settled;
pub use shown::{Shown, shown_rows};
pub use sink::{ClickHouseSink, Written};
pub use version::{GENERATION_BITS, SEQUENCE_BITS, Stamp, generation_of};
