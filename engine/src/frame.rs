//! What crosses an edge: data, watermarks, barriers and the end; nothing else.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;

use crate::error::Result;

/// Smallest and largest event time of a batch, in microseconds since 1970 UTC, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeBounds {
    /// Smallest event time, in microseconds.
    pub min_us: i64,
    /// Largest event time, in microseconds.
    pub max_us: i64,
}

impl TimeBounds {
    /// The bounds that cover both.
    pub fn union(self, other: TimeBounds) -> TimeBounds {
        TimeBounds { min_us: self.min_us.min(other.min_us), max_us: self.max_us.max(other.max_us) }
    }
}

/// A batch of changes: rows, and for each row a weight (+1 it appears, -1 it goes).
///
/// Without a weight column every row weighs +1. This is the Z-set of DBSP (Budiu et al., VLDB 2023).
#[derive(Debug, Clone)]
pub struct Batch {
    rows: RecordBatch,
    weights: Option<Int64Array>,
    bounds: Option<TimeBounds>,
}

impl Batch {
    /// Rows that all appear once.
    pub fn insert(rows: RecordBatch) -> Self {
        Self { rows, weights: None, bounds: None }
    }

    /// Rows with weights.
    ///
    /// # Panics
    /// When there are not as many weights as rows, or a weight is null: the caller built both.
    pub fn weighted(rows: RecordBatch, weights: Int64Array) -> Self {
        assert_eq!(rows.num_rows(), weights.len(), "a weight for each row");
        assert_eq!(weights.null_count(), 0, "weights are never null");
        Self { rows, weights: Some(weights), bounds: None }
    }

    /// Rows with the weights of another batch of the same length: what a projection makes.
    pub fn with_weights_of(rows: RecordBatch, weights: Option<Int64Array>) -> Self {
        match weights {
            Some(w) => Self::weighted(rows, w),
            None => Self::insert(rows),
        }
    }

    /// The same batch with event-time bounds.
    pub fn with_bounds(mut self, bounds: Option<TimeBounds>) -> Self {
        self.bounds = bounds;
        self
    }

    /// The rows.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// One column of the rows.
    pub fn column(&self, i: usize) -> &ArrayRef {
        self.rows.column(i)
    }

    /// The weights; none when every row weighs +1.
    pub fn weights(&self) -> Option<&Int64Array> {
        self.weights.as_ref()
    }

    /// The weight of row `i`.
    pub fn weight(&self, i: usize) -> i64 {
        self.weights.as_ref().map_or(1, |w| w.value(i))
    }

    /// Event-time bounds, where the source knows them.
    pub fn bounds(&self) -> Option<TimeBounds> {
        self.bounds
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.num_rows() == 0
    }

    /// The columns' names and types.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// The rows at `indices`, with their weights.
    ///
    /// # Errors
    /// When an index is out of bounds.
    pub fn take(&self, indices: &UInt32Array) -> Result<Batch> {
        let rows = take_record_batch(&self.rows, indices)?;
        let weights = match &self.weights {
            Some(w) => {
                let taken = arrow::compute::take(w, indices, None)?;
                Some(Int64Array::from(taken.to_data()))
            }
            None => None,
        };
        Ok(Batch { rows, weights, bounds: self.bounds })
    }

    /// All weights as an array, made when there is none.
    pub fn weights_or_ones(&self) -> Int64Array {
        self.weights.clone().unwrap_or_else(|| Int64Array::from(vec![1i64; self.len()]))
    }

    /// Many batches of one schema as one.
    ///
    /// # Errors
    /// When a batch has another schema.
    pub fn concat(schema: &SchemaRef, batches: &[Batch]) -> Result<Batch> {
        let rows = concat_batches(schema, batches.iter().map(|b| &b.rows))?;
        let bounds = batches.iter().filter_map(|b| b.bounds).reduce(TimeBounds::union);
        if batches.iter().all(|b| b.weights.is_none()) {
            return Ok(Batch { rows, weights: None, bounds });
        }
        let weights: Int64Array =
            batches.iter().flat_map(|b| (0..b.len()).map(|i| b.weight(i))).collect::<Vec<_>>().into();
        Ok(Batch { rows, weights: Some(weights), bounds })
    }

    /// Bytes of memory that the rows hold.
    pub fn memory_bytes(&self) -> usize {
        self.rows.get_array_memory_size() + self.weights.as_ref().map_or(0, |w| w.get_array_memory_size())
    }
}

/// How much a barrier asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarrierKind {
    /// Operators emit what has changed and early sinks show it; nothing becomes durable.
    Tick,
    /// As a tick; and the epoch ends: positions, snapshots and sink tokens become one manifest.
    Epoch,
}

/// The mark between the rows of one cut of the streams and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// The epoch that the rows before the barrier belong to.
    pub epoch: u64,
    /// Counts all barriers of this run, ticks and epochs, from 1.
    pub sequence: u64,
    /// How much it asks for.
    pub kind: BarrierKind,
    /// True for the barrier after which the graph ends.
    pub last: bool,
}

/// What crosses an edge.
///
/// Only the engine makes watermarks, barriers and ends: an operator's emitter can send data and nothing else.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Rows.
    Data(Batch),
    /// No row older than this event time (microseconds) is expected any more.
    Watermark(i64),
    /// A cut.
    Barrier(Barrier),
    /// Nothing follows.
    End,
}

/// An array behind a pointer, from a concrete one.
pub fn array_ref(a: impl Array + 'static) -> ArrayRef {
    Arc::new(a)
}
