//! Bytes of JSON text: white space, strings and escapes, and values that nobody wants.
//!
//! All functions take the whole payload and a position, and return the position after what they read. `byte` gives 0
//! past the end, which no rule of the grammar accepts, so the end needs no check of its own on the fast paths.

use super::decoder::DEPTH_MAX;
use super::fault::{FaultKind, Parse, fault, unexpected};
use super::number;

/// The byte at `at`, or 0 past the end.
#[inline(always)]
pub(super) fn byte(buf: &[u8], at: usize) -> u8 {
    match buf.get(at) {
        Some(byte) => *byte,
        None => 0,
    }
}

/// The eight bytes at `at`, if there are so many.
#[inline(always)]
pub(super) fn word(buf: &[u8], at: usize) -> Option<u64> {
    buf.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The first position at or after `at` that holds no white space.
#[inline(always)]
pub(super) fn skip_space(buf: &[u8], mut at: usize) -> usize {
    while matches!(byte(buf, at), b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

/// A stretch of string text without quote, backslash and control character.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// Position of the byte that ended it; the payload's length if none did.
    pub(super) end: usize,
    /// False only if all of its bytes are ASCII; may be true although they are.
    pub(super) wide: bool,
}

const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Marks (0x80) the bytes of `word` that end a run. Only the lowest mark is exact, and only it is used.
///
/// Flipping bit 1 puts the quote (0x22) right behind the control characters (under 0x20), so that one subtraction finds
/// both; a byte over 0x7F is none of them, and is left out at the end.
#[inline(always)]
fn enders(word: u64) -> u64 {
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGH
}

/// Reads a run of plain string text from `at`.
#[inline(always)]
pub(super) fn run(buf: &[u8], at: usize) -> Run {
    let mut end = at;
    let mut seen = 0;
    let (words, _) = buf.get(at..).unwrap_or_default().as_chunks();
    for bytes in words {
        let word = u64::from_le_bytes(*bytes);
        seen |= word;
        let found = enders(word);
        if found != 0 {
            return Run { end: end + (found.trailing_zeros() / 8) as usize, wide: seen & HIGH != 0 };
        }
        end += 8;
    }
    run_tail(buf, end, seen & HIGH != 0)
}

/// The rest of a run, where less than a word of the payload is left.
#[cold]
fn run_tail(buf: &[u8], mut end: usize, mut wide: bool) -> Run {
    while let Some(byte) = buf.get(end).filter(|b| !matches!(b, b'"' | b'\\' | 0..0x20)) {
        wide |= *byte >= 0x80;
        end += 1;
    }
    Run { end, wide }
}

/// Fails unless `buf[from..to]` is UTF-8.
pub(super) fn check_utf8(buf: &[u8], from: usize, to: usize) -> Parse<()> {
    match std::str::from_utf8(&buf[from..to]) {
        Ok(_) => Ok(()),
        Err(error) => fault(FaultKind::InvalidUtf8, from + error.valid_up_to()),
    }
}

/// Appends the string whose text begins at `at` (after its quote) to `out`, unescaped and checked to be UTF-8.
/// After a fault `out` may hold a part of it.
#[inline(always)]
pub(super) fn string(buf: &[u8], at: usize, out: &mut Vec<u8>) -> Parse<usize> {
    let run = run(buf, at);
    if byte(buf, run.end) == b'"' && !run.wide {
        copy(buf, at, run.end, out);
        return Ok(run.end + 1);
    }
    string_with_escapes(buf, at, run, out)
}

/// Appends `buf[from..to]` to `out`. Copying a fixed number of bytes and cutting off the rest spares short strings the
/// call of `memcpy`.
#[inline(always)]
fn copy(buf: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
    const SHORT: usize = 32;
    let length = to - from;
    match buf.get(from..).and_then(|rest| rest.first_chunk::<SHORT>()) {
        Some(chunk) if length <= SHORT => {
            let end = out.len() + length;
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&buf[from..to]),
    }
}

/// The general case of `string`; `first` is the run at `at`.
#[inline(never)]
fn string_with_escapes(buf: &[u8], at: usize, first: Run, out: &mut Vec<u8>) -> Parse<usize> {
    let mut from = at;
    let mut next = first;
    loop {
        if next.wide {
            check_utf8(buf, from, next.end)?;
        }
        copy(buf, from, next.end, out);
        match byte(buf, next.end) {
            b'"' => return Ok(next.end + 1),
            b'\\' => {
                let (character, after) = escape(buf, next.end)?;
                match u8::try_from(character) {
                    Ok(ascii) if ascii < 0x80 => out.push(ascii),
                    _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                }
                from = after;
                next = run(buf, after);
            }
            _ => return unexpected(buf, FaultKind::ControlCharacter, next.end),
        }
    }
}

/// Reads the string whose text begins at `at` (after its quote) as `string` does, and keeps nothing.
#[inline(always)]
pub(super) fn skip_string(buf: &[u8], at: usize) -> Parse<usize> {
    let run = run(buf, at);
    if byte(buf, run.end) == b'"' && !run.wide {
        return Ok(run.end + 1);
    }
    skip_string_with_escapes(buf, at, run)
}

#[inline(never)]
fn skip_string_with_escapes(buf: &[u8], at: usize, first: Run) -> Parse<usize> {
    let mut from = at;
    let mut next = first;
    loop {
        if next.wide {
            check_utf8(buf, from, next.end)?;
        }
        match byte(buf, next.end) {
            b'"' => return Ok(next.end + 1),
            b'\\' => {
                from = escape(buf, next.end)?.1;
                next = run(buf, from);
            }
            _ => return unexpected(buf, FaultKind::ControlCharacter, next.end),
        }
    }
}

/// The character that the escape at `at` (its backslash) stands for. A surrogate must have its partner, as text that
/// lacks it has no UTF-8.
fn escape(buf: &[u8], at: usize) -> Parse<(char, usize)> {
    let character = match byte(buf, at + 1) {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode_escape(buf, at),
        _ => return unexpected(buf, FaultKind::Escape, at + 1),
    };
    Ok((character, at + 2))
}

fn unicode_escape(buf: &[u8], at: usize) -> Parse<(char, usize)> {
    let first = hex4(buf, at + 2)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, at + 6));
    }
    if first >= 0xDC00 {
        return fault(FaultKind::Surrogate, at);
    }
    let next = at + 6;
    for (at, wanted) in [(next, b'\\'), (next + 1, b'u')] {
        if byte(buf, at) != wanted {
            return unexpected(buf, FaultKind::Surrogate, at);
        }
    }
    let second = hex4(buf, next + 2)?.wrapping_sub(0xDC00);
    match char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second & 0x3FF)) {
        Some(character) if second < 0x400 => Ok((character, next + 6)),
        _ => fault(FaultKind::Surrogate, next),
    }
}

