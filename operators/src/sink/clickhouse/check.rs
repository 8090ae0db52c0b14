//! Does what is in ClickHouse fit the model? Asked before anything runs.

use serde::Deserialize;
use sluice_engine::{Error, Result};

use super::client::Client;
use super::config::ClickHouseConfig;
use super::ddl::{add_column, create_database, create_table, create_view, key_list, literal};
use super::target::{OWN_COLUMNS, Target};
use super::types::same_type;

/// Oldest server that has what the tables need (`is_deleted` with CLEANUP merges).
const SERVER_MIN: (u32, u32) = (24, 3);

/// What is to be done in ClickHouse before the sink can run: statements, in order. Empty when all is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The statements.
    pub statements: Vec<String>,
}

/// Compares the model with what is in ClickHouse; changes nothing.
///
/// # Errors
/// `Transient` when ClickHouse is away; `Config` when it does not let us in, when the model cannot be a table, or when
/// a table or view is there that does not fit: the message lists each difference and says what to run.
pub async fn check(config: &ClickHouseConfig) -> Result<Plan> {
    let target = Target::new(config.clone())?;
    check_target(&Client::new(config)?, &target).await
}

pub(super) async fn check_target(client: &Client, target: &Target) -> Result<Plan> {
    check_server(client, &target.config.url).await?;
    compare(target, &find(client, target).await?)
}

/// Drops the model's table in ClickHouse, and its view, when it is one that sluice has made and does not fit the model any
/// more: for a table that is filled anew from the lake. Everything else stays.
///
/// # Errors
/// `Transient` when ClickHouse is away, `Config` when it does not let us in or not drop.
pub async fn drop_misfit(config: &ClickHouseConfig) -> Result<()> {
    let (client, target) = (Client::new(config)?, Target::new(config.clone())?);
    check_server(&client, &target.config.url).await?;
    let found = find(&client, &target).await?;
    for statement in drops(&target, &found) {
        client.execute(&statement).await?;
        tracing::info!(table = target.shown(), statement, "clickhouse: done");
    }
    Ok(())
}

/// The statements that take away a table which does not fit; none when it fits or is not ours.
fn drops(target: &Target, found: &Found) -> Vec<String> {
    let Some(rows) = found.table(&target.config.rows_table()) else { return vec![] };
    let is_own = |(name, _, _): &(&str, &str, &str)| found.columns(&rows.name).any(|c| c.name == *name);
    let mut differences = Vec::new();
    compare_engine_kind(rows, &mut differences);
    if compare_rows_table(target, found, rows).is_ok() || !differences.is_empty() || !OWN_COLUMNS.iter().all(is_own) {
        return vec![];
    }
    let view = found.table(&target.config.table).filter(|view| refuse_strange_view(target, view).is_ok());
    let view = view.map(|_| format!("DROP VIEW {} SYNC", target.view_name()));
    view.into_iter().chain([format!("DROP TABLE {} SYNC", target.rows_name())]).collect()
}

#[derive(Deserialize)]
struct Server {
    version: String,
}

async fn check_server(client: &Client, url: &str) -> Result<()> {
    let answer: Vec<Server> = client.rows("SELECT version() AS version").await?;
    let version = answer.into_iter().next().map(|s| s.version).unwrap_or_default();
    if server_is_new_enough(&version) {
        return Ok(());
    }
    let (major, minor) = SERVER_MIN;
    Err(Error::config(format!(
        "clickhouse at {url} is version \"{version}\"; {major}.{minor} or newer is needed, update it"
    )))
}

fn server_is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|n| n.parse::<u32>().ok());
    matches!((numbers.next().flatten(), numbers.next().flatten()), (Some(a), Some(b)) if (a, b) >= SERVER_MIN)
}

/// What is in ClickHouse under the names of the target.
#[derive(Debug, Default)]
struct Found {
    database: bool,
    tables: Vec<FoundTable>,
    columns: Vec<FoundColumn>,
}

#[derive(Debug, Deserialize)]
struct FoundDatabase {}

#[derive(Debug, Deserialize)]
struct FoundTable {
    name: String,
    engine: String,
    engine_full: String,
    sorting_key: String,
    as_select: String,
}

#[derive(Debug, Deserialize)]
struct FoundColumn {
    table: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    default_kind: String,
}

impl Found {
    fn columns<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a FoundColumn> {
        self.columns.iter().filter(move |c| c.table == table)
    }

    fn table(&self, name: &str) -> Option<&FoundTable> {
        self.tables.iter().find(|t| t.name == name)
    }
}

async fn find(client: &Client, target: &Target) -> Result<Found> {
    let database = literal(&target.config.database);
    let names = format!("({}, {})", literal(&target.config.table), literal(&target.config.rows_table()));
    let databases: Vec<FoundDatabase> =
        client.rows(&format!("SELECT name FROM system.databases WHERE name = {database}")).await?;
    let tables = client
        .rows(&format!(
            "SELECT name, engine, engine_full, sorting_key, as_select FROM system.tables \
             WHERE database = {database} AND name IN {names}"
        ))
        .await?;
    let columns = client
        .rows(&format!(
            "SELECT table, name, type, default_kind FROM system.columns \
             WHERE database = {database} AND table IN {names} \
             ORDER BY table, position"
        ))
        .await?;
    Ok(Found { database: !databases.is_empty(), tables, columns })
}

