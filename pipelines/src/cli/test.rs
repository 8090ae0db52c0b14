//! `sluice test`: the project's unit tests, and its data tests over the tables.

use clap::Args;
use sluice_engine::Error;

use super::{Failure, Outcome, ProjectDir, opened, output};
use crate::compile::Pipeline;
use crate::lake;
use crate::project::{DataTest, NodeRef, Severity, UnitTest, select};
use crate::unit_test::run_unit_test;

/// Run the project's unit tests, and its data tests over the tables.
#[derive(Debug, Args)]
pub struct TestArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// Only tests of these models (a dbt selector).
    #[arg(long, value_name = "SELECTOR")]
    select: Option<String>,
}

pub async fn test(args: TestArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    run_tests(&pipeline, args.select.as_deref()).await
}

/// Runs the tests, says what failed, and sums up.
pub async fn run_tests(pipeline: &Pipeline, selector: Option<&str>) -> Outcome {
    let picked = match selector {
        Some(selector) => Some(select(&pipeline.project, selector).map_err(Error::config)?),
        None => None,
    };
    let of_units = test_units(pipeline, picked.as_deref()).await;
    let of_data = test_tables(pipeline, picked.as_deref()).await;
    of_units.and(of_data)
}

async fn test_units(pipeline: &Pipeline, picked: Option<&[&str]>) -> Outcome {
    let wanted = |t: &&UnitTest| picked.is_none_or(|picked| picked.contains(&t.model.as_str()));
    let (mut passed, mut failed) = (0, 0);
    for test in pipeline.project.unit_tests.iter().filter(wanted) {
        let line = test.origin.line.map_or_else(String::new, |line| format!(":{line}"));
        let name = format!("unit test {} of model {} ({}{line})", test.name, test.model, test.origin.file);
        let wrong = match run_unit_test(pipeline, test).await {
            Ok(None) => None,
            Ok(Some(difference)) => Some(format!("{name} failed: {difference}")),
            Err(error) => Some(format!("{name}: {error}")),
        };
        match wrong {
            None => passed += 1,
            Some(text) => {
                failed += 1;
                output::error(&text);
            }
        }
    }
    if passed + failed > 0 {
        output::say(&format!("unit tests: {passed} passed, {failed} failed"));
    }
    if failed > 0 { Err(Failure::Told) } else { Ok(()) }
}

async fn test_tables(pipeline: &Pipeline, picked: Option<&[&str]>) -> Outcome {
    let store = opened::lake(pipeline)?;
    let context = lake::lake_session(pipeline, &store).await?;
    let wanted = |t: &&DataTest| match (picked, &t.node) {
        (None, _) => true,
        (Some(picked), Some(NodeRef::Model(name))) => picked.contains(&name.as_str()),
        (Some(_), _) => false,
    };
    let (mut passed, mut warned, mut failed) = (0, 0, 0);
    for test in pipeline.project.tests.iter().filter(wanted) {
        match lake::failing_rows(&context, test).await {
            Ok(0) => passed += 1,
            Ok(rows) if test.severity == Severity::Warn => {
                warned += 1;
                output::warning(&format!("data test {}: {rows} rows", test.name));
            }
            Ok(rows) => {
                failed += 1;
                output::error(&format!(
                    "data test {} failed: {rows} rows; see them with\n  {}",
                    test.name,
                    test.sql.trim()
                ));
            }
            Err(error) => {
                failed += 1;
                output::error(&format!("data test {}: {error}", test.name));
            }
        }
    }
    output::say(&format!("data tests: {passed} passed, {warned} warned, {failed} failed"));
    if failed > 0 { Err(Failure::Told) } else { Ok(()) }
}
