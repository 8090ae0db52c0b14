//! The batch that every log-like source gives: where each record lies in its log, and its bytes, undecoded.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// `_topic Utf8`: the topic's (stream's) name.
pub const TOPIC: usize = 0;
/// `_partition Int32`: the part of the log that the record lies in.
pub const PARTITION: usize = 1;
/// `_offset Int64`: where in the partition it lies; unique there, and growing.
pub const OFFSET: usize = 2;
/// `_timestamp Timestamp(us, UTC)`, nullable: when the log took it, if the log knows.
pub const TIMESTAMP: usize = 3;
/// `_key Binary`, nullable: the record's key.
pub const KEY: usize = 4;
/// `payload Binary`, nullable: the record's bytes; null is a tombstone.
pub const PAYLOAD: usize = 5;

/// A batch stops taking records once it holds this many payload bytes, whatever the poll's budget says: the columns'
/// 32-bit offsets must hold it and one more record of the largest size there is (1 GB).
pub const BATCH_BYTES_MAX: usize = 1 << 30;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let us = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("_topic", DataType::Utf8, false),
        Field::new("_partition", DataType::Int32, false),
        Field::new("_offset", DataType::Int64, false),
        Field::new("_timestamp", us, true),
        Field::new("_key", DataType::Binary, true),
        Field::new("payload", DataType::Binary, true),
    ]))
});

/// The schema of a raw batch; the constants of this module are its columns' places.
pub fn raw_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// Builds raw batches of one topic; each record's bytes are copied once.
#[derive(Debug)]
pub struct RawBatchBuilder {
    topic: Box<str>,
    /// The topic's name many times over: each batch takes a slice of it, which copies nothing.
    topics: StringArray,
    partition: Vec<i32>,
    offset: Vec<i64>,
    timestamp_us: Vec<i64>,
    timestamp_null: Nulls,
    key: Bytes,
    payload: Bytes,
}

impl RawBatchBuilder {
    /// A builder with no rows in it.
    pub fn new(topic: &str) -> Self {
        Self {
            topic: topic.into(),
            topics: StringArray::from_iter_values([] as [&str; 0]),
            partition: Vec::new(),
            offset: Vec::new(),
            timestamp_us: Vec::new(),
            timestamp_null: Nulls::default(),
            key: Bytes::default(),
            payload: Bytes::default(),
        }
    }

    /// Adds a record.
    #[inline]
    pub fn push(
        &mut self,
        partition: i32,
        offset: i64,
        timestamp_us: Option<i64>,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
    ) {
        self.place(partition, offset, timestamp_us);
        self.key.push(key);
        self.payload.push(payload);
    }

    /// The end of the payloads' buffer, for a reader that can write there itself. Only append, and take back what was
    /// appended since the last row at most; then call [`push_appended`](Self::push_appended).
    pub fn payload_buffer(&mut self) -> &mut Vec<u8> {
        &mut self.payload.values
    }

    /// Adds a record without key and timestamp, whose payload has been appended to the payloads' buffer.
    pub fn push_appended(&mut self, partition: i32, offset: i64) {
        self.place(partition, offset, None);
        self.key.push(None);
        self.payload.close();
    }

    fn place(&mut self, partition: i32, offset: i64, timestamp_us: Option<i64>) {
        self.partition.push(partition);
        self.offset.push(offset);
        self.timestamp_null.push(timestamp_us.is_some());
        self.timestamp_us.push(timestamp_us.unwrap_or(0));
    }

    /// Rows that it holds.
    pub fn len(&self) -> usize {
        self.offset.len()
    }

    /// True when it holds no row.
    pub fn is_empty(&self) -> bool {
        self.offset.is_empty()
    }

    /// Bytes of payloads and keys that it holds.
    pub fn bytes(&self) -> usize {
        self.payload.values.len() + self.key.values.len()
    }

    /// The rows as a batch of [`raw_schema`]; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        let rows = self.len();
        let timestamp = TimestampMicrosecondArray::new(
            ScalarBuffer::from(renew(&mut self.timestamp_us)),
            self.timestamp_null.finish(),
        );
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.topic_column(rows)),
            Arc::new(Int32Array::from(renew(&mut self.partition))),
            Arc::new(Int64Array::from(renew(&mut self.offset))),
            Arc::new(timestamp.with_timezone("UTC")),
            Arc::new(self.key.finish()),
            Arc::new(self.payload.finish()),
        ];
        RecordBatch::try_new(raw_schema(), columns)
            .expect("the columns were made for this schema, with a value for each row")
    }

    fn topic_column(&mut self, rows: usize) -> StringArray {
        if self.topics.len() < rows {
            self.topics = StringArray::from_iter_values(std::iter::repeat_n(&*self.topic, rows.next_power_of_two()));
        }
        self.topics.slice(0, rows)
    }
}

