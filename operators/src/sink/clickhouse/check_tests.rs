use super::super::target::tests::config;
use super::*;
use expect_test::{Expect, expect};

/// What ClickHouse shows when everything is there.
fn complete() -> Found {
    let target = Target::new(config()).unwrap();
    let column = |table: &str, name: &str, kind: &str| FoundColumn {
        table: table.into(),
        name: name.into(),
        kind: kind.into(),
        default_kind: String::new(),
    };
    let mut columns: Vec<_> = target.columns.iter().map(|c| column("top_songs", &c.name, &c.clickhouse)).collect();
    columns.extend(target.columns.iter().map(|c| column("top_songs__rows", &c.name, &c.clickhouse)));
    columns.extend(OWN_COLUMNS.map(|(name, kind, _)| column("top_songs__rows", name, kind)));
    let table = |name: &str, engine: &str, full: &str, select: &str| FoundTable {
        name: name.into(),
        engine: engine.into(),
        engine_full: full.into(),
        sorting_key: if select.is_empty() { "song, day".into() } else { String::new() },
        as_select: select.into(),
    };
    let full = "ReplacingMergeTree(_version, _deleted) ORDER BY (song, day) SETTINGS index_granularity = 8192";
    let tables = vec![
        table("top_songs", "View", "", "SELECT song FROM music.top_songs__rows FINAL WHERE _deleted = 0"),
        table("top_songs__rows", "ReplacingMergeTree", full, ""),
    ];
    Found { database: true, tables, columns }
}

fn rows_column<'a>(found: &'a mut Found, name: &str) -> &'a mut FoundColumn {
    found.columns.iter_mut().find(|c| c.table == "top_songs__rows" && c.name == name).unwrap()
}

fn plan(change: impl FnOnce(&mut Found)) -> Result<Plan> {
    let mut found = complete();
    change(&mut found);
    compare(&Target::new(config()).unwrap(), &found)
}

fn refused(change: impl FnOnce(&mut Found), expected: Expect) {
    expected.assert_eq(&plan(change).unwrap_err().to_string());
}

/// Shows that nothing is planned when all is there, also where the table is wider or replicated.
#[test]
fn what_fits_needs_nothing() {
    assert_eq!(plan(|_| {}).unwrap(), Plan::default());
    assert_eq!(plan(|f| rows_column(f, "day").kind = "Nullable(Date32)".into()).unwrap(), Plan::default());
    let replicated = |f: &mut Found| {
        f.tables[1].engine = "ReplicatedReplacingMergeTree".into();
        f.tables[1].engine_full =
            "ReplicatedReplacingMergeTree('/t', '{replica}', _version, _deleted) ORDER BY (song, day)".into();
    };
    assert_eq!(plan(replicated).unwrap(), Plan::default());
    let one = ClickHouseConfig { key: vec!["song".into()], ..config() };
    let mut found = complete();
    found.columns.iter_mut().filter(|c| c.name == "day").for_each(|c| c.kind = "Nullable(Date32)".into());
    for shown in ["song", "(song)"] {
        found.tables[1].sorting_key = shown.into();
        assert_eq!(compare(&Target::new(one.clone()).unwrap(), &found).unwrap(), Plan::default());
    }
}

/// Shows that what is missing is planned, in the order in which it can be made.
#[test]
fn what_is_missing_is_planned() {
    let first_words =
        |p: Plan| p.statements.iter().map(|s| s.split(" `").next().unwrap().to_owned()).collect::<Vec<_>>();
    let all = ["CREATE DATABASE IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS", "CREATE VIEW IF NOT EXISTS"];
    assert_eq!(first_words(plan(|f| *f = Found::default()).unwrap()), all);
    let narrow = |f: &mut Found| f.columns.retain(|c| c.table != "top_songs" || c.name != "last");
    assert_eq!(first_words(plan(narrow).unwrap()), ["CREATE OR REPLACE VIEW"]);
}

