//! Texts: parts, places, padding, letters.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::cast::converted;
use super::rows::{Any, Arguments, Binary, Int, Text, function};

/// Characters that one text may be padded or repeated to.
const CHARACTERS_MAX: usize = 16 << 20;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let text = |name, takes, required, f| function(name, takes, required, DataType::Utf8, f);
    let int = |name, takes, required, f| function(name, takes, required, DataType::Int32, f);
    let flag = |name, f| function(name, &[Text, Text], 2, DataType::Boolean, f);
    let locate: fn(&Arguments) -> Result<ArrayRef> = |a| {
        a.map(|row| {
            let from = if a.count() > 2 { a.int(2, row)? } else { 1 };
            Some(place(a.text(1, row)?, a.text(0, row)?, from))
        })
    };
    vec![
        substring_function(),
        text("substr", &[Text, Int, Int], 2, substrings),
        text("left", &[Text, Int], 2, |a| a.map(|row| Some(substring_of(a.text(0, row)?, 0, a.int(1, row)?)))),
        text("right", &[Text, Int], 2, |a| {
            a.map(|row| {
                let (text, count) = (a.text(0, row)?, a.int(1, row)?);
                let from = (length(text) - i64::from(count.max(0))).max(0);
                Some(text.chars().skip(usize::try_from(from).unwrap_or(0)).collect::<String>())
            })
        }),
        int("locate", &[Text, Text, Int], 2, locate),
        int("position", &[Text, Text, Int], 2, locate),
        int("instr", &[Text, Text], 2, |a| a.map(|row| Some(place(a.text(0, row)?, a.text(1, row)?, 1)))),
        text("lpad", &[Text, Int, Text], 2, |a| padded(a, |text, pad| pad + text)),
        text("rpad", &[Text, Int, Text], 2, |a| padded(a, |text, pad| text.to_owned() + &pad)),
        text("initcap", &[Text], 1, |a| a.map(|row| a.text(0, row).map(initcap))),
        text("replace", &[Text, Text, Text], 2, |a| {
            a.map(|row| {
                let (text, from) = (a.text(0, row)?, a.text(1, row)?);
                let to = if a.count() > 2 { a.text(2, row)? } else { "" };
                Some(if from.is_empty() { text.to_owned() } else { text.replace(from, to) })
            })
        }),
        flag("startswith", |a| a.map(|row| Some(a.text(0, row)?.starts_with(a.text(1, row)?)))),
        flag("endswith", |a| a.map(|row| Some(a.text(0, row)?.ends_with(a.text(1, row)?)))),
        text("ucase", &[Text], 1, |a| a.map(|row| a.text(0, row).map(str::to_uppercase))),
        text("lcase", &[Text], 1, |a| a.map(|row| a.text(0, row).map(str::to_lowercase))),
        text("space", &[Int], 1, |a| a.each(|row| a.int(0, row).map(|n| repeated(" ", n)).transpose())),
        text("repeat", &[Text, Int], 2, |a| {
            a.each(|row| a.text(0, row).zip(a.int(1, row)).map(|(text, n)| repeated(text, n)).transpose())
        }),
        text("chr", &[super::rows::Long], 1, |a| a.map(|row| a.long(0, row).map(character))),
        text("char", &[super::rows::Long], 1, |a| a.map(|row| a.long(0, row).map(character))),
        int("levenshtein", &[Text, Text, Int], 2, |a| {
            a.map(|row| {
                let distance = levenshtein(a.text(0, row)?, a.text(1, row)?);
                Some(if a.count() > 2 && distance > a.int(2, row)? { -1 } else { distance })
            })
        }),
        text("format_number", &[Any, Any], 2, format_number),
        text("mask", &[Text, Text, Text, Text, Text], 1, mask),
        text("typeof", &[Any], 1, |a| {
            let name = type_name(a.array(0).data_type());
            a.map(|_| Some(name.clone()))
        }),
        function("encode", &[Text, Text], 2, DataType::Binary, |a| {
            a.each(|row| {
                Ok(match (a.text(0, row), a.text(1, row)) {
                    (Some(text), Some(charset)) => Some(is_utf8(charset).map(|()| text.as_bytes().to_vec())?),
                    _ => None,
                })
            })
        }),
        text("sluice_decode", &[Binary, Text], 2, |a| {
            a.each(|row| {
                Ok(match (a.bytes(0, row), a.text(1, row)) {
                    (Some(bytes), Some(charset)) => {
                        Some(is_utf8(charset).map(|()| String::from_utf8_lossy(bytes).into_owned())?)
                    }
                    _ => None,
                })
            })
        }),
        text("conv", &[Text, Int, Int], 3, |a| a.map(|row| conv(a.text(0, row)?, a.int(1, row)?, a.int(2, row)?))),
    ]
}

