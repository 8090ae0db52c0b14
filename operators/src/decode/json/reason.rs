//! Why a record was not decoded.

use std::fmt;

use thiserror::Error;

/// Why a record was turned away. It goes into the rejects beside the record's bytes; positions are bytes from the start
/// of the payload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RejectReason {
    /// The record has no payload at all (Kafka's mark for a deleted key).
    #[error("tombstone: the record has no payload")]
    Tombstone,
    /// The payload has no bytes, or white space only.
    #[error("the message is empty")]
    Empty,
    /// The payload is larger than the decoder takes.
    #[error("the record has {bytes} bytes, more than the {bytes_max} that are decoded")]
    TooLarge {
        /// Size of the payload.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The batch under construction cannot take the record: the caller has not taken its columns for too long. This is
    /// no fault of the record: call `finish` and decode it again.
    #[error("the batch is full; take its columns and decode the record again")]
    BatchFull,
    /// The payload is some other JSON value, or no JSON at all.
    #[error("expected a JSON object, got {found} at byte {at}")]
    NotAnObject {
        /// What the first byte begins.
        found: JsonKind,
        /// Position of that byte.
        at: usize,
    },
    /// A string or a key is not UTF-8.
    #[error("invalid UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// Position of the first byte that is wrong.
        at: usize,
    },
    /// The text breaks the grammar of JSON.
    #[error("syntax error at byte {at}: {what}")]
    Syntax {
        /// Position at which it goes wrong.
        at: usize,
        /// What was expected there.
        what: &'static str,
    },
    /// The payload ends inside the object.
    #[error("truncated: the object is not closed at the end, byte {at}")]
    Truncated {
        /// Length of the payload.
        at: usize,
    },
    /// Something other than white space follows the object.
    #[error("trailing bytes after the object, at byte {at}")]
    TrailingBytes {
        /// Position of the first of them.
        at: usize,
    },
    /// Objects and arrays are nested deeper than the decoder follows.
    #[error("nested deeper than {depth_max} levels at byte {at}")]
    TooDeep {
        /// Position of the bracket that was one too many.
        at: usize,
        /// The bound.
        depth_max: usize,
    },
    /// One record holds more values in nested columns than the decoder takes.
    #[error("field `{field}` holds more than {values_max} nested values")]
    TooManyValues {
        /// The declared top-level field.
        field: String,
        /// The bound.
        values_max: usize,
    },
    /// The value of a field is of another type than the schema says.
    #[error("field `{field}`: expected {expected}, got {found} at byte {at}")]
    WrongType {
        /// The declared top-level field; the value may lie inside it.
        field: String,
        /// The declared type, in Spark's words.
        expected: Expected,
        /// What the payload has.
        found: JsonKind,
        /// Position of the value.
        at: usize,
    },
    /// A number does not fit the declared type.
    #[error("field `{field}`: number out of range for {expected} at byte {at}")]
    OutOfRange {
        /// The declared top-level field; the value may lie inside it.
        field: String,
        /// The declared type, in Spark's words.
        expected: Expected,
        /// Position of the value.
        at: usize,
    },
    /// A number with a fraction where a whole one was declared.
    #[error("field `{field}`: expected {expected}, got a number with a fraction at byte {at}")]
    Fraction {
        /// The declared top-level field; the value may lie inside it.
        field: String,
        /// The declared type, in Spark's words.
        expected: Expected,
        /// Position of the value.
        at: usize,
    },
    /// A string whose text is not a value of the declared type (dates, timestamps, base64, decimals).
    #[error("field `{field}`: the string at byte {at} is no {expected}")]
    BadText {
        /// The declared top-level field; the value may lie inside it.
        field: String,
        /// The declared type, in Spark's words.
        expected: Expected,
        /// Position of the value.
        at: usize,
    },
}

/// The kind of a JSON value, told from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// A digit or `-`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
    /// No JSON value begins like this.
    NotJson,
}

impl JsonKind {
    /// The kind of value that `first` begins.
    pub(super) fn of(first: u8) -> Self {
        match first {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::String,
            b'-' | b'0'..=b'9' => Self::Number,
            b't' | b'f' => Self::Bool,
            b'n' => Self::Null,
            _ => Self::NotJson,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Null => "null",
            Self::NotJson => "something that is not JSON",
        })
    }
}

/// A declared type, as the user wrote it (Spark's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A type that its name tells in full.
    Named(&'static str),
    /// `decimal(precision, scale)`
    Decimal(u8, i8),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
        }
    }
}
