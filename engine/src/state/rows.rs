//! Rows that an operator must be able to show again: appended in chunks, compressed once they are no longer fresh.
//!
//! Most rows are never looked at again, so old ones are kept as LZ4-compressed Arrow IPC (about a fifth of their size); a
//! row that is needed costs the decoding of its chunk.

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;

use super::Snapshot;
use crate::error::{Error, Result};

/// Rows in a chunk.
pub const CHUNK_ROWS_MAX: usize = 1 << 16;
/// Batches in an open chunk before they are made one.
const OPEN_BATCHES_MAX: usize = 32;

/// Where a row is: chunk and row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId(u64);

impl RowId {
    /// The id of the row `n` after this one in the same append.
    pub fn plus(self, n: usize) -> RowId {
        RowId(self.0 + n as u64)
    }

    /// The id as a number below 2^63.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The inverse of `number`.
    pub fn of(number: u64) -> RowId {
        RowId(number)
    }

    fn chunk(self) -> usize {
        (self.0 >> 32) as usize
    }

    fn row(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }
}

enum Chunk {
    /// Batches and the number of the first row of each.
    Open(Vec<(usize, RecordBatch)>),
    Sealed(Vec<Bytes>),
}

/// An append-only store of rows of one schema.
pub struct RowLog {
    schema: SchemaRef,
    chunks: Vec<Chunk>,
    open_rows: usize,
    compress: bool,
    /// Chunks before this one are in a snapshot.
    saved: usize,
}

impl RowLog {
    /// A store without rows. With `compress`, full chunks are compressed: for rows that are seldom needed again.
    pub fn new(schema: SchemaRef, compress: bool) -> Self {
        Self { schema, chunks: vec![Chunk::Open(vec![])], open_rows: 0, compress, saved: 0 }
    }

    /// Appends rows and gives the id of the first; the others follow it.
    ///
    /// # Errors
    /// When the rows are of another schema.
    pub fn append(&mut self, rows: RecordBatch) -> Result<RowId> {
        if self.open_rows > 0 && self.open_rows + rows.num_rows() > CHUNK_ROWS_MAX {
            self.close_chunk()?;
        }
        let first = self.open_rows;
        let id = RowId(((self.chunks.len() as u64 - 1) << 32) | first as u64);
        self.open_rows += rows.num_rows();
        if let Some(Chunk::Open(batches)) = self.chunks.last_mut() {
            batches.push((first, rows));
            if batches.len() > OPEN_BATCHES_MAX {
                let whole = concat_batches(&self.schema, batches.iter().map(|b| &b.1))?;
                *batches = vec![(0, whole)];
            }
        }
        Ok(id)
    }

