//! The lake's tables as SQL sees them: for queries, refreshes, tests and the audit.

mod check;
mod refresh;
mod session;
pub mod settled;

pub use check::table_faults;
pub use refresh::{OnCommitted, OnStarted, Refresher};
pub(crate) use session::lower_case_view;
pub use session::{Rows, batch_query, lake_session, query, query_rows};
