//! Faults do what the truth says, and nothing else.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::super::{Fault, Faults, InjectedFault, Malformed, Options, Records, STREAMS, SimulatorConfig, Truth};
use super::{options, payloads, simulator};

struct Run {
    streams: [Vec<Vec<u8>>; 4],
    injected: Vec<InjectedFault>,
    truth: Truth,
}

fn run(faults: Faults) -> Run {
    let mut simulator = simulator(SimulatorConfig::example(), Options { faults, ..options(300, 40_000) });
    let mut run = Run { streams: Default::default(), injected: Vec::new(), truth: Truth::default() };
    let mut records = Records::new();
    while simulator.next_records(500, &mut records) {
        for record in records.iter() {
            run.streams[record.stream].push(record.payload.to_vec());
        }
        run.injected.extend_from_slice(records.injected());
    }
    run.truth = *simulator.truth();
    run
}

fn clean() -> [Vec<Vec<u8>>; 4] {
    let mut streams: [Vec<Vec<u8>>; 4] = Default::default();
    for (stream, payload) in payloads(simulator(SimulatorConfig::example(), options(300, 40_000)), 500) {
        streams[stream].push(payload);
    }
    streams
}

fn ts(payload: &[u8]) -> Option<i64> {
    serde_json::from_slice::<Value>(payload).ok()?.get("ts")?.as_i64()
}

/// Without the records that the truth names as duplicates and malformed, and put in order, the streams are those of
/// the same run without faults; and the shares are those that were asked for.
#[test]
fn the_truth_tells_every_fault() {
    let faults = Faults { duplicate: 0.05, late: 0.03, late_by_max_ms: 7_200_000, malformed: 0.04, mojibake: 0.0 };
    let (run, clean) = (run(faults), clean());
    let added: HashMap<(usize, u64), Fault> = run
        .injected
        .iter()
        .filter(|injected| !matches!(injected.fault, Fault::Late(_)))
        .map(|injected| ((injected.stream, injected.index), injected.fault))
        .collect();
    for (stream, (found, expected)) in run.streams.iter().zip(&clean).enumerate() {
        let counts = run.truth.streams[stream];
        assert_eq!((counts.records, counts.distinct()), (found.len() as u64, expected.len() as u64));
        let (mut good, mut sent) = (Vec::new(), HashSet::new());
        for (index, payload) in found.iter().enumerate() {
            match added.get(&(stream, index as u64)) {
                None => {
                    good.push(payload.clone());
                    sent.insert(payload.clone());
                }
                Some(Fault::Duplicate) => assert!(sent.contains(payload), "a duplicate comes after its original"),
                Some(Fault::Malformed(_)) => assert_eq!(ts(payload), None, "{}", String::from_utf8_lossy(payload)),
                Some(other) => panic!("{other:?} adds no record"),
            }
        }
        let mut expected = expected.clone();
        good.sort_unstable();
        expected.sort_unstable();
        assert!(good == expected, "{}", STREAMS[stream]);
    }
    let share = |count: fn(&super::super::StreamTruth) -> u64| {
        run.truth.streams.iter().map(count).sum::<u64>() as f64 / 40_000.0
    };
    assert!((share(|counts| counts.duplicates) - 0.05).abs() < 0.006);
    assert!((share(|counts| counts.late) - 0.03).abs() < 0.005);
    assert!((share(|counts| counts.malformed) - 0.04).abs() < 0.005);
}

/// A late record comes after others that happened later, by no more than the bound; all others are in order.
#[test]
fn late_records_are_late() {
    let run = run(Faults { late: 0.05, late_by_max_ms: 600_000, ..Faults::default() });
    let mut late = HashSet::new();
    for injected in &run.injected {
        let Fault::Late(by_ms) = injected.fault else { panic!("{injected:?}") };
        assert!((1..=600_000).contains(&by_ms));
        late.insert((injected.stream, injected.index));
    }
    let (mut overtaken, stream) = (0, 3);
    let mut last_ms = 0;
    for (index, payload) in run.streams[stream].iter().enumerate() {
        let ts = ts(payload).unwrap();
        if late.contains(&(stream, index as u64)) {
            overtaken += u32::from(ts < last_ms);
            assert!(last_ms - ts <= 700_000 || index + 100 > run.streams[stream].len());
        } else {
            assert!(ts >= last_ms);
            last_ms = ts;
        }
    }
    assert!(overtaken > 500, "{overtaken}");
}

