//! Rows a second, from counts at moments.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back "now" reaches: long enough to be calm, short enough to show a stall.
const NOW_MS: u64 = 3000;
/// Counts that are kept for it.
const COUNTS_MAX: usize = 64;

/// Rows a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Over the last seconds.
    pub now: f64,
    /// Since the start.
    pub average: f64,
}

/// Makes rates from counts.
#[derive(Debug, Default)]
pub struct Meter {
    counts: VecDeque<(Duration, u64)>,
}

impl Meter {
    /// The rates at a moment, given the rows since the start; called with growing times.
    pub fn observe(&mut self, elapsed: Duration, rows: u64) -> Rates {
        if self.counts.is_empty() {
            self.counts.push_back((Duration::ZERO, 0));
        }
        self.counts.push_back((elapsed, rows));
        let begin = elapsed.saturating_sub(Duration::from_millis(NOW_MS));
        // The second one is kept old enough, so that the first to the last span the whole time that is meant.
        while self.counts.len() > COUNTS_MAX || self.counts.get(1).is_some_and(|(t, _)| *t <= begin) {
            self.counts.pop_front();
        }
        let (since, before) = self.counts.front().copied().unwrap_or_default();
        Rates {
            now: per_second(rows.saturating_sub(before), elapsed.saturating_sub(since)),
            average: per_second(rows, elapsed),
        }
    }
}

fn per_second(rows: u64, time: Duration) -> f64 {
    match time.is_zero() {
        true => 0.0,
        false => rows as f64 / time.as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(meter: &mut Meter, ms: u64, rows: u64) -> (u64, u64) {
        let rates = meter.observe(Duration::from_millis(ms), rows);
        (rates.now.round() as u64, rates.average.round() as u64)
    }

    /// "Now" follows the last three seconds; the average does not forget.
    #[test]
    fn now_forgets_and_the_average_does_not() {
        let mut meter = Meter::default();
        assert_eq!(at(&mut meter, 0, 0), (0, 0));
        assert_eq!(at(&mut meter, 1000, 1000), (1000, 1000));
        assert_eq!(at(&mut meter, 2000, 4000), (2000, 2000));
        assert_eq!(at(&mut meter, 4000, 4000), (1000, 1000));
        assert_eq!(at(&mut meter, 5000, 4000), (0, 800));
        assert_eq!(at(&mut meter, 8000, 4000), (0, 500));
    }

    /// However often it is asked, it keeps a bounded number of counts.
    #[test]
    fn counts_are_bounded() {
        let mut meter = Meter::default();
        for ms in 0..2000 {
            at(&mut meter, ms, ms);
        }
        assert_eq!(meter.counts.len(), COUNTS_MAX);
    }
}
