//! Dates and times: read and written by patterns, moved, cut, and told apart.

use chrono::{Datelike, Months, NaiveDate};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::cast::converted;
use super::parse::{self, DAY_US, SECOND_US};
use super::pattern::Patterns;
use super::rows::{Any, Arguments, Bool, Date, Day, Int, Long, Moment, Text, Time, function};
use crate::sql::types::timestamp;

/// The pattern of texts for which none is given.
const USUAL: &str = "yyyy-MM-dd HH:mm:ss";

pub(super) fn functions() -> Vec<ScalarUDF> {
    let to_time = |name| function(name, &[Any, Text], 1, timestamp(), times);
    let whole = |name| function(name, &[Any, Text], 1, DataType::Int64, unix_seconds);
    let moved = |name, f| function(name, &[Date, Int], 2, DataType::Date32, f);
    let part = |name, f| function(name, &[Time], 1, DataType::Int32, f);
    vec![
        function("to_date", &[Any, Text], 1, DataType::Date32, |a| {
            if a.array(0).data_type().is_numeric() {
                plan_err!("to_date() takes a text or a time; cast a number to STRING, and give its pattern")
            } else if a.count() == 1 {
                converted(a.array(0), &DataType::Date32)
            } else {
                converted(&times(a)?, &DataType::Date32)
            }
        }),
        to_time("to_timestamp"),
        to_time("try_to_timestamp"),
        to_time("to_timestamp_ltz"),
        function("timestamp_seconds", &[Any], 1, timestamp(), |a| converted(a.array(0), &timestamp())),
        whole("unix_timestamp"),
        whole("to_unix_timestamp"),
        function("from_unixtime", &[Long, Text], 1, DataType::Utf8, |a| {
            let mut patterns = Patterns::default();
            a.each(|row| {
                let pattern = if a.count() > 1 { a.text(1, row) } else { Some(USUAL) };
                let (Some(seconds), Some(pattern)) = (a.long(0, row), pattern) else { return Ok(None) };
                Ok(seconds.checked_mul(SECOND_US).zip(Some(patterns.of(pattern)?)).and_then(|(us, p)| p.write(us)))
            })
        }),
        function("date_format", &[Time, Text], 2, DataType::Utf8, written),
        function("to_char", &[Any, Text], 2, DataType::Utf8, chars),
        function("to_varchar", &[Any, Text], 2, DataType::Utf8, chars),
        moved("date_add", |a| a.map(|row| a.date(0, row)?.checked_add(a.int(1, row)?).map(Day))),
        moved("dateadd", |a| a.map(|row| a.date(0, row)?.checked_add(a.int(1, row)?).map(Day))),
        moved("date_sub", |a| a.map(|row| a.date(0, row)?.checked_sub(a.int(1, row)?).map(Day))),
        moved("add_months", |a| {
            a.map(|row| months_later(parse::day(a.date(0, row)?)?, a.int(1, row)?).map(parse::days).map(Day))
        }),
        function("last_day", &[Date], 1, DataType::Date32, |a| {
            a.map(|row| last_of_month(parse::day(a.date(0, row)?)?).map(parse::days).map(Day))
        }),
        function("next_day", &[Date, Text], 2, DataType::Date32, |a| {
            a.map(|row| Some(Day(next_day(a.date(0, row)?, weekday(a.text(1, row)?)?))))
        }),
        function("make_date", &[Int, Int, Int], 3, DataType::Date32, |a| {
            a.map(|row| {
                let (month, day) = (u32::try_from(a.int(1, row)?).ok()?, u32::try_from(a.int(2, row)?).ok()?);
                parse::days_of(a.int(0, row)?, month, day).map(Day)
            })
        }),
        function("make_timestamp", &[Int, Int, Int, Int, Int, Any, Text], 6, timestamp(), make_timestamp),
        function("unix_date", &[Date], 1, DataType::Int32, |a| a.map(|row| a.date(0, row))),
        function("date_from_unix_date", &[Int], 1, DataType::Date32, |a| a.map(|row| a.int(0, row).map(Day))),
        part("hour", |a| a.map(|row| a.time(0, row).map(|t| parse::clock(t).0 as i32))),
        part("minute", |a| a.map(|row| a.time(0, row).map(|t| parse::clock(t).1 as i32))),
        part("second", |a| a.map(|row| a.time(0, row).map(|t| parse::clock(t).2 as i32))),
        seconds(),
        function("dayname", &[Date], 1, DataType::Utf8, |a| {
            a.map(|row| Some(parse::day(a.date(0, row)?)?.format("%a").to_string()))
        }),
        function("months_between", &[Time, Time, Bool], 2, DataType::Float64, |a| {
            a.map(|row| {
                let is_rounded = a.count() < 3 || a.boolean(2, row)?;
                let months = months_between(a.time(0, row)?, a.time(1, row)?)?;
                Some(if is_rounded { (months * 1e8).round() / 1e8 } else { months })
            })
        }),
        function("date_trunc", &[Text, Time], 2, timestamp(), |a| {
            a.map(|row| cut(a.text(0, row)?, a.time(1, row)?).map(Moment))
        }),
        function("trunc", &[Date, Text], 2, DataType::Date32, |a| {
            a.map(|row| {
                let unit = a.text(1, row)?;
                // Shorter units leave nothing of a date.
                let known = ["year", "yyyy", "yy", "quarter", "month", "mm", "mon", "week"];
                let is_known = known.iter().any(|k| unit.eq_ignore_ascii_case(k));
                let time = i64::from(a.date(0, row)?) * DAY_US;
                is_known.then(|| cut(unit, time).map(|us| Day((us / DAY_US) as i32))).flatten()
            })
        }),
        function("timestampdiff", &[Text, Time, Time], 3, DataType::Int64, |a| {
            a.each(|row| match (a.text(0, row), a.time(1, row), a.time(2, row)) {
                (Some(unit), Some(from), Some(to)) => units_between(unit, from, to),
                _ => Ok(None),
            })
        }),
        function("timestampadd", &[Text, Int, Time], 3, timestamp(), |a| {
            a.each(|row| match (a.text(0, row), a.int(1, row), a.time(2, row)) {
                (Some(unit), Some(count), Some(time)) => Ok(later(unit, count, time)?.map(Moment)),
                _ => Ok(None),
            })
        }),
        function("convert_timezone", &[Text, Text, Time], 3, timestamp(), |a| {
            a.map(|row| parse::local(parse::utc(a.time(2, row)?, a.text(0, row)?)?, a.text(1, row)?).map(Moment))
        }),
        function("from_utc_timestamp", &[Time, Text], 2, timestamp(), |a| {
            a.map(|row| parse::local(a.time(0, row)?, a.text(1, row)?).map(Moment))
        }),
        function("to_utc_timestamp", &[Time, Text], 2, timestamp(), |a| {
            a.map(|row| parse::utc(a.time(0, row)?, a.text(1, row)?).map(Moment))
        }),
        function("current_timezone", &[], 0, DataType::Utf8, |a| a.map(|_| Some("UTC".to_owned()))),
    ]
}

