//! What went wrong inside a record: small and `Copy`, so that the parsing functions return it in registers. It becomes
//! a `RejectReason` once, at the end, when the field's name is known.

use super::decoder::{DEPTH_MAX, NESTED_VALUES_MAX};
use super::reason::{Expected, JsonKind, RejectReason};

/// A fault at a byte of the payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// Position from the start of the payload; fits because `RECORD_BYTES_LIMIT` does.
    at: u32,
}

/// The kinds of fault; each is a kind of `RejectReason`.
#[derive(Clone, Copy, Debug)]
pub(super) enum FaultKind {
    NotAnObject,
    InvalidUtf8,
    Truncated,
    TrailingBytes,
    TooDeep,
    TooManyValues,
    WrongType,
    OutOfRange,
    Fraction,
    BadText,
    Value,
    Number,
    Literal,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    ControlCharacter,
    Escape,
    Surrogate,
    DuplicateMapKey,
}

pub(super) type Parse<T> = Result<T, Fault>;

/// Makes a fault. Never inlined: it keeps the fast paths short.
#[cold]
#[inline(never)]
pub(super) fn fault<T>(kind: FaultKind, at: usize) -> Parse<T> {
    Err(Fault { kind, at: at as u32 })
}

/// What is wrong at `at`, where a grammar rule of `kind` was not met: the end of the payload, or a wrong byte.
#[cold]
#[inline(never)]
pub(super) fn unexpected<T>(buf: &[u8], kind: FaultKind, at: usize) -> Parse<T> {
    if at >= buf.len() { fault(FaultKind::Truncated, buf.len()) } else { fault(kind, at) }
}

/// What is wrong at `at`, where a value of another type was expected: the end, another type, or no JSON.
#[cold]
#[inline(never)]
pub(super) fn wrong_type<T>(buf: &[u8], at: usize) -> Parse<T> {
    match buf.get(at).map(|first| JsonKind::of(*first)) {
        None => fault(FaultKind::Truncated, buf.len()),
        Some(JsonKind::NotJson) => fault(FaultKind::Value, at),
        Some(_) => fault(FaultKind::WrongType, at),
    }
}

impl Fault {
    /// The reason in words for the rejects; `field` is what was being read, with its declared type.
    pub(super) fn reason(self, payload: &[u8], field: &str, expected: Expected) -> RejectReason {
        let at = self.at as usize;
        let found = payload.get(at).map_or(JsonKind::NotJson, |first| JsonKind::of(*first));
        let field = || field.to_owned();
        let what = match self.kind {
            FaultKind::NotAnObject => return RejectReason::NotAnObject { found, at },
            FaultKind::InvalidUtf8 => return RejectReason::InvalidUtf8 { at },
            FaultKind::Truncated => return RejectReason::Truncated { at },
            FaultKind::TrailingBytes => return RejectReason::TrailingBytes { at },
            FaultKind::TooDeep => return RejectReason::TooDeep { at, depth_max: DEPTH_MAX },
            FaultKind::TooManyValues => {
                return RejectReason::TooManyValues { field: field(), values_max: NESTED_VALUES_MAX };
            }
            FaultKind::WrongType => return RejectReason::WrongType { field: field(), expected, found, at },
            FaultKind::OutOfRange => return RejectReason::OutOfRange { field: field(), expected, at },
            FaultKind::Fraction => return RejectReason::Fraction { field: field(), expected, at },
            FaultKind::BadText => return RejectReason::BadText { field: field(), expected, at },
            FaultKind::Value => "expected a value",
            FaultKind::Number => "a number ends or goes on wrongly",
            FaultKind::Literal => "expected true, false or null",
            FaultKind::KeyOrEnd => "expected a key or `}`",
            FaultKind::Key => "expected a key",
            FaultKind::Colon => "expected `:`",
            FaultKind::CommaOrBrace => "expected `,` or `}`",
            FaultKind::CommaOrBracket => "expected `,` or `]`",
            FaultKind::ControlCharacter => "a control character inside a string",
            FaultKind::Escape => "no such escape",
            FaultKind::Surrogate => "a surrogate without its partner",
            FaultKind::DuplicateMapKey => "the key occurs twice in a map",
        };
        RejectReason::Syntax { at, what }
    }
}
