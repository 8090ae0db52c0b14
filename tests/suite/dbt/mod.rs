//! Projects of `tests/projects` as real dbt reads them, and as sluice builds them: tables against DuckDB's, artifacts as dbt
//! loads them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod project;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;
use sluice_tests::cache;

use crate::bad_input::sluice;
use project::{DbtProject, expected};

/// The projects.
const PROJECTS: [&str; 2] = ["lending", "parcels"];

/// What the checks of dbt's own classes print when an artifact is as they want it.
const LOAD: &str = "
import sys
from dbt.artifacts.schemas.catalog.v1.catalog import CatalogArtifact
from dbt.artifacts.schemas.manifest.v12.manifest import WritableManifest
from dbt.artifacts.schemas.run.v5.run import RunResultsArtifact
for name, kind in [('manifest', WritableManifest), ('run_results', RunResultsArtifact), ('catalog', CatalogArtifact)]:
    kind.read_and_check_versions(f'{sys.argv[1]}/{name}.json')
print('read')
";

/// The nodes of a manifest, generic tests without the hash at their end, each with what it reads.
fn graph(manifest: &Value) -> BTreeMap<String, Vec<String>> {
    let name = |id: &str| match id.rsplit_once('.') {
        Some((rest, _)) if id.starts_with("test.") && rest.matches('.').count() == 2 => rest.to_owned(),
        _ => id.to_owned(),
    };
    let of_dbt_only = |id: &str| id.starts_with("operation.");
    let parents = manifest["parent_map"].as_object().unwrap().iter().filter(|(id, _)| !of_dbt_only(id));
    let read = |ids: &Value| {
        let mut ids: Vec<String> = ids.as_array().unwrap().iter().map(|id| name(id.as_str().unwrap())).collect();
        ids.sort();
        ids
    };
    parents.map(|(id, ids)| (name(id), read(ids))).collect()
}

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Real dbt takes each project, and finds the nodes in it that sluice finds, with the same names, places and tables.
#[test]
fn dbt_finds_the_same_nodes() -> anyhow::Result<()> {
    for name in PROJECTS {
        let project = DbtProject::new(name)?;
        let theirs = project.parsed_by_dbt()?;
        let (code, _, err) = sluice(&["plan", "--project", &project.dir()]);
        assert_eq!(code, Some(0), "{name}: {err}");
        let ours = json(&project.path("target/manifest.json"));
        let (mut found, expected) = (graph(&ours), graph(&theirs));
        // What dbt leaves to the database is a test here, and dbt knows no quarantine.
        let ours_only = |id: &str| id.contains(".not_null_") || id.ends_with("__quarantine");
        found.retain(|id, _| expected.contains_key(id) || !ours_only(id));
        assert_eq!(found, expected, "{name}");
        for (id, theirs) in theirs["nodes"].as_object().unwrap() {
            let ours = &ours["nodes"][id];
            for key in ["name", "alias", "fqn", "original_file_path", "tags", "package_name", "description", "meta"] {
                assert!(ours.is_null() || ours[key] == theirs[key], "{id}.{key}: {} {}", ours[key], theirs[key]);
            }
        }
    }
    Ok(())
}

/// A build gives the tables that DuckDB computes from the same files, its tests end as they are meant to, and dbt's own
/// classes load the artifacts.
#[test]
fn a_build_gives_the_tables_of_a_batch() -> anyhow::Result<()> {
    for name in PROJECTS {
        let project = DbtProject::new(name)?;
        let (code, out, err) = sluice(&["build", "--project", &project.dir()]);
        assert_eq!(code, Some(0), "{name}: {out}{err}");
        for table in expected(name)? {
            assert_eq!(project.rows(&table.query), table.rows, "{name}.{}", table.name);
        }
        let target = project.path("target").display().to_string();
        let output = Command::new(cache::python_program("python")?).args(["-c", LOAD, &target]).output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// What tests find: a warning does not fail, a limit counts, and rows that are to be kept are in a table of their own, which
/// the next run replaces.
#[test]
fn tests_end_as_they_are_configured() -> anyhow::Result<()> {
    let project = DbtProject::new("lending")?;
    let dir = project.dir();
    let (code, out, err) = sluice(&["build", "--project", &dir, "--select", "fact_loans", "days_off"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("data tests: 6 passed, 2 warned, 0 failed"), "{out}");
    assert!(err.contains("1 row; they are in the table dbt_test__audit/branches_unknown of the lake"), "{err}");
    let results = json(&project.path("target/run_results.json"));
    let of = |name: &str| {
        let results = results["results"].as_array().unwrap();
        results.iter().find(|r| r["unique_id"].as_str().unwrap().contains(name)).unwrap().clone()
    };
    assert_eq!((&of("accepted_values")["status"], &of("accepted_values")["failures"]), (&"warn".into(), &1.into()));
    assert_eq!(of("unit_test.")["status"], "pass");
    assert_eq!(of("model.lending.fact_loans")["status"], "success");
    for _ in 0..2 {
        let kept = project.rows("select value_field, n_records from dbt_test__audit.branches_unknown");
        assert_eq!(kept, ["020,1"]);
        sluice(&["test", "--project", &dir, "--select", "branches_unknown", "fact_loans"]);
    }
    let (code, out, err) = sluice(&["plan", "--project", &dir, "--select", "+exposure:front_page"]);
    let names = ["marts.loans_per_branch_day", "marts.fact_loans"];
    assert!(
        code == Some(0) && names.iter().all(|name| out.contains(name)) && !out.contains("late_loans"),
        "{out}{err}"
    );
    let (code, _, err) = sluice(&["test", "--project", &dir, "--select", "state:modified"]);
    assert!(code == Some(2) && err.contains("state compares with the artifacts of another run"), "{err}");
    let (code, out, err) = sluice(&["test", "--project", &dir, "--selector", "nightly", "--exclude", "tag:marts"]);
    assert!(code == Some(0) && out.contains("unit tests") || out.contains("data tests"), "{out}{err}");
    Ok(())
}

/// Vars of the command line win over those of the project.
#[test]
fn vars_of_the_command_line() -> anyhow::Result<()> {
    let project = DbtProject::new("lending")?;
    let vars = "{today: 2024-05-20, loan_days: 3}";
    let (code, _, err) = sluice(&["build", "--project", &project.dir(), "--vars", vars]);
    assert_eq!(code, Some(0), "{err}");
    let manifest = json(&project.path("target/manifest.json"));
    let sql = manifest["nodes"]["model.lending.late_loans"]["compiled_code"].as_str().unwrap();
    assert!(sql.contains("datediff(date'2024-05-20', day) > 3"), "{sql}");
    let (code, _, err) = sluice(&["check", "--offline", "--project", &project.dir(), "--vars", "[1]"]);
    assert!(code == Some(2) && err.contains("write --vars '{name: value}'"), "{err}");
    Ok(())
}
