//! How fast the records go out. Pure: time comes in as an argument.

use std::time::Duration;

/// The longest time to sleep before asking again, so that a stop is noticed.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// The shortest: it makes small batches of what would be single records.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// How often a run that follows event time looks whether an event is due.
const CLOCK_TICK: Duration = Duration::from_millis(10);

/// How fast a run goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as it can.
    Unlimited,
    /// So many records in a second, whatever their event time. After a stall it catches up.
    Rate {
        /// Records in a second, over all streams.
        records_per_second: f64,
    },
    /// Each record when its event time has come.
    Clock {
        /// Event time at the start of the run, in milliseconds since 1970.
        start_ms: i64,
        /// Seconds of event time in a second; 1 is real time.
        speedup: f64,
    },
}

/// What may go out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// So many records at most.
    pub records: u64,
    /// None with a later event time than this.
    pub until_ms: Option<i64>,
}

impl Pace {
    /// What may go out when the run has lasted for `elapsed` and has sent `sent` records.
    pub fn due(&self, elapsed: Duration, sent: u64) -> Due {
        match *self {
            Self::Unlimited => Due { records: u64::MAX, until_ms: None },
            Self::Rate { records_per_second } => {
                // A cast from a float stops at the ends of its range; no rate and no duration can pass them.
                let total = (elapsed.as_secs_f64() * records_per_second) as u64;
                Due { records: total.saturating_sub(sent), until_ms: None }
            }
            Self::Clock { start_ms, speedup } => {
                let passed_ms = (elapsed.as_secs_f64() * speedup * 1000.0) as i64;
                Due { records: u64::MAX, until_ms: Some(start_ms.saturating_add(passed_ms)) }
            }
        }
    }

    /// How long to wait before asking again when nothing is due.
    pub fn wait(&self, elapsed: Duration, sent: u64) -> Duration {
        match *self {
            Self::Unlimited => Duration::ZERO,
            Self::Rate { records_per_second } => {
                let next_s = (sent + 1) as f64 / records_per_second - elapsed.as_secs_f64();
                let next = Duration::try_from_secs_f64(next_s.max(0.0)).unwrap_or(WAIT_MAX);
                next.clamp(WAIT_MIN, WAIT_MAX)
            }
            Self::Clock { .. } => CLOCK_TICK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rate lets out exactly its share of the time that passed, and catches up after a stall.
    #[test]
    fn rate_is_kept_on_the_whole() {
        let pace = Pace::Rate { records_per_second: 1_000.0 };
        let mut sent = 0;
        for tick in 1..=700 {
            let stalled = if (100..200).contains(&tick) { 100 } else { tick };
            sent += pace.due(Duration::from_millis(stalled * 10), sent).records;
        }
        assert_eq!(sent, 7_000);
        assert_eq!(pace.due(Duration::from_secs(1), 5_000).records, 0);
        assert_eq!(pace.wait(Duration::from_secs(7), 7_000), WAIT_MIN);
        assert_eq!(Pace::Rate { records_per_second: 0.0 }.wait(Duration::ZERO, 0), WAIT_MAX);
    }

    /// A clock lets out what has happened by now, at its speed.
    #[test]
    fn clock_follows_event_time() {
        let pace = Pace::Clock { start_ms: 5_000, speedup: 60.0 };
        assert_eq!(pace.due(Duration::from_secs(2), 9).until_ms, Some(125_000));
        assert_eq!(Pace::Unlimited.due(Duration::ZERO, 9), Due { records: u64::MAX, until_ms: None });
    }
}
