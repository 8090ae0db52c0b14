//! Parts for tests: a source that counts, a sink and table in memory, an operator with state.

mod counting;
mod table;

pub use counting::{CountingSource, SumByKey, numbers_schema};
pub use table::{MemoryCommitter, MemorySink, MemoryTable};
