//! Spark's patterns of dates and times (`yyyy-MM-dd HH:mm:ss`), read and written.

use chrono::{DateTime, Datelike};
use datafusion::common::plan_err;
use datafusion::error::Result;

use super::parse::{self, DAY_US, SECOND_US};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Letters that stand for a part of a time.
const KNOWN: &str = "yMLdDEaHhKkmsSQqXxZzVG";

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Text(String),
    /// A letter, and how often it stands there.
    Part(char, usize),
    /// What is between these two may be missing when a text is read.
    Open,
    Close,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it has a letter that stands for nothing.
    pub(super) fn new(text: &str) -> Result<Self> {
        let mut items: Vec<Item> = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' => items.push(Item::Text(quoted(&mut chars))),
                '[' => items.push(Item::Open),
                ']' => items.push(Item::Close),
                c if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    if !KNOWN.contains(c) {
                        return plan_err!(
                            "the letter {c:?} of the pattern {text:?} is not supported; patterns are made of {KNOWN}"
                        );
                    }
                    items.push(Item::Part(c, count));
                }
                c => items.push(Item::Text(c.into())),
            }
        }
        Ok(Self { items })
    }

    /// A time (UTC) by this pattern; none outside of the calendar.
    pub(super) fn write(&self, micros: i64) -> Option<String> {
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Text(literal) => text.push_str(literal),
                Item::Part(letter, count) => text.push_str(&part(*letter, *count, micros)?),
                Item::Open | Item::Close => {}
            }
        }
        Some(text)
    }

    /// The pattern, when texts can be read by it.
    ///
    /// # Errors
    /// When it has a letter that is for writing only.
    pub(super) fn readable(&self) -> Result<&Self> {
        match self.items.iter().find(|item| matches!(item, Item::Part('E' | 'G' | 'Q' | 'q', _))) {
            Some(Item::Part(letter, _)) => {
                plan_err!("no time is read by the letter {letter:?} of a pattern; it is for writing")
            }
            _ => Ok(self),
        }
    }

    /// The time that a whole text says by this pattern; none when it says none.
    pub(super) fn read(&self, text: &str) -> Option<i64> {
        let mut parts = Parts::default();
        let rest = parts.read(&self.items, text)?;
        if rest.is_empty() { parts.micros() } else { None }
    }
}

/// What is between two quotes; two of them are one.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c != '\'' {
            text.push(c);
        } else if chars.next_if_eq(&'\'').is_some() {
            text.push('\'');
        } else {
            break;
        }
    }
    if text.is_empty() { "'".into() } else { text }
}

fn part(letter: char, count: usize, micros: i64) -> Option<String> {
    let date = DateTime::from_timestamp_micros(micros)?.date_naive();
    let (hour, minute, second) = parse::clock(micros);
    let number = |n: u32| format!("{n:0count$}");
    let named = |name: &str| if count >= 4 { name.to_owned() } else { name.chars().take(3).collect() };
    let quarter = (date.month() - 1) / 3 + 1;
    Some(match letter {
        'y' if count == 2 => format!("{:02}", date.year().rem_euclid(100)),
        'y' => format!("{:0count$}", date.year()),
        'M' | 'L' if count >= 3 => named(MONTHS[date.month0() as usize]),
        'M' | 'L' => number(date.month()),
        'd' => number(date.day()),
        'D' => number(date.ordinal()),
        'E' => named(DAYS[date.weekday().num_days_from_monday() as usize]),
        'a' => if hour < 12 { "AM" } else { "PM" }.into(),
        'H' => number(hour),
        'k' => number(if hour == 0 { 24 } else { hour }),
        'K' => number(hour % 12),
        'h' => number(if hour.is_multiple_of(12) { 12 } else { hour % 12 }),
        'm' => number(minute),
        's' => number(second),
        'S' => format!("{:06}000", micros.rem_euclid(SECOND_US)).chars().take(count).collect(),
        'Q' | 'q' if count == 3 => format!("Q{quarter}"),
        'Q' | 'q' if count >= 4 => format!("{} quarter", ["1st", "2nd", "3rd", "4th"][quarter as usize - 1]),
        'Q' | 'q' => number(quarter),
        'X' => "Z".into(),
        'x' => ["+00", "+0000", "+00:00"][count.clamp(1, 3) - 1].into(),
        'Z' if count == 4 => "GMT".into(),
        'Z' if count == 5 => "Z".into(),
        'Z' => "+0000".into(),
        'z' if count >= 4 => "Coordinated Universal Time".into(),
        'z' | 'V' => "UTC".into(),
        _ if count >= 4 => "Anno Domini".into(),
        _ => "AD".into(),
    })
}

/// What a text says of a time.
#[derive(Clone, Default)]
struct Parts {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    half: Option<bool>,
    minute: u32,
    second: u32,
    fraction_us: i64,
    zone: String,
}

