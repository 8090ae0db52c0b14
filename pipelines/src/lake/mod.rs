//! The lake's tables as SQL sees them: for queries, refreshes, tests and the audit.

mod check;
mod data_tests;
mod failures;
mod refresh;
mod session;
pub mod settled;
mod stored_failures;

pub use check::{lake_changes, run_faults};
pub use data_tests::{Found, Verdict, data_test_faults, run_data_test};
pub use failures::{RefreshFailure, RefreshFailures, read_failures};
pub use refresh::{Listeners, OnCommitted, OnStarted, Refresher};
pub(crate) use session::lower_case_view;
pub use session::{Rows, batch_query, empty_session, lake_session, query, query_rows};
pub use stored_failures::store_failures;
