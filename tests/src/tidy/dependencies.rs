//! I-1: which package may depend on what.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, ensure};

use super::{Offence, in_file, tree};

/// Connectors, formats, SQL and HTTP: nothing of which the engine may have, not even by way of another package.
const NOT_IN_ENGINE: [&str; 22] = [
    "rdkafka",
    "rdkafka-sys",
    "parquet",
    "datafusion",
    "datafusion-common",
    "deltalake",
    "deltalake-core",
    "object_store",
    "hdfs-native",
    "clickhouse",
    "axum",
    "hyper",
    "reqwest",
    "http",
    "sqlparser",
    "minijinja",
    "simd-json",
    "avro-rs",
    "prost",
    "tonic",
    "openssl",
    "rustls",
];

/// Each package and those of the workspace that it may depend on.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("sluice-engine", &[]),
    ("sluice-operators", &["sluice-engine"]),
    ("sluice-pipelines", &["sluice-engine", "sluice-operators"]),
    ("sluice-benches", &["sluice-engine", "sluice-operators", "sluice-pipelines"]),
    ("sluice-tests", &["sluice-engine", "sluice-operators", "sluice-pipelines", "sluice-benches"]),
];

/// A package's dependencies within the workspace, by the package's name.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// The packages that the engine is built with, itself left out, as Cargo resolves them.
///
/// # Errors
/// When Cargo fails.
pub fn of_engine() -> anyhow::Result<BTreeSet<String>> {
    let text = cargo(&["tree", "-p", "sluice-engine", "-e", "normal", "--prefix", "none", "--format", "{p}"])?;
    let names = text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned);
    Ok(names.filter(|name| !name.is_empty() && name != "sluice-engine").collect())
}

/// What each package of the workspace says it depends on; for tests too, for those would pull the package in as well.
///
/// # Errors
/// When Cargo fails.
pub fn of_workspace() -> anyhow::Result<Uses> {
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])?)?;
    let mut uses = Uses::new();
    for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
        let name = package["name"].as_str().context("a package without a name")?;
        let dependencies = package["dependencies"].as_array().context("a package without dependencies")?;
        let names = dependencies.iter().filter_map(|dependency| dependency["name"].as_str());
        uses.insert(name.to_owned(), names.filter(|name| name.starts_with("sluice")).map(str::to_owned).collect());
    }
    Ok(uses)
}

/// Packages in the engine's build that it must not know.
pub fn strangers_in_engine(packages: &BTreeSet<String>) -> Vec<Offence> {
    let strange = packages.iter().filter(|name| NOT_IN_ENGINE.contains(&name.as_str()));
    let what =
        |name: &String| format!("the engine depends on {name}; `cargo tree -p sluice-engine -i {name}` says how");
    strange.map(|name| in_file("engine/Cargo.toml", what(name))).collect()
}

/// Packages that depend on another against the direction.
pub fn wrong_direction(uses: &Uses) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (package, used) in uses {
        let file = format!("{}/Cargo.toml", package.trim_start_matches("sluice-"));
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| name == package) else {
            offences.push(in_file(&file, format!("{package} is a sixth package; say in tidy what it may depend on")));
            continue;
        };
        for other in used.iter().filter(|other| !allowed.contains(&other.as_str())) {
            offences.push(in_file(&file, format!("{package} must not depend on {other}")));
        }
    }
    offences
}

fn cargo(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(tree::root())
        .output()
        .context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {} failed: {said}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