/// Every way to break a record is used, and each is what its name says.
#[test]
fn malformed_records_are_broken_as_named() {
    let run = run(Faults { malformed: 0.05, ..Faults::default() });
    let mut seen = HashSet::new();
    for injected in &run.injected {
        let payload = &run.streams[injected.stream][injected.index as usize];
        let Fault::Malformed(how) = injected.fault else { panic!("{injected:?}") };
        seen.insert(how.name());
        let value = serde_json::from_slice::<Value>(payload).ok();
        match how {
            Malformed::Truncated => assert!(value.is_none() && payload.starts_with(b"{")),
            Malformed::NotJson => assert!(value.is_none() && !payload.starts_with(b"{")),
            Malformed::InvalidUtf8 => assert!(std::str::from_utf8(payload).is_err() && payload.ends_with(b"}\n")),
            Malformed::Empty => assert!(payload.is_empty()),
            Malformed::WrongType => assert!(value.unwrap()["ts"].is_string()),
            Malformed::Overflow => assert!(value.unwrap()["ts"].as_f64().unwrap() > 1e22),
        }
    }
    assert_eq!(seen.len(), 6);
}

/// Read backwards as often as the truth says, spoilt text is the text of the run without faults, in both streams.
#[test]
fn mojibake_can_be_undone() {
    let (run, clean) = (run(Faults { mojibake: 0.5, ..Faults::default() }), clean());
    let spoilt: HashMap<(usize, u64), Fault> =
        run.injected.iter().map(|injected| ((injected.stream, injected.index), injected.fault)).collect();
    let mut depths = [0; 3];
    for stream in [0, 3] {
        for (index, (found, good)) in run.streams[stream].iter().zip(&clean[stream]).enumerate() {
            let depth = match spoilt.get(&(stream, index as u64)) {
                Some(Fault::Mojibake(depth)) => *depth,
                _ => 0,
            };
            depths[usize::from(depth)] += 1;
            let [found, good] = [found, good].map(|record| serde_json::from_slice::<Value>(record).unwrap());
            for name in ["artist", "song"] {
                let Some(mut text) = found[name].as_str().map(str::to_owned) else { continue };
                for _ in 0..depth {
                    let bytes: Vec<u8> = text.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
                    text = String::from_utf8(bytes).unwrap();
                }
                assert_eq!(text, good[name].as_str().unwrap());
            }
        }
    }
    assert!(depths[1] > 500 && depths[2] > 500, "{depths:?}");
    assert_eq!(run.truth.streams[0].mojibake, run.truth.streams[3].mojibake);
}

/// A run that is stopped still lets out what faults hold back, and nothing else.
#[test]
fn stopping_loses_nothing() {
    let faults = Faults { duplicate: 0.1, late: 0.1, late_by_max_ms: 86_400_000, ..Faults::default() };
    let mut simulator = simulator(SimulatorConfig::example(), Options { faults, ..options(300, 1_000_000) });
    let (mut records, mut seen) = (Records::new(), HashSet::new());
    for _ in 0..20 {
        assert!(simulator.next_records(500, &mut records));
        seen.extend(records.iter().map(|record| (record.stream, record.payload.to_vec())));
    }
    simulator.stop();
    let mut held = 0;
    while simulator.next_records(500, &mut records) {
        held += records.len();
        assert_eq!(records.injected().len(), records.len(), "only held records come after a stop");
        seen.extend(records.iter().map(|record| (record.stream, record.payload.to_vec())));
    }
    let distinct: u64 = simulator.truth().streams.iter().map(|counts| counts.distinct()).sum();
    assert!(held > 20 && seen.len() as u64 == distinct, "{held} held, {} seen of {distinct}", seen.len());
}
