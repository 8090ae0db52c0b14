//! Tests of whole projects: what is loaded, and what the errors say.

mod faults;
mod loading;
mod testing;

use super::*;

const DBT: &str = "name: shop\nversion: '1.0'\nvars: { cutoff: 3 }\nmodels:\n  shop:\n    +materialized: table\n    \
                   silver: { +schema: silver, +tags: [silver] }\n    gold: { +schema: gold, +tags: gold }\n";
const SLUICE: &str = "version: 1\nsources: { raw: { kafka: { brokers: x } } }\nlake: ./lake\n";
const SOURCES: &str = "sources:\n  - name: raw\n    schema: bronze\n    tables:\n      - name: orders\n        \
                       meta: { stream: { event_time: \"timestamp_millis(ts)\", watermark: 10 minutes, partition_by: day } }\n        \
                       columns:\n          - { name: ts, data_type: bigint }\n          - { name: amount, data_type: \"decimal(10,2)\" }\n";

/// A project of the usual files and `more`, which replaces files of the same path.
fn load(more: &[(&str, &str)]) -> Result<Project, String> {
    let usual = [("dbt_project.yml", DBT), ("sluice.yml", SLUICE), ("models/sources.yml", SOURCES)];
    let kept = usual.into_iter().filter(|(path, _)| !more.iter().any(|(other, _)| path == other));
    let files: Vec<(&str, &str)> = kept.chain(more.iter().copied()).collect();
    Project::load_files(&Embedded(&files), |name| (name == "SET").then(|| "yes".to_owned())).map_err(|e| e.to_string())
}

fn loaded(more: &[(&str, &str)]) -> Project {
    load(more).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(more: &[(&str, &str)]) -> String {
    load(more).err().unwrap_or_default()
}
