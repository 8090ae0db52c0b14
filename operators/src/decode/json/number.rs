//! Numbers: the grammar of JSON, whole numbers, doubles and decimals.

use super::fault::{FaultKind, Parse, fault, unexpected, wrong_type};
use super::scan::{byte, word};

/// A run of digits.
#[derive(Clone, Copy)]
struct Digits {
    value: u64,
    /// How many there are; `DIGITS_MAX + 1` if there are more than `DIGITS_MAX`, and then `value` means nothing.
    count: usize,
}

/// As many digits as the fast path reads: two words.
const DIGITS_MAX: usize = 16;

/// Reads up to `DIGITS_MAX` digits at `at`.
#[inline(always)]
fn digits(buf: &[u8], at: usize) -> Digits {
    let Some(low) = word(buf, at) else { return digits_tail(buf, at, Digits { value: 0, count: 0 }) };
    let first = digits_of(low);
    if first.count < 8 {
        return first;
    }
    let Some(high) = word(buf, at + 8) else { return digits_tail(buf, at + 8, first) };
    let second = digits_of(high);
    let more = byte(buf, at + 16).is_ascii_digit() && second.count == 8;
    Digits {
        value: first.value * POWERS_U64[second.count] + second.value,
        count: if more { DIGITS_MAX + 1 } else { 8 + second.count },
    }
}

/// Leading digits of eight bytes, without a loop: the first byte that is no digit is found by its bits, the digits before
/// it are moved to the end, behind zeros, and added up pairwise by three multiplications (Lemire, "Quickly parsing
/// eight digits", 2018).
#[inline(always)]
fn digits_of(word: u64) -> Digits {
    let nibbles = word ^ 0x3030_3030_3030_3030;
    let others = (nibbles.wrapping_add(0x7676_7676_7676_7676) | nibbles) & 0x8080_8080_8080_8080;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return Digits { value: 0, count };
    }
    let moved = nibbles << (64 - 8 * count);
    let pairs = moved.wrapping_mul(10).wrapping_add(moved >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    Digits { value: low.wrapping_add(high) >> 32, count }
}

/// `digits` where less than a word of the payload is left.
#[cold]
fn digits_tail(buf: &[u8], mut at: usize, mut found: Digits) -> Digits {
    while byte(buf, at).is_ascii_digit() && found.count <= DIGITS_MAX {
        found.value = found.value * 10 + u64::from(byte(buf, at) - b'0');
        found.count += 1;
        at += 1;
    }
    found
}

const POWERS_U64: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The powers of ten that a double holds exactly.
const POWERS_F64: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Reads a whole number at `at`. `123.0` and `1.5e3` are whole; a fraction is a fault, and so is what 64 bits do not hold.
#[inline(always)]
pub(super) fn integer(buf: &[u8], at: usize) -> Parse<(i64, usize)> {
    let negative = byte(buf, at) == b'-';
    let start = at + usize::from(negative);
    let digits = digits(buf, start);
    let end = start + digits.count;
    let leading_zero = byte(buf, start) == b'0' && digits.count > 1;
    let goes_on = matches!(byte(buf, end), b'.' | b'e' | b'E');
    if digits.count == 0 || digits.count > DIGITS_MAX || leading_zero || goes_on {
        return integer_in_full(buf, at);
    }
    // At most 16 digits, so it fits; the sign is applied without a branch, as it follows the data.
    let value = digits.value as i64;
    let sign = -i64::from(negative);
    Ok(((value ^ sign) - sign, end))
}

#[inline(never)]
fn integer_in_full(buf: &[u8], at: usize) -> Parse<(i64, usize)> {
    let end = skip(buf, at)?;
    let number = exact(&buf[at..end]);
    if number.exponent < 0 {
        return fault(FaultKind::Fraction, at);
    }
    let whole = power_of_ten(number.exponent).and_then(|power| number.digits.checked_mul(power));
    let whole = whole.filter(|_| !number.cut).and_then(|whole| i128::try_from(whole).ok());
    let signed = whole.map(|whole| if number.negative { -whole } else { whole });
    match signed.and_then(|signed| i64::try_from(signed).ok()) {
        Some(value) => Ok((value, end)),
        None => fault(FaultKind::OutOfRange, at),
    }
}

/// Reads a double at `at`, exactly rounded; a number beyond the doubles is a fault.
///
/// Up to 15 digits are a whole number that a double holds exactly, and so is the power of ten that divides it: one division
/// rounds once (Clinger, "How to read floating point numbers accurately", 1990).
#[inline(always)]
pub(super) fn double(buf: &[u8], at: usize) -> Parse<(f64, usize)> {
    let negative = byte(buf, at) == b'-';
    let start = at + usize::from(negative);
    let whole = digits(buf, start);
    let mut end = start + whole.count;
    let leading_zero = byte(buf, start) == b'0' && whole.count > 1;
    let mut fraction = Digits { value: 0, count: 0 };
    let mut plain = whole.count > 0 && !leading_zero;
    if byte(buf, end) == b'.' {
        fraction = digits(buf, end + 1);
        plain &= fraction.count > 0;
        end += 1 + fraction.count;
    }
    let goes_on = matches!(byte(buf, end), b'e' | b'E');
    if !plain || goes_on || whole.count + fraction.count > 15 {
        return double_in_full(buf, at);
    }
    let all = whole.value * POWERS_WHOLE[fraction.count] + fraction.value;
    let value = all as i64 as f64 / POWERS_F64[fraction.count];
    Ok((if negative { -value } else { value }, end))
}

