//! The tables that queries read, and random changes of them.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluice_engine::Batch;

use crate::sql::types;

/// A row of `t` or `u`: `id` tells rows apart, all else is often the same or NULL.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    id: i64,
    k: Option<i64>,
    g: Option<String>,
    v: Option<i64>,
    d: Option<f64>,
    at: i64,
}

/// `id bigint, k bigint, g string, v bigint, d double, at timestamp`, of both tables.
pub fn schema() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("id", DataType::Int64),
        field("k", DataType::Int64),
        field("g", DataType::Utf8),
        field("v", DataType::Int64),
        field("d", DataType::Float64),
        field("at", types::timestamp()),
    ]))
}

/// Rows as a batch.
pub fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| Some(r.id)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.k).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.g.clone()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.v).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.d).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|r| Some(r.at)).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
    ];
    RecordBatch::try_new(schema(), columns).expect("the schema's columns")
}

/// The rows that are there.
#[derive(Default)]
pub struct Tables {
    pub t: Vec<Row>,
    pub u: Vec<Row>,
}

/// Makes random changes, the same for a seed.
pub struct Changes {
    state: u64,
    next_id: i64,
    append_only: bool,
}

impl Changes {
    pub fn new(seed: u64, append_only: bool) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, next_id: 0, append_only }
    }

    /// A number below `n` (xorshift64).
    pub fn below(&mut self, n: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % n
    }

    fn row(&mut self) -> Row {
        self.next_id += 1;
        let or_null = |this: &mut Self, n: u64| Some(this.below(n)).filter(|x| *x > 0);
        Row {
            id: self.next_id,
            k: or_null(self, 5).map(|k| k as i64),
            g: or_null(self, 4).map(|g| ["a", "b", "c"][g as usize - 1].to_owned()),
            v: or_null(self, 8).map(|v| v as i64 - 4),
            d: or_null(self, 9).map(|d| d as f64 / 8.0 - 0.5),
            at: self.below(40) as i64 * 60_000_000,
        }
    }

    /// The next changes, made in `tables` too: of which table, and what.
    pub fn next(&mut self, tables: &mut Tables) -> (&'static str, Batch) {
        let (name, rows) = if self.below(3) == 0 { ("b.u", &mut tables.u) } else { ("b.t", &mut tables.t) };
        let mut changed = Vec::new();
        let mut weights = Vec::new();
        for _ in 0..=self.below(12) {
            let goes = !self.append_only && !rows.is_empty() && self.below(3) == 0;
            if goes {
                let gone = self.below(rows.len() as u64) as usize;
                changed.push(rows.swap_remove(gone));
            } else {
                let row = self.row();
                rows.push(row.clone());
                changed.push(row);
            }
            weights.push(if goes { -1i64 } else { 1 });
        }
        let rows = batch(&changed);
        let changes = if self.append_only { Batch::insert(rows) } else { Batch::weighted(rows, weights.into()) };
        (name, changes)
    }
}
