//! Parts for tests: a source that counts, a sink and table in memory, an operator with state, a slow commit.

mod counting;
mod slow;
mod table;

pub use counting::{CountingSource, SumByKey, numbers_schema};
pub use slow::{Begun, FailsDuringCommit, SlowCommitter};
pub use table::{MemoryCommitter, MemorySink, MemoryTable};