const POWERS_WHOLE: [u64; 16] = {
    let mut powers = [1; 16];
    let mut at = 1;
    while at < 16 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

#[inline(never)]
fn double_in_full(buf: &[u8], at: usize) -> Parse<(f64, usize)> {
    let (text, end) = text(buf, at)?;
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((value, end)),
        _ => fault(FaultKind::OutOfRange, at),
    }
}

/// Reads a float of 32 bits at `at`, exactly rounded (by way of a double it would be rounded twice).
pub(super) fn float(buf: &[u8], at: usize) -> Parse<(f32, usize)> {
    let (text, end) = text(buf, at)?;
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok((value, end)),
        _ => fault(FaultKind::OutOfRange, at),
    }
}

/// Reads a decimal at `at`, as its digits at `scale`. Digits beyond the scale are rounded half up, as Spark does.
pub(super) fn decimal(buf: &[u8], at: usize, precision: u8, scale: i8) -> Parse<(i128, usize)> {
    let end = skip(buf, at)?;
    let number = exact(&buf[at..end]);
    let shift = number.exponent.saturating_add(i32::from(scale));
    let scaled = if shift >= 0 {
        // With 38 digits kept, a digit cut off counts only where nothing is left to shift.
        let digits = number.digits + u128::from(number.cut_rounds_up && shift == 0);
        power_of_ten(shift).filter(|_| !number.cut || shift == 0).and_then(|power| digits.checked_mul(power))
    } else {
        let rounded = power_of_ten(shift.saturating_neg())
            .map_or(0, |power| number.digits / power + u128::from(number.digits % power >= power / 2));
        Some(rounded)
    };
    let limit = power_of_ten(i32::from(precision)).unwrap_or(u128::MAX);
    match scaled.filter(|scaled| *scaled < limit).and_then(|scaled| i128::try_from(scaled).ok()) {
        Some(value) => Ok((if number.negative { -value } else { value }, end)),
        None => fault(FaultKind::OutOfRange, at),
    }
}

/// 10 to the power of `exponent`, up to 10^38.
fn power_of_ten(exponent: i32) -> Option<u128> {
    u32::try_from(exponent).ok().and_then(|exponent| 10_u128.checked_pow(exponent))
}

/// A number as `digits * 10^exponent`, with no zero at the end of `digits`.
struct Exact {
    negative: bool,
    digits: u128,
    exponent: i32,
    /// More significant digits than `digits` holds (38) were there, and are left out; some were not zero.
    cut: bool,
    /// The first digit left out was 5 or more.
    cut_rounds_up: bool,
}

/// Takes apart a number that `skip` has accepted.
fn exact(text: &[u8]) -> Exact {
    const DIGITS: u32 = 38;
    let (mut digits, mut count, mut point_shift) = (0_u128, 0_u32, 0_i64);
    let (mut cut, mut cut_rounds_up, mut dropped, mut after_point) = (false, false, 0_u64, false);
    let mut exponent = 0_i64;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                point_shift -= i64::from(after_point);
                let digit = byte - b'0';
                if count < DIGITS {
                    digits = digits * 10 + u128::from(digit);
                    count += u32::from(digits != 0);
                } else {
                    cut_rounds_up |= dropped == 0 && digit >= 5;
                    cut |= digit != 0;
                    dropped += 1;
                }
            }
            b'.' => after_point = true,
            b'e' | b'E' => {
                exponent = exponent_of(&text[at + 1..]);
                break;
            }
            _ => {}
        }
    }
    let mut exponent = exponent.saturating_add(point_shift).saturating_add(dropped as i64);
    while digits != 0 && digits % 10 == 0 && !cut {
        digits /= 10;
        exponent += 1;
    }
    if digits == 0 {
        exponent = 0;
    }
    // Beyond these bounds no type holds the number, however large the exponent is.
    let exponent = exponent.clamp(-1_000_000, 1_000_000) as i32;
    Exact { negative: text.first() == Some(&b'-'), digits, exponent, cut, cut_rounds_up }
}

/// The exponent's value, without overflow however many digits it has.
fn exponent_of(text: &[u8]) -> i64 {
    let magnitude = text
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0_i64, |sum, byte| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    if text.first() == Some(&b'-') { magnitude.saturating_neg() } else { magnitude }
}

/// The text of the number at `at`, and where it ends.
fn text(buf: &[u8], at: usize) -> Parse<(&str, usize)> {
    let end = skip(buf, at)?;
    let text = std::str::from_utf8(&buf[at..end]).expect("a number's text is ASCII: the grammar has let it pass");
    Ok((text, end))
}

/// Reads a number at `at` by the grammar: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
pub(super) fn skip(buf: &[u8], at: usize) -> Parse<usize> {
    let start = at + usize::from(byte(buf, at) == b'-');
    let mut end = match byte(buf, start) {
        b'0' => start + 1,
        b'1'..=b'9' => skip_digits(buf, start + 1),
        _ if start == at => return wrong_type(buf, at),
        _ => return unexpected(buf, FaultKind::Number, start),
    };
    if byte(buf, end).is_ascii_digit() {
        return fault(FaultKind::Number, end);
    }
    if byte(buf, end) == b'.' {
        end = skip_some_digits(buf, end + 1)?;
    }
    if matches!(byte(buf, end), b'e' | b'E') {
        let sign = usize::from(matches!(byte(buf, end + 1), b'+' | b'-'));
        end = skip_some_digits(buf, end + 1 + sign)?;
    }
    Ok(end)
}

fn skip_digits(buf: &[u8], mut at: usize) -> usize {
    while byte(buf, at).is_ascii_digit() {
        at += 1;
    }
    at
}

fn skip_some_digits(buf: &[u8], at: usize) -> Parse<usize> {
    let end = skip_digits(buf, at);
    if end == at { unexpected(buf, FaultKind::Number, at) } else { Ok(end) }
}