/// `substring`, which has a syntax of its own as well.
pub(super) fn substring_function() -> ScalarUDF {
    function("substring", &[Text, Int, Int], 2, DataType::Utf8, substrings)
}

fn substrings(a: &Arguments) -> Result<ArrayRef> {
    a.map(|row| {
        let length = if a.count() > 2 { a.int(2, row)? } else { i32::MAX };
        Some(substring(a.text(0, row)?, a.int(1, row)?, length))
    })
}

fn length(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// From a place counted from 0, so many characters.
fn substring_of(text: &str, from: usize, count: i32) -> String {
    text.chars().skip(from).take(usize::try_from(count).unwrap_or(0)).collect()
}

/// Spark counts from 1 and takes 0 for 1; a negative place is counted from the end, and may lie before the start.
fn substring(text: &str, from: i32, count: i32) -> String {
    let from = i64::from(from);
    let start = match from {
        1.. => from - 1,
        0 => 0,
        _ => length(text) + from,
    };
    let end = start.saturating_add(i64::from(count.max(0)));
    let (start, end) = (start.max(0), end.max(0));
    let skipped = usize::try_from(start).unwrap_or(usize::MAX);
    text.chars().skip(skipped).take(usize::try_from(end - start.min(end)).unwrap_or(0)).collect()
}

/// Where a text is in another, counted from 1, searched for from a place on; 0 when it is not there.
fn place(text: &str, wanted: &str, from: i32) -> i32 {
    let Ok(skipped) = usize::try_from(i64::from(from) - 1) else { return 0 };
    let Some(start) = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(skipped) else { return 0 };
    let found = text[start..].find(wanted).map(|at| text[..start + at].chars().count() + 1);
    found.and_then(|at| i32::try_from(at).ok()).unwrap_or(0)
}

fn padded(a: &Arguments, join: fn(&str, String) -> String) -> Result<ArrayRef> {
    a.each(|row| {
        let pad = if a.count() > 2 { a.text(2, row) } else { Some(" ") };
        let (Some(text), Some(length), Some(pad)) = (a.text(0, row), a.int(1, row), pad) else { return Ok(None) };
        let (length, have) = (usize::try_from(length).unwrap_or(0), text.chars().count());
        if length > CHARACTERS_MAX {
            return plan_err!("lpad() and rpad() make texts of at most {CHARACTERS_MAX} characters, not {length}");
        }
        if have >= length || pad.is_empty() {
            return Ok(Some(text.chars().take(length).collect::<String>()));
        }
        Ok(Some(join(text, pad.chars().cycle().take(length - have).collect())))
    })
}

fn repeated(text: &str, count: i32) -> Result<String> {
    let count = usize::try_from(count).unwrap_or(0);
    if text.len().saturating_mul(count) > CHARACTERS_MAX {
        return plan_err!("repeat() and space() make texts of at most {CHARACTERS_MAX} characters");
    }
    Ok(text.repeat(count))
}

/// The first letter of each word in upper case, others in lower case; words are what blanks part.
fn initcap(text: &str) -> String {
    let mut is_start = true;
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        if is_start {
            result.extend(c.to_uppercase())
        } else {
            result.extend(c.to_lowercase())
        }
        is_start = c == ' ';
    }
    result
}

/// The character of a code, of which the lowest byte counts.
fn character(code: i64) -> String {
    if code < 0 { String::new() } else { char::from((code & 0xff) as u8).to_string() }
}

