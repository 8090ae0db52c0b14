//! When the next session begins: the rhythm of the day, of the week and of the holidays.

use super::calendar::{DAY_MS, is_day_off};
use super::math::sin_turns;
use super::random::Random;

const QUIETEST_MS: i64 = 3 * 3_600_000;
const MINUTE_MS: f64 = 60_000.0;

/// How sessions are spread over days and weeks. All times are UTC.
#[derive(Debug, Clone)]
pub(super) struct Rhythm {
    /// How far (as a share of a day) a session's start is pushed away from 3 AM.
    pub(super) damping: f64,
    /// Which share of the sessions falls away on a day off.
    pub(super) weekend_damping: f64,
    /// How long before and after a day off its ramp begins and ends.
    pub(super) weekend_offset_minutes: f64,
    /// How long the ramp is.
    pub(super) weekend_scale_minutes: f64,
    /// The least time between two sessions.
    pub(super) session_gap_s: i64,
}

impl Rhythm {
    /// The start of the session after `last_ms`, for a user with this mean time between sessions. Never before `last_ms`.
    pub(super) fn next_session_ms(&self, last_ms: i64, mean_s: f64, random: &mut Random) -> i64 {
        let mut last_ms = last_ms;
        loop {
            let gap_s = (random.exponential(mean_s) as i64).saturating_add(self.session_gap_s).max(1);
            let start_ms = self.warp(last_ms.saturating_add(gap_s.saturating_mul(1000)));
            if start_ms < last_ms {
                // The warp went back over the end of the last session: try again from a little later.
                last_ms = last_ms.saturating_add(self.session_gap_s.max(1) * 1000);
            } else if random.unit() < 1.0 - self.weekend_share(start_ms) {
                return start_ms;
            } else {
                last_ms = start_ms;
            }
        }
    }

    /// Pushes a time away from 3 AM, by whole seconds.
    fn warp(&self, ms: i64) -> i64 {
        if self.damping == 0.0 {
            return ms;
        }
        let turns = (ms.rem_euclid(DAY_MS) - QUIETEST_MS) as f64 / DAY_MS as f64;
        ms.saturating_add((self.damping * 86_400.0 * sin_turns(turns)) as i64 * 1000)
    }

    /// Which share of the sessions falls away at this time: 0 on a working day, `weekend_damping` on a day off,
    /// and in between on the ramps.
    pub(super) fn weekend_share(&self, ms: i64) -> f64 {
        if self.weekend_damping == 0.0 {
            return 0.0;
        }
        let day = ms.div_euclid(DAY_MS);
        let since_midnight = ms.rem_euclid(DAY_MS) as f64 / MINUTE_MS;
        let day_minutes = DAY_MS as f64 / MINUTE_MS;
        let ramp = |minutes: f64| (minutes / self.weekend_scale_minutes).clamp(0.0, 1.0);
        // Minutes into the ramp up to a day off that begins `at`, and before the end of the ramp after one that ends `at`.
        let up = |at: f64| ramp(since_midnight - at + self.weekend_offset_minutes);
        let down = |at: f64| ramp(at + self.weekend_offset_minutes - since_midnight);
        let (before, after) = (is_day_off(day - 1), is_day_off(day + 1));
        let share = if is_day_off(day) {
            let rising: f64 = if before { 1.0 } else { up(0.0) };
            rising.min(if after { 1.0 } else { down(day_minutes) })
        } else {
            let rising: f64 = if after { up(day_minutes) } else { 0.0 };
            rising.max(if before { down(0.0) } else { 0.0 })
        };
        share * self.weekend_damping
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::midnight_ms;
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn rhythm() -> Rhythm {
        Rhythm {
            damping: 0.09375,
            weekend_damping: 0.5,
            weekend_offset_minutes: 180.0,
            weekend_scale_minutes: 360.0,
            session_gap_s: 1800,
        }
    }

    /// The weekend's share rises from three hours before Saturday to three hours into it, and falls again after Sunday.
    #[test]
    fn weekend_has_linear_ramps() {
        let saturday = midnight_ms(2024, 3, 9);
        let share = |hours: i64| rhythm().weekend_share(saturday + hours * HOUR_MS);
        let expected = [(-4, 0.0), (-3, 0.0), (0, 0.25), (3, 0.5), (24, 0.5), (45, 0.5), (48, 0.25), (51, 0.0)];
        for (hours, wanted) in expected {
            assert!((share(hours) - wanted).abs() < 1e-9, "{hours} hours after saturday began: {}", share(hours));
        }
    }

    /// Sessions are rarest around 3 AM and most frequent around 3 PM, and thinner on Sundays than on Wednesdays.
    #[test]
    fn sessions_follow_the_clock() {
        let (mut random, mut at) = (Random::new(3), midnight_ms(2024, 3, 4));
        let (mut by_hour, mut by_weekday) = ([0u32; 24], [0u32; 7]);
        for _ in 0..60_000 {
            let next = rhythm().next_session_ms(at, 20_000.0, &mut random);
            assert!(next >= at);
            at = next;
            by_hour[(at.rem_euclid(DAY_MS) / HOUR_MS) as usize] += 1;
            by_weekday[(at.div_euclid(DAY_MS) + 3).rem_euclid(7) as usize] += 1;
        }
        assert!(by_hour[15] > 2 * by_hour[3], "{by_hour:?}");
        let sunday = f64::from(by_weekday[6]) / f64::from(by_weekday[2]);
        assert!((0.4..0.75).contains(&sunday), "{by_weekday:?}");
    }
}