impl Parts {
    fn read<'a>(&mut self, items: &[Item], text: &'a str) -> Option<&'a str> {
        let mut rest = text;
        let mut at = 0;
        while at < items.len() {
            match &items[at] {
                Item::Text(literal) => rest = rest.strip_prefix(literal.as_str())?,
                Item::Part(letter, count) => {
                    let is_followed =
                        matches!(items.get(at + 1), Some(Item::Part(next, _)) if "yMdDHhKkmsS".contains(*next));
                    rest = self.part(*letter, *count, is_followed, rest)?;
                }
                Item::Open => {
                    let close = at + items[at..].iter().position(|i| *i == Item::Close).unwrap_or(items.len() - at);
                    let mut tried = self.clone();
                    if let Some(after) = tried.read(&items[at + 1..close], rest) {
                        (*self, rest) = (tried, after);
                    }
                    at = close;
                }
                Item::Close => {}
            }
            at += 1;
        }
        Some(rest)
    }

    fn part<'a>(&mut self, letter: char, count: usize, is_followed: bool, text: &'a str) -> Option<&'a str> {
        let number = |most: usize| -> Option<(u32, &'a str)> {
            let found = text.bytes().take_while(u8::is_ascii_digit).count();
            // A number before another one has just its digits; `MM` always has two.
            let digits = if is_followed || count == 2 { count } else { found.min(most) };
            if found < digits || digits < count {
                return None;
            }
            Some((text[..digits].parse().ok()?, &text[digits..]))
        };
        let name = |names: &[&str]| {
            let of = |name: &str| -> String { if count >= 4 { name.into() } else { name.chars().take(3).collect() } };
            names.iter().enumerate().find_map(|(at, name)| {
                let start = text.get(..of(name).len())?;
                start.eq_ignore_ascii_case(&of(name)).then(|| (at, &text[start.len()..]))
            })
        };
        let rest;
        match letter {
            'y' => {
                let (year, after) = number(9)?;
                self.year = Some(i32::try_from(year).ok()? + if count == 2 { 2000 } else { 0 });
                rest = after;
            }
            'M' | 'L' if count >= 3 => {
                let (month, after) = name(&MONTHS)?;
                (self.month, rest) = (u32::try_from(month + 1).ok(), after);
            }
            'a' => {
                let half = text.get(..2)?;
                self.half = Some(half.eq_ignore_ascii_case("pm"));
                if self.half == Some(false) && !half.eq_ignore_ascii_case("am") {
                    return None;
                }
                rest = &text[2..];
            }
            'S' => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count().min(count);
                let six: String = text[..digits].chars().chain("000000".chars()).take(6).collect();
                self.fraction_us = if digits == 0 { return None } else { six.parse().ok()? };
                rest = &text[digits..];
            }
            'X' | 'x' | 'Z' | 'z' | 'V' => {
                let is_zone = |c: char| c.is_ascii_alphanumeric() || "+-:/_".contains(c);
                let end = text.find(|c| !is_zone(c)).unwrap_or(text.len());
                if end == 0 || parse::utc(0, &text[..end]).is_none() {
                    return None;
                }
                (self.zone, rest) = (text[..end].to_owned(), &text[end..]);
            }
            'E' | 'G' | 'Q' | 'q' => return None,
            _ => {
                let (value, after) = number(if letter == 'D' { 3 } else { 2 })?;
                rest = after;
                match letter {
                    'M' | 'L' => self.month = Some(value),
                    'd' => self.day = Some(value),
                    'D' => self.day_of_year = Some(value),
                    'h' if !(1..=12).contains(&value) => return None,
                    'k' if !(1..=24).contains(&value) => return None,
                    'K' if value > 11 => return None,
                    'k' => self.hour = value % 24,
                    'h' => self.hour = value % 12,
                    'H' | 'K' => self.hour = value,
                    'm' => self.minute = value,
                    _ => self.second = value,
                }
            }
        }
        Some(rest)
    }

    fn micros(&self) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let day = match self.day_of_year {
            Some(day) => parse::days(chrono::NaiveDate::from_yo_opt(year, day)?),
            None => parse::days_of(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let hour = self.hour + if self.half == Some(true) { 12 } else { 0 };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let seconds = i64::from(hour * 3600 + self.minute * 60 + self.second);
        parse::utc(i64::from(day).checked_mul(DAY_US)? + seconds * SECOND_US + self.fraction_us, &self.zone)
    }
}

/// Patterns of the rows of a batch: nearly always one, which is read once.
#[derive(Default)]
pub(super) struct Patterns {
    last: Option<(String, Pattern)>,
}

impl Patterns {
    /// The pattern of a text.
    ///
    /// # Errors
    /// See [`Pattern::new`].
    pub(super) fn of(&mut self, text: &str) -> Result<&Pattern> {
        let last = match self.last.take() {
            Some(last) if last.0 == text => last,
            _ => (text.to_owned(), Pattern::new(text)?),
        };
        Ok(&self.last.insert(last).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written by a pattern is read by it.
    #[test]
    fn there_and_back() {
        let time = parse::time("2024-02-03 14:05:06.789").expect("a time");
        for pattern in
            ["yyyy-MM-dd HH:mm:ss.SSS", "d MMM y hh:mm:ss.SSS a", "yyyyMMddHHmmssSSS", "yyyy-DDD HH:mm:ss.SSSXXX"]
        {
            let pattern = Pattern::new(pattern).expect("a pattern");
            let text = pattern.write(time).expect("a time of the calendar");
            assert_eq!(pattern.read(&text), Some(time), "{text}");
        }
    }
}
