//! Record batches as text or bytes, for `sluice query`.
//!
//! Batches are written as they come, so that a result of any size needs little memory, and `| head` ends a query early.

mod aligned;
mod columns;
mod nested;
mod pipe;

use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use sluice_engine::{Error, Result};

use aligned::AlignedTable;
pub(crate) use columns::{columns_of, cut, padded};
use pipe::{Pipe, PipeState};

/// Most columns of the screen that one column of a table takes on a terminal.
pub const TERMINAL_COLUMN_CHARS_MAX: usize = 60;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON object to a line; NULL is `null` and so are NaN and the infinities, binary is hex.
    Json,
    /// RFC 4180 with a header; NULL is empty, as an empty string is; nested values are JSON, binary is hex.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

/// Writes the batches of one result.
///
/// `write` once for each batch, then `finish` once. Either may answer `Break`: the reader has gone away (a closed pipe), which is a quiet
/// end and no error.
pub struct BatchWriter<W: Write> {
    format: Format,
    encoder: Encoder<Out<W>>,
    pipe: PipeState,
}

type Out<W> = BufWriter<Pipe<W>>;

enum Encoder<W: Write> {
    Table(AlignedTable<W>),
    Json(arrow::json::LineDelimitedWriter<W>),
    Csv(Box<arrow::csv::Writer<W>>),
    /// None once the reader has gone before the schema was written.
    Arrow(Option<arrow::ipc::writer::StreamWriter<W>>),
}

impl<W: Write> BatchWriter<W> {
    /// A writer of batches of `schema`. `column_chars_max` cuts the values of `Format::Table`:
    /// `Some(TERMINAL_COLUMN_CHARS_MAX)` on a terminal, `None` where values must stay whole.
    ///
    /// # Errors
    /// `Transient` when the output cannot be written, `Data` when the schema has no form in this format.
    pub fn new(out: W, schema: SchemaRef, format: Format, column_chars_max: Option<usize>) -> Result<Self> {
        let pipe = PipeState::default();
        let out = BufWriter::new(Pipe::new(out, pipe.clone()));
        let encoder = match format {
            Format::Table => Encoder::Table(AlignedTable::new(out, schema, column_chars_max)),
            Format::Json => Encoder::Json(arrow::json::WriterBuilder::new().with_explicit_nulls(true).build(out)),
            Format::Csv => {
                let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
                // The header, so that an empty result has one too.
                let header = writer.write(&nested::as_json(&RecordBatch::new_empty(schema))?);
                // `write` answers for a reader that has gone already.
                let _ = ended(format, &pipe, header)?;
                Encoder::Csv(Box::new(writer))
            }
            Format::Arrow => {
                let writer = arrow::ipc::writer::StreamWriter::try_new(out, &schema);
                match writer {
                    Ok(writer) => Encoder::Arrow(Some(writer)),
                    Err(e) => {
                        let _ = ended(format, &pipe, Err(e))?;
                        Encoder::Arrow(None)
                    }
                }
            }
        };
        Ok(Self { format, encoder, pipe })
    }

    /// Writes a batch. `Break`: nobody reads any more, stop the query.
    ///
    /// # Errors
    /// `Transient` when the output cannot be written, `Data` when a value has no form in this format.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        if self.pipe.is_closed() {
            return Ok(ControlFlow::Break(()));
        }
        let written = match &mut self.encoder {
            Encoder::Table(table) => table.write(batch),
            Encoder::Json(writer) => writer.write(batch).and_then(|()| Ok(writer.get_mut().flush()?)),
            Encoder::Csv(writer) => nested::as_json(batch).and_then(|b| writer.write(&b)),
            Encoder::Arrow(Some(writer)) => writer.write(batch).and_then(|()| writer.flush()),
            Encoder::Arrow(None) => Ok(()),
        };
        ended(self.format, &self.pipe, written)
    }

    /// Writes what is left: the last rows of a table, the end mark of a stream.
    ///
    /// # Errors
    /// As `write`.
    pub fn finish(self) -> Result<ControlFlow<()>> {
        if self.pipe.is_closed() {
            return Ok(ControlFlow::Break(()));
        }
        let written = match self.encoder {
            Encoder::Table(table) => table.finish(),
            Encoder::Json(mut writer) => writer.finish().and_then(|()| Ok(writer.get_mut().flush()?)),
            // Each write has flushed.
            Encoder::Csv(_) => Ok(()),
            Encoder::Arrow(Some(mut writer)) => writer.finish().and_then(|()| writer.flush()),
            Encoder::Arrow(None) => Ok(()),
        };
        ended(self.format, &self.pipe, written)
    }
}

/// Tells a reader that went away from an output that failed, and both from a value that has no text.
fn ended(format: Format, pipe: &PipeState, written: Result<(), ArrowError>) -> Result<ControlFlow<()>> {
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(_) if pipe.is_closed() => Ok(ControlFlow::Break(())),
        Err(e) if pipe.has_failed() => Err(Error::transient("the result cannot be written to its output").because(e)),
        Err(e) => {
            let format = format!("{format:?}").to_lowercase();
            let message = format!("the result cannot be written as {format}; cast the column, or use another --format");
            Err(Error::data(message).because(e))
        }
    }
}

#[cfg(test)]
mod tests;
