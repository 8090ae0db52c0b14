//! Texts as numbers and times, and numbers and times as texts: what a cast does in Spark with ANSI off.

use chrono::{Datelike, NaiveDate, Offset, TimeZone, Timelike};

/// Microseconds in a day.
pub(super) const DAY_US: i64 = 86_400_000_000;
/// Microseconds in a second.
pub(super) const SECOND_US: i64 = 1_000_000;

/// Without the blanks around it.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ' || c == '\u{7f}')
}

/// A text as a whole number: a fraction is cut off.
pub(super) fn whole_number(text: &str) -> Option<i64> {
    let text = trimmed(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Spark takes ".5" for 0, but not "." or a sign alone.
    if whole.is_empty() && !fraction.is_empty() { Some(0) } else { whole.parse().ok() }
}

/// A text as a double: as Java reads it, with the names of what is no number in any case.
pub(super) fn double(text: &str) -> Option<f64> {
    let text = trimmed(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" if unsigned == text => return Some(f64::NAN),
        _ => {}
    }
    let number = unsigned.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(unsigned);
    if !number.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    number.parse::<f64>().ok().map(|v| sign * v)
}

/// A text as a boolean.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match trimmed(text).to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A text as a number of so many digits after the point, rounded half up.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let text = trimmed(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits: String = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // How many of the digits are kept: those before the point, and `scale` after it.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let digits = digits.as_bytes();
    let mut value = 0i128;
    for at in 0..kept.clamp(0, 100) {
        let digit = usize::try_from(at).ok().and_then(|at| digits.get(at)).map_or(0, |d| i128::from(d - b'0'));
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    let next = usize::try_from(kept).ok().and_then(|at| digits.get(at)).copied();
    if kept >= 0 && next.is_some_and(|d| d >= b'5') {
        value += 1;
    }
    let value = if mantissa.starts_with('-') { -value } else { value };
    (value.unsigned_abs() < 10u128.pow(u32::from(precision))).then_some(value)
}

/// A double as Java writes it.
pub(super) fn double_text(value: f64) -> String {
    java(value, &format!("{value:e}"))
}

/// A float as Java writes it.
pub(super) fn float_text(value: f32) -> String {
    java(f64::from(value), &format!("{value:e}"))
}

/// `shortest` is the shortest text that reads back as the number, with an exponent.
fn java(value: f64, shortest: &str) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let digits = mantissa.replace('.', "");
    let with_point = |at: usize| {
        let (whole, fraction) = digits.split_at(at.min(digits.len()));
        let zeros = "0".repeat(at.saturating_sub(digits.len()));
        let fraction = if fraction.is_empty() { "0" } else { fraction };
        format!("{whole}{zeros}.{fraction}")
    };
    if value == 0.0 {
        return format!("{sign}0.0");
    }
    match exponent {
        0..=6 => format!("{sign}{}", with_point(exponent.unsigned_abs() as usize + 1)),
        -3..=-1 => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        _ => format!("{sign}{}E{exponent}", with_point(1)),
    }
}

/// A decimal as Java writes it: with an exponent when it is very small.
pub(super) fn decimal_text(value: i128, scale: i8) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    let scale = usize::from(scale.unsigned_abs());
    let exponent = digits.len() as i64 - 1 - scale as i64;
    if exponent < -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}E{exponent}");
    }
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// A time as a text, without zeros at the end of the fraction.
pub(super) fn time_text(micros: i64) -> String {
    let Some(time) = chrono::DateTime::from_timestamp_micros(micros) else { return micros.to_string() };
    let text = format!("{} {}", date_text((micros.div_euclid(DAY_US)) as i32), time.format("%H:%M:%S"));
    match micros.rem_euclid(SECOND_US) {
        0 => text,
        fraction => format!("{text}.{}", format!("{fraction:06}").trim_end_matches('0')),
    }
}

/// A day as a text.
pub(super) fn date_text(days: i32) -> String {
    let Some(date) = day(days) else { return days.to_string() };
    let sign = if date.year() > 9999 { "+" } else { "" };
    format!("{sign}{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// A day of the calendar.
pub(super) fn day(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(719_163)?)
}

/// Days since 1970.
pub(super) fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - 719_163
}

/// A day from its parts, which must be there in the calendar.
pub(super) fn days_of(year: i32, month: u32, day: u32) -> Option<i32> {
    NaiveDate::from_ymd_opt(year, month, day).map(days)
}

/// Year, month and day at the start of a text, and what follows.
fn date_start(text: &str) -> Option<(i32, &str)> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (year, mut rest) = digits(text, 4, 7)?;
    let mut parts = [1u32, 1];
    for part in &mut parts {
        let Some(after) = rest.strip_prefix('-') else { break };
        let (number, after) = digits(after, 1, 2)?;
        (*part, rest) = (number, after);
    }
    Some((days_of(sign * i32::try_from(year).ok()?, parts[0], parts[1])?, rest))
}

fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(least..=most).contains(&count) {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

/// A text as a day: a year alone, a month, a day, and after a blank or T anything.
pub(super) fn date(text: &str) -> Option<i32> {
    let (day, rest) = date_start(trimmed(text))?;
    (rest.is_empty() || rest.starts_with([' ', 'T'])).then_some(day)
}

/// A text as a time: a day, a time of day, a fraction of a second and a zone.
pub(super) fn time(text: &str) -> Option<i64> {
    let (day, rest) = date_start(trimmed(text))?;
    let midnight = i64::from(day).checked_mul(DAY_US)?;
    if rest.is_empty() {
        return Some(midnight);
    }
    let rest = rest.strip_prefix([' ', 'T'])?;
    let (hour, mut rest) = digits(rest, 1, 2)?;
    let (mut parts, mut micros) = ([0u32, 0], 0i64);
    for part in &mut parts {
        let Some(after) = rest.strip_prefix(':') else { break };
        let (number, after) = digits(after, 1, 2)?;
        (*part, rest) = (number, after);
    }
    if let Some(after) = rest.strip_prefix('.') {
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        let six: String = after[..count].chars().chain("000000".chars()).take(6).collect();
        (micros, rest) = (six.parse().ok()?, &after[count..]);
    }
    if hour > 23 || parts[0] > 59 || parts[1] > 59 {
        return None;
    }
    let seconds = i64::from(hour * 3600 + parts[0] * 60 + parts[1]);
    let local = midnight.checked_add(seconds * SECOND_US + micros)?;
    utc(local, trimmed(rest))
}

/// A local time of a zone (`Z`, `+02:00`, `UTC`, `Europe/Berlin`; nothing is UTC) in UTC.
pub(super) fn utc(local_us: i64, zone: &str) -> Option<i64> {
    if zone.is_empty() || ["z", "utc", "gmt"].contains(&zone.to_ascii_lowercase().as_str()) {
        return Some(local_us);
    }
    if let Some(offset_s) = offset_s(zone) {
        return local_us.checked_sub(offset_s * SECOND_US);
    }
    let zone: datafusion::arrow::array::timezone::Tz = zone.parse().ok()?;
    let local = chrono::DateTime::from_timestamp_micros(local_us)?.naive_utc();
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(time) | chrono::LocalResult::Ambiguous(time, _) => Some(time.timestamp_micros()),
        // In the hour that a clock skips, Java takes the offset from before it.
        chrono::LocalResult::None => {
            let before = zone.offset_from_utc_datetime(&(local - chrono::Duration::days(1)));
            local_us.checked_sub(i64::from(before.fix().local_minus_utc()) * SECOND_US)
        }
    }
}

/// The time of a zone's clocks at a moment in UTC.
pub(super) fn local(utc_us: i64, zone: &str) -> Option<i64> {
    if ["z", "utc", "gmt"].contains(&zone.to_ascii_lowercase().as_str()) {
        return Some(utc_us);
    }
    if let Some(offset_s) = offset_s(zone) {
        return utc_us.checked_add(offset_s * SECOND_US);
    }
    let zone: datafusion::arrow::array::timezone::Tz = zone.parse().ok()?;
    let time = chrono::DateTime::from_timestamp_micros(utc_us)?.naive_utc();
    let offset_s = i64::from(zone.offset_from_utc_datetime(&time).fix().local_minus_utc());
    utc_us.checked_add(offset_s * SECOND_US)
}

/// `+02:00`, `-0530`, `+2`, `UTC+1` in seconds.
fn offset_s(zone: &str) -> Option<i64> {
    let zone = ["UTC", "GMT"].iter().find_map(|prefix| zone.strip_prefix(prefix)).unwrap_or(zone);
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let rest = &zone[1..];
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if rest.len() == 4 => rest.split_at(2),
        None => (rest, "0"),
    };
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Hour, minute and second of a time.
pub(super) fn clock(micros: i64) -> (u32, u32, u32) {
    let seconds = u32::try_from(micros.rem_euclid(DAY_US) / SECOND_US).unwrap_or(0);
    let time = chrono::NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).unwrap_or_default();
    (time.hour(), time.minute(), time.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts that Spark casts to whole numbers, and such that it does not.
    #[test]
    fn whole_numbers() {
        let good = [("12", 12), (" -7\t", -7), ("+3", 3), ("12.9", 12), ("-1.5", -1), (".5", 0), ("1.", 1)];
        for (text, number) in good {
            assert_eq!(whole_number(text), Some(number), "{text:?}");
        }
        for text in ["", " ", ".", "-", "a", "1a", "1e3", "1.a", "1.-2", "9223372036854775808", "1 2"] {
            assert_eq!(whole_number(text), None, "{text:?}");
        }
    }

    /// Doubles as Java's `Double.toString` writes them.
    #[test]
    fn doubles() {
        let cases = [
            (1.0, "1.0"),
            (-1234567.0, "-1234567.0"),
            (1e7, "1.0E7"),
            (0.001, "0.001"),
            (-0.00012, "-1.2E-4"),
            (123456.789, "123456.789"),
            (-0.0, "-0.0"),
        ];
        for (value, text) in cases {
            assert_eq!(double_text(value), text);
        }
    }
}
