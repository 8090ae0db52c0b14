//! Tests of whole runs.

mod config;
mod faults;
mod feed;
mod kafka;
mod layout;
mod mix;
mod output;
mod sessions;
mod source;
mod source_restart;

use std::collections::BTreeMap;

use super::{Options, Records, STREAMS, Simulator, SimulatorConfig};

/// 2023-12-24T17:18:39.902Z, when the genuine records begin.
const START_MS: i64 = 1_703_438_319_902;

fn options(users: usize, events_max: u64) -> Options {
    Options { users, events_max: Some(events_max), start_ms: START_MS, ..Options::default() }
}

fn simulator(config: SimulatorConfig, options: Options) -> Simulator {
    Simulator::new(config, options).unwrap()
}

/// Everything a run sends: (stream, payload), in order.
fn payloads(mut simulator: Simulator, batch: usize) -> Vec<(usize, Vec<u8>)> {
    let (mut records, mut all) = (Records::new(), Vec::new());
    while simulator.next_records(batch, &mut records) {
        all.extend(records.iter().map(|record| (record.stream, record.payload.to_vec())));
    }
    all
}

/// One page view, as far as the tests look at it.
#[derive(Debug, Clone, PartialEq)]
struct View {
    ts: i64,
    item: u64,
    page: String,
    auth: String,
    level: String,
    status: u64,
    song_s: Option<i64>,
    city: String,
    user: Option<String>,
}

/// The page views of a run, by session.
fn sessions(mut simulator: Simulator) -> BTreeMap<u64, Vec<View>> {
    let mut sessions = BTreeMap::<u64, Vec<View>>::new();
    let mut records = Records::new();
    while simulator.next_records(4_096, &mut records) {
        for record in records.iter().filter(|record| STREAMS[record.stream] == "page_view_events") {
            let text = std::str::from_utf8(record.payload).unwrap();
            let view = View {
                ts: number(text, "ts"),
                item: number(text, "itemInSession"),
                page: field(text, "page").to_owned(),
                auth: field(text, "auth").to_owned(),
                level: field(text, "level").to_owned(),
                status: number(text, "status"),
                song_s: text.contains("\"duration\":").then(|| number::<f64>(text, "duration") as i64),
                city: field(text, "zip").to_owned(),
                user: text.contains("\"userId\":").then(|| field(text, "userId").to_owned()),
            };
            sessions.entry(number(text, "sessionId")).or_default().push(view);
        }
    }
    sessions
}

/// The text of a field of a record, without quotes. Quick, and good for fields without escapes only.
fn field<'a>(record: &'a str, name: &str) -> &'a str {
    let mark = format!("\"{name}\":");
    let rest = record.split_once(&mark).unwrap_or_else(|| panic!("no {name} in {record}")).1;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap(),
        None => rest.split([',', '}']).next().unwrap(),
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(record: &str, name: &str) -> T {
    field(record, name).parse().unwrap()
}
