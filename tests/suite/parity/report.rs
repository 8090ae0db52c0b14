//! `docs/parity.md`: how many cases there are, and which are not answered as Spark does.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Outcome;
use super::cases::{Exceptions, Kind, version};

/// Cases of a theme.
#[derive(Default)]
pub struct Counts {
    cases: usize,
    equal: usize,
    refused: usize,
    beyond: usize,
    differ: usize,
}

impl Counts {
    /// Counts a case.
    pub fn add(&mut self, outcome: &Outcome) {
        self.cases += 1;
        *match outcome {
            Outcome::Equal => &mut self.equal,
            Outcome::Refused(_) => &mut self.refused,
            Outcome::Beyond(_) => &mut self.beyond,
            Outcome::Differs(_) => &mut self.differ,
        } += 1;
    }

    fn sum(all: &BTreeMap<String, Self>) -> Self {
        let mut sum = Self::default();
        for counts in all.values() {
            sum.cases += counts.cases;
            sum.equal += counts.equal;
            sum.refused += counts.refused;
            sum.beyond += counts.beyond;
            sum.differ += counts.differ;
        }
        sum
    }
}

/// Holds the page against the counts; `UPDATE_EXPECT=1` writes it.
pub fn check(counts: &BTreeMap<String, Counts>, exceptions: &Exceptions) {
    let page = page(counts, exceptions).expect("the answers have a version");
    expect_test::expect_file!["../../../docs/parity.md"].assert_eq(&page);
}

fn page(counts: &BTreeMap<String, Counts>, exceptions: &Exceptions) -> anyhow::Result<String> {
    let mut page = format!(
        "# Spark SQL, held against Spark\n\n\
         `tests/parity/cases` has expressions and queries, `tests/parity/answers` what Spark {} says to them: types and values.\n\
         A test (`cargo test parity`) holds sluice's answers against these. Spark runs with `spark.sql.ansi.enabled=false` and\n\
         with UTC as the session's time zone. This page is written by the test: `UPDATE_EXPECT=1 cargo test parity`.\n\n\
         *Equal*: the same names, types and values, or an error for both. *Refused*: an error that says what is not supported,\n\
         never a wrong value. *Beyond*: an answer where Spark has an error. *Differs*: another answer, for a reason given below.\n\n\
         To add cases: write them into `tests/parity/cases`, a line each, and run `tests/parity/record`, which needs Java 17.\n\n\
         | theme | cases | equal | refused | beyond | differs |\n|---|---|---|---|---|---|\n",
        version()?
    );
    for (theme, c) in counts.iter().map(|(t, c)| (t.as_str(), c)).chain([("**all**", &Counts::sum(counts))]) {
        writeln!(page, "| {theme} | {} | {} | {} | {} | {} |", c.cases, c.equal, c.refused, c.beyond, c.differ)?;
    }
    let titles = [(Kind::Refused, "Refused"), (Kind::Beyond, "Beyond Spark"), (Kind::Differs, "Differs")];
    for (kind, title) in titles {
        let of_kind: Vec<_> = exceptions.reasons.iter().filter(|(k, ..)| *k == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        writeln!(page, "\n## {title}\n")?;
        for (_, reason, cases) in of_kind {
            let sql = |case: &String| format!("`{}`", case.split_once(": ").map_or(case.as_str(), |(_, sql)| sql));
            writeln!(page, "* {reason}: {}", cases.iter().map(sql).collect::<Vec<_>>().join(", "))?;
        }
    }
    Ok(page)
}
