//! The simulator's settings in `sluice.yml` as the simulator takes them.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use sluice_engine::{Error, Result};
use sluice_operators::source::simulator::{Faults, Options, Pace, SimulatorConfig, SimulatorSourceConfig};

use crate::project::Simulator;

/// Partitions of each simulated stream.
const PARTITIONS: u32 = 4;
/// Users when nothing is said: enough that many listen at once.
const USERS: usize = 10_000;

/// How late a late record is at most when nothing is said, in milliseconds: an hour.
pub const LATE_BY_MAX_MS: i64 = 3_600_000;

/// What a simulator in `sluice.yml` means. `root` is the project's folder, against which its configuration's path is read.
///
/// # Errors
/// `Config` when the configuration cannot be read or a setting makes no sense.
pub fn simulator_config(settings: &Simulator, root: &Path) -> Result<SimulatorSourceConfig> {
    let config = load_config(settings.config.as_deref(), root)?;
    let mut options = Options::from_config(&config);
    options.users = settings.users.map_or(USERS, |u| u as usize);
    options.seed = settings.seed.or(options.seed);
    options.events_max = settings.events;
    options.keyed = settings.keyed.unwrap_or(false);
    options.tag = settings.tag.clone().or(options.tag);
    if let Some(start) = &settings.start {
        options.start_ms = moment(start)?;
    }
    if let Some(end) = &settings.end {
        options.end_ms = Some(moment(end)?);
    }
    options.growth_rate = settings.growth_rate.unwrap_or(options.growth_rate);
    options.attrition_rate = settings.attrition_rate.unwrap_or(options.attrition_rate);
    let faults = &settings.faults;
    options.faults = Faults {
        duplicate: faults.duplicate.unwrap_or(0.0),
        late: faults.late.unwrap_or(0.0),
        late_by_max_ms: faults.late_by_max.map_or(LATE_BY_MAX_MS, |d| d.as_millis() as i64),
        malformed: faults.malformed.unwrap_or(0.0),
        mojibake: faults.mojibake.unwrap_or(0.0),
    };
    let pace = match (settings.rate, settings.speedup) {
        (Some(rate), _) => Pace::Rate { records_per_second: rate as f64 },
        (None, Some(speedup)) => Pace::Clock { start_ms: options.start_ms, speedup },
        (None, None) => Pace::Unlimited,
    };
    Ok(SimulatorSourceConfig { config, options, pace, partitions: PARTITIONS })
}

/// A simulator's configuration: `example` (the default), `guitar`, or a file.
///
/// # Errors
/// `Config` when there is no such file or it is no configuration.
pub fn load_config(name: Option<&str>, root: &Path) -> Result<SimulatorConfig> {
    match name {
        None | Some("example") => Ok(SimulatorConfig::example()),
        Some("guitar") => Ok(SimulatorConfig::guitar()),
        Some(file) => {
            let path = root.join(file);
            let text = std::fs::read_to_string(&path).map_err(|e| {
                let what = format!(
                    "the simulator's configuration {} cannot be read ({e}); give a configuration file, \"example\" or \"guitar\"",
                    path.display()
                );
                Error::config(what)
            })?;
            SimulatorConfig::from_json(&text).map_err(|e| Error::config(format!("{}: {e}", path.display())))
        }
    }
}

/// A date (UTC) or a time with its zone, in milliseconds since 1970.
///
/// # Errors
/// `Config` when it is neither.
pub fn moment(text: &str) -> Result<i64> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|d| d.and_hms_opt(0, 0, 0));
    let date = date.map(|d| d.and_utc().timestamp_millis());
    let time = || DateTime::parse_from_rfc3339(text).ok().map(|t| t.with_timezone(&Utc).timestamp_millis());
    date.or_else(time)
        .ok_or_else(|| Error::config(format!("{text:?} is no moment; write 2025-01-31 or 2025-01-31T12:00:00Z")))
}
