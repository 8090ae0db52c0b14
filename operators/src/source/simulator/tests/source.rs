//! Tests of the sources: together they give what the simulator gives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use sluice_engine::{Batch, ErrorKind, Polled, Position, Source, SourceContext};

use super::super::{
    Faults, Options, Pace, Records, STREAMS, SharedSimulator, Simulator, SimulatorConfig, SimulatorSource,
    SimulatorSourceConfig,
};
use super::options;
use crate::source::raw::{KEY, OFFSET, PARTITION, PAYLOAD, TIMESTAMP, TOPIC, raw_schema};

/// Event time in microseconds, key, payload.
pub(super) type Row = (i64, Option<String>, Vec<u8>);
/// The rows of each (stream, partition), in order; the place of a row is its offset.
pub(super) type Logs = BTreeMap<(String, i32), Vec<Row>>;

/// A run with all that can happen to records.
pub(super) fn spoilt(events_max: u64) -> Options {
    let faults = Faults { duplicate: 0.02, late: 0.02, late_by_max_ms: 600_000, malformed: 0.02, mojibake: 0.5 };
    Options { faults, keyed: true, ..options(300, events_max) }
}

pub(super) fn config(options: Options) -> SimulatorSourceConfig {
    SimulatorSourceConfig::new(SimulatorConfig::guitar(), options)
}

pub(super) fn shared(options: Options) -> Arc<SharedSimulator> {
    SharedSimulator::new(config(options)).unwrap()
}

pub(super) fn context(worker: usize, workers: usize) -> SourceContext {
    SourceContext { name: "simulated".into(), worker, workers, until_idle: false }
}

/// A source for each stream on each worker, not yet opened.
pub(super) fn sources(shared: &Arc<SharedSimulator>, workers: usize) -> Vec<SimulatorSource> {
    let places = STREAMS.iter().flat_map(|stream| (0..workers).map(move |worker| (stream, worker)));
    places.map(|(stream, w)| SimulatorSource::new(shared.clone(), stream, context(w, workers)).unwrap()).collect()
}

pub(super) fn open(mut sources: Vec<SimulatorSource>) -> Vec<SimulatorSource> {
    sources.iter_mut().for_each(|source| source.open(&Position::default()).unwrap());
    sources
}

/// What the simulator alone gives, dealt out to partitions.
pub(super) fn expected(options: Options, partitions: i32) -> Logs {
    let mut simulator = Simulator::new(SimulatorConfig::guitar(), options).unwrap();
    let (mut records, mut logs, mut given) = (Records::new(), Logs::new(), [0; STREAMS.len()]);
    while simulator.next_records(777, &mut records) {
        for record in records.iter() {
            let place = (STREAMS[record.stream].to_owned(), given[record.stream] % partitions);
            given[record.stream] += 1;
            let key = record.key.map(|key| key.to_string());
            logs.entry(place).or_default().push((record.time_ms * 1_000, key, record.payload.to_vec()));
        }
    }
    logs
}

/// Appends a batch to the logs; each row must be the next of its partition.
pub(super) fn append(logs: &mut Logs, batch: &Batch) {
    assert_eq!(batch.schema(), raw_schema());
    let times = batch.column(TIMESTAMP).as_primitive::<TimestampMicrosecondType>();
    let (keys, payloads) = (batch.column(KEY).as_binary::<i32>(), batch.column(PAYLOAD).as_binary::<i32>());
    for i in 0..batch.len() {
        let topic = batch.column(TOPIC).as_string::<i32>().value(i).to_owned();
        let log = logs.entry((topic, batch.column(PARTITION).as_primitive::<Int32Type>().value(i))).or_default();
        assert_eq!(batch.column(OFFSET).as_primitive::<Int64Type>().value(i), log.len() as i64);
        let key = keys.is_valid(i).then(|| String::from_utf8(keys.value(i).to_vec()).unwrap());
        log.push((times.value(i), key, payloads.value(i).to_vec()));
    }
}

/// Polls all sources in turn until all have ended.
pub(super) fn drain(sources: &mut [SimulatorSource], rows: usize, bytes: usize, logs: &mut Logs) {
    let began = Instant::now();
    loop {
        let mut ended = 0;
        for source in sources.iter_mut() {
            match source.poll(rows, bytes).unwrap() {
                Polled::Batch(batch) => {
                    assert!((1..=rows).contains(&batch.len()));
                    append(logs, &batch);
                }
                Polled::Idle => {}
                Polled::End => ended += 1,
            }
        }
        if ended == sources.len() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the sources do not come to an end");
    }
}

/// The sources of 1 and of 3 workers, with small and large budgets, give what the simulator alone gives: each record
/// once, in order within its partition, with faults and keys; then they end, though the graph does not run until idle.
#[test]
fn together_they_give_everything() {
    let expected = expected(spoilt(12_000), 4);
    assert_eq!(expected.len(), 16);
    for (workers, rows, bytes) in
        [(1, 8_192, 8 << 20), (3, 8_192, 8 << 20), (3, 7, 1 << 20), (1, 1_000, 2_000), (6, 100, 0)]
    {
        let mut all = open(sources(&shared(spoilt(12_000)), workers));
        let mut logs = Logs::new();
        drain(&mut all, rows, bytes, &mut logs);
        assert!(logs == expected, "{workers} workers, {rows} rows, {bytes} bytes");
        assert!(all.iter().all(|source| source.lag_rows() == Some(0)));
    }
}