/// What `extract` takes from a time, where it is not what `date_part` gives.
pub(super) fn part_of_time(unit: &str) -> Option<ScalarUDF> {
    Some(match unit {
        "second" | "seconds" | "sec" | "secs" | "s" => seconds(),
        "yearofweek" => function("sluice_yearofweek", &[Date], 1, DataType::Int32, |a| {
            a.map(|row| Some(parse::day(a.date(0, row)?)?.iso_week().year()))
        }),
        "dayofweek_iso" | "dow_iso" => function("sluice_dayofweek_iso", &[Date], 1, DataType::Int32, |a| {
            // The first day of 1970 was a Thursday.
            a.map(|row| Some((a.date(0, row)? + 3).rem_euclid(7) + 1))
        }),
        _ => return None,
    })
}

/// The seconds of a minute with their fraction: `extract(second from ...)`.
fn seconds() -> ScalarUDF {
    function("sluice_seconds", &[Time], 1, DataType::Decimal128(8, 6), |a| {
        let exact = converted(a.array(0), &DataType::Decimal128(38, 6))?;
        let of = exact.as_primitive::<Decimal128Type>().unary::<_, Decimal128Type>(|us| us.rem_euclid(60_000_000));
        Ok(std::sync::Arc::new(of.with_precision_and_scale(8, 6)?))
    })
}

/// A first argument as times: texts by the pattern, or as a cast reads them.
fn times(a: &Arguments) -> Result<ArrayRef> {
    if a.count() == 1 || a.array(0).data_type() != &DataType::Utf8 {
        return converted(a.array(0), &timestamp());
    }
    read(a, None)
}

