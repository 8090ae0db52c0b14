//! Snapshots: the versions of each key, made from the rows that the snapshot's query gives.
//!
//! dbt compares the rows of a query with those of its last run. Here the query gives all versions that came (a stream has
//! them), and window functions say from when to when each was valid.

use serde_json::Value as Json;

use super::describe::{Columns, Described};
use super::error::Faults;
use super::values::{Config, bool_of, text_of, texts_of};

/// The columns that dbt adds, by the names that `snapshot_meta_column_names` may replace.
const META_COLUMNS: [&str; 5] = ["dbt_valid_from", "dbt_valid_to", "dbt_scd_id", "dbt_updated_at", "dbt_is_deleted"];

/// The number of a row among those of one key and time.
const RANK: &str = "dbt_snapshot_rank";
/// Whether a row begins a version.
const CHANGED: &str = "dbt_snapshot_changed";

/// What a snapshot's configs say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    /// Columns or expressions that tell what is versioned.
    unique_key: Vec<String>,
    /// The column or expression by which versions are ordered.
    updated_at: String,
    /// The columns that make a new version; none: any newer row does (the strategy `timestamp`).
    check: Option<Checked>,
    /// What stands in `dbt_valid_to` of the current version; NULL when none.
    valid_to_current: Option<String>,
    /// Whether `dbt_is_deleted` is a column.
    with_deleted: bool,
    /// The names of [`META_COLUMNS`].
    names: [String; 5],
}

/// The columns that the strategy `check` compares.
#[derive(Debug, Clone, PartialEq)]
enum Checked {
    All,
    Listed(Vec<String>),
}

/// A snapshot that is being read, for the messages.
struct Place<'a> {
    name: &'a str,
    path: &'a str,
    line: Option<usize>,
    faults: &'a mut Faults,
}

impl Place<'_> {
    fn fault(&mut self, what: &str, way_out: &str) {
        self.faults.error(self.path, self.line, format!("snapshot \"{}\" {what}", self.name), way_out);
    }
}

/// Reads a snapshot's configs; faults are noted.
pub(super) fn read(
    name: &str,
    (path, line): (&str, Option<usize>),
    config: &Config,
    faults: &mut Faults,
) -> Option<Snapshot> {
    let mut place = Place { name, path, line, faults };
    let unique_key = config.get("unique_key").map(texts_of).unwrap_or_default();
    if unique_key.is_empty() {
        place.fault("has no unique_key", "add unique_key='id' to its config: what is versioned");
    }
    let updated_at = config.get("updated_at").and_then(text_of);
    let check = match config.get("strategy").and_then(text_of).as_deref() {
        Some("timestamp") => {
            if updated_at.is_none() {
                place.fault("has the strategy timestamp and no updated_at", "add updated_at='<its time column>'");
            }
            None
        }
        Some("check") => {
            if updated_at.is_none() {
                let way_out = "add updated_at='<a time column>': dbt compares what it finds when it runs, a stream needs \
                               to know which row came after which";
                place.fault("has the strategy check and no updated_at", way_out);
            }
            Some(place.checked(config.get("check_cols"))?)
        }
        Some(other) => {
            place.fault(&format!("has the strategy \"{other}\""), "the strategies are timestamp and check");
            return None;
        }
        None => {
            place.fault("has no strategy", "add strategy='timestamp' and updated_at='<its time column>' to its config");
            return None;
        }
    };
    let with_deleted = place.deletes(config);
    let renamed = config.get("snapshot_meta_column_names");
    let names = META_COLUMNS.map(|column| {
        let other = renamed.and_then(|names| names.get(column)).and_then(text_of);
        other.unwrap_or_else(|| column.to_owned())
    });
    let valid_to_current = config.get("dbt_valid_to_current").and_then(text_of);
    let valid = !unique_key.is_empty();
    let snapshot = Snapshot { unique_key, updated_at: updated_at?, check, valid_to_current, with_deleted, names };
    valid.then_some(snapshot)
}

