//! Two bags of rows held against each other by hashes of the rows: order does not matter, how often a row is there does.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use sluice_engine::Result;
use xxhash_rust::xxh3::xxh3_128;

/// Rows that a text shows.
const SHOWN_ROWS_MAX: usize = 3;
/// Characters of a row that it shows.
const SHOWN_CHARS_MAX: usize = 160;

/// How often each row is there, rows of another bag taken away. It takes about 40 bytes for each row of difference, and for
/// each row of the first bag while the second one is taken away.
pub(super) struct Bag {
    converter: RowConverter,
    rows: HashMap<u128, i64, foldhash::fast::RandomState>,
}

impl Bag {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(Self { converter: RowConverter::new(fields)?, rows: HashMap::default() })
    }

    fn hashes(&self, rows: &RecordBatch) -> Result<Vec<u128>> {
        let columns: Vec<ArrayRef> = rows.columns().iter().map(one_nan).collect();
        let rows = self.converter.convert_columns(&columns)?;
        Ok(rows.iter().map(|row| xxh3_128(row.data())).collect())
    }

    /// Adds rows, each `times` times; below zero takes them away.
    pub(super) fn add(&mut self, rows: &RecordBatch, times: i64) -> Result<()> {
        for hash in self.hashes(rows)? {
            let sum = self.rows.entry(hash).or_insert(0);
            *sum += times;
            if *sum == 0 {
                self.rows.remove(&hash);
            }
        }
        Ok(())
    }

    /// How many rows are there more often than they were taken away, and how many less often.
    pub(super) fn differences(&self) -> (i64, i64) {
        self.rows.values().fold((0, 0), |(more, less), n| (more + (*n).max(0), less - (*n).min(0)))
    }

    /// Some of `rows` that are among the differences with the sign of `times`, as text.
    pub(super) fn shown(&self, rows: &[RecordBatch], times: i64) -> Result<Vec<String>> {
        let mut shown = Vec::new();
        for batch in rows {
            for (i, hash) in self.hashes(batch)?.into_iter().enumerate() {
                if shown.len() < SHOWN_ROWS_MAX && self.rows.get(&hash).is_some_and(|n| n.signum() == times.signum()) {
                    shown.push(row_text(batch, i)?);
                }
            }
        }
        Ok(shown)
    }
}

fn row_text(rows: &RecordBatch, row: usize) -> Result<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut text = String::new();
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let value = ArrayFormatter::try_new(column, &options)?.value(row).to_string();
        text += &format!("{}{}={value}", if text.is_empty() { "" } else { " " }, field.name());
    }
    let cut = text.char_indices().nth(SHOWN_CHARS_MAX).map(|(at, _)| at);
    Ok(match cut {
        Some(at) => format!("{} ...", &text[..at]),
        None => text,
    })
}

/// The column with every NaN having the same bits.
fn one_nan(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 => {
            let values: &PrimitiveArray<Float32Type> = column.as_primitive();
            Arc::new(values.unary::<_, Float32Type>(|x| if x.is_nan() { f32::NAN } else { x }))
        }
        DataType::Float64 => {
            let values: &PrimitiveArray<Float64Type> = column.as_primitive();
            Arc::new(values.unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x }))
        }
        _ => column.clone(),
    }
}
