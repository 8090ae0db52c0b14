//! Rejects as a source: once more through the graph, in place of the stream that they came from.
//!
//! The stream's own position stays as it is. What has been replayed is known by the rejects' table alone, which changes in
//! the same epoch as all others: a run that is killed is as if it had not been.

use std::sync::Arc;

use arrow::array::RecordBatch;
use sluice_engine::{Batch, Polled, Position, Result, Source, SourceContext};

/// Finds the rejects to replay, in the columns of the rejects' table. May block. Called when all tables are at the newest
/// epoch.
pub type FindRejects = Arc<dyn Fn() -> Result<Vec<RecordBatch>> + Send + Sync>;

/// Gives rejects, then the end. All come on worker 0.
pub struct ReplayedSource {
    find: FindRejects,
    context: SourceContext,
    left: std::vec::IntoIter<RecordBatch>,
    position: Position,
}

impl ReplayedSource {
    /// A source of what `find` finds when it is opened.
    pub fn new(find: FindRejects, context: SourceContext) -> Self {
        Self { find, context, left: Vec::new().into_iter(), position: Position::default() }
    }
}

impl Source for ReplayedSource {
    fn open(&mut self, resume: &Position) -> Result<()> {
        if self.context.worker == 0 {
            self.position = resume.clone();
            self.left = (self.find)()?.into_iter();
        }
        Ok(())
    }

    fn poll(&mut self, _rows: usize, _bytes: usize) -> Result<Polled> {
        Ok(self.left.next().map_or(Polled::End, |rows| Polled::Batch(Batch::insert(rows))))
    }

    fn position(&self) -> Position {
        self.position.clone()
    }
}