/// Shows that every difference is listed, and what is said to be run.
#[test]
fn differences_are_listed() {
    let many = |f: &mut Found| {
        rows_column(f, "plays").kind = "Nullable(Int32)".into();
        rows_column(f, "last").name = "first".into();
        rows_column(f, "_epoch").kind = "UInt32".into();
        rows_column(f, "first").kind = "String".into();
        f.tables[1].sorting_key = "song".into();
        f.tables[1].engine = "MergeTree".into();
        f.tables[1].engine_full = "MergeTree ORDER BY song".into();
    };
    refused(
        many,
        expect![[r#"
        clickhouse table music.top_songs__rows does not fit model top_songs:
          engine: expected ReplacingMergeTree(_version, _deleted), found MergeTree
          order by: expected song, day, found song
          column plays: expected Nullable(Int64), found Nullable(Int32)
          column last: expected Nullable(DateTime64(6, 'UTC')), found none
          column _epoch: expected UInt64, found UInt32
          column first: expected none, found String
        change the model back, or run DROP TABLE `music`.`top_songs__rows` and start again, which fills it from the lake"#]],
    );
    let missing = |f: &mut Found| f.columns.retain(|c| c.table != "top_songs__rows" || c.name != "last");
    refused(
        missing,
        expect![[r#"
        clickhouse table music.top_songs__rows does not fit model top_songs:
          column last: expected Nullable(DateTime64(6, 'UTC')), found none
        run ALTER TABLE `music`.`top_songs__rows` ADD COLUMN `last` Nullable(DateTime64(6, 'UTC')) (old rows have no value there until they change), or run DROP TABLE `music`.`top_songs__rows` and start again, which fills it from the lake"#]],
    );
}

/// Shows that a table or a view of somebody else is not replaced.
#[test]
fn what_others_made_is_not_replaced() {
    refused(
        |f| f.tables[0].engine = "MergeTree".into(),
        expect![
            "clickhouse has a table music.top_songs (engine MergeTree) where the view of model top_songs belongs; take it away (RENAME TABLE `music`.`top_songs` TO ..., or DROP TABLE `music`.`top_songs`), or set another clickhouse.database in sluice.yml"
        ],
    );
    refused(
        |f| f.tables[0].as_select = "SELECT 1".into(),
        expect![
            "clickhouse has a view music.top_songs that sluice did not make (it does not read top_songs__rows); take it away with DROP VIEW `music`.`top_songs`, or set another clickhouse.database in sluice.yml"
        ],
    );
}

/// Shows that a table which does not fit is dropped with its view, when it is ours, and nothing else is.
#[test]
fn only_own_misfits_are_dropped() {
    let statements = |change: &dyn Fn(&mut Found)| {
        let mut found = complete();
        change(&mut found);
        drops(&Target::new(config()).unwrap(), &found)
    };
    assert_eq!(statements(&|_| {}), Vec::<String>::new(), "it fits");
    let both = ["DROP VIEW `music`.`top_songs` SYNC", "DROP TABLE `music`.`top_songs__rows` SYNC"];
    assert_eq!(statements(&|f| rows_column(f, "plays").kind = "String".into()), both);
    let other_view = |f: &mut Found| {
        rows_column(f, "plays").kind = "String".into();
        f.tables[0].as_select = "SELECT 1".into();
    };
    assert_eq!(statements(&other_view), both[1..]);
    let other_engine = |f: &mut Found| {
        rows_column(f, "plays").kind = "String".into();
        f.tables[1].engine = "MergeTree".into();
    };
    assert_eq!(statements(&other_engine), Vec::<String>::new());
    assert_eq!(statements(&|f| rows_column(f, "_version").name = "version".into()), Vec::<String>::new());
    assert_eq!(statements(&|f| *f = Found::default()), Vec::<String>::new());
}

/// Shows which servers are too old.
#[test]
fn old_servers() {
    for (version, fits) in [("26.7.2.1", true), ("24.3.1", true), ("24.1.9", false), ("9.0", false), ("", false)] {
        assert_eq!(server_is_new_enough(version), fits, "{version}");
    }
}
