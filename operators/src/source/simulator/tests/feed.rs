//! Tests of the pace of the sources, with a clock of their own.

use std::time::{Duration, Instant};

use super::super::feed::{Fed, Feed};
use super::super::{Options, Pace, STREAMS, SimulatorConfig};
use super::{START_MS, options, simulator};

/// The (stream, partition, offset, event time) of all records that come when a feed is asked every 5 ms up to `until`.
fn run(feed: &mut Feed, began: Instant, from_ms: u64, to_ms: u64) -> Vec<(usize, usize, i64, i64)> {
    let mut all = Vec::new();
    for ms in (from_ms..to_ms).step_by(5) {
        let now = began + Duration::from_millis(ms);
        while feed.advance(now, |place, r| all.push((place.stream, place.partition, place.offset, r.time_ms)))
            == Fed::Records
        {}
    }
    all
}

fn feed(pace: Pace, old: [u64; STREAMS.len()], options: Options) -> Feed {
    Feed::new(simulator(SimulatorConfig::guitar(), options), pace, 4, old)
}

/// A rate is kept over a second and over a stall; what is over three records of the last event is paid back.
#[test]
fn rate_is_kept() {
    let began = Instant::now();
    let mut feed = feed(Pace::Rate { records_per_second: 2_000.0 }, [0; 4], options(500, 1_000_000));
    let second = run(&mut feed, began, 0, 1_000).len();
    assert!((1_900..=2_003).contains(&second), "{second} records in a second");
    let after_stall = second + run(&mut feed, began, 4_000, 4_005).len();
    assert!((7_990..=8_005).contains(&after_stall), "{after_stall} records in 4 s");
}

/// A clock lets no record out before its time, and all of them within a linger after it.
#[test]
fn clock_is_kept() {
    let began = Instant::now();
    let pace = Pace::Clock { start_ms: START_MS, speedup: 600.0 };
    let mut feed = feed(pace, [0; 4], options(500, 1_000_000));
    let mut last_ms = START_MS;
    for ms in (0..3_000).step_by(50) {
        for (.., time_ms) in run(&mut feed, began, ms, ms + 5) {
            assert!(time_ms <= START_MS + ms as i64 * 600, "{time_ms} came too early");
            assert!(time_ms > START_MS + (ms as i64 - 60) * 600, "{time_ms} came too late");
            last_ms = time_ms;
        }
    }
    assert!(last_ms > START_MS + 1_500_000, "events came until {last_ms}");
}

/// What was given before a restart comes at once, up to the stream that was furthest; then the pace begins.
#[test]
fn old_records_have_no_pace() {
    let began = Instant::now();
    let rate = Pace::Rate { records_per_second: 100.0 };
    let mut resumed = feed(rate, [5_000, 0, 3, 9_000], options(500, 1_000_000));
    let old = run(&mut resumed, began, 0, 5);
    let of = |stream| old.iter().filter(|record| record.0 == stream).count();
    assert!((9_000..=9_003).contains(&of(3)) && of(0) >= 5_000 && of(2) >= 3, "{} page views", of(3));
    let new = run(&mut resumed, began, 5, 1_005).len();
    assert!((90..=103).contains(&new), "{new} records in a second after the restart");

    // A clock goes on from the last of them when it was set to the beginning, and from its own time when that is later.
    let last_ms = old.iter().map(|record| record.3).max().unwrap();
    for (start_ms, from_ms) in [(START_MS, last_ms), (last_ms + 7_000, last_ms + 7_000)] {
        let mut resumed = feed(Pace::Clock { start_ms, speedup: 1.0 }, [5_000, 0, 3, 9_000], options(500, 1_000_000));
        assert!(run(&mut resumed, began, 0, 5).len() >= old.len());
        let new = run(&mut resumed, began, 5, 20_000);
        let latest_ms = new.iter().map(|record| record.3).max().unwrap();
        assert!((from_ms + 12_000..=from_ms + 20_000).contains(&latest_ms), "{} s", (latest_ms - from_ms) / 1_000);
    }
}

/// The records of a stream go to its partitions in turn, each with offsets from 0 without a gap.
#[test]
fn partitions_in_turn() {
    let mut all = feed(Pace::Unlimited, [0; 4], options(100, 3_000));
    let records = run(&mut all, Instant::now(), 0, 5);
    assert!(records.len() >= 3_000);
    for stream in 0..STREAMS.len() {
        let places = records.iter().filter(|record| record.0 == stream).map(|record| (record.1, record.2));
        let expected = (0..).map(|n| (n % 4, (n / 4) as i64));
        assert!(places.zip(expected).all(|(place, expected)| place == expected));
    }
}
