//! Facts about gold that are found by plain counting over the payloads: no SQL, no operator, no decoder of ours.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use serde_json::Value;
use sluice_operators::source::simulator::{STREAMS, Truth};
use sluice_tests::compare::{self, Line, difference, lines};
use sluice_tests::events::read;
use sluice_tests::project::Opened;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Doubles are summed here as they come; the tables' sums, exact and rounded once, may differ in the last digits.
const RELATIVE_ERROR_MAX: f64 = 1e-9;

/// A song that was started, once.
struct Listen {
    ts: i64,
    user: Option<i64>,
    level: String,
    state: String,
    song: (String, String),
    seconds: f64,
}

/// Plays and seconds of a group.
#[derive(Default)]
struct Group {
    plays: u64,
    seconds: f64,
}

/// Holds gold tables against what counting gives. `payloads`: those of each of the pipeline's streams.
pub fn check(payloads: &[Vec<Vec<u8>>], truth: &Truth, opened: &Opened) -> anyhow::Result<()> {
    let streams = opened.pipeline.streams.iter();
    for ((stream, payloads), facts) in
        streams.zip(payloads).zip(["fact_page_views", "fact_listens", "fact_auths", "fact_status_changes"])
    {
        let mut seen = HashSet::new();
        for fields in payloads.iter().filter_map(|payload| read(stream, payload)) {
            seen.insert((fields["sessionId"].as_i64(), fields["itemInSession"].as_i64()));
        }
        let at = STREAMS.iter().position(|name| *name == stream.topic).context("no stream of the simulator")?;
        assert_eq!(seen.len() as u64, truth.streams[at].distinct(), "distinct events of {}", stream.topic);
        let rows: usize = opened.table(&format!("silver/{facts}"))?.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(rows, seen.len(), "rows of {facts}");
    }
    let listens = listens(payloads, opened)?;
    let plays: i64 =
        opened.table("gold/top_songs")?.iter().flat_map(|b| b["plays"].as_primitive::<Int64Type>()).flatten().sum();
    assert_eq!(plays, listens.len() as i64, "plays over all songs");
    plays_per_minute(&listens, opened)?;
    songs_per_user_day(&listens, opened)
}

fn listens(payloads: &[Vec<Vec<u8>>], opened: &Opened) -> anyhow::Result<Vec<Listen>> {
    let streams = &opened.pipeline.streams;
    let at = streams.iter().position(|stream| stream.topic == "listen_events").context("no stream of listens")?;
    let mut listens = HashMap::new();
    for fields in payloads[at].iter().filter_map(|payload| read(&streams[at], payload)) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let number = |name: &str| fields.get(name).and_then(Value::as_i64);
        let listen = Listen {
            ts: number("ts").context("a listen without ts")?,
            user: number("userId"),
            level: text("level"),
            state: text("state"),
            song: (readable(text("artist")), readable(text("song"))),
            seconds: fields.get("duration").and_then(Value::as_f64).context("a listen without duration")?,
        };
        listens.insert((number("sessionId"), number("itemInSession")), listen);
    }
    Ok(listens.into_values().collect())
}

/// Text that was UTF-8 and was read as Latin-1, once or twice, put right.
fn readable(text: String) -> String {
    let undo = |text: String| {
        let bytes: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text)
    };
    undo(undo(text))
}

fn plays_per_minute(listens: &[Listen], opened: &Opened) -> anyhow::Result<()> {
    let mut groups: HashMap<_, Group> = HashMap::new();
    for listen in listens {
        let group = groups.entry((listen.ts.div_euclid(MINUTE_MS), &listen.state, &listen.level)).or_default();
        group.plays += 1;
        group.seconds += listen.seconds;
    }
    let mut expected = Vec::new();
    for ((minute, state, level), group) in &groups {
        let mut line = Line::default();
        line.push("minute_start", Some(&compare::timestamp(minute * MINUTE_MS * 1_000)?));
        line.push("state", Some(&compare::text(state)));
        line.push("level", Some(&compare::text(level)));
        line.push("plays", Some(&group.plays.to_string()));
        expected.push(line.finish());
    }
    let columns = ["minute_start", "state", "level", "plays"];
    let found = opened.table("gold/plays_per_minute")?;
    assert_eq!(difference(expected, lines(&found, &columns)?), None, "plays_per_minute");
    let seconds = |batch: &arrow::array::RecordBatch| batch["listening_seconds"].as_primitive::<Float64Type>().clone();
    near(groups.values().map(|group| group.seconds).sum(), found.iter().map(seconds).flat_map(sum).sum());
    Ok(())
}

fn sum(column: arrow::array::Float64Array) -> Option<f64> {
    arrow::compute::sum(&column)
}

fn near(expected: f64, found: f64) {
    assert!(
        (expected - found).abs() <= expected.abs() * RELATIVE_ERROR_MAX,
        "{found} s were listened to, not {expected}"
    );
}

fn songs_per_user_day(listens: &[Listen], opened: &Opened) -> anyhow::Result<()> {
    type Songs<'a> = HashSet<&'a (String, String)>;
    let mut groups: HashMap<(i64, i64), (Group, Group, Songs<'_>)> = HashMap::new();
    for listen in listens {
        let Some(user) = listen.user else { continue };
        let (free, paid, songs) = groups.entry((listen.ts.div_euclid(DAY_MS), user)).or_default();
        let group = if listen.level == "free" { free } else { paid };
        group.plays += 1;
        group.seconds += listen.seconds;
        songs.insert(&listen.song);
    }
    let mut expected = Vec::new();
    for ((day, user), (free, paid, songs)) in &groups {
        let mut line = Line::default();
        line.push("event_date", Some(&compare::date(i32::try_from(*day)?)));
        let plays = free.plays + paid.plays;
        let counts = [("user_id", *user as u64), ("plays", plays), ("songs", songs.len() as u64)];
        for (name, count) in counts.into_iter().chain([("free_plays", free.plays), ("paid_plays", paid.plays)]) {
            line.push(name, Some(&count.to_string()));
        }
        expected.push(line.finish());
    }
    let columns = ["event_date", "user_id", "plays", "songs", "free_plays", "paid_plays"];
    let found = opened.table("gold/songs_per_user_day")?;
    assert_eq!(difference(expected, lines(&found, &columns)?), None, "songs_per_user_day");
    for (column, of) in [("free_listening_seconds", 0), ("paid_listening_seconds", 1)] {
        let wanted = groups.values().map(|(free, paid, _)| [free, paid][of].seconds).sum();
        let seconds = |batch: &arrow::array::RecordBatch| batch[column].as_primitive::<Float64Type>().clone();
        near(wanted, found.iter().map(seconds).flat_map(sum).sum());
    }
    Ok(())
}