/// A worker polls each on its thread: nothing is lost and nothing doubled.
#[test]
fn workers_on_threads() {
    let mut by_worker: Vec<Vec<_>> = vec![vec![], vec![], vec![]];
    for source in open(sources(&shared(spoilt(12_000)), 3)) {
        let worker = by_worker.iter().position(|own| own.len() < 4 && is_of(&source, own)).unwrap();
        by_worker[worker].push(source);
    }
    let threads: Vec<_> = by_worker
        .into_iter()
        .map(|mut own| {
            std::thread::spawn(move || {
                let mut logs = Logs::new();
                drain(&mut own, 500, 1 << 20, &mut logs);
                logs
            })
        })
        .collect();
    let mut logs = Logs::new();
    for thread in threads {
        logs.extend(thread.join().unwrap());
    }
    assert!(logs == expected(spoilt(12_000), 4));
}

/// Does a source belong with these: are its splits theirs (or are there none yet)?
fn is_of(source: &SimulatorSource, own: &[SimulatorSource]) -> bool {
    own.first().is_none_or(|first| first.position().0.keys().eq(source.position().0.keys()))
}

/// A source that is polled alone comes to rest when the others' queues are full, which are bounded; then these are
/// polled, and nothing was lost.
#[test]
fn one_polled_alone_rests() {
    let mut all = open(sources(&shared(spoilt(60_000)), 1));
    let mut logs = Logs::new();
    let (mut idle, mut polls) = (0, 0);
    while idle < 200 {
        polls += 1;
        assert!(polls < 10_000, "it never comes to rest");
        match all[1].poll(8_192, 8 << 20).unwrap() {
            Polled::Batch(batch) => {
                append(&mut logs, &batch);
                idle = 0;
            }
            Polled::Idle => idle += 1,
            Polled::End => panic!("most records are still to come"),
        }
    }
    let waiting: Vec<_> = all.iter().map(|source| source.lag_rows().unwrap()).collect();
    assert!(waiting.iter().all(|rows| *rows < 10_000) && waiting[3] > 5_000, "{waiting:?}");
    drain(&mut all, 8_192, 8 << 20, &mut logs);
    assert!(logs == expected(spoilt(60_000), 4));
}

/// Streams that nobody reads do not hold up the others.
#[test]
fn unread_streams_are_dropped() {
    let mut logs = Logs::new();
    let only = SimulatorSource::new(shared(spoilt(60_000)), "listen_events", context(0, 1)).unwrap();
    drain(&mut open(vec![only]), 8_192, 8 << 20, &mut logs);
    let mut expected = expected(spoilt(60_000), 4);
    expected.retain(|(stream, _), _| stream == "listen_events");
    assert!(logs == expected);
}

/// The rate is kept about by the wall clock, and polls without a due record are idle.
#[test]
fn rate_by_the_wall_clock() {
    let pace = Pace::Rate { records_per_second: 5_000.0 };
    let shared = SharedSimulator::new(SimulatorSourceConfig { pace, ..config(options(300, 1_000_000)) }).unwrap();
    let mut all = open(sources(&shared, 1));
    let (began, mut rows, mut idle) = (Instant::now(), 0, 0);
    while began.elapsed() < Duration::from_millis(400) {
        for source in &mut all {
            match source.poll(8_192, 8 << 20).unwrap() {
                Polled::Batch(batch) => rows += batch.len(),
                Polled::Idle => idle += 1,
                Polled::End => panic!("it must not end"),
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let due = (began.elapsed().as_secs_f64() * 5_000.0) as usize;
    assert!(rows <= due + 3 && rows > due / 2, "{rows} records, {due} were due");
    assert!(idle > 0);
}

/// What is wrong is told before a row is read, with the way out.
#[test]
fn errors() {
    let told = |kind, text: &str, result: Result<(), sluice_engine::Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    let bounded = shared(options(10, 100));
    let new =
        |shared: &Arc<SharedSimulator>, stream: &str, context| SimulatorSource::new(shared.clone(), stream, context);
    let unknown = new(&bounded, "listens", context(0, 1)).map(drop);
    told(ErrorKind::Config, "no stream \"listens\"; it has listen_events, status_change_events, auth_events", unknown);
    let endless = shared(Options { events_max: None, ..options(10, 1) });
    let until_idle = SourceContext { until_idle: true, ..context(0, 1) };
    told(ErrorKind::Config, "give it a number of events", new(&endless, "auth_events", until_idle).map(drop));

    let mut first = new(&bounded, "auth_events", context(0, 1)).unwrap();
    told(ErrorKind::Bug, "share a stream", new(&bounded, "auth_events", context(0, 1)).map(drop));
    told(ErrorKind::Bug, "share a stream", new(&bounded, "listen_events", context(0, 2)).map(drop));
    first.open(&Position::default()).unwrap();
    first.poll(1, 1).unwrap();
    told(ErrorKind::Bug, "after its run had begun", new(&bounded, "listen_events", context(0, 1)).map(drop));

    let built = |change: fn(&mut SimulatorSourceConfig)| {
        let mut config = config(options(10, 100));
        change(&mut config);
        SharedSimulator::new(config).map(drop)
    };
    told(ErrorKind::Config, "\"partitions\" is 0", built(|c| c.partitions = 0));
    told(ErrorKind::Config, "\"users\" is 0", built(|c| c.options.users = 0));
    told(ErrorKind::Config, "\"rate\" is 0", built(|c| c.pace = Pace::Rate { records_per_second: 0.0 }));
    told(
        ErrorKind::Config,
        "\"speedup\" is inf",
        built(|c| c.pace = Pace::Clock { start_ms: 0, speedup: f64::INFINITY }),
    );
}
