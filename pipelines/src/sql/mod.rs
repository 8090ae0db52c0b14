//! Spark SQL to plans, and plans to what the engine runs.
//!
//! One way for both modes: [`session::spark_session`] parses and plans; a stream lowers the plan onto operators
//! ([`lower`]), a batch executes it. So both mean the same by construction, and tests compare them.

pub mod casts;
pub mod coercion;
pub mod dialect;
pub mod fingerprint;
mod forms;
pub mod functions;
pub mod lower;
pub mod model;
pub mod op;
pub mod operators;
mod place;
pub mod rewrite;
pub mod session;
pub mod times;
pub mod types;

pub use lower::Unsupported;
pub use model::{PlannedModel, SqlError, plan_query};
pub use op::Op;
pub(crate) use place::names_in;

#[cfg(test)]
mod tests;
