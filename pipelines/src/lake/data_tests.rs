//! Data tests: queries whose rows are faults.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use sluice_engine::Result;

use super::session::{empty_session, query};
use crate::compile::{Pipeline, placed};
use crate::project::{DataTest, ProjectError};
use crate::sql::plan_query;

/// How many rows fail a test, by its `fail_calc`.
///
/// # Errors
/// As [`query`].
pub async fn failing_rows(context: &SessionContext, test: &DataTest) -> Result<i64> {
    let rows = query(context, &counted(test)).await?;
    let value = rows.first().filter(|b| b.num_rows() > 0).map(|b| b.column(0).clone());
    let Some(value) = value else { return Ok(0) };
    let value = cast(&value, &DataType::Int64)?;
    Ok(value.as_primitive::<Int64Type>().iter().next().flatten().unwrap_or(0))
}

fn counted(test: &DataTest) -> String {
    let calc = if test.fail_calc.trim().is_empty() { "count(*)" } else { test.fail_calc.trim() };
    format!("select {calc} as failures from ({}) as t", test.sql)
}

/// The data tests whose SQL cannot be planned over the project's tables: one fault for each test.
///
/// # Errors
/// As [`empty_session`].
pub async fn data_test_faults(pipeline: &Pipeline) -> Result<Vec<ProjectError>> {
    let context = empty_session(pipeline)?;
    let mut faults = Vec::new();
    for test in &pipeline.project.tests {
        if let Some(fault) = fault(pipeline, &context, test).await {
            faults.push(fault);
        }
    }
    Ok(faults)
}

async fn fault(pipeline: &Pipeline, context: &SessionContext, test: &DataTest) -> Option<ProjectError> {
    // The test's own SQL first: its places are those of the file.
    let wrong = match plan_query(context, &test.sql).await {
        Ok(_) => plan_query(context, &counted(test)).await.err()?,
        Err(wrong) => wrong,
    };
    let file = &test.origin.file;
    let (message, line) = match test.origin.line {
        Some(line) => (wrong.message, Some(line)),
        None => {
            // A test that has a file of its own; one that cannot be read any more has no lines.
            let raw = std::fs::read_to_string(pipeline.project.root.join(file)).unwrap_or_default();
            placed(&raw, &test.sql, &wrong)
        }
    };
    let what = format!("data test {}: {message}", test.name);
    Some(ProjectError {
        file: file.clone(),
        line,
        what,
        way_out: "correct the test, or the columns that it names".into(),
    })
}
