//! The statements that make the table and its view.

use super::target::{Column, OWN_COLUMNS, Target};

/// Blocks whose tokens a table remembers, so that a block sent again within this many is not stored twice. Plain
/// MergeTree tables remember none by default.
pub(super) const DEDUPLICATION_WINDOW_BLOCKS: u32 = 10_000;

/// A name in backquotes.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// A text in quotes.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Database and table, quoted.
pub(super) fn qualified(database: &str, table: &str) -> String {
    format!("{}.{}", identifier(database), identifier(table))
}

/// Names in backquotes, with commas.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(identifier).collect::<Vec<_>>().join(", ")
}

pub(super) fn create_database(target: &Target) -> String {
    format!("CREATE DATABASE IF NOT EXISTS {}", identifier(&target.config.database))
}

/// `allow_experimental_replacing_merge_with_cleanup` lets `OPTIMIZE ... FINAL CLEANUP` take away deleted rows for good;
/// nothing does it by itself, because a tombstone must outlive the epoch that made it (see `maintain` in `refill.rs`).
pub(super) fn create_table(target: &Target) -> String {
    let own = OWN_COLUMNS.map(|(name, kind, comment)| column_line(name, kind, comment));
    let columns: Vec<String> = target.columns.iter().map(model_line).chain(own).collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {}\n(\n{}\n)\nENGINE = ReplacingMergeTree(_version, _deleted)\nORDER BY ({})\n\
         SETTINGS allow_nullable_key = 1, non_replicated_deduplication_window = {DEDUPLICATION_WINDOW_BLOCKS}, \
         allow_experimental_replacing_merge_with_cleanup = 1{}",
        target.rows_name(),
        columns.join(",\n"),
        key_list(target),
        comment_clause(&format!(
            "every version of the rows of {}; query {} instead",
            target.config.table, target.config.table
        )),
    )
}

/// `replace`: a view of other columns is there.
pub(super) fn create_view(target: &Target, replace: bool) -> String {
    let create = if replace { "CREATE OR REPLACE VIEW" } else { "CREATE VIEW IF NOT EXISTS" };
    let columns: Vec<String> = target.columns.iter().map(model_line).collect();
    format!(
        "{create} {}\n(\n{}\n)\nAS SELECT {}\nFROM {} FINAL\nWHERE _deleted = 0{}",
        target.view_name(),
        columns.join(",\n"),
        list(target.columns.iter().map(|c| c.name.as_str())),
        target.rows_name(),
        comment_clause(&target.config.comment),
    )
}

pub(super) fn add_column(target: &Target, column: &Column) -> String {
    format!("ALTER TABLE {} ADD COLUMN {} {}", target.rows_name(), identifier(&column.name), column.clickhouse)
}

/// Everything that is sent, in its order.
pub(super) fn insert_arrow(target: &Target) -> String {
    let names = list(target.wire.fields().iter().map(|f| f.name().as_str()));
    format!("INSERT INTO {} ({names}) FORMAT ArrowStream", target.rows_name())
}

/// Deletes all keys whose newest row is older than `version`: what a full new result does not hold. Idempotent, because
/// the rows it writes have that version.
pub(super) fn insert_tombstones(target: &Target, version: u64, epoch: u64) -> String {
    let (rows, key) = (target.rows_name(), key_list(target));
    format!(
        "INSERT INTO {rows} ({key}, _version, _deleted, _epoch)\n\
         SELECT {key}, {version}, 1, {epoch} FROM {rows} FINAL WHERE _version < {version} AND _deleted = 0"
    )
}

/// Takes deleted rows away for good, by merging the whole table.
pub(super) fn optimize(target: &Target) -> String {
    format!("OPTIMIZE TABLE {} FINAL CLEANUP", target.rows_name())
}

/// The key's columns, in the key's order.
pub(super) fn key_list(target: &Target) -> String {
    list(target.config.key.iter().map(String::as_str))
}

fn model_line(column: &Column) -> String {
    column_line(&column.name, &column.clickhouse, &column.comment)
}

fn column_line(name: &str, kind: &str, comment: &str) -> String {
    let comment = if comment.is_empty() { String::new() } else { format!(" COMMENT {}", literal(comment)) };
    format!("    {} {kind}{comment}", identifier(name))
}

fn comment_clause(comment: &str) -> String {
    if comment.is_empty() { String::new() } else { format!("\nCOMMENT {}", literal(comment)) }
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::config;
    use super::*;
    use expect_test::expect;

    /// Shows the whole DDL of a model.
    #[test]
    fn the_ddl_of_a_model() {
        let target = Target::new(config()).unwrap();
        let text = [create_database(&target), create_table(&target), create_view(&target, false)].join(";\n");
        expect![[r#"
            CREATE DATABASE IF NOT EXISTS `music`;
            CREATE TABLE IF NOT EXISTS `music`.`top_songs__rows`
            (
                `song` Nullable(String),
                `day` Date32,
                `plays` Nullable(Int64) COMMENT 'it\'s a count',
                `last` Nullable(DateTime64(6, 'UTC')),
                `_version` UInt64 COMMENT 'run (24 bits) and barrier (40 bits) that made the row; the highest of a key wins',
                `_deleted` UInt8 COMMENT '1: the key is gone',
                `_epoch` UInt64 COMMENT 'epoch that the row belongs to'
            )
            ENGINE = ReplacingMergeTree(_version, _deleted)
            ORDER BY (`song`, `day`)
            SETTINGS allow_nullable_key = 1, non_replicated_deduplication_window = 10000, allow_experimental_replacing_merge_with_cleanup = 1
            COMMENT 'every version of the rows of top_songs; query top_songs instead';
            CREATE VIEW IF NOT EXISTS `music`.`top_songs`
            (
                `song` Nullable(String),
                `day` Date32,
                `plays` Nullable(Int64) COMMENT 'it\'s a count',
                `last` Nullable(DateTime64(6, 'UTC'))
            )
            AS SELECT `song`, `day`, `plays`, `last`
            FROM `music`.`top_songs__rows` FINAL
            WHERE _deleted = 0
            COMMENT 'plays per song'"#]].assert_eq(&text);
    }

    /// Shows that tombstones are made of what is older than the new result.
    #[test]
    fn the_tombstones_of_a_refill() {
        let target = Target::new(config()).unwrap();
        expect![[r#"
            INSERT INTO `music`.`top_songs__rows` (`song`, `day`, _version, _deleted, _epoch)
            SELECT `song`, `day`, 42, 1, 7 FROM `music`.`top_songs__rows` FINAL WHERE _version < 42 AND _deleted = 0"#]]
        .assert_eq(&insert_tombstones(&target, 42, 7));
    }

    /// Shows that names and texts cannot leave their quotes.
    #[test]
    fn names_and_texts_stay_in_their_quotes() {
        assert_eq!(identifier("a`b\\"), "`a\\`b\\\\`");
        assert_eq!(literal("it's \\"), "'it\\'s \\\\'");
    }
}