/// Four hexadecimal digits.
fn hex4(buf: &[u8], at: usize) -> Parse<u32> {
    let mut value = 0;
    for at in at..at + 4 {
        match char::from(byte(buf, at)).to_digit(16) {
            Some(digit) => value = value * 16 + digit,
            None => return unexpected(buf, FaultKind::Escape, at),
        }
    }
    Ok(value)
}

/// Reads `true`, `false` or `null` at `at`.
#[inline(always)]
pub(super) fn literal(buf: &[u8], at: usize, text: &'static [u8]) -> Parse<usize> {
    match buf.get(at..) {
        Some(rest) if rest.starts_with(text) => Ok(at + text.len()),
        _ => literal_fault(buf, at, text),
    }
}

/// A literal that is cut short by the end of the payload is a truncation, not a misspelling.
#[cold]
#[inline(never)]
fn literal_fault(buf: &[u8], at: usize, text: &[u8]) -> Parse<usize> {
    match buf.get(at..) {
        Some(rest) if !text.starts_with(rest) => fault(FaultKind::Literal, at),
        _ => fault(FaultKind::Truncated, buf.len()),
    }
}

/// Reads any value at `at` (white space before it allowed) by the grammar, and keeps nothing. `depth` counts the
/// brackets that are open already.
#[inline]
pub(super) fn skip_value(buf: &[u8], at: usize, depth: usize) -> Parse<usize> {
    let at = skip_space(buf, at);
    match byte(buf, at) {
        b'"' => skip_string(buf, at + 1),
        b'-' | b'0'..=b'9' => number::skip(buf, at),
        b't' => literal(buf, at, b"true"),
        b'f' => literal(buf, at, b"false"),
        b'n' => literal(buf, at, b"null"),
        b'{' | b'[' => skip_nested(buf, at, depth),
        _ => unexpected(buf, FaultKind::Value, at),
    }
}

#[inline(never)]
fn skip_nested(buf: &[u8], at: usize, depth: usize) -> Parse<usize> {
    if depth >= DEPTH_MAX {
        return fault(FaultKind::TooDeep, at);
    }
    let is_object = byte(buf, at) == b'{';
    let mut at = skip_space(buf, at + 1);
    if byte(buf, at) == if is_object { b'}' } else { b']' } {
        return Ok(at + 1);
    }
    loop {
        if is_object {
            at = skip_key(buf, at)?;
        }
        at = skip_space(buf, skip_value(buf, at, depth + 1)?);
        match (byte(buf, at), is_object) {
            (b',', true) => at = skip_space(buf, at + 1),
            (b',', false) => at += 1,
            (b'}', true) | (b']', false) => return Ok(at + 1),
            (_, true) => return unexpected(buf, FaultKind::CommaOrBrace, at),
            (_, false) => return unexpected(buf, FaultKind::CommaOrBracket, at),
        }
    }
}

/// Reads a key at `at` and its colon, and keeps nothing.
pub(super) fn skip_key(buf: &[u8], at: usize) -> Parse<usize> {
    if byte(buf, at) != b'"' {
        return unexpected(buf, FaultKind::Key, at);
    }
    let end = skip_space(buf, skip_string(buf, at + 1)?);
    if byte(buf, end) != b':' {
        return unexpected(buf, FaultKind::Colon, end);
    }
    Ok(end + 1)
}