    /// The rows with these ids, in this order.
    ///
    /// # Errors
    /// `Bug` when an id is not of this log.
    pub fn fetch(&self, ids: &[RowId]) -> Result<RecordBatch> {
        if ids.is_empty() {
            return Ok(RecordBatch::new_empty(self.schema.clone()));
        }
        let mut needed: Vec<usize> = ids.iter().map(|i| i.chunk()).collect();
        needed.sort_unstable();
        needed.dedup();
        let mut batches: Vec<RecordBatch> = Vec::new();
        // For each needed chunk: where its batches begin in `batches`, and the first row of each.
        let mut places: Vec<(usize, Vec<usize>)> = Vec::new();
        for chunk in &needed {
            let mut starts = Vec::new();
            let first = batches.len();
            match self.chunks.get(*chunk) {
                Some(Chunk::Open(open)) => open.iter().for_each(|(start, batch)| {
                    starts.push(*start);
                    batches.push(batch.clone());
                }),
                Some(Chunk::Sealed(bytes)) => {
                    let mut row = 0;
                    for batch in Snapshot::decode(&bytes.concat())?.batches {
                        starts.push(row);
                        row += batch.num_rows();
                        batches.push(batch);
                    }
                }
                None => return Err(Error::bug("a row of another log was asked for")),
            }
            places.push((first, starts));
        }
        let place = |id: &RowId| {
            let (first, starts) = &places[needed.partition_point(|c| *c < id.chunk())];
            let batch = starts.partition_point(|s| *s <= id.row()) - 1;
            (first + batch, id.row() - starts[batch])
        };
        let places: Vec<(usize, usize)> = ids.iter().map(place).collect();
        Ok(interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &places)?)
    }

    /// All rows since the last call, as a snapshot that costs nothing: a log that compresses closes its chunk and shares it.
    ///
    /// # Errors
    /// Only for bugs.
    pub fn save(&mut self) -> Result<Snapshot> {
        if self.open_rows > 0 {
            self.close_chunk()?;
        }
        let from = std::mem::replace(&mut self.saved, self.chunks.len() - 1);
        let mut snapshot = Snapshot::default();
        for chunk in &self.chunks[from..] {
            match chunk {
                Chunk::Open(batches) => snapshot.batches.extend(batches.iter().map(|b| b.1.clone())),
                Chunk::Sealed(bytes) => snapshot.encoded.extend(bytes.iter().cloned()),
            }
        }
        Ok(snapshot)
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let chunk = |c: &Chunk| match c {
            Chunk::Open(batches) => batches.iter().map(|b| b.1.get_array_memory_size()).sum::<usize>(),
            Chunk::Sealed(bytes) => bytes.iter().map(Bytes::len).sum::<usize>(),
        };
        self.chunks.iter().map(chunk).sum()
    }

    fn close_chunk(&mut self) -> Result<()> {
        if let Some(Chunk::Open(batches)) = self.chunks.last_mut() {
            let rows = concat_batches(&self.schema, batches.iter().map(|b| &b.1))?;
            let closed = if self.compress {
                Chunk::Sealed(Snapshot::of(vec![rows]).encode()?)
            } else {
                Chunk::Open(vec![(0, rows)])
            };
            if let Some(last) = self.chunks.last_mut() {
                *last = closed;
            }
        }
        self.chunks.push(Chunk::Open(vec![]));
        self.open_rows = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers_schema;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    fn batch(range: std::ops::Range<i64>) -> RecordBatch {
        let column = Arc::new(range.collect::<Int64Array>());
        RecordBatch::try_new(numbers_schema(), vec![column.clone(), column]).expect("two columns")
    }

    /// Rows come back in the order asked for, from open, merged and compressed chunks.
    #[test]
    fn rows_come_back() {
        for compress in [true, false] {
            let mut log = RowLog::new(numbers_schema(), compress);
            let mut ids = Vec::new();
            let mut next = 0i64;
            let mut saved = Vec::new();
            for (n, size) in (1..900).cycle().take(1500).enumerate() {
                let first = log.append(batch(next..next + size)).expect("appended");
                ids.extend((0..size as usize).map(|n| first.plus(n)));
                next += size;
                if n % 400 == 399 {
                    saved.push(log.save().expect("saved"));
                }
            }
            saved.push(log.save().expect("saved"));
            assert!(log.save().expect("saved").is_empty());
            let restored =
                saved.iter().map(|s| Snapshot::decode(&s.encode().expect("encoded").concat()).expect("decoded"));
            let restored: Vec<RecordBatch> = restored.flat_map(|s| s.batches).collect();
            let restored = concat_batches(&numbers_schema(), &restored).expect("one schema");
            assert!(restored.column(0).as_primitive::<Int64Type>().values().iter().copied().eq(0..next));
            let wanted: Vec<usize> = (0..5000).map(|i| (i * 7919) % ids.len()).collect();
            let rows = log.fetch(&wanted.iter().map(|w| ids[*w]).collect::<Vec<_>>()).expect("fetched");
            let values = rows.column(0).as_primitive::<Int64Type>();
            assert!(wanted.iter().enumerate().all(|(i, w)| values.value(i) == *w as i64));
        }
    }
}
