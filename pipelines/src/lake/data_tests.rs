//! Data tests: queries whose rows are faults.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use sluice_engine::{Error, Result};

use super::session::{empty_session, query};
use crate::compile::{Pipeline, placed};
use crate::project::{DataTest, ProjectError, Severity};
use crate::sql::plan_query;

/// What a test has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// How many rows fail, by the test's `fail_calc`.
    pub rows: i64,
    /// What becomes of that, by its `severity`, `error_if` and `warn_if`.
    pub verdict: Verdict,
}

/// What becomes of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Pass,
    /// The owner should know.
    Warn,
    /// The work fails.
    Fail,
}

/// Runs a test.
///
/// # Errors
/// As [`query`].
pub async fn run_data_test(context: &SessionContext, test: &DataTest) -> Result<Found> {
    let rows = query(context, &counted(test)).await?;
    let Some(batch) = rows.first().filter(|b| b.num_rows() > 0) else {
        return Ok(Found { rows: 0, verdict: Verdict::Pass });
    };
    let failures = cast(batch.column(0), &DataType::Int64)?;
    let is = |column: usize| Ok::<_, Error>(cast(batch.column(column), &DataType::Boolean)?.as_boolean().value(0));
    let verdict = match (test.severity, is(1)?, is(2)?) {
        (Severity::Error, true, _) => Verdict::Fail,
        (_, _, true) => Verdict::Warn,
        _ => Verdict::Pass,
    };
    Ok(Found { rows: failures.as_primitive::<Int64Type>().iter().next().flatten().unwrap_or(0), verdict })
}

/// The rows that fail a test, as many as it looks at.
pub fn failing_sql(test: &DataTest) -> String {
    match test.limit {
        Some(limit) => format!("select * from ({}\n) as failing limit {limit}", test.sql),
        None => test.sql.clone(),
    }
}

fn counted(test: &DataTest) -> String {
    let calc = if test.fail_calc.trim().is_empty() { "count(*)" } else { test.fail_calc.trim() };
    let is = |condition: &str| format!("coalesce(({calc}) {condition}, false)");
    let (error_if, warn_if) = (is(&test.error_if), is(&test.warn_if));
    let rows = failing_sql(test);
    format!("select {calc} as failures, {error_if} as should_error, {warn_if} as should_warn from ({rows}\n) as t")
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