fn compare(target: &Target, found: &Found) -> Result<Plan> {
    let mut plan = Plan::default();
    if !found.database {
        plan.statements.push(create_database(target));
    }
    match found.table(&target.config.rows_table()) {
        None => plan.statements.push(create_table(target)),
        Some(table) => compare_rows_table(target, found, table)?,
    }
    match found.table(&target.config.table) {
        None => plan.statements.push(create_view(target, false)),
        Some(view) => {
            refuse_strange_view(target, view)?;
            if !view_fits(target, found) {
                plan.statements.push(create_view(target, true));
            }
        }
    }
    Ok(plan)
}

/// `CREATE OR REPLACE VIEW` takes the place of tables too, rows and all: so what is not our view is never replaced.
fn refuse_strange_view(target: &Target, view: &FoundTable) -> Result<()> {
    let (name, config) = (target.view_name(), &target.config);
    if view.engine != "View" {
        return Err(Error::config(format!(
            "clickhouse has a table {}.{} (engine {}) where the view of model {} belongs; \
             take it away (RENAME TABLE {name} TO ..., or DROP \
             TABLE {name}), or set another clickhouse.database in sluice.yml",
            config.database, config.table, view.engine, config.table
        )));
    }
    if !view.as_select.contains(&config.rows_table()) {
        return Err(Error::config(format!(
            "clickhouse has a view {}.{} that sluice did not make (it does not read {}); \
             take it away with DROP VIEW {name}, or set another \
             clickhouse.database in sluice.yml",
            config.database,
            config.table,
            config.rows_table()
        )));
    }
    Ok(())
}

fn view_fits(target: &Target, found: &Found) -> bool {
    let there: Vec<_> = found.columns(&target.config.table).collect();
    let fits = |(c, f): (&super::target::Column, &&FoundColumn)| c.name == f.name && same_type(&c.clickhouse, &f.kind);
    there.len() == target.columns.len() && target.columns.iter().zip(&there).all(fits)
}

fn compare_rows_table(target: &Target, found: &Found, table: &FoundTable) -> Result<()> {
    let mut differences = Vec::new();
    let mut repairs = Vec::new();
    compare_engine(target, table, &mut differences);
    let there: Vec<_> = found.columns(&table.name).collect();
    let of_model = target.columns.iter().map(|c| (c.name.as_str(), c.clickhouse.as_str()));
    let own = OWN_COLUMNS.map(|(name, kind, _)| (name, kind));
    for (name, expected) in of_model.clone().chain(own) {
        match there.iter().find(|f| f.name == name) {
            None => differences.push(format!("column {name}: expected {expected}, found none")),
            Some(f) if fits(expected, &f.kind) => {}
            Some(f) => differences.push(format!("column {name}: expected {expected}, found {}", f.kind)),
        }
    }
    let missing = |c: &&super::target::Column| !there.iter().any(|f| f.name == c.name);
    repairs.extend(target.columns.iter().filter(missing).map(|c| add_column(target, c)));
    for f in there.iter().filter(|f| f.default_kind.is_empty() && !f.kind.starts_with("Nullable(")) {
        if !of_model.clone().chain(own).any(|(name, _)| name == f.name) {
            differences.push(format!("column {}: expected none, found {}", f.name, f.kind));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(differs(target, &differences, &repairs))
}

/// A column that takes nulls fits one that has none.
fn fits(expected: &str, found: &str) -> bool {
    same_type(expected, found) || same_type(&format!("Nullable({expected})"), found)
}

fn compare_engine(target: &Target, table: &FoundTable, differences: &mut Vec<String>) {
    compare_engine_kind(table, differences);
    if !same_type(&key_list(target), unwrapped(&table.sorting_key)) {
        differences.push(format!("order by: expected {}, found {}", target.config.key.join(", "), table.sorting_key));
    }
}

fn compare_engine_kind(table: &FoundTable, differences: &mut Vec<String>) {
    // Replicated and shared variants have arguments of their own in front.
    let replacing = table.engine.ends_with("ReplacingMergeTree") && table.engine_full.contains("_version, _deleted)");
    if !replacing {
        let found = table.engine_full.split(" ORDER BY ").next().unwrap_or_default();
        differences.push(format!("engine: expected ReplacingMergeTree(_version, _deleted), found {found}"));
    }
}

/// A key without the parentheses that newer servers show around a single column.
fn unwrapped(key: &str) -> &str {
    key.strip_prefix('(').and_then(|key| key.strip_suffix(')')).unwrap_or(key)
}

/// Only missing columns can be repaired in place, and only when nothing else differs.
fn differs(target: &Target, differences: &[String], repairs: &[String]) -> Error {
    let anew = format!("run DROP TABLE {} and start again, which fills it from the lake", target.rows_name());
    let way_out = if repairs.len() == differences.len() {
        format!("run {} (old rows have no value there until they change), or {anew}", repairs.join("; "))
    } else {
        format!("change the model back, or {anew}")
    };
    Error::config(format!(
        "clickhouse table {} does not fit model {}:\n  {}\n{way_out}",
        target.shown(),
        target.config.table,
        differences.join("\n  ")
    ))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
