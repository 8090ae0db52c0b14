//! Spark's answers are sluice's: the cases of `tests/parity`, of which Spark itself has recorded the answers.

mod cases;
mod lifted;
mod report;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;

use datafusion::prelude::{DataFrame, SessionContext};
use futures::FutureExt;
use sluice_pipelines::sql::plan_query;
use sluice_pipelines::sql::session::spark_session;

use cases::{Answer, Case, Exceptions, Kind, Table};

/// What sluice says to a query: a table, or why there is none.
async fn ask(context: &SessionContext, sql: &str) -> Result<Table, String> {
    let run = async {
        let planned = plan_query(context, sql).await.map_err(|e| e.message)?;
        let frame = DataFrame::new(context.state(), planned.plan);
        let batches = frame.collect().await.map_err(|e| e.strip_backtrace())?;
        values::table(&planned.schema, &batches).map_err(|e| e.to_string())
    };
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| Err("PANIC".into()))
}

/// How a case went, against what Spark says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// The same table, or an error where Spark has one.
    Equal,
    /// An error where Spark has a table.
    Refused(String),
    /// A table where Spark has an error.
    Beyond(String),
    /// Another table; what differs.
    Differs(String),
}

async fn outcome(context: &SessionContext, case: &Case) -> Outcome {
    match (ask(context, &case.query()).await, &case.answer) {
        (Err(error), _) if error.contains("PANIC") => Outcome::Differs("it panics".into()),
        (Err(_), Answer::Error(_)) => Outcome::Equal,
        (Err(error), Answer::Table(_)) => Outcome::Refused(error),
        (Ok(found), Answer::Error(error)) => Outcome::Beyond(format!("Spark says {error}, we say {found}")),
        (Ok(found), Answer::Table(expected)) => match values::difference(&case.sql, expected, &found) {
            None => Outcome::Equal,
            Some(difference) => Outcome::Differs(difference),
        },
    }
}

/// Every case has Spark's answer, but for those in `exceptions.txt`, which are there with their reason, and do not have it.
#[tokio::test]
async fn answers_of_spark() -> anyhow::Result<()> {
    let (cases, exceptions) = (cases::read()?, Exceptions::read()?);
    let context = spark_session([]);
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<String, report::Counts>::new());
    for case in &cases {
        let outcome = outcome(&context, case).await;
        let excepted = exceptions.kind(case);
        counts.entry(case.theme.clone()).or_default().add(&outcome);
        let message = match (outcome, excepted) {
            (Outcome::Equal, None) => continue,
            (Outcome::Refused(_), Some(Kind::Refused)) | (Outcome::Beyond(_), Some(Kind::Beyond)) => continue,
            (Outcome::Differs(_), Some(Kind::Differs)) => continue,
            (Outcome::Equal, Some(_)) => "is right now; take it out of exceptions.txt".into(),
            (Outcome::Refused(error), _) => format!("REFUSED {error}"),
            (Outcome::Beyond(what), _) => format!("BEYOND {what}"),
            (Outcome::Differs(what), _) => format!("WRONG {what}"),
        };
        wrong.push(format!("{}: {}\n    {message}", case.theme, case.sql));
    }
    let known: BTreeSet<_> = cases.iter().map(Case::key).collect();
    let stale: Vec<_> = exceptions.keys().filter(|key| !known.contains(*key)).collect();
    assert!(stale.is_empty(), "exceptions.txt names cases that are not there: {stale:?}");
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    report::check(&counts, &exceptions);
    Ok(())
}

/// An expression has the same value when its constants come from a table: over arrays, without folding.
///
/// A function may want a constant, and refuse a column; but it may not give another value.
#[tokio::test]
async fn constants_as_columns() -> anyhow::Result<()> {
    let exceptions = Exceptions::read()?;
    let context = spark_session([]);
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for case in cases::read()? {
        let Answer::Table(expected) = &case.answer else { continue };
        if exceptions.kind(&case).is_some() {
            continue;
        }
        let Some(lifted) = lifted::lift(&context, &case).await else { continue };
        let found = match ask(&context, &lifted).await {
            Ok(found) => found,
            Err(error) if error.contains("PANIC") => {
                wrong.push(format!("{}: {}\n    PANIC {lifted}", case.theme, case.sql));
                continue;
            }
            // It is what a function may want.
            Err(_) => continue,
        };
        asked += 1;
        if let Some(difference) = values::difference_of_column(&case.sql, expected, &found) {
            wrong.push(format!("{}: {}\n    {difference}", case.theme, case.sql));
        }
    }
    assert!(wrong.is_empty(), "{} of {asked} cases\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > 300, "only {asked} cases were asked");
    Ok(())
}
