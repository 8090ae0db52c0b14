//! Configurations: the genuine ones load, and each fault of a wrong one is named.

use serde_json::{Value, json};

use super::super::{Faults, Options, Simulator, SimulatorConfig};
use super::{START_MS, options};

/// eventsim's two configurations load as they are, and say what they say.
#[test]
fn genuine_configurations_load() {
    let options = [SimulatorConfig::example(), SimulatorConfig::guitar()].map(|config| Options::from_config(&config));
    assert_eq!(options.map(|options| options.seed), [Some(1), Some(131)]);
}

/// A configuration with this changed at a JSON pointer; `null` takes the field away.
fn error_of(pointer: &str, new: Value) -> String {
    let mut config: Value = serde_json::from_str(include_str!("../configs/example-config.json")).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = new,
        Value::Object(object) if new.is_null() => drop(object.remove(name)),
        Value::Object(object) => drop(object.insert(name.to_owned(), new)),
        _ => panic!("{pointer}"),
    }
    SimulatorConfig::from_json(&config.to_string()).map(|_| ()).expect_err(pointer).to_string()
}

/// Each fault of a configuration is one clear error that names the field.
#[test]
fn errors_name_the_field() {
    let cases = [
        ("/transitions", Value::Null, r#""transitions" is missing"#),
        ("/transitions", json!([]), r#""transitions" is empty"#),
        ("/transitions", json!({}), r#""transitions" must be a list, not an object"#),
        ("/transitions/3/p", Value::Null, r#""transitions[3].p" is missing"#),
        ("/transitions/3/p", json!("0.3"), r#""transitions[3].p" must be a number, not a text"#),
        ("/transitions/3/p", json!(1.5), r#""transitions[3].p" is 1.5; it must be from 0 to 1"#),
        ("/transitions/2/p", json!(0.9), r#"out of page "About" (auth "Guest", level "free") add up to 1.1"#),
        ("/transitions/3/source/page", json!(7), r#""transitions[3].source.page" must be a text, not a number"#),
        ("/transitions/3/dest", json!("Home"), r#""transitions[3].dest" must be an object, not a text"#),
        ("/transitions/3/dest/status", json!(2), r#""transitions[3].dest.status" is 2; it must be from 100 to 999"#),
        ("/new-session", Value::Null, r#""new-session" is missing"#),
        ("/new-session/0/weight", json!(-1), r#""new-session[0].weight" is -1; it must be from 0"#),
        (
            "/new-session/0/page",
            json!("Nowhere"),
            r#""new-session[0].page" is "Nowhere" in a state that no transition has"#,
        ),
        ("/new-session", json!([]), r#""new-session" is empty"#),
        (
            "/show-user-details",
            json!([{"auth": "Guest", "show": false}]),
            r#""show-user-details" says nothing of auth "Logged In""#,
        ),
        ("/show-user-details/0/show", json!(0), r#""show-user-details[0].show" must be true or false, not a number"#),
        ("/levels", Value::Null, r#""levels" is missing"#),
        ("/levels/0/weight", Value::Null, r#""levels[0].weight" is missing"#),
        (
            "/levels/0/level",
            json!("gold"),
            r#""new-session" has no entry with a weight for auth "Logged In" and level "gold""#,
        ),
        ("/auths", json!([{"auth": "Guest", "weight": 0}]), r#""auths" has no entry with a weight above 0"#),
        ("/new-user-level", json!("gold"), r#"for auth "Guest" and level "gold", in which new users can be; add one"#),
        ("/churned-state", Value::Null, r#"auth "Cancelled" and level "free", in which users who leave"#),
        ("/alpha", json!(0), r#""alpha" is 0; it must be from 0.001"#),
        ("/beta", json!("week"), r#""beta" must be a number, not a text"#),
        ("/weekend-damping", json!(2), r#""weekend-damping" is 2; it must be from 0 to 1"#),
        ("/weekend-damping-scale", json!(0), r#""weekend-damping-scale" is 0; it must be from 1"#),
        ("/alhpa", json!(1), r#""alhpa" is not known; there are: seed, alpha"#),
        ("/start-date", json!("yesterday"), r#""start-date" is "yesterday"; it must be like 2024-01-31"#),
        ("/start-date", json!("2024-13-01"), r#""start-date" is "2024-13-01""#),
    ];
    for (pointer, new, expected) in cases {
        let error = error_of(pointer, new);
        assert!(error.contains(expected), "{pointer}: {error:?} does not say {expected:?}");
    }
    assert!(SimulatorConfig::from_json("{").unwrap_err().to_string().contains("not JSON"));
    assert!(SimulatorConfig::from_json("[]").unwrap_err().to_string().contains("must be an object"));
}

/// What a configuration says of dates, users and growth becomes the run's options.
#[test]
fn options_come_from_the_configuration() {
    let mut config: Value = serde_json::from_str(include_str!("../configs/example-config.json")).unwrap();
    config["start-date"] = json!("2024-02-29T01:02:03");
    config["end-date"] = json!("2024-03-01");
    config["n-users"] = json!(77);
    config["growth-rate"] = json!(0.25);
    config["tag"] = json!("t");
    let options = Options::from_config(&SimulatorConfig::from_json(&config.to_string()).unwrap());
    let expected = Options {
        seed: Some(1),
        users: 77,
        start_ms: 1_709_168_523_000,
        end_ms: Some(1_709_251_200_000),
        growth_rate: 0.25,
        tag: Some("t".to_owned()),
        ..Options::default()
    };
    assert_eq!(options, expected);
}

/// Each option that is out of range is one clear error that names it.
#[test]
fn errors_name_the_option() {
    let good = options(10, 10);
    let faults = |faults: Faults| Options { faults, ..good.clone() };
    let cases = [
        (Options { users: 0, ..good.clone() }, "\"users\" is 0"),
        (Options { end_ms: Some(START_MS), ..good.clone() }, "\"end\" is"),
        (Options { events_max: Some(0), ..good.clone() }, "\"events\" is 0"),
        (Options { start_ms: i64::MAX, ..good.clone() }, "\"start\" is"),
        (Options { growth_rate: -1.0, ..good.clone() }, "\"growth_rate\" is -1"),
        (Options { attrition_rate: f64::NAN, ..good.clone() }, "\"attrition_rate\" is NaN"),
        (faults(Faults { duplicate: 1.5, ..Faults::default() }), "\"faults.duplicate\" is 1.5"),
        (faults(Faults { mojibake: -0.5, ..Faults::default() }), "\"faults.mojibake\" is -0.5"),
        (faults(Faults { late: 0.5, ..Faults::default() }), "\"faults.late_by_max_ms\" is 0"),
        (faults(Faults { duplicate: 0.6, malformed: 0.6, ..Faults::default() }), "add up to 1.2"),
    ];
    for (options, expected) in cases {
        let error = Simulator::new(SimulatorConfig::example(), options).map(|_| ()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}
