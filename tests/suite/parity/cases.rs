//! The cases with Spark's answers, and the list of those that are not answered as Spark does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

/// An expression or a query, and what Spark says to it.
pub struct Case {
    /// The file that it is in.
    pub theme: String,
    /// An expression, or a query.
    pub sql: String,
    /// What Spark says.
    pub answer: Answer,
}

/// What Spark says: a table, or the class of its error.
pub enum Answer {
    /// The result.
    Table(Table),
    /// Spark's name for what is wrong.
    Error(String),
}

/// A result as `record.py` writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names and Spark's types.
    pub columns: Vec<(String, String)>,
    /// The rows; see `plain` in `record.py`.
    pub rows: Vec<Vec<Value>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<String> = self.columns.iter().map(|(name, t)| format!("{name} {t}")).collect();
        let rows: Vec<String> = self.rows.iter().map(|row| Value::from(row.clone()).to_string()).collect();
        write!(f, "({}) {}", columns.join(", "), rows.join(" "))
    }
}

impl Case {
    /// The case as a query.
    pub fn query(&self) -> String {
        if self.is_query() { self.sql.clone() } else { format!("select {} as v", self.sql) }
    }

    /// Whether it is a whole query and not an expression.
    pub fn is_query(&self) -> bool {
        let first = self.sql.split_whitespace().next().unwrap_or_default().to_lowercase();
        ["select", "with", "values"].contains(&first.as_str())
    }

    /// The name in `exceptions.txt`.
    pub fn key(&self) -> String {
        format!("{}: {}", self.theme, self.sql)
    }
}

/// The folder of cases and answers.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("parity")
}

/// The Spark that answered.
pub fn version() -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(folder().join("answers/version"))?.trim().to_owned())
}

/// All cases, by theme, in the order of their files.
pub fn read() -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut paths: Vec<_> =
        folder().join("answers").read_dir()?.map(|e| Ok(e?.path())).collect::<anyhow::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    paths.sort();
    for path in paths {
        let theme = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let asked = std::fs::read_to_string(folder().join("cases").join(format!("{theme}.sql")))?;
        for line in std::fs::read_to_string(&path)?.lines() {
            let case = case(&theme, line).with_context(|| format!("{}: {line}", path.display()))?;
            assert!(
                asked.contains(&case.sql),
                "{theme}: {} has an answer but is no case; run tests/parity/record",
                case.sql
            );
            cases.push(case);
        }
    }
    Ok(cases)
}

fn case(theme: &str, line: &str) -> anyhow::Result<Case> {
    let mut json: Value = serde_json::from_str(line)?;
    let sql = json["sql"].as_str().context("no sql")?.to_owned();
    let answer = match json["error"].as_str() {
        Some(error) => Answer::Error(error.to_owned()),
        None => Answer::Table(Table {
            columns: serde_json::from_value(json["columns"].take())?,
            rows: serde_json::from_value(json["rows"].take())?,
        }),
    };
    Ok(Case { theme: theme.to_owned(), sql, answer })
}

/// How a case of `exceptions.txt` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error where Spark has an answer.
    Refused,
    /// An answer where Spark has an error.
    Beyond,
    /// Another answer than Spark's.
    Differs,
}

/// The list of cases that are not answered as Spark does, with the reasons.
pub struct Exceptions {
    by_case: BTreeMap<String, Kind>,
    /// Kind, reason and cases, as the file has them.
    pub reasons: Vec<(Kind, String, Vec<String>)>,
}

impl Exceptions {
    /// Reads `exceptions.txt`: `# refused: reason`, and below it a line `theme: case` for each case.
    pub fn read() -> anyhow::Result<Self> {
        let (mut by_case, mut reasons) = (BTreeMap::new(), Vec::<(Kind, String, Vec<String>)>::new());
        for line in std::fs::read_to_string(folder().join("exceptions.txt"))?.lines().filter(|l| !l.trim().is_empty()) {
            if let Some(heading) = line.strip_prefix("# ") {
                let (kind, reason) = heading.split_once(": ").with_context(|| format!("no reason in {line:?}"))?;
                let kind = match kind {
                    "refused" => Kind::Refused,
                    "beyond" => Kind::Beyond,
                    "differs" => Kind::Differs,
                    other => bail!("{other:?} is not refused, beyond or differs"),
                };
                reasons.push((kind, reason.to_owned(), vec![]));
                continue;
            }
            let (kind, _, cases) = reasons.last_mut().context("a case stands before the first reason")?;
            cases.push(line.to_owned());
            anyhow::ensure!(by_case.insert(line.to_owned(), *kind).is_none(), "{line:?} stands there twice");
        }
        Ok(Self { by_case, reasons })
    }

    /// What the list says of a case.
    pub fn kind(&self, case: &Case) -> Option<Kind> {
        self.by_case.get(&case.key()).copied()
    }

    /// The cases of the list.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.by_case.keys()
    }
}