fn read(a: &Arguments, usual: Option<&str>) -> Result<ArrayRef> {
    let mut patterns = Patterns::default();
    a.each(|row| {
        let pattern = if a.count() > 1 { a.text(1, row) } else { usual };
        let (Some(text), Some(pattern)) = (a.text(0, row), pattern) else { return Ok(None) };
        Ok(patterns.of(pattern)?.readable()?.read(text).map(Moment))
    })
}

/// Seconds since 1970, of which a part is cut off.
fn unix_seconds(a: &Arguments) -> Result<ArrayRef> {
    let times = match a.array(0).data_type() {
        DataType::Utf8 => read(a, Some(USUAL))?,
        _ => converted(a.array(0), &timestamp())?,
    };
    let micros = datafusion::arrow::compute::cast(&times, &DataType::Int64)?;
    let micros = micros.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
    a.map(|row| micros.is_valid(row).then(|| micros.value(row) / SECOND_US))
}

fn written(a: &Arguments) -> Result<ArrayRef> {
    let mut patterns = Patterns::default();
    a.each(|row| {
        let (Some(time), Some(pattern)) = (a.time(0, row), a.text(1, row)) else { return Ok(None) };
        Ok(patterns.of(pattern)?.write(time))
    })
}

fn chars(a: &Arguments) -> Result<ArrayRef> {
    if !matches!(a.array(0).data_type(), DataType::Date32 | DataType::Timestamp(..)) {
        return plan_err!("to_char() takes a date or a timestamp; for numbers there is format_number()");
    }
    let times = converted(a.array(0), &timestamp())?;
    let times = times.as_primitive::<datafusion::arrow::datatypes::TimestampMicrosecondType>();
    let mut patterns = Patterns::default();
    a.each(|row| match a.text(1, row) {
        Some(pattern) if times.is_valid(row) => Ok(patterns.of(pattern)?.write(times.value(row))),
        _ => Ok(None),
    })
}

fn make_timestamp(a: &Arguments) -> Result<ArrayRef> {
    let seconds = converted(a.array(5), &DataType::Decimal128(16, 6))?;
    let seconds = seconds.as_primitive::<Decimal128Type>();
    a.map(|row| {
        let part = |at| a.int(at, row).and_then(|v| u32::try_from(v).ok());
        let day = parse::days_of(a.int(0, row)?, part(1)?, part(2)?)?;
        let (hour, minute) = (part(3)?, part(4)?);
        let micros = seconds.is_valid(row).then(|| seconds.value(row)).and_then(|us| i64::try_from(us).ok())?;
        // A minute has no more than 60 seconds, of which the last may be just begun.
        if hour > 23 || minute > 59 || !(0..=60 * SECOND_US).contains(&micros) {
            return None;
        }
        let local = i64::from(day) * DAY_US + i64::from(hour * 60 + minute) * 60 * SECOND_US + micros;
        let zone = if a.count() > 6 { a.text(6, row)? } else { "" };
        parse::utc(local, zone).map(Moment)
    })
}

pub(super) fn months_later(day: NaiveDate, months: i32) -> Option<NaiveDate> {
    let count = Months::new(months.unsigned_abs());
    if months < 0 { day.checked_sub_months(count) } else { day.checked_add_months(count) }
}

fn last_of_month(day: NaiveDate) -> Option<NaiveDate> {
    day.with_day(1)?.checked_add_months(Months::new(1))?.pred_opt()
}

/// Days from Monday.
fn weekday(name: &str) -> Option<i32> {
    let name = name.to_ascii_uppercase();
    let names = [
        ["MO", "MON", "MONDAY"],
        ["TU", "TUE", "TUESDAY"],
        ["WE", "WED", "WEDNESDAY"],
        ["TH", "THU", "THURSDAY"],
        ["FR", "FRI", "FRIDAY"],
        ["SA", "SAT", "SATURDAY"],
        ["SU", "SUN", "SUNDAY"],
    ];
    names.iter().position(|of_day| of_day.contains(&name.as_str())).and_then(|at| i32::try_from(at).ok())
}

fn next_day(day: i32, weekday: i32) -> i32 {
    // The first day of 1970 was a Thursday.
    let today = (day + 3).rem_euclid(7);
    day + 1 + (weekday - today - 1).rem_euclid(7)
}

