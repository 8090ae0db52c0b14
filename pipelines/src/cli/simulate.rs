//! `sluice simulate`: events to Kafka or to files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::source::simulator::{Faults, Options, Pace, Simulator, SimulatorError, Truth, files, kafka};

use super::{Outcome, output};
use crate::sources::{LATE_BY_MAX_MS, load_config, moment};

/// What a target in Kafka begins with.
const KAFKA: &str = "kafka://";

/// Simulate events of a music site, to Kafka or to files.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The simulator's configuration: a file, "example" or "guitar".
    #[arg(long, value_name = "FILE", default_value = "example")]
    config: String,
    /// Where to: kafka://host:port, or a folder for one file of JSON lines for each stream.
    #[arg(long, value_name = "TARGET")]
    to: String,
    /// End after so many events; without it, end only with Ctrl-C (or with --end). A folder needs --events, --end, --rate
    /// or --speedup.
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// Events a second; without it, as fast as it can.
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// Follow the clock: seconds of event time in a second (1 is real time). Excludes --rate.
    #[arg(long, value_name = "FACTOR", conflicts_with = "rate")]
    speedup: Option<f64>,
    /// The same seed gives the same bytes.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Users at the start.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    users: usize,
    /// First moment of event time: 2025-01-31 or 2025-01-31T12:00:00Z; with --speedup: now.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Last moment of event time.
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Growth of users in a year: 0.1 is ten per cent.
    #[arg(long, value_name = "SHARE")]
    growth_rate: Option<f64>,
    /// Use the session as Kafka key (the original has none).
    #[arg(long)]
    keyed: bool,
    /// Make missing topics, with so many partitions.
    #[arg(long, value_name = "PARTITIONS")]
    create_topics: Option<u32>,
    /// Share of records that are sent twice.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicates: f64,
    /// Share of records that are held back and sent late.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    late: f64,
    /// Share of records before which a broken copy is sent.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    malformed: f64,
    /// Share of texts that were read with the wrong encoding.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    mojibake: f64,
    /// Where to say what was injected (truth.json, truth.jsonl); the target folder when it is one.
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
}

pub async fn simulate(args: SimulateArgs) -> Outcome {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            asked.store(true, Ordering::Relaxed);
        }
    });
    let started = Instant::now();
    let done = tokio::task::spawn_blocking(move || write(&args, &stop)).await;
    let truth = done.map_err(|e| Error::bug("the simulator panicked").because(e))??;
    let records: u64 = truth.streams.iter().map(|s| s.records).sum();
    let seconds = started.elapsed().as_secs_f64();
    output::note(&format!("{records} records in {seconds:.1} s ({:.0} a second)", records as f64 / seconds.max(1e-9)));
    Ok(())
}

fn failed(e: SimulatorError) -> Error {
    let wrong = if e.is_wrong_command() { ErrorKind::Config } else { ErrorKind::Transient };
    let way_out = if matches!(e, SimulatorError::NoTopic { .. }) { " (--create-topics PARTITIONS)" } else { "" };
    Error::new(wrong, format!("{e}{way_out}"))
}

/// Without an end and without a pace, a folder's disk is full within minutes.
fn check_size(args: &SimulateArgs) -> Result<()> {
    let is_held = args.events.is_some() || args.end.is_some() || args.rate.is_some() || args.speedup.is_some();
    if is_held || args.to.starts_with(KAFKA) {
        return Ok(());
    }
    Err(Error::config(format!(
        "events without end, as fast as possible, would fill the disk of {}; give --events or --end, or a pace by --rate \
         or --speedup",
        args.to
    )))
}

fn write(args: &SimulateArgs, stop: &AtomicBool) -> Result<Truth> {
    check_size(args)?;
    let config = load_config(Some(&args.config), Path::new("."))?;
    let mut options = Options::from_config(&config);
    options.seed = args.seed.or(options.seed);
    options.users = args.users;
    options.events_max = args.events;
    options.keyed = args.keyed;
    options.growth_rate = args.growth_rate.unwrap_or(options.growth_rate);
    options.faults = Faults {
        duplicate: args.duplicates,
        late: args.late,
        malformed: args.malformed,
        mojibake: args.mojibake,
        late_by_max_ms: LATE_BY_MAX_MS,
    };
    match (&args.start, args.speedup) {
        (Some(start), _) => options.start_ms = moment(start)?,
        (None, Some(_)) => options.start_ms = chrono::Utc::now().timestamp_millis(),
        (None, None) => {}
    }
    if let Some(end) = &args.end {
        options.end_ms = Some(moment(end)?);
    }
    let pace = match (args.rate, args.speedup) {
        (Some(rate), _) => Pace::Rate { records_per_second: rate as f64 },
        (None, Some(speedup)) => Pace::Clock { start_ms: options.start_ms, speedup },
        (None, None) => Pace::Unlimited,
    };
    let mut simulator = Simulator::new(config, options).map_err(failed)?;
    let quiet = |_: &Truth| {};
    match args.to.strip_prefix(KAFKA) {
        Some(brokers) => {
            let target = kafka::KafkaOptions {
                brokers: brokers.to_owned(),
                create_partitions: args.create_topics,
                properties: vec![],
                truth_dir: args.truth.clone(),
            };
            kafka::produce(&mut simulator, &target, &pace, Some(stop), quiet).map_err(failed)
        }
        None => {
            let dir = Path::new(&args.to);
            files::write_to_dir(&mut simulator, dir, &pace, Some(stop), quiet).map_err(failed)
        }
    }
}