/// A binary column in the making.
#[derive(Debug)]
struct Bytes {
    ends: Vec<i32>,
    values: Vec<u8>,
    nulls: Nulls,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { ends: vec![0], values: Vec::new(), nulls: Nulls::default() }
    }
}

impl Bytes {
    #[inline]
    fn push(&mut self, value: Option<&[u8]>) {
        if let Some(v) = value {
            self.values.extend_from_slice(v);
        }
        self.nulls.push(value.is_some());
        self.end();
    }

    fn close(&mut self) {
        self.nulls.push(true);
        self.end();
    }

    fn end(&mut self) {
        self.ends.push(i32::try_from(self.values.len()).expect("sources stop at BATCH_BYTES_MAX"));
    }

    fn finish(&mut self) -> BinaryArray {
        let ends = renew(&mut self.ends);
        self.ends.push(0);
        let values = Buffer::from_vec(renew(&mut self.values));
        BinaryArray::new(OffsetBuffer::new(ScalarBuffer::from(ends)), values, self.nulls.finish())
    }
}

/// Which rows are null: one byte a row while it is filled, and nothing at all until the first null.
#[derive(Debug, Default)]
struct Nulls {
    rows: usize,
    valid: Vec<bool>,
}

impl Nulls {
    #[inline]
    fn push(&mut self, valid: bool) {
        if !valid || !self.valid.is_empty() {
            self.valid.resize(self.rows, true);
            self.valid.push(valid);
        }
        self.rows += 1;
    }

    fn finish(&mut self) -> Option<NullBuffer> {
        self.rows = 0;
        let valid = renew(&mut self.valid);
        if valid.is_empty() { None } else { Some(NullBuffer::from(valid)) }
    }
}

/// Takes what a buffer holds and leaves an empty one with room for a little more: batches are alike, and growing copies.
fn renew<T>(buffer: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(buffer.len() + buffer.len() / 8);
    std::mem::replace(buffer, next)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;
    use proptest::prelude::*;

    use super::*;

    type Row = (i32, i64, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>);

    fn read(batch: &RecordBatch) -> Vec<Row> {
        let bytes = |column: usize, i: usize| {
            let a = batch.column(column).as_binary::<i32>();
            a.is_valid(i).then(|| a.value(i).to_vec())
        };
        let ts = batch.column(TIMESTAMP).as_primitive::<TimestampMicrosecondType>();
        (0..batch.num_rows())
            .map(|i| {
                assert_eq!(batch.column(TOPIC).as_string::<i32>().value(i), "t");
                let partition = batch.column(PARTITION).as_primitive::<arrow::datatypes::Int32Type>().value(i);
                let offset = batch.column(OFFSET).as_primitive::<arrow::datatypes::Int64Type>().value(i);
                (partition, offset, ts.is_valid(i).then(|| ts.value(i)), bytes(KEY, i), bytes(PAYLOAD, i))
            })
            .collect()
    }

    proptest! {
        /// What goes in comes out, nulls and empty values apart, over several batches of one builder.
        #[test]
        fn rows_come_out_as_they_went_in(batches in prop::collection::vec(prop::collection::vec(any::<Row>(), 0..40), 1..4)) {
            let mut builder = RawBatchBuilder::new("t");
            for rows in batches {
                for (partition, offset, timestamp, key, payload) in &rows {
                    builder.push(*partition, *offset, *timestamp, key.as_deref(), payload.as_deref());
                }
                prop_assert_eq!(builder.len(), rows.len());
                let batch = builder.finish();
                prop_assert_eq!(batch.schema(), raw_schema());
                prop_assert_eq!(read(&batch), rows);
                prop_assert!(builder.is_empty() && builder.bytes() == 0);
            }
        }
    }

    /// A payload that was appended directly is a row like any other.
    #[test]
    fn appended_payloads() {
        let mut builder = RawBatchBuilder::new("t");
        builder.push(1, 5, Some(7), Some(b"k"), None);
        builder.payload_buffer().extend_from_slice(b"abcd");
        builder.payload_buffer().pop();
        builder.push_appended(2, 6);
        builder.push_appended(2, 7);
        let rows = read(&builder.finish());
        assert_eq!(
            rows,
            [
                (1, 5, Some(7), Some(b"k".to_vec()), None),
                (2, 6, None, None, Some(b"abc".to_vec())),
                (2, 7, None, None, Some(vec![]))
            ]
        );
    }
}
