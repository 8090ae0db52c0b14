//! The sections of `sluice.yml`, each read into its settings.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::super::error::Faults;
use super::super::values::text_of;
use super::address::take_apart;
use super::reader::Section;
use super::{
    Admin, ClickHouse, FileStreams, KEEP_LOG_MIN, KEEP_REMOVED_FILES_MIN, Kafka, Run, Secret, Settings,
    SimulatedFaults, Simulator, SourceSettings, Tables, VERSION, Workers,
};

/// Reads the whole file.
pub(super) fn read(mut root: Section<'_>, faults: &mut Faults) -> Settings {
    match root.count("version", faults) {
        Some(VERSION) => {}
        Some(other) => {
            let way_out = format!("this sluice reads version {VERSION}");
            root.fault("version", &format!("is {other}, which is not known"), &way_out, faults);
        }
        None => root.fault("version", "is missing", "add version: 1", faults),
    }
    let mut sources = IndexMap::new();
    if let Some(mut section) = root.section("sources", faults) {
        for (name, value) in section.entries() {
            if let Some(source) = source(&section, &name, value, faults) {
                sources.insert(name, source);
            }
        }
    }
    let lake = root.required("lake", "\"./lake\"", faults);
    let clickhouse = root.section("clickhouse", faults).map(|section| clickhouse(section, faults));
    let run = root.section("run", faults).map(|section| run(section, faults)).unwrap_or_default();
    let tables = root.section("tables", faults).map(|section| tables(section, faults)).unwrap_or_default();
    let admin = root.section("admin", faults).map(|mut section| {
        let listen = section.required("listen", "\"127.0.0.1:8088\"", faults);
        section.end(faults);
        Admin { listen }
    });
    root.end(faults);
    Settings { sources, lake, clickhouse, run, tables, admin }
}

fn source(sources: &Section<'_>, name: &str, value: Json, faults: &mut Faults) -> Option<SourceSettings> {
    let way_out = "write one of kafka: { brokers: ... }, files: { path: ... } and simulator: { ... }";
    let Json::Object(map) = value else {
        sources.fault(name, "does not say where its streams come from", way_out, faults);
        return None;
    };
    let mut section = sources.below(name, map);
    let faults_before = faults.errors.len();
    let kafka = section.section("kafka", faults).map(|section| SourceSettings::Kafka(kafka(section, faults)));
    let files = section.section("files", faults).map(|mut section| {
        let path = section.required("path", "./events", faults);
        section.end(faults);
        SourceSettings::FileStreams(FileStreams { path })
    });
    let simulator = section.section("simulator", faults);
    let simulator = simulator.map(|section| SourceSettings::Simulator(simulate(section, faults)));
    let mut found: Vec<SourceSettings> = [kafka, files, simulator].into_iter().flatten().collect();
    section.end(faults);
    match found.len() {
        1 => found.pop(),
        0 => {
            if faults.errors.len() == faults_before {
                sources.fault(name, "does not say where its streams come from", way_out, faults);
            }
            None
        }
        many => {
            sources.fault(
                name,
                &format!("names {many} places where its streams come from"),
                "keep exactly one of kafka, files and simulator",
                faults,
            );
            None
        }
    }
}

fn kafka(mut section: Section<'_>, faults: &mut Faults) -> Kafka {
    let brokers = section.required("brokers", "\"127.0.0.1:9092\"", faults);
    let create = section.flag("create", faults).unwrap_or(false);
    let options = section.section("options", faults).map(|mut options| options.entries()).unwrap_or_default();
    let skip_lost_offsets = match section.text("on_lost_offsets", faults).as_deref() {
        None | Some("fail") => false,
        Some("earliest") => true,
        Some(other) => {
            section.fault("on_lost_offsets", &format!("is \"{other}\""), "it can be fail or earliest", faults);
            false
        }
    };
    section.end(faults);
    let options = options.into_iter().filter_map(|(key, value)| Some((key, Secret(text_of(&value)?)))).collect();
    Kafka { brokers, create, skip_lost_offsets, options }
}

