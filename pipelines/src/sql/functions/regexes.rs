//! Regular expressions.

use std::collections::HashMap;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use regex::Regex;

use super::rows::{Arguments, Int, Text, function, texts};

/// Compiled patterns that a batch keeps.
const PATTERNS_MAX: usize = 1_000;

pub(super) fn functions() -> Vec<ScalarUDF> {
    let like = |name| {
        function(name, &[Text, Text], 2, DataType::Boolean, |a| {
            over(a, |regex, text, _| Ok(Some(regex.is_match(text))))
        })
    };
    vec![
        like("regexp_like"),
        like("rlike"),
        like("regexp"),
        function("regexp_extract", &[Text, Text, Int], 2, DataType::Utf8, |a| {
            over(a, |regex, text, row| {
                let Some(group) = group(a, regex, row)? else { return Ok(None) };
                let found = regex.captures(text).and_then(|c| c.get(group)).map_or("", |m| m.as_str());
                Ok(Some(found.to_owned()))
            })
        }),
        function("regexp_extract_all", &[Text, Text, Int], 2, texts(), |a| {
            over(a, |regex, text, row| {
                let Some(group) = group(a, regex, row)? else { return Ok(None) };
                let of = |c: regex::Captures<'_>| c.get(group).map_or("", |m| m.as_str()).to_owned();
                Ok(Some(regex.captures_iter(text).map(of).collect::<Vec<_>>()))
            })
        }),
        function("regexp_replace", &[Text, Text, Text, Int], 3, DataType::Utf8, |a| {
            over(a, |regex, text, row| {
                let from = if a.count() > 3 { a.int(3, row) } else { Some(1) };
                let (Some(by), Some(from)) = (a.text(2, row), from) else { return Ok(None) };
                let Ok(from) = usize::try_from(i64::from(from) - 1) else {
                    return plan_err!("regexp_replace(): the place to begin at is counted from 1");
                };
                let start = text.char_indices().nth(from).map_or(text.len(), |(at, _)| at);
                let replaced = regex.replace_all(&text[start..], replacement(by).as_str());
                Ok(Some(format!("{}{replaced}", &text[..start])))
            })
        }),
        function("regexp_count", &[Text, Text], 2, DataType::Int32, |a| {
            over(a, |regex, text, _| Ok(i32::try_from(regex.find_iter(text).count()).ok()))
        }),
        function("regexp_substr", &[Text, Text], 2, DataType::Utf8, |a| {
            over(a, |regex, text, _| Ok(regex.find(text).map(|m| m.as_str().to_owned())))
        }),
        function("regexp_instr", &[Text, Text], 2, DataType::Int32, |a| {
            over(a, |regex, text, _| {
                let place = regex.find(text).map_or(0, |m| text[..m.start()].chars().count() + 1);
                Ok(i32::try_from(place).ok())
            })
        }),
        function("split", &[Text, Text, Int], 2, texts(), |a| {
            over(a, |regex, text, row| {
                let limit = if a.count() > 2 { a.int(2, row) } else { Some(-1) };
                Ok(limit.map(|limit| split(regex, text, limit)))
            })
        }),
    ]
}

/// What `f` gives for each row's pattern and text; nothing when one of them is null.
fn over<T: super::rows::Cell>(a: &Arguments, f: impl Fn(&Regex, &str, usize) -> Result<Option<T>>) -> Result<ArrayRef> {
    let mut compiled: HashMap<String, Regex> = HashMap::new();
    a.each(|row| {
        let (Some(text), Some(pattern)) = (a.text(0, row), a.text(1, row)) else { return Ok(None) };
        if let Some(regex) = compiled.get(pattern) {
            return f(regex, text, row);
        }
        let regex = match Regex::new(&of_java(pattern)) {
            Ok(regex) => regex,
            Err(error) => return plan_err!("the pattern {pattern:?} cannot be used: {error}"),
        };
        if compiled.len() >= PATTERNS_MAX {
            compiled.clear();
        }
        f(compiled.entry(pattern.to_owned()).or_insert(regex), text, row)
    })
}

/// A pattern of Java, whose classes are of ASCII.
fn of_java(pattern: &str) -> String {
    let mut result = String::with_capacity(pattern.len());
    let (mut chars, mut depth) = (pattern.chars(), 0u32);
    while let Some(c) = chars.next() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '\\' => {
                let Some(next) = chars.next() else {
                    result.push(c);
                    break;
                };
                let class = match next {
                    'd' => "0-9",
                    'w' => "a-zA-Z0-9_",
                    's' => r" \t\n\x0B\f\r",
                    'D' => "^0-9",
                    'W' => "^a-zA-Z0-9_",
                    'S' => r"^ \t\n\x0B\f\r",
                    'b' | 'B' if depth == 0 => {
                        result.push_str(&format!(r"(?-u:\{next})"));
                        continue;
                    }
                    'Z' => {
                        result.push_str(r"\z");
                        continue;
                    }
                    other => {
                        result.push('\\');
                        result.push(other);
                        continue;
                    }
                };
                result.push_str(&format!("[{class}]"));
                continue;
            }
            _ => {}
        }
        result.push(c);
    }
    result
}

fn group(a: &Arguments, regex: &Regex, row: usize) -> Result<Option<usize>> {
    let Some(group) = (if a.count() > 2 { a.int(2, row) } else { Some(1) }) else { return Ok(None) };
    match usize::try_from(group) {
        Ok(at) if at < regex.captures_len() => Ok(Some(at)),
        _ => plan_err!("the pattern {:?} has no group {group}; it has {}", regex.as_str(), regex.captures_len() - 1),
    }
}

/// Java's replacement as the crate's: `$1` is a group, whatever follows it, and a backslash takes a meaning away.
fn replacement(java: &str) -> String {
    let mut result = String::new();
    let mut chars = java.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => result.push_str("$$"),
                Some(other) => result.push(other),
                None => {}
            },
            '$' => {
                let mut digits = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                if digits.is_empty() && chars.peek() == Some(&'{') {
                    result.push('$');
                } else if digits.is_empty() {
                    result.push_str("$$");
                } else {
                    result.push_str(&format!("${{{digits}}}"));
                }
            }
            c => result.push(c),
        }
    }
    result
}

/// As Java splits: without a limit all parts, also empty ones at the end; nothing of no width splits the start.
fn split(regex: &Regex, text: &str, limit: i32) -> Vec<String> {
    let most = usize::try_from(limit).ok().filter(|l| *l > 0).unwrap_or(usize::MAX);
    let (mut parts, mut start) = (Vec::new(), 0);
    for found in regex.find_iter(text) {
        if parts.len() + 1 >= most {
            break;
        }
        if found.end() == 0 || (found.is_empty() && found.start() == text.len()) {
            continue;
        }
        parts.push(text[start..found.start()].to_owned());
        start = found.end();
    }
    parts.push(text[start..].to_owned());
    parts
}
