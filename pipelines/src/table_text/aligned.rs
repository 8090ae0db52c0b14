//! A table of aligned columns: numbers to the right, the rest to the left.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::columns::{columns_of, cut, padded};

/// Rows that are kept back to find the columns' widths. Later rows may widen a column from there on.
const ALIGNED_ROWS_MAX: usize = 10_000;
/// Bytes of text that are kept back for the same reason.
const ALIGNED_BYTES_MAX: usize = 16 << 20;

/// A table under way.
pub(super) struct AlignedTable<W> {
    out: W,
    names: Vec<String>,
    to_the_right: Vec<bool>,
    columns_max: usize,
    widths: Vec<usize>,
    waiting: Vec<Vec<String>>,
    waiting_bytes: usize,
    head_is_written: bool,
    rows: u64,
}

impl<W: Write> AlignedTable<W> {
    pub fn new(out: W, schema: SchemaRef, columns_max: Option<usize>) -> Self {
        let columns_max = columns_max.unwrap_or(usize::MAX / 8);
        let names: Vec<String> = schema.fields().iter().map(|f| cut(f.name(), columns_max)).collect();
        Self {
            out,
            widths: names.iter().map(|n| columns_of(n)).collect(),
            names,
            to_the_right: schema.fields().iter().map(|f| f.data_type().is_numeric()).collect(),
            columns_max,
            waiting: Vec::new(),
            waiting_bytes: 0,
            head_is_written: false,
            rows: 0,
        }
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let options = FormatOptions::default().with_null("NULL").with_display_error(false);
        let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let mut cells = Vec::with_capacity(columns.len());
            for (i, column) in columns.iter().enumerate() {
                let cell = cut(&column.value(row).try_to_string()?, self.columns_max);
                self.widths[i] = self.widths[i].max(columns_of(&cell));
                self.waiting_bytes += cell.len();
                cells.push(cell);
            }
            self.waiting.push(cells);
            if self.waiting.len() >= ALIGNED_ROWS_MAX || self.waiting_bytes >= ALIGNED_BYTES_MAX {
                self.write_waiting()?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), ArrowError> {
        self.write_waiting()?;
        writeln!(self.out, "({} {})", self.rows, if self.rows == 1 { "row" } else { "rows" })?;
        Ok(self.out.flush()?)
    }

    fn write_waiting(&mut self) -> Result<(), ArrowError> {
        if !self.head_is_written {
            self.head_is_written = true;
            let head = self.line(&self.names);
            let rules: Vec<String> = self.widths.iter().map(|w| "-".repeat(w + 2)).collect();
            writeln!(self.out, "{head}\n{}", rules.join("+"))?;
        }
        for cells in std::mem::take(&mut self.waiting) {
            let line = self.line(&cells);
            writeln!(self.out, "{line}")?;
            self.rows += 1;
        }
        self.waiting_bytes = 0;
        Ok(())
    }

    fn line(&self, cells: &[String]) -> String {
        let cells = cells.iter().zip(&self.widths).zip(&self.to_the_right);
        let cells: Vec<String> = cells.map(|((c, w), right)| padded(c, *w, *right)).collect();
        format!(" {}", cells.join(" | ")).trim_end().to_owned()
    }
}
