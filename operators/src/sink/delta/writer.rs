//! Encodes one data file in memory.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sluice_engine::{Error, Result};

use super::stats::stats_json;

/// The end of a data file's name: says how its pages are compressed.
pub(super) const FILE_SUFFIX: &str = ".snappy.parquet";
/// A column whose values do not repeat gives its dictionary up at this size.
const DICTIONARY_BYTES_MAX: usize = 256 << 10;

/// How the files of a table are encoded: the same for all of them.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    columns: SchemaRef,
    properties: WriterProperties,
    floats: Arc<[usize]>,
}

impl Encoding {
    pub(super) fn new(columns: SchemaRef, row_group_rows: usize) -> Self {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("sluice ", env!("CARGO_PKG_VERSION")).to_string())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
            .set_max_row_group_row_count(Some(row_group_rows))
            .build();
        let floats = (0..columns.fields().len())
            .filter(|&i| matches!(columns.field(i).data_type(), DataType::Float32 | DataType::Float64))
            .collect();
        Self { columns, properties, floats }
    }

    pub(super) fn begin(&self) -> Result<OpenFile> {
        let writer = ArrowWriter::try_new(Vec::new(), self.columns.clone(), Some(self.properties.clone()))
            .map_err(encoding_error)?;
        let nan = vec![false; self.columns.fields().len()];
        Ok(OpenFile { writer, columns: self.columns.clone(), floats: self.floats.clone(), nan, rows: 0 })
    }
}

/// A data file that still takes rows.
pub(super) struct OpenFile {
    writer: ArrowWriter<Vec<u8>>,
    columns: SchemaRef,
    floats: Arc<[usize]>,
    nan: Vec<bool>,
    rows: u64,
}

/// A data file that is whole.
pub(super) struct FinishedFile {
    pub(super) bytes: Bytes,
    pub(super) rows: u64,
    /// The log's statistics, as JSON.
    pub(super) stats: String,
}

impl OpenFile {
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        for &i in self.floats.iter() {
            self.nan[i] = self.nan[i] || has_nan(rows.column(i));
        }
        self.rows += rows.num_rows() as u64;
        self.writer.write(rows).map_err(encoding_error)
    }

    /// How big the file would be if it ended now, about, in bytes.
    pub(super) fn file_bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Bytes of memory that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.writer.inner().capacity() + self.writer.memory_size()
    }

    pub(super) fn finish(mut self) -> Result<FinishedFile> {
        let metadata = self.writer.finish().map_err(encoding_error)?;
        let stats = stats_json(&metadata, self.columns.fields(), &self.nan);
        // `into_inner` would write the footer a second time.
        let bytes = Bytes::from(std::mem::take(self.writer.inner_mut()));
        Ok(FinishedFile { bytes, rows: self.rows, stats })
    }
}

fn has_nan(column: &dyn Array) -> bool {
    match column.data_type() {
        DataType::Float32 => column.as_primitive::<Float32Type>().values().iter().any(|x| x.is_nan()),
        DataType::Float64 => column.as_primitive::<Float64Type>().values().iter().any(|x| x.is_nan()),
        _ => false,
    }
}

fn encoding_error(e: ParquetError) -> Error {
    Error::bug("rows could not be encoded as parquet").because(e)
}
