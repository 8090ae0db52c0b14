//! Rows that are known when the graph is built, given once: a seed, a `VALUES` list, one row for a query without a table.

#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use sluice_engine::source::SplitPosition;
use sluice_engine::{Batch, Polled, Position, Result, Source, SourceContext};

/// The only split. Its next is 0 before the rows were given and 1 after it.
const SPLIT: &str = "rows";

/// Gives a batch once, on worker 0, and never again over all restarts that go on from a position.
///
/// The rows come in one piece, whatever the budget of the poll: they are in memory anyway. A run that goes on from a
/// position does not look whether the rows are still the same; who changes them must begin anew.
pub struct ConstantSource {
    rows: RecordBatch,
    context: SourceContext,
    is_given: bool,
}

impl ConstantSource {
    /// A source of these rows, of any schema; there may be none.
    pub fn new(rows: RecordBatch, context: SourceContext) -> Self {
        Self { rows, context, is_given: false }
    }

    fn is_mine(&self) -> bool {
        self.context.worker == 0
    }
}

impl Source for ConstantSource {
    fn open(&mut self, resume: &Position) -> Result<()> {
        self.is_given = resume.0.get(SPLIT).is_some_and(|split| split.next > 0);
        Ok(())
    }

    fn poll(&mut self, _rows: usize, _bytes: usize) -> Result<Polled> {
        if self.is_mine() && !self.is_given {
            self.is_given = true;
            if self.rows.num_rows() > 0 {
                return Ok(Polled::Batch(Batch::insert(self.rows.clone())));
            }
        }
        Ok(if self.context.until_idle { Polled::End } else { Polled::Idle })
    }

    fn position(&self) -> Position {
        if !self.is_mine() {
            return Position::default();
        }
        let split = SplitPosition { next: i64::from(self.is_given), detail: serde_json::Value::Null };
        Position([(SPLIT.to_owned(), split)].into())
    }

    fn lag_rows(&self) -> Option<u64> {
        let waits = self.is_mine() && !self.is_given;
        Some(if waits { self.rows.num_rows() as u64 } else { 0 })
    }
}
