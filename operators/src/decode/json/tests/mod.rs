//! Tests of the decoder as a whole, through its public face.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use expect_test::Expect;

use super::*;

mod genuine;
mod grammar;
mod limits;
mod nested;
mod numbers;
mod random;
mod rejects;
mod throughput;
mod values;

/// A decoder of fields given by name and type.
fn decoder(fields: &[(&str, DataType)]) -> JsonDecoder {
    let field = |(name, data_type): &(&str, DataType)| Field { name: (*name).into(), data_type: data_type.clone() };
    JsonDecoder::new(fields.iter().map(field).collect(), None).unwrap()
}

/// The rows so far.
fn take(decoder: &mut JsonDecoder) -> RecordBatch {
    let rows = decoder.len();
    let batch = RecordBatch::try_new(decoder.schema(), decoder.finish()).unwrap();
    assert_eq!(batch.num_rows(), rows);
    assert_eq!((decoder.len(), decoder.bytes()), (0, 0));
    batch
}

/// The batch as a table, where null and the empty string can be told apart. Timestamps are shown under an offset, as names
/// of zones can only be shown with a database of zones.
fn table(batch: RecordBatch) -> String {
    let shown = |(field, column): (&arrow::datatypes::FieldRef, &ArrayRef)| {
        let column = match column.as_any().downcast_ref::<TimestampMicrosecondArray>() {
            Some(moments) => Arc::new(moments.clone().with_timezone("+00:00")),
            None => column.clone(),
        };
        (field.name().clone(), column)
    };
    let batch = RecordBatch::try_from_iter(batch.schema().fields().iter().zip(batch.columns()).map(shown)).unwrap();
    let options = arrow::util::display::FormatOptions::default().with_null("null");
    let text = arrow::util::pretty::pretty_format_batches_with_options(&[batch], &options).unwrap();
    text.to_string()
}

/// Decodes records into one batch: the reasons of those that were refused, then the rows.
fn check(fields: &[(&str, DataType)], records: &[&str], expect: Expect) {
    let mut decoder = decoder(fields);
    let mut seen = String::new();
    for record in records {
        if let Err(reason) = decoder.decode(Some(record.as_bytes())) {
            seen += &format!("{record}: {reason}\n");
        }
    }
    seen += &table(take(&mut decoder));
    expect.assert_eq(&seen);
}

/// The only row of one record.
fn row(decoder: &mut JsonDecoder, record: &[u8]) -> String {
    decoder.decode(Some(record)).unwrap();
    table(take(decoder))
}
