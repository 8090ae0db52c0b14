//! Days off in the United States, by UTC day number.

/// Milliseconds in a day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// Year, month (1..=12) and day (1..=31) of the day `day` days after 1970-01-01.
fn civil(day: i64) -> (i64, u32, u32) {
    // Counted in years that begin on the first of March, so that the leap day is the last one of its year.
    let from_march_0000 = day + 719_468;
    let era = from_march_0000.div_euclid(146_097);
    let day_of_era = from_march_0000.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month as u32, day_of_month as u32)
}

/// Is this day (days since 1970-01-01) a Saturday, a Sunday or a federal holiday?
pub(super) fn is_day_off(day: i64) -> bool {
    const MONDAY: i64 = 0;
    const THURSDAY: i64 = 3;
    let weekday = (day + 3).rem_euclid(7);
    if weekday >= 5 {
        return true;
    }
    let (year, month, day_of_month) = civil(day);
    match (month, day_of_month) {
        (1, 1) | (7, 4) | (11, 11) | (12, 25) => true,
        (6, 19) => year >= 2021,
        (1 | 2, 15..=21) | (5, 25..=31) | (9, 1..=7) | (10, 8..=14) => weekday == MONDAY,
        (11, 22..=28) => weekday == THURSDAY,
        _ => false,
    }
}

/// Milliseconds since 1970 of midnight UTC of a date; the months and days are not checked.
pub(super) fn midnight_ms(year: i64, month: i64, day_of_month: i64) -> i64 {
    let (shifted_year, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day_of_month - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Day numbers and dates agree in both directions over 400 years.
    #[test]
    fn dates_go_there_and_back() {
        for day in -80_000..80_000 {
            let (year, month, day_of_month) = civil(day);
            assert_eq!(midnight_ms(year, i64::from(month), i64::from(day_of_month)), day * DAY_MS);
        }
        assert_eq!(civil(19_716), (2023, 12, 25));
    }

    /// The days off of 2024 that fall on working days are the eleven federal ones.
    #[test]
    fn knows_the_holidays() {
        let first = midnight_ms(2024, 1, 1) / DAY_MS;
        let off: Vec<_> = (first..first + 366)
            .filter(|day| (day + 3).rem_euclid(7) < 5 && is_day_off(*day))
            .map(|day| (civil(day).1, civil(day).2))
            .collect();
        let expected =
            [(1, 1), (1, 15), (2, 19), (5, 27), (6, 19), (7, 4), (9, 2), (10, 14), (11, 11), (11, 28), (12, 25)];
        assert_eq!(off, expected);
    }
}
