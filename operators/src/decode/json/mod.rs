//! JSON objects into Arrow columns.
//!
//! Written for one case above all: a stream of records of one known shape, a few hundred bytes each. So there is no
//! document in between: the schema says which column a key belongs to, and the value is parsed as that column's type right
//! where it stands. Strings are plain text in most cases and are copied as they are; only what has a byte over 0x7F is
//! checked to be UTF-8, as the grammar lets nothing but ASCII stand outside of strings.
//!
//! `decoder` walks over the record; `keys` knows the fields, `scan` strings and structure, `number`, `time` and `base64` the
//! texts of values; `column` and `nested` take the values, `validity` says which are null; `reason` is what becomes of bad
//! records.

mod base64;
mod column;
mod config;
mod decoder;
mod event_time;
mod fault;
mod keys;
mod nested;
mod number;
mod operator;
mod progress;
mod reason;
mod replayed;
mod scan;
mod time;
mod validity;

#[cfg(test)]
mod tests;

pub use config::{DecodeConfigError, FIELDS_MAX, Field, RESCUED};
pub use decoder::{BATCH_BYTES_MAX, DEPTH_MAX, JsonDecoder, NESTED_VALUES_MAX, RECORD_BYTES_LIMIT, RECORD_BYTES_MAX};
pub use operator::{DECODED, DecodeJson, DecodeSpec, REJECTED, bronze_schema, rejects_schema};
pub use reason::{Expected, JsonKind, RejectReason};
pub use replayed::{DecodeReplayed, raw_of_rejects};
