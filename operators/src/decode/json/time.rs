//! ISO 8601: dates, and moments in microseconds since 1970 UTC.

/// Days since 1970-01-01 of `YYYY-MM-DD`, years 0001 to 9999.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let mut text = Text { rest: text };
    let days = text.date()?;
    text.rest.is_empty().then_some(days)
}

/// Microseconds since 1970 UTC of `YYYY-MM-DD`, alone or followed by `T` or a space, `HH:MM[:SS[.fraction]]` and a zone
/// (`Z`, `+HH:MM`, `+HHMM`, `+HH`). Without a zone it is UTC. Digits beyond the microsecond are cut off, as Spark does.
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    let mut text = Text { rest: text };
    let days = i64::from(text.date()?);
    let mut micros = 0;
    if text.eat(b'T') || text.eat(b' ') {
        micros = text.time()? - text.zone()?;
    }
    text.rest.is_empty().then_some(days * MICROS_A_DAY + micros)
}

const MICROS_A_SECOND: i64 = 1_000_000;
const MICROS_A_DAY: i64 = 86_400 * MICROS_A_SECOND;

/// Text that is read from the left.
struct Text<'a> {
    rest: &'a [u8],
}

impl Text<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn digit(&mut self) -> Option<u32> {
        match self.rest {
            [first @ b'0'..=b'9', rest @ ..] => {
                self.rest = rest;
                Some(u32::from(first - b'0'))
            }
            _ => None,
        }
    }

    /// Two digits, at most `max`.
    fn pair(&mut self, max: u32) -> Option<u32> {
        let value = self.digit()? * 10 + self.digit()?;
        (value <= max).then_some(value)
    }

    fn date(&mut self) -> Option<i32> {
        let year = self.pair(99)? * 100 + self.pair(99)?;
        let month = self.eat(b'-').then(|| self.pair(12))??;
        let day = self.eat(b'-').then(|| self.pair(31))??;
        let exists = year >= 1 && month >= 1 && day >= 1 && day <= days_in_month(year, month);
        exists.then(|| days_since_1970(year, month, day))
    }

    fn time(&mut self) -> Option<i64> {
        let hours = self.pair(23)?;
        let minutes = self.eat(b':').then(|| self.pair(59))??;
        let seconds = if self.eat(b':') { self.pair(59)? } else { return Some(micros_of(hours, minutes, 0)) };
        let mut micros = micros_of(hours, minutes, seconds);
        if self.eat(b'.') {
            let mut unit = MICROS_A_SECOND / 10;
            micros += i64::from(self.digit()?) * unit;
            while let Some(digit) = self.digit() {
                unit /= 10;
                micros += i64::from(digit) * unit;
            }
        }
        Some(micros)
    }

    /// Microseconds that the zone is ahead of UTC.
    fn zone(&mut self) -> Option<i64> {
        let ahead = self.eat(b'+');
        if !ahead && !self.eat(b'-') {
            let _utc = self.eat(b'Z');
            return Some(0);
        }
        let hours = self.pair(18)?;
        let minutes = if self.eat(b':') || !self.rest.is_empty() { self.pair(59)? } else { 0 };
        let offset = micros_of(hours, minutes, 0);
        Some(if ahead { offset } else { -offset })
    }
}

fn micros_of(hours: u32, minutes: u32, seconds: u32) -> i64 {
    i64::from(hours * 3600 + minutes * 60 + seconds) * MICROS_A_SECOND
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar, counted in years that begin in March, so that the leap day is the last
/// (Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_1970(year: u32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    days as i32 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows the accepted forms and the refused ones.
    #[test]
    fn forms() {
        let moment = Some(1_703_438_319_902_000);
        assert_eq!(timestamp(b"2023-12-24T17:18:39.902Z"), moment);
        assert_eq!(timestamp(b"2023-12-24 17:18:39.902"), moment);
        assert_eq!(timestamp(b"2023-12-24T19:18:39.9020009+02:00"), moment);
        assert_eq!(timestamp(b"2023-12-24T11:48:39.902-0530"), moment);
        assert_eq!(timestamp(b"1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(timestamp(b"1970-01-01T01:00+01"), Some(0));
        assert_eq!(timestamp(b"1970-01-02"), Some(86_400_000_000));
        for text in [
            "",
            "1970",
            "1970-1-1",
            "1970-01-01T",
            "1970-01-01T1",
            "1970-01-01T00:00:00.",
            "1970-01-01T00:00:00Q",
            "1970-01-01T24:00:00",
            "1970-01-01T00:60:00",
            "1970-01-01T00:00:60",
            "1970-01-01Z",
            "2023-02-29",
            "0000-01-01",
            "1970-13-01",
            "1970-00-01",
            "1970-01-00",
            "+1970-01-01",
            "1970-01-01T00:00:00+1",
            "1970-01-01T00:00:00ZZ",
        ] {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
    }

    /// Shows that over two of the calendar's cycles every day follows the day before it, that no other day exists, and that
    /// the ends of the range are where they belong.
    #[test]
    fn every_day_in_order() {
        let mut last = days_since_1970(1600, 1, 1) - 1;
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    if day <= days_in_month(year, month) {
                        assert_eq!(date(text.as_bytes()), Some(last + 1), "{text}");
                        last += 1;
                    } else {
                        assert_eq!(date(text.as_bytes()), None, "{text}");
                    }
                }
            }
        }
        assert_eq!(date(b"0001-01-01"), Some(-719_162));
        assert_eq!(date(b"1970-01-01"), Some(0));
        assert_eq!(date(b"9999-12-31"), Some(2_932_896));
    }
}