fn months_between(left: i64, right: i64) -> Option<f64> {
    let of = |micros: i64| parse::day(i32::try_from(micros.div_euclid(DAY_US)).ok()?);
    let (l, r) = (of(left)?, of(right)?);
    let months = f64::from((l.year() - r.year()) * 12 + l.month() as i32 - r.month() as i32);
    let is_last = |day: NaiveDate| last_of_month(day) == Some(day);
    if l.day() == r.day() || (is_last(l) && is_last(r)) {
        return Some(months);
    }
    let seconds =
        |day: NaiveDate, micros: i64| i64::from(day.day()) * 86_400 + micros.rem_euclid(DAY_US).div_euclid(SECOND_US);
    Some(months + (seconds(l, left) - seconds(r, right)) as f64 / (31.0 * 86_400.0))
}

/// Units whose length is always the same, in microseconds.
const LENGTHS_US: &[(&str, i64)] = &[
    ("hour", 3_600 * SECOND_US),
    ("day", DAY_US),
    ("dd", DAY_US),
    ("minute", 60 * SECOND_US),
    ("second", SECOND_US),
    ("millisecond", 1_000),
    ("microsecond", 1),
];

/// The start of the unit that a time is in; none for a unit that is none.
fn cut(unit: &str, micros: i64) -> Option<i64> {
    let is = |names: &[&str]| names.iter().any(|name| unit.eq_ignore_ascii_case(name));
    if let Some((_, length_us)) = LENGTHS_US.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)) {
        return Some(micros.div_euclid(*length_us) * length_us);
    }
    let day = parse::day(i32::try_from(micros.div_euclid(DAY_US)).ok()?)?;
    let start = if is(&["month", "mon", "mm"]) {
        day.with_day(1)?
    } else if is(&["week"]) {
        day.checked_sub_days(chrono::Days::new(u64::from(day.weekday().num_days_from_monday())))?
    } else if is(&["year", "yyyy", "yy"]) {
        NaiveDate::from_ymd_opt(day.year(), 1, 1)?
    } else if is(&["quarter"]) {
        NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1)?
    } else {
        return None;
    };
    Some(i64::from(parse::days(start)) * DAY_US)
}

/// A unit as microseconds, or else as months.
fn unit(name: &str) -> Result<(i64, i32)> {
    Ok(match name.to_ascii_lowercase().trim_end_matches('s') {
        "microsecond" => (1, 0),
        "millisecond" => (1_000, 0),
        "second" => (SECOND_US, 0),
        "minute" => (60 * SECOND_US, 0),
        "hour" => (3_600 * SECOND_US, 0),
        "day" | "dayofyear" => (DAY_US, 0),
        "week" => (7 * DAY_US, 0),
        "month" => (0, 1),
        "quarter" => (0, 3),
        "year" => (0, 12),
        other => {
            return plan_err!("{other:?} is no unit of time; units are microsecond to week, month, quarter and year");
        }
    })
}

fn units_between(name: &str, from: i64, to: i64) -> Result<Option<i64>> {
    let (length_us, months) = unit(name)?;
    if length_us > 0 {
        return Ok(to.checked_sub(from).map(|us| us / length_us));
    }
    let of = |micros: i64| parse::day(i32::try_from(micros.div_euclid(DAY_US)).ok()?);
    let (Some(l), Some(r)) = (of(from), of(to)) else { return Ok(None) };
    let mut count = i64::from((r.year() - l.year()) * 12 + r.month() as i32 - l.month() as i32);
    let within = |day: NaiveDate, micros: i64| (day.day(), micros.rem_euclid(DAY_US));
    if count > 0 && within(r, to) < within(l, from) {
        count -= 1;
    } else if count < 0 && within(r, to) > within(l, from) {
        count += 1;
    }
    Ok(Some(count / i64::from(months)))
}

fn later(name: &str, count: i32, time: i64) -> Result<Option<i64>> {
    let (length_us, months) = unit(name)?;
    if length_us > 0 {
        return Ok(length_us.checked_mul(i64::from(count)).and_then(|us| time.checked_add(us)));
    }
    let day = i32::try_from(time.div_euclid(DAY_US)).ok().and_then(parse::day);
    let moved = day.zip(count.checked_mul(months)).and_then(|(day, months)| months_later(day, months));
    Ok(moved.map(|day| i64::from(parse::days(day)) * DAY_US + time.rem_euclid(DAY_US)))
}
