//! `sluice test`: the project's unit tests, and its data tests over the tables.

use std::time::Instant;

use clap::Args;
use sluice_engine::Error;

use super::{Failure, Outcome, ProjectDir, SelectArgs, artifacts, opened, output};
use crate::artifacts::{NodeResult, NodeStatus};
use crate::compile::Pipeline;
use crate::lake::{self, Verdict};
use crate::project::{DataTest, Selected, Selection, UnitTest, selected};
use crate::unit_test::run_unit_test;

/// Run the project's unit tests, and its data tests over the tables.
#[derive(Debug, Args)]
pub struct TestArgs {
    #[command(flatten)]
    project: ProjectDir,
    #[command(flatten)]
    tested: SelectArgs,
}

pub async fn test(args: TestArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    artifacts::write_manifest(&pipeline);
    run_tests(&pipeline, "test", &args.tested.selection()).await
}

/// Runs the tests that a selection names, says what failed, and sums up. The command's results go into the artifacts.
pub async fn run_tests(pipeline: &Pipeline, command: &str, selection: &Selection) -> Outcome {
    let started = Instant::now();
    let picked = selected(&pipeline.project, selection).map_err(Error::config)?;
    let mut results = if command == "build" { tables(pipeline) } else { Vec::new() };
    let of_units = test_units(pipeline, &picked, &mut results).await;
    let of_data = test_tables(pipeline, &picked, &mut results).await;
    artifacts::write_results(pipeline, command, &results, started.elapsed());
    of_units.and(of_data)
}

/// What a build has brought up to date.
fn tables(pipeline: &Pipeline) -> Vec<NodeResult> {
    let project = &pipeline.project;
    let seeds = project.seeds.iter().map(|seed| NodeResult::of_seed(seed, NodeStatus::Success));
    let models = project.models.values().filter(|model| model.has_table());
    seeds.chain(models.map(|model| NodeResult::of_model(model, NodeStatus::Success))).collect()
}

async fn test_units(pipeline: &Pipeline, picked: &Selected<'_>, results: &mut Vec<NodeResult>) -> Outcome {
    let (mut passed, mut failed) = (0, 0);
    for test in picked.unit_tests.iter().copied() {
        let started = Instant::now();
        let (status, wrong) = match run_unit_test(pipeline, test).await {
            Ok(None) => (NodeStatus::Pass, None),
            Ok(Some(difference)) => (NodeStatus::Fail, Some(format!("failed: {difference}"))),
            Err(error) => (NodeStatus::Error, Some(format!(": {error}"))),
        };
        match &wrong {
            None => passed += 1,
            Some(text) => {
                failed += 1;
                let gap = if status == NodeStatus::Fail { " " } else { "" };
                output::error(&format!("{}{gap}{text}", name_of(test)));
            }
        }
        results.push(NodeResult::of_unit_test(test, status).told(wrong, None, started.elapsed()));
    }
    if passed + failed > 0 {
        output::say(&format!("unit tests: {passed} passed, {failed} failed"));
    }
    if failed > 0 { Err(Failure::Told) } else { Ok(()) }
}

fn name_of(test: &UnitTest) -> String {
    let line = test.origin.line.map_or_else(String::new, |line| format!(":{line}"));
    format!("unit test {} of model {} ({}{line})", test.name, test.model, test.origin.file)
}

async fn test_tables(pipeline: &Pipeline, picked: &Selected<'_>, results: &mut Vec<NodeResult>) -> Outcome {
    let store = opened::lake(pipeline)?;
    let context = lake::lake_session(pipeline, &store).await?;
    let (mut passed, mut warned, mut failed) = (0, 0, 0);
    for test in picked.tests.iter().copied() {
        let started = Instant::now();
        let found = lake::run_data_test(&context, test).await;
        let kept = match &found {
            Ok(_) => lake::store_failures(pipeline, &store, &context, test).await,
            Err(_) => Ok(None),
        };
        let (status, rows, message) = match (found, kept) {
            (Err(error), _) => (NodeStatus::Error, None, Some(error.to_string())),
            (Ok(found), Err(error)) => {
                let text = format!("{} rows, which could not be kept: {error}", found.rows);
                (NodeStatus::Error, Some(found.rows), Some(text))
            }
            (Ok(found), Ok(kept)) => (status_of(found.verdict), Some(found.rows), told(test, found, kept.as_deref())),
        };
        match status {
            NodeStatus::Fail | NodeStatus::Error => {
                failed += 1;
                let how = if status == NodeStatus::Fail { " failed" } else { "" };
                output::error(&format!("data test {}{how}: {}", test.name, message.as_deref().unwrap_or_default()));
            }
            NodeStatus::Warn => {
                warned += 1;
                output::warning(&format!("data test {}: {}", test.name, message.as_deref().unwrap_or_default()));
            }
            NodeStatus::Pass | NodeStatus::Success => passed += 1,
        }
        results.push(NodeResult::of_test(test, status).told(message, rows, started.elapsed()));
    }
    output::say(&format!("data tests: {passed} passed, {warned} warned, {failed} failed"));
    if failed > 0 { Err(Failure::Told) } else { Ok(()) }
}

fn status_of(verdict: Verdict) -> NodeStatus {
    match verdict {
        Verdict::Pass => NodeStatus::Pass,
        Verdict::Warn => NodeStatus::Warn,
        Verdict::Fail => NodeStatus::Fail,
    }
}

/// What there is to say of a test: nothing when it passes.
fn told(test: &DataTest, found: lake::Found, kept: Option<&str>) -> Option<String> {
    let rows = format!("{} row{}", found.rows, if found.rows == 1 { "" } else { "s" });
    match (found.verdict, kept) {
        (Verdict::Pass, _) => None,
        (_, Some(path)) => Some(format!("{rows}; they are in the table {path} of the lake")),
        (Verdict::Warn, None) => Some(rows),
        (Verdict::Fail, None) => Some(format!("{rows}; see them with\n  {}", test.sql.trim())),
    }
}
