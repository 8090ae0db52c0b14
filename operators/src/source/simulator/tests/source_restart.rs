//! Tests of the sources over restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use sluice_engine::source::SplitPosition;
use sluice_engine::{ErrorKind, Polled, Position, Source};

use super::super::{Faults, Options, STREAMS, SharedSimulator, SimulatorSource, SimulatorSourceConfig};
use super::source::{Logs, append, config, context, drain, expected, open, shared, sources, spoilt};
use super::{START_MS, options};

/// The positions of each stream over all workers, as a manifest has them.
fn positions(sources: &[SimulatorSource]) -> BTreeMap<usize, Position> {
    let workers = sources.len() / STREAMS.len();
    let mut all = BTreeMap::<usize, Position>::new();
    for (i, source) in sources.iter().enumerate() {
        all.entry(i / workers).or_default().0.extend(source.position().0);
    }
    all
}

/// Sources that go on from positions.
fn resumed(
    shared: &Arc<SharedSimulator>,
    workers: usize,
    positions: &BTreeMap<usize, Position>,
) -> sluice_engine::Result<Vec<SimulatorSource>> {
    let mut all = sources(shared, workers);
    for (i, source) in all.iter_mut().enumerate() {
        source.open(&positions[&(i / workers)])?;
    }
    Ok(all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Stopped anywhere after the first poll, with any number of workers before and after and whatever start it is given
    /// then, a run goes on as if it had not been stopped.
    #[test]
    fn goes_on_anywhere(
        polls in prop::collection::vec((0usize..12, 1usize..900), 1..60),
        stops in 1usize..3,
        workers in 1usize..4,
    ) {
        let mut logs = Logs::new();
        let mut all = open(sources(&shared(spoilt(6_000)), workers));
        for stop in 0..stops {
            for (source, rows) in &polls {
                let source = source % all.len();
                if let Polled::Batch(batch) = all[source].poll(*rows, 1 << 20).unwrap() {
                    append(&mut logs, &batch);
                }
            }
            let now = Options { start_ms: START_MS + 86_400_000, ..spoilt(6_000) };
            all = resumed(&shared(now), 1 + (workers + stop) % 3, &positions(&all)).unwrap();
        }
        drain(&mut all, 8_192, 8 << 20, &mut logs);
        prop_assert!(logs == expected(spoilt(6_000), 4));
    }
}

/// A stream that is read for the first time after a restart comes from the beginning of the old run, though it is opened
/// before the source that knows when that was.
#[test]
fn a_new_stream_joins() {
    let mut first = open(sources(&shared(spoilt(6_000)), 1));
    let mut logs = Logs::new();
    for _ in 0..3 {
        if let Polled::Batch(batch) = first[3].poll(1_000, 1 << 20).unwrap() {
            append(&mut logs, &batch);
        }
    }
    let mut positions = positions(&first);
    positions.insert(0, Position::default());
    let later = shared(Options { start_ms: START_MS + 5_000, ..spoilt(6_000) });
    let mut again = resumed(&later, 1, &positions).unwrap();
    drain(&mut again, 8_192, 8 << 20, &mut logs);
    assert!(logs == expected(spoilt(6_000), 4));
    assert!(again.iter().all(|source| source.position().0["0"].detail["start_ms"] == START_MS));
}

/// A run that was opened but never polled has positions that a later run goes on from.
#[test]
fn stopped_before_the_first_record() {
    let first = open(sources(&shared(spoilt(1_000)), 2));
    let mut again = resumed(&shared(spoilt(1_000)), 1, &positions(&first)).unwrap();
    let mut logs = Logs::new();
    drain(&mut again, 8_192, 8 << 20, &mut logs);
    assert!(logs == expected(spoilt(1_000), 4));
    // From its end on there is nothing, and the positions stay.
    let end = positions(&again);
    let mut after = resumed(&shared(spoilt(1_000)), 1, &end).unwrap();
    drain(&mut after, 8_192, 8 << 20, &mut Logs::new());
    assert_eq!(positions(&after), end);
}

/// More events may be asked for over a restart, as long as there are no faults; that they could be late is none.
#[test]
fn more_events() {
    for late_by_max_ms in [0, 600_000] {
        let run = |events| {
            let faults = Faults { late_by_max_ms, ..Faults::default() };
            Options { faults, ..options(300, events) }
        };
        let mut logs = Logs::new();
        let mut all = open(sources(&shared(run(2_000)), 1));
        drain(&mut all, 8_192, 8 << 20, &mut logs);
        let mut more = resumed(&shared(run(5_000)), 1, &positions(&all)).unwrap();
        drain(&mut more, 8_192, 8 << 20, &mut logs);
        assert!(logs == expected(options(300, 5_000), 4));
    }
}

/// A run with other records is refused, and so are positions of something else.
#[test]
fn other_runs_are_refused() {
    let mut all = open(sources(&shared(spoilt(2_000)), 1));
    all[0].poll(10, 1 << 20).unwrap();
    let positions = positions(&all);
    let refused = |change: fn(&mut SimulatorSourceConfig)| {
        let mut config = config(spoilt(2_000));
        change(&mut config);
        let error = resumed(&SharedSimulator::new(config).unwrap(), 1, &positions).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("give it the old options again"), "{error}");
    };
    refused(|c| c.options.seed = Some(99));
    refused(|c| c.options.users += 1);
    refused(|c| c.options.attrition_rate = 0.5);
    refused(|c| c.options.events_max = Some(3_000));
    refused(|c| c.options.keyed = false);
    refused(|c| c.partitions = 8);
    refused(|c| c.partitions = 2);

    let kafka = SplitPosition { next: 7, detail: serde_json::Value::Null };
    let mut source = SimulatorSource::new(shared(spoilt(2_000)), STREAMS[0], context(0, 1)).unwrap();
    let error = source.open(&Position([("0".to_owned(), kafka)].into())).unwrap_err();
    assert!(error.to_string().contains("split \"0\" is not one of this simulator"), "{error}");
}

/// When all sources are gone, the same shared run begins again.
#[test]
fn begins_again_when_all_are_gone() {
    let shared = shared(spoilt(2_000));
    for workers in [2, 1] {
        let mut logs = Logs::new();
        let mut all = open(sources(&shared, workers));
        drain(&mut all, 8_192, 8 << 20, &mut logs);
        assert!(logs == expected(spoilt(2_000), 4), "{workers} workers");
    }
}
