//! `sluice.yml`: where streams come from, where tables go, and what the machine may use.

mod address;
mod reader;
mod sections;
mod substitute;

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::error::Faults;
use super::files::Files;
use super::lines::{line_of, line_of_path};
use super::nearest::did_you_mean;
use super::node::SourceTable;
use super::yaml;
use reader::Section;
use substitute::substitute;

/// The file's name.
pub(super) const FILE: &str = "sluice.yml";

/// The version of the file that this sluice reads.
const VERSION: u64 = 1;

/// What `sluice.yml` says, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where the streams of each dbt source come from.
    pub sources: IndexMap<String, SourceSettings>,
    /// The folder or URL below which all tables are.
    pub lake: String,
    /// The ClickHouse that gets tables too.
    pub clickhouse: Option<ClickHouse>,
    /// What a run may use and how often it does things.
    pub run: Run,
    /// How long the lake's tables keep what nobody needs any more.
    pub tables: Tables,
    /// The admin server; none unless set.
    pub admin: Option<Admin>,
}

/// Where the streams of one dbt source come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceSettings {
    /// Topics of Kafka.
    Kafka(Kafka),
    /// Files of JSON lines.
    FileStreams(FileStreams),
    /// The event simulator.
    Simulator(Simulator),
}

/// `kafka: { brokers, create, on_lost_offsets, options }`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kafka {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Whether topics that are not there are created; false unless set.
    pub create: bool,
    /// Whether reading goes on at the earliest record when records that were never read are gone (`earliest`); otherwise
    /// that is an error (`fail`, unless set).
    pub skip_lost_offsets: bool,
    /// Further options of the client, as it names them; some are passwords.
    pub options: IndexMap<String, Secret>,
}

/// `files: { path }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileStreams {
    /// The folder that holds a file or a folder for each stream.
    pub path: String,
}

/// `simulator: { ... }`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Simulator {
    /// The simulator's config file, or the name of one that it brings.
    pub config: Option<String>,
    /// Events a second; as fast as possible when not set.
    pub rate: Option<u64>,
    /// After so many events it ends.
    pub events: Option<u64>,
    /// The seed of its random numbers.
    pub seed: Option<u64>,
    /// The number of users at the start.
    pub users: Option<u64>,
    /// Simulated seconds in a real second.
    pub speedup: Option<f64>,
    /// New users a year, as a share of all.
    pub growth_rate: Option<f64>,
    /// Users that leave in a year, as a share of all.
    pub attrition_rate: Option<f64>,
    /// The simulated time at which it starts, ISO 8601.
    pub start: Option<String>,
    /// The simulated time at which it ends, ISO 8601.
    pub end: Option<String>,
    /// Whether records carry a key.
    pub keyed: Option<bool>,
    /// A text that every record carries.
    pub tag: Option<String>,
    /// Faults that are put in.
    pub faults: SimulatedFaults,
}

/// `faults: { ... }` of the simulator: shares of the records, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SimulatedFaults {
    /// Sent twice.
    pub duplicate: Option<f64>,
    /// Sent late.
    pub late: Option<f64>,
    /// How late at most.
    pub late_by_max: Option<Duration>,
    /// Sent as bytes that are no record.
    pub malformed: Option<f64>,
    /// Sent with text in a wrong encoding.
    pub mojibake: Option<f64>,
}

/// `clickhouse: { ... }`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClickHouse {
    /// The URL of its HTTP port, without user and password.
    pub url: String,
    /// The user; ClickHouse's default when not set.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The database of the tables; `default` unless set.
    pub database: String,
    /// The selector of the models that go there; all unless set.
    pub models: Option<String>,
}

/// A text that is not shown in debug output.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How many worker threads there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Workers {
    /// As many as there are cores.
    #[default]
    Auto,
    /// So many.
    Count(usize),
}

/// `run: { ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Worker threads; `auto` unless set.
    pub workers: Workers,
    /// The memory budget in bytes; 512 MiB unless set.
    pub memory_bytes: u64,
    /// The time between commits; 10 seconds unless set.
    pub epoch: Duration,
    /// The time after which changed rows are in ClickHouse; 500 ms unless set.
    pub freshness: Duration,
    /// How late a row may be and still be corrected into tables; 7 days unless set.
    pub keep_late: Duration,
    /// The time between full queries of models that need them; 60 seconds unless set.
    pub refresh: Duration,
}