fn levenshtein(left: &str, right: &str) -> i32 {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<i32> = (0..=right.len() as i32).collect();
    for (at, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at as i32 + 1;
        for (r, c) in right.iter().enumerate() {
            let replaced = diagonal + i32::from(l != *c);
            diagonal = row[r + 1];
            row[r + 1] = replaced.min(row[r] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

fn is_utf8(charset: &str) -> Result<()> {
    if ["utf-8", "utf8", "us-ascii"].iter().any(|known| known.eq_ignore_ascii_case(charset)) {
        return Ok(());
    }
    plan_err!("texts are kept in UTF-8; the character set {charset:?} is not supported")
}

/// A number with commas between thousands, rounded half to even as Java's `DecimalFormat` does.
fn format_number(a: &Arguments) -> Result<ArrayRef> {
    if a.array(1).data_type() == &DataType::Utf8 {
        return plan_err!("format_number() takes a count of digits; patterns are not supported");
    }
    let texts = match a.array(0).data_type() {
        t if t.is_floating() => {
            let doubles = converted(a.array(0), &DataType::Float64)?;
            converted(&doubles, &DataType::Decimal128(38, 15))?
        }
        _ => converted(a.array(0), &DataType::Decimal128(38, 15))?,
    };
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{Decimal128Type, Int32Type};
    let (values, digits) = (texts.as_primitive::<Decimal128Type>(), converted(a.array(1), &DataType::Int32)?);
    let digits = digits.as_primitive::<Int32Type>();
    let (mut values, mut digits) = (values.iter(), digits.iter());
    a.map(|_| {
        let (value, digits) = (values.next()??, u32::try_from(digits.next()??).ok()?.min(15));
        let unit = 10i128.pow(15 - digits);
        let (quotient, rest) = (value / unit, (value % unit).abs());
        let is_up = rest * 2 > unit || (rest * 2 == unit && quotient % 2 != 0);
        let rounded = quotient.abs() + i128::from(is_up);
        let shown = format!("{rounded:0>width$}", width = digits as usize + 1);
        let (whole, fraction) = shown.split_at(shown.len() - digits as usize);
        let mut grouped = String::new();
        for (at, c) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(c);
        }
        let sign = if value < 0 && rounded != 0 { "-" } else { "" };
        let point = if digits > 0 { "." } else { "" };
        Some(format!("{sign}{grouped}{point}{fraction}"))
    })
}

fn mask(a: &Arguments) -> Result<ArrayRef> {
    a.map(|row| {
        let letter = |at: usize, usual: Option<char>| {
            if a.count() > at { a.text(at, row).and_then(|t| t.chars().next()) } else { usual }
        };
        let (upper, lower) = (letter(1, Some('X')), letter(2, Some('x')));
        let (digit, other) = (letter(3, Some('n')), letter(4, None));
        let masked = a.text(0, row)?.chars().map(|c| match c {
            c if c.is_uppercase() => upper.unwrap_or(c),
            c if c.is_lowercase() => lower.unwrap_or(c),
            c if c.is_numeric() => digit.unwrap_or(c),
            c => other.unwrap_or(c),
        });
        Some(masked.collect::<String>())
    })
}

/// Spark's name of a type.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "void".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(p, s) => format!("decimal({p},{s})"),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".into(),
        DataType::List(element) => format!("array<{}>", type_name(element.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| format!("{}:{}", f.name(), type_name(f.data_type()))).collect();
            format!("struct<{}>", fields.join(","))
        }
        _ => "string".into(),
    }
}

/// A whole number in another base; what follows its digits is left out, and below zero is what wraps around.
fn conv(text: &str, from: i32, to: i32) -> Option<String> {
    let (base, shown) = (u32::try_from(from).ok()?, to.unsigned_abs());
    if !(2..=36).contains(&base) || !(2..=36).contains(&shown) {
        return None;
    }
    let text = text.trim();
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
    let mut value = 0u64;
    for digit in digits.chars().map_while(|c| c.to_digit(base)) {
        value = value.checked_mul(u64::from(base)).and_then(|v| v.checked_add(u64::from(digit))).unwrap_or(u64::MAX);
    }
    let value = if is_negative { value.wrapping_neg() } else { value };
    let is_signed = to < 0 && (value as i64) < 0;
    let mut rest = if is_signed { (value as i64).unsigned_abs() } else { value };
    let mut reversed = String::new();
    loop {
        reversed.push(char::from_digit((rest % u64::from(shown)) as u32, shown)?.to_ascii_uppercase());
        rest /= u64::from(shown);
        if rest == 0 {
            break;
        }
    }
    let sign = if is_signed { "-" } else { "" };
    Some(format!("{sign}{}", reversed.chars().rev().collect::<String>()))
}