fn simulate(mut section: Section<'_>, faults: &mut Faults) -> Simulator {
    let simulator = Simulator {
        config: section.text("config", faults),
        rate: section.count("rate", faults),
        events: section.count("events", faults),
        seed: section.count("seed", faults),
        users: section.count("users", faults),
        speedup: section.number("speedup", faults),
        growth_rate: section.number("growth_rate", faults),
        attrition_rate: section.number("attrition_rate", faults),
        start: section.text("start", faults),
        end: section.text("end", faults),
        keyed: section.flag("keyed", faults),
        tag: section.text("tag", faults),
        faults: section.section("faults", faults).map(|section| simulated_faults(section, faults)).unwrap_or_default(),
    };
    section.end(faults);
    simulator
}

fn simulated_faults(mut section: Section<'_>, faults: &mut Faults) -> SimulatedFaults {
    let simulated = SimulatedFaults {
        duplicate: section.share("duplicate", faults),
        late: section.share("late", faults),
        late_by_max: section.duration("late_by_max", faults),
        malformed: section.share("malformed", faults),
        mojibake: section.share("mojibake", faults),
    };
    section.end(faults);
    simulated
}

fn clickhouse(mut section: Section<'_>, faults: &mut Faults) -> ClickHouse {
    let url = section.required("url", "\"http://127.0.0.1:8123\"", faults);
    let mut clickhouse = ClickHouse {
        user: section.text("user", faults),
        password: section.text("password", faults).map(Secret),
        database: section.text("database", faults).unwrap_or_else(|| "default".to_owned()),
        models: section.text("models", faults),
        ..ClickHouse::default()
    };
    match take_apart(&url) {
        // A URL that is missing is a fault already.
        _ if url.is_empty() => {}
        Err((what, way_out)) => section.fault("url", &what, way_out, faults),
        Ok(address) => {
            let twice = address.user.is_some() && clickhouse.user.is_some()
                || address.password.is_some() && clickhouse.password.is_some();
            if twice {
                let what = "holds a login, and clickhouse.user or clickhouse.password is set as well";
                section.fault("url", what, "keep one of them", faults);
            }
            clickhouse.url = address.url;
            clickhouse.user = address.user.or(clickhouse.user);
            clickhouse.password = address.password.or(clickhouse.password);
        }
    }
    section.end(faults);
    clickhouse
}

fn run(mut section: Section<'_>, faults: &mut Faults) -> Run {
    let default = Run::default();
    let run = Run {
        workers: workers(&mut section, faults),
        memory_bytes: section.size("memory", faults).unwrap_or(default.memory_bytes),
        epoch: section.duration("epoch", faults).unwrap_or(default.epoch),
        freshness: section.duration("freshness", faults).unwrap_or(default.freshness),
        keep_late: section.duration("keep_late", faults).unwrap_or(default.keep_late),
        refresh: section.duration("refresh", faults).unwrap_or(default.refresh),
    };
    for (key, value) in [("epoch", run.epoch), ("freshness", run.freshness), ("refresh", run.refresh)] {
        if value.is_zero() {
            section.fault(key, "is zero", "give it a length, as 500 ms", faults);
        }
    }
    section.end(faults);
    run
}

fn tables(mut section: Section<'_>, faults: &mut Faults) -> Tables {
    let default = Tables::default();
    let tables = Tables {
        keep_log: section.duration("keep_log", faults).unwrap_or(default.keep_log),
        keep_removed_files: section.duration("keep_removed_files", faults).unwrap_or(default.keep_removed_files),
    };
    for (key, length, least) in [
        ("keep_log", tables.keep_log, KEEP_LOG_MIN),
        ("keep_removed_files", tables.keep_removed_files, KEEP_REMOVED_FILES_MIN),
    ] {
        if length < least {
            let way_out = format!("set it to {} minutes or more", least.as_secs() / 60);
            section.fault(key, "is too short for programs that read the tables", &way_out, faults);
        }
    }
    section.end(faults);
    tables
}

fn workers(section: &mut Section<'_>, faults: &mut Faults) -> Workers {
    let Some(value) = section.take("workers") else { return Workers::Auto };
    let text = text_of(&value).unwrap_or_default();
    if text == "auto" {
        return Workers::Auto;
    }
    match text.parse() {
        Ok(count) if count > 0 => Workers::Count(count),
        _ => {
            section.fault("workers", &format!("is {value}"), "write auto, or a number from 1 up", faults);
            Workers::Auto
        }
    }
}
