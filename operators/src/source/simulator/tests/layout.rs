//! The layout of the records, field by field, against genuine ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{Options, STREAMS, SimulatorConfig};
use super::{options, payloads, simulator};

/// The fields in order, each with its kind of value.
fn layout(record: &str) -> Vec<(String, &'static str)> {
    let value: Value = serde_json::from_str(record).unwrap();
    let kind = |value: &Value| match value {
        Value::String(_) => "text",
        Value::Bool(_) => "flag",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "integer",
        _ => "other",
    };
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), kind(value))).collect()
}

/// Every record has the same fields, in the same order and of the same kinds, as a genuine one of its stream; numbers
/// and text are written as a JSON library writes them, without spaces, and with a newline at the end.
#[test]
fn records_look_like_genuine_ones() {
    let genuine = BTreeMap::from([
        ("listen_events", include_str!("genuine/listen_events.jsonl")),
        ("auth_events", include_str!("genuine/auth_events.jsonl")),
        ("page_view_events", include_str!("genuine/page_view_events.jsonl")),
    ]);
    let mut layouts: BTreeMap<&str, BTreeSet<_>> =
        genuine.iter().map(|(stream, lines)| (*stream, lines.lines().map(layout).collect())).collect();
    // None of these is among the genuine lines at hand; the layout is a listen without its song.
    let status: Vec<_> = layouts["listen_events"].first().unwrap()[3..].to_vec();
    layouts.insert("status_change_events", BTreeSet::from([status]));
    let mut seen = BTreeMap::<&str, BTreeSet<_>>::new();
    for (stream, payload) in payloads(simulator(SimulatorConfig::example(), options(2_000, 40_000)), 1_000) {
        let line = std::str::from_utf8(&payload).unwrap();
        let record = line.strip_suffix('\n').unwrap();
        let found = layout(record);
        assert!(layouts[STREAMS[stream]].contains(&found), "{}: {record}", STREAMS[stream]);
        assert_eq!(serde_json::from_str::<Value>(record).unwrap().to_string(), record);
        seen.entry(STREAMS[stream]).or_default().insert(found);
    }
    assert_eq!(seen, layouts, "every genuine layout is seen");
}

/// Zip codes keep their leading zeros, one city has several of them, and one zip code is one point.
#[test]
fn places_hang_together() {
    let (mut points, mut zips) = (BTreeMap::<String, String>::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for (_, payload) in payloads(simulator(SimulatorConfig::example(), options(5_000, 20_000)), 1_000) {
        let value: Value = serde_json::from_slice(&payload).unwrap();
        let zip = value["zip"].as_str().unwrap().to_owned();
        assert!(zip.len() == 5 && zip.bytes().all(|byte| byte.is_ascii_digit()), "{zip}");
        let place = format!("{} {} {} {}", value["city"], value["state"], value["lon"], value["lat"]);
        assert_eq!(points.entry(zip.clone()).or_insert(place.clone()), &place, "{zip}");
        zips.entry(format!("{} {}", value["city"], value["state"])).or_default().insert(zip);
    }
    assert!(points.keys().any(|zip| zip.starts_with('0')) && zips.values().any(|zips| zips.len() > 5));
}

/// A tag stands behind the user and only with one; before the song, and before `success`.
#[test]
fn tags_follow_the_user() {
    let tagged = Options { tag: Some("group \"b\"".to_owned()), ..options(300, 10_000) };
    for (stream, payload) in payloads(simulator(SimulatorConfig::example(), tagged), 1_000) {
        let names: Vec<_> = layout(std::str::from_utf8(&payload).unwrap()).into_iter().map(|field| field.0).collect();
        let at = |name: &str| names.iter().position(|field| field == name);
        assert_eq!(at("tag"), at("registration").map(|at| at + 1), "{names:?}");
        if STREAMS[stream] == "auth_events" {
            assert_eq!(at("success"), Some(names.len() - 1));
        }
    }
}