impl Place<'_> {
    fn checked(&mut self, columns: Option<&Json>) -> Option<Checked> {
        let listed = columns.map(texts_of).unwrap_or_default();
        if listed.is_empty() {
            self.fault("has the strategy check and no check_cols", "add check_cols='all', or a list of columns");
            return None;
        }
        let all = listed.len() == 1 && listed[0] == "all";
        Some(if all { Checked::All } else { Checked::Listed(listed) })
    }

    /// Whether there is a column of what was deleted. Rows that leave a query cannot be seen, as a stream's never do.
    fn deletes(&mut self, config: &Config) -> bool {
        let old = config.get("invalidate_hard_deletes").and_then(bool_of) == Some(true);
        let how = config.get("hard_deletes").and_then(text_of);
        let how = how.unwrap_or_else(|| if old { "invalidate" } else { "ignore" }.to_owned());
        match how.as_str() {
            "ignore" => {}
            "invalidate" | "new_record" => {
                let text = "hard_deletes has no effect: a version ends with the next one of its key, not when a row is \
                            gone; give deletions as rows, and filter them where you read the snapshot";
                self.faults.warn(self.path, self.line, format!("snapshot \"{}\": {text}", self.name));
            }
            other => self.fault(&format!("has hard_deletes \"{other}\""), "it can be ignore, invalidate or new_record"),
        }
        how == "new_record"
    }
}

impl Snapshot {
    /// Spark SQL of the versions that the rows of `query` are. `columns` says which columns a query has; `with_ctes` gives
    /// it what it needs to be planned alone.
    ///
    /// # Errors
    /// When all columns are to be compared, and they are not known.
    pub(super) fn sql(
        &self,
        query: &str,
        columns: &Columns,
        with_ctes: &dyn Fn(&str) -> String,
    ) -> Result<String, String> {
        let query = query.trim().trim_end_matches(';');
        let described = columns.of_query(&with_ctes(query));
        let keys = self.unique_key.join(", ");
        let time = &self.updated_at;
        let once = format!(
            "select *, row_number() over (partition by {keys}, {time} order by {}) as {RANK}\nfrom (\n{query}\n) as \
             snapshot_query",
            self.tie_break(&described)
        );
        let mut gone = RANK.to_owned();
        let mut rows = format!("({once}) as snapshot_rows\nwhere {RANK} = 1");
        if let Some(checked) = &self.check {
            let compared = self.compared(checked, described)?;
            let over = format!("over (partition by {keys} order by {time} nulls first)");
            let differs: Vec<String> =
                compared.iter().map(|column| format!("({column} is distinct from lag({column}) {over})")).collect();
            let changed = format!("(row_number() {over} = 1) or {}", differs.join(" or "));
            rows = format!("(select *, {changed} as {CHANGED}\nfrom {rows}) as snapshot_changes\nwhere {CHANGED}");
            gone = format!("{RANK}, {CHANGED}");
        }
        let [valid_from, valid_to, scd_id, updated, is_deleted] = &self.names;
        let end = format!("lead({time}) over (partition by {keys} order by {time} nulls first)");
        let end = match &self.valid_to_current {
            Some(current) => format!("coalesce({end}, {current})"),
            None => end,
        };
        let deleted = if self.with_deleted { format!(", 'False' as {is_deleted}") } else { String::new() };
        Ok(format!(
            "select * except ({gone}), {} as {scd_id}, {time} as {updated}, {time} as {valid_from}, {end} as {valid_to}\
             {deleted}\nfrom {rows}",
            self.scd_id()
        ))
    }

    /// As dbt-spark makes it: the MD5 of the key and the time as text.
    fn scd_id(&self) -> String {
        let parts = self.unique_key.iter().chain([&self.updated_at]);
        let parts: Vec<String> = parts.map(|part| format!("coalesce(cast({part} as string), '')")).collect();
        format!("md5({})", parts.join(" || '|' || "))
    }

    /// Which of the rows of one key and time counts: the least by its columns, so that it does not depend on which came
    /// first.
    fn tie_break(&self, described: &Described) -> String {
        let nested = |data_type: &str| ["array", "map", "struct"].iter().any(|start| data_type.starts_with(start));
        let columns = described.as_ref().map(Vec::as_slice).unwrap_or_default();
        let is_key = |name: &str| self.is_key(name) || name.eq_ignore_ascii_case(&self.updated_at);
        let ordered = columns.iter().filter(|column| !nested(&column.data_type) && !is_key(&column.name));
        let ordered: Vec<String> = ordered.map(|column| super::relation::quoted(&column.name)).collect();
        if ordered.is_empty() { self.updated_at.clone() } else { ordered.join(", ") }
    }

    fn compared(&self, checked: &Checked, described: Described) -> Result<Vec<String>, String> {
        match checked {
            Checked::Listed(columns) => Ok(columns.clone()),
            Checked::All => {
                let columns = described.map_err(|why| format!("check_cols is all, and {why}"))?;
                let columns = columns.into_iter().filter(|column| !self.is_key(&column.name));
                Ok(columns.map(|column| super::relation::quoted(&column.name)).collect())
            }
        }
    }

    fn is_key(&self, name: &str) -> bool {
        self.unique_key.iter().any(|key| key.eq_ignore_ascii_case(name))
    }
}
