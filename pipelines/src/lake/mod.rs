//! The lake's tables as SQL sees them: for queries, refreshes, tests and the audit.

mod refresh;
mod session;
pub mod settled;

pub use refresh::{OnCommitted, OnStarted, Refresher};
pub use session::{batch_query, lake_session, query};