impl Default for Run {
    fn default() -> Self {
        Run {
            workers: Workers::Auto,
            memory_bytes: 512 << 20,
            epoch: Duration::from_secs(10),
            freshness: Duration::from_millis(500),
            keep_late: Duration::from_secs(7 * 86_400),
            refresh: Duration::from_secs(60),
        }
    }
}

/// `tables: { keep_log, keep_removed_files }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    /// How long entries of a table's log stay, and so its older versions; 1 day unless set.
    pub keep_log: Duration,
    /// How long files stay that are no part of a table any more; 6 hours unless set.
    pub keep_removed_files: Duration,
}

/// The least `tables.keep_log`.
pub const KEEP_LOG_MIN: Duration = Duration::from_secs(2 * 3600);
/// The least `tables.keep_removed_files`: whoever has begun to read a table must be able to end.
pub const KEEP_REMOVED_FILES_MIN: Duration = Duration::from_secs(600);

impl Default for Tables {
    fn default() -> Self {
        Tables { keep_log: Duration::from_secs(24 * 3600), keep_removed_files: Duration::from_secs(6 * 3600) }
    }
}

/// `admin: { listen }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The address and port of the admin server.
    pub listen: String,
}

impl Settings {
    /// Reads the file; `None`, with the fault noted, when there is too little to go on.
    pub(super) fn read(files: &dyn Files, env: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Option<Self> {
        let text = match files.read(FILE) {
            Ok(text) => text,
            Err(error) => {
                let way_out = "add one with version: 1, sources:, and lake: (see `sluice init`)";
                faults.error(FILE, None, format!("the file cannot be read: {error}"), way_out);
                return None;
            }
        };
        let json = yaml::parse(FILE, &text).map_err(|error| faults.push(error)).ok()?;
        let Json::Object(map) = substituted(json, &text, env, faults) else {
            faults.error(
                FILE,
                Some(1),
                "the file is not a map",
                "write version: 1, sources: and lake: one below the other",
            );
            return None;
        };
        Some(sections::read(Section::root(&text, map), faults))
    }

    /// Notes sources that only one of the dbt project and `sluice.yml` has.
    pub(super) fn check_sources(&self, files: &dyn Files, tables: &[SourceTable], faults: &mut Faults) {
        let text = files.read(FILE).unwrap_or_default();
        for name in self.sources.keys().filter(|name| !tables.iter().any(|table| table.source == **name)) {
            let known = tables.iter().map(|table| table.source.as_str());
            let way_out = did_you_mean(name, known, "declare it under sources: in a property file, or remove it here");
            let line = line_of_path(&text, &["sources", name]);
            faults.error(FILE, line, format!("sources.{name} is no source of the dbt project"), way_out);
        }
        let mut missing: Vec<&str> = Vec::new();
        for table in tables.iter().filter(|table| table.stream.is_some()) {
            if self.sources.contains_key(&table.source) || missing.contains(&table.source.as_str()) {
                continue;
            }
            missing.push(&table.source);
            let what =
                format!("source \"{}\" has streams, and sluice.yml does not say where they come from", table.source);
            let way_out =
                format!("add sources: {{ {}: {{ kafka: {{ brokers: \"host:9092\" }} }} }} to sluice.yml", table.source);
            faults.error(&table.origin.file, table.origin.line, what, way_out);
        }
    }
}

/// The value with the variables of its texts replaced.
fn substituted(json: Json, text: &str, env: &dyn Fn(&str) -> Option<String>, faults: &mut Faults) -> Json {
    match json {
        Json::String(value) => match substitute(&value, env) {
            Ok(done) => Json::String(done),
            Err((what, way_out)) => {
                let name = what.split('"').nth(1).unwrap_or_default();
                faults.error(FILE, line_of(text, 1, name), what.clone(), way_out);
                Json::String(value)
            }
        },
        Json::Array(items) => items.into_iter().map(|item| substituted(item, text, env, faults)).collect(),
        Json::Object(map) => map.into_iter().map(|(key, value)| (key, substituted(value, text, env, faults))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests;
