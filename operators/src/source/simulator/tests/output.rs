//! The same bytes for the same seed, the ends of a run, and the files.

use std::sync::atomic::AtomicBool;

use xxhash_rust::xxh3::Xxh3;

use super::super::{Faults, Filled, Options, Pace, Records, STREAMS, SimulatorConfig, files};
use super::{START_MS, options, payloads, simulator};

fn faulty() -> Options {
    let faults = Faults { duplicate: 0.02, late: 0.02, late_by_max_ms: 3_600_000, malformed: 0.01, mojibake: 0.2 };
    Options { faults, ..options(300, 20_000) }
}

fn hash(config: SimulatorConfig, options: Options, batch: usize) -> u64 {
    let mut hash = Xxh3::new();
    for (stream, payload) in payloads(simulator(config, options), batch) {
        hash.update(&[stream as u8]);
        hash.update(&payload);
    }
    hash.digest()
}

/// The bytes of a seed are fixed for ever: not by the batch, the machine or a library. If one of these figures
/// changes, every data set that was made from a seed changes, too: say so in the change log.
#[test]
fn a_seed_stands_for_its_bytes() {
    let hashes = [
        hash(SimulatorConfig::example(), options(300, 20_000), 1_000),
        hash(SimulatorConfig::guitar(), options(300, 20_000), 1),
        hash(SimulatorConfig::example(), faulty(), 77),
    ];
    assert_eq!(hashes, GOLDEN);
    assert_eq!(hash(SimulatorConfig::example(), faulty(), 10_000), GOLDEN[2], "the batch does not matter");
    let other = Options { seed: Some(2), ..options(300, 20_000) };
    assert_ne!(hash(SimulatorConfig::example(), other, 1_000), GOLDEN[0], "the seed does");
}

const GOLDEN: [u64; 3] = [17_460_796_795_534_187_868, 6_648_128_305_051_155_224, 8_019_701_891_392_926_242];

/// A run ends with the event that reaches the number of records asked for, and stays at its end.
#[test]
fn ends_after_a_whole_event() {
    for events_max in [1, 2, 3, 999, 1_000] {
        let mut simulator = simulator(SimulatorConfig::example(), options(50, events_max));
        let (mut records, mut last) = (Records::new(), None);
        let mut sent = 0;
        while simulator.next_records(7, &mut records) {
            sent += records.len() as u64;
            last = records.iter().last().map(|record| STREAMS[record.stream]);
        }
        assert!((events_max..events_max + 4).contains(&sent), "{sent} for {events_max}");
        assert_eq!(last, Some("page_view_events"));
        assert!(!simulator.next_records(7, &mut records) && records.is_empty());
        assert_eq!(simulator.truth().records(), sent);
    }
}

/// Asked for events up to a time, it gives those and no later ones, and waits then.
#[test]
fn waits_for_its_time() {
    let mut simulator = simulator(SimulatorConfig::example(), Options { keyed: true, ..options(500, 1_000_000) });
    let mut records = Records::new();
    let until_ms = START_MS + 3_600_000;
    let mut seen = 0;
    while simulator.next_records_until(100, Some(until_ms), &mut records) == Filled::Records {
        assert!(records.iter().all(|record| record.time_ms <= until_ms && record.key.is_some()));
        seen += records.len();
    }
    assert!(seen > 0 && simulator.next_event_ms().unwrap() > until_ms);
    assert_eq!(simulator.next_records_until(100, Some(until_ms), &mut records), Filled::Waiting);
    assert!(simulator.next_records(100, &mut records));
}

/// The files hold a line for each record, and the truth beside them counts the same.
#[test]
fn files_hold_what_the_truth_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = simulator(SimulatorConfig::example(), faulty());
    let truth = files::write_to_dir(&mut run, dir.path(), &Pace::Unlimited, None, |_| {}).unwrap();
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let lines = |name: &str| read(name).split(|byte| *byte == b'\n').count() as u64 - 1;
    for (stream, counts) in STREAMS.iter().zip(truth.streams) {
        assert_eq!(lines(&format!("{stream}.jsonl")), counts.records, "{stream}");
    }
    let faults =
        truth.streams.iter().map(|counts| counts.duplicates + counts.late + counts.malformed + counts.mojibake);
    assert_eq!(lines("truth.jsonl"), faults.sum::<u64>());
    let json: serde_json::Value = serde_json::from_slice(&read("truth.json")).unwrap();
    assert_eq!(json["streams"]["listen_events"]["records"], truth.streams[0].records);

    let stopped = tempfile::tempdir().unwrap();
    let mut run = simulator(SimulatorConfig::example(), options(100, 1_000_000));
    let stop = AtomicBool::new(true);
    let truth = files::write_to_dir(&mut run, stopped.path(), &Pace::Unlimited, Some(&stop), |_| {}).unwrap();
    assert_eq!(truth.records(), 0);
    assert!(!stopped.path().join("truth.json").exists(), "without faults there is no truth file");
}

/// A folder that cannot be made is an error that names it.
#[test]
fn a_bad_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    std::fs::write(&file, "").unwrap();
    let mut run = simulator(SimulatorConfig::example(), options(10, 10));
    let error = files::write_to_dir(&mut run, &file.join("sub"), &Pace::Unlimited, None, |_| {}).unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
}
