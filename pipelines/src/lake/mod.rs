//! The lake's tables as SQL sees them: for queries, refreshes, tests and the audit.

mod check;
mod failures;
mod refresh;
mod session;
pub mod settled;

pub use check::table_faults;
pub use failures::{RefreshFailure, RefreshFailures, read_failures};
pub use refresh::{Listeners, OnCommitted, OnStarted, Refresher};
pub use session::{Rows, batch_query, lake_session, query, query_rows};
