//! Tests of `sluice.yml`: what it means, and what its errors say.

use super::*;
use crate::project::files::Embedded;

fn read(text: &str) -> Result<Settings, String> {
    let mut faults = Faults::default();
    let env = |name: &str| (name == "HOST").then(|| "h".to_owned());
    let settings = Settings::read(&Embedded(&[(FILE, text)]), &env, &mut faults);
    let errors: Vec<String> = faults.errors.iter().map(ToString::to_string).collect();
    if errors.is_empty() { Ok(settings.unwrap()) } else { Err(errors.join("\n")) }
}

fn fault(text: &str) -> String {
    read(text).unwrap_err()
}

/// The file of the design is understood in all its parts.
#[test]
fn reads_everything() {
    let settings = read(
        "version: 1\nsources:\n  a: { kafka: { brokers: \"${HOST}:9092\", create: true, on_lost_offsets: earliest, options: {fetch.min.bytes: 1} } }\n  \
         b: { files: { path: ./x } }\n  c: { simulator: { config: c.json, rate: 100_000, seed: 7, faults: { late: 0.01, late_by_max: 5 minutes } } }\n\
         lake: \"${LAKE:-./lake}\"\nclickhouse: { url: http://x:8123, password: geheim, database: d, models: \"tag:gold\" }\n\
         run: { workers: 4, memory: 64 MiB, epoch: 5 seconds, freshness: 250 ms, keep_late: 1 day, refresh: 30 seconds }\nadmin: { listen: \"127.0.0.1:1\" }\n",
    )
    .unwrap();
    let SourceSettings::Kafka(kafka) = &settings.sources["a"] else { panic!("{settings:?}") };
    assert_eq!(
        (kafka.brokers.as_str(), kafka.create, kafka.skip_lost_offsets, kafka.options["fetch.min.bytes"].as_str()),
        ("h:9092", true, true, "1")
    );
    let SourceSettings::Simulator(simulator) = &settings.sources["c"] else { panic!("{settings:?}") };
    assert_eq!((simulator.rate, simulator.faults.late_by_max), (Some(100_000), Some(Duration::from_secs(300))));
    assert_eq!(settings.lake, "./lake");
    assert_eq!(settings.run.memory_bytes, 64 << 20);
    assert_eq!(settings.run.workers, Workers::Count(4));
    assert_eq!(settings.run.keep_late, Duration::from_secs(86_400));
    assert_eq!(settings.admin.as_ref().unwrap().listen, "127.0.0.1:1");
    assert!(!format!("{settings:?}").contains("geheim"), "a password is not shown");
}

/// Little is needed; the rest has defaults.
#[test]
fn defaults() {
    let settings = read("version: 1\nlake: x\n").unwrap();
    assert_eq!(settings.run, Run::default());
    assert_eq!((settings.clickhouse, settings.admin), (None, None));
    assert_eq!(settings.run.memory_bytes, 512 * 1024 * 1024);
}

/// Unknown keys are named with their line, and the nearest known key.
#[test]
fn unknown_keys() {
    assert_eq!(
        fault("version: 1\nlake: x\nrun:\n  worker: 2\n"),
        "sluice.yml:4: run.worker is not a known key; did you mean \"workers\"?"
    );
    assert_eq!(
        fault("version: 1\nlake: x\nqqq: 2\n"),
        "sluice.yml:3: qqq is not a known key; the keys here are version, sources, lake, clickhouse, run, tables, admin"
    );
    assert_eq!(
        fault("version: 1\nlake: x\nsources:\n  a: { kafak: { brokers: x } }\n"),
        "sluice.yml:4: sources.a.kafak is not a known key; did you mean \"kafka\"?"
    );
}

/// All faults are shown at once, each with its line and its way out.
#[test]
fn wrong_values() {
    let text = "version: 2\nrun: { workers: none,\n  memory: 512,\n  epoch: 10,\n  freshness: soon, refresh: 0 s }\nclickhouse: { models: x }\n";
    let errors = fault(text);
    let expected = [
        "sluice.yml:1: version is 2, which is not known; this sluice reads version 1",
        "sluice.yml: lake is missing; add lake: \"./lake\"",
        "sluice.yml:6: clickhouse.url is missing; add url: \"http://127.0.0.1:8123\"",
        "sluice.yml:2: run.workers is \"none\"; write auto, or a number from 1 up",
        "sluice.yml:3: run.memory is wrong: \"512\" has no unit; write it as \"512 MiB\" (or 64 MiB or 1 GB)",
        "sluice.yml:4: run.epoch is wrong: \"10\" has no unit; write it as \"10 seconds\" (or 500 ms, 10 seconds or 7 days)",
        "sluice.yml:5: run.freshness is wrong: \"soon\" is not a duration; write whole numbers with a unit, as 500 ms, 10 seconds or 7 days",
        "sluice.yml:5: run.refresh is zero; give it a length, as 500 ms",
    ];
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected);
}

/// A source has exactly one place where its streams come from.
#[test]
fn one_place_per_source() {
    let with = |source: &str| fault(&format!("version: 1\nlake: x\nsources:\n  a: {source}\n"));
    assert!(
        with("{ kafka: { brokers: x, on_lost_offsets: no } }")
            .contains("on_lost_offsets is \"no\"; it can be fail or earliest")
    );
    assert!(with("{ kafka: {brokers: x}, files: {path: y} }").contains("sources.a names 2 places"));
    assert!(
        with("{}").contains("sluice.yml:4: sources.a does not say where its streams come from; write one of kafka")
    );
    assert!(with("kafka").contains("sources.a does not say where its streams come from"));
    assert!(with("{ kafka: {} }").contains("sluice.yml:4: sources.a.kafka.brokers is missing; add brokers: "));
    assert!(
        with("{ simulator: { faults: { late: 2 } } }")
            .contains("sources.a.simulator.faults.late is 2; a share is from 0 to 1")
    );
}

/// Missing files, versions and variables say what to do.
#[test]
fn missing_things() {
    let mut faults = Faults::default();
    assert!(Settings::read(&Embedded(&[]), &|_| None, &mut faults).is_none());
    assert!(faults.errors[0].to_string().contains("add one with version: 1"), "{}", faults.errors[0]);
    assert_eq!(fault("lake: x\n"), "sluice.yml: version is missing; add version: 1");
    assert_eq!(
        fault("version: 1\n\nlake: \"${LAKE}\"\n"),
        "sluice.yml:3: environment variable \"LAKE\" is not set; set it, or give a default: ${LAKE:-...}"
    );
    assert!(fault("version: 1\nlake: [x\n").starts_with("sluice.yml:3: not valid YAML"));
}
