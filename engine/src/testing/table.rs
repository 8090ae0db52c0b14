//! A table in memory that is committed by epoch, as a sink and its committer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::row::{RowConverter, SortField};
use futures::future::{BoxFuture, FutureExt, ready};

use crate::error::{Error, Result};
use crate::frame::Batch;
use crate::sink::{Committer, Part, PrepareFuture, Sink, Token};

type Weights = BTreeMap<Vec<u8>, i64>;

#[derive(Debug, Default)]
struct Content {
    committed: Weights,
    epoch: u64,
    sealed: BTreeMap<u64, Vec<(Vec<u8>, i64)>>,
    commits: usize,
}

/// What a table holds: rows (arrow-row bytes) and how often.
#[derive(Debug, Clone, Default)]
pub struct MemoryTable {
    content: Arc<Mutex<Content>>,
}

impl MemoryTable {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The committed rows with their weights; rows that cancelled out are gone.
    pub fn rows(&self) -> BTreeMap<Vec<u8>, i64> {
        self.content().committed.clone()
    }

    /// Takes all rows out, as a table does that begins again.
    pub fn clear(&self) {
        self.content().committed.clear();
    }

    /// How many commits have changed the table.
    pub fn commits(&self) -> usize {
        self.content().commits
    }

    /// The worker's half.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(MemorySink { rows: vec![], converter: None })
    }

    /// The table's half. With `fail_commit_at` the commit of that epoch fails once, before it changes anything.
    pub fn committer(&self, fail_commit_at: Option<u64>) -> Box<dyn Committer> {
        Box::new(MemoryCommitter { table: self.clone(), fail_commit_at })
    }
}

/// Keeps an epoch's rows until `prepare`.
pub struct MemorySink {
    rows: Vec<(Vec<u8>, i64)>,
    converter: Option<RowConverter>,
}

impl Sink for MemorySink {
    fn write(&mut self, batch: Batch) -> Result<()> {
        if self.converter.is_none() {
            let fields = batch.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
            self.converter = Some(RowConverter::new(fields)?);
        }
        let Some(converter) = &self.converter else { return Ok(()) };
        let rows = converter.convert_columns(batch.rows().columns())?;
        self.rows.extend(rows.iter().enumerate().map(|(i, r)| (r.as_ref().to_vec(), batch.weight(i))));
        Ok(())
    }

    fn prepare(&mut self, _epoch: u64) -> Result<PrepareFuture> {
        let rows = std::mem::take(&mut self.rows);
        Ok(ready(Ok(Box::new(rows) as Part)).boxed())
    }
}

/// Commits epochs into a [`MemoryTable`].
pub struct MemoryCommitter {
    table: MemoryTable,
    fail_commit_at: Option<u64>,
}

impl MemoryCommitter {
    fn apply(&mut self, epoch: u64) -> Result<()> {
        let mut content = self.table.content();
        if content.epoch >= epoch {
            return Ok(());
        }
        if self.fail_commit_at.take_if(|e| *e == epoch).is_some() {
            return Err(Error::transient("the test wants this commit to fail"));
        }
        let rows = content.sealed.remove(&epoch).ok_or_else(|| Error::bug("an epoch was committed unsealed"))?;
        for (row, weight) in rows {
            *content.committed.entry(row).or_default() += weight;
        }
        content.committed.retain(|_, w| *w != 0);
        content.epoch = epoch;
        content.commits += 1;
        Ok(())
    }
}

impl Committer for MemoryCommitter {
    fn shows_early(&self) -> bool {
        true
    }

    fn seal<'a>(&'a mut self, epoch: u64, parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        let mut rows = Vec::new();
        for part in parts {
            match part.downcast::<Vec<(Vec<u8>, i64)>>() {
                Ok(part) => rows.extend(*part),
                Err(_) => return ready(Err(Error::bug("a part of another sink"))).boxed(),
            }
        }
        self.table.content().sealed.insert(epoch, rows);
        ready(Ok(Token::from(epoch))).boxed()
    }

    fn commit<'a>(&'a mut self, epoch: u64, _token: &'a Token) -> BoxFuture<'a, Result<()>> {
        ready(self.apply(epoch)).boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        ready(last.map_or(Ok(()), |(epoch, _)| self.apply(epoch))).boxed()
    }
}
