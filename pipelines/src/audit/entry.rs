//! What the audit keeps of an epoch and a table, and its form as a row.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use sluice_engine::{Error, Result};
use sluice_operators::sink::delta::{EpochChange, written_by_epoch};

use super::tables::file_term;

/// How far a stream's splits were read before an epoch and after it: split -> (from, to), without `from` at its first
/// epoch. Offsets are the source's: `to` is the next one to read.
pub type Offsets = BTreeMap<String, (Option<i64>, i64)>;

/// What a table holds after an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: i64,
    /// Files.
    pub files: i64,
    /// The sum, modulo 2^128, of a hash of each file's name, which has a checksum of the file. None once a file that
    /// was written by something else than an epoch (maintenance) was taken out: what it stood for is not known.
    pub checksum: Option<u128>,
}

impl Totals {
    /// What a table holds that held this, after a change.
    pub(super) fn after(self, change: &EpochChange) -> Totals {
        let sum = |paths: &[String]| paths.iter().fold(0u128, |sum, path| sum.wrapping_add(file_term(path)));
        let is_known = change.files_removed.iter().all(|path| written_by_epoch(path));
        let checksum = self.checksum.filter(|_| is_known);
        Totals {
            rows: self.rows + change.rows_added as i64 - change.rows_removed as i64,
            files: self.files + change.files_added.len() as i64 - change.files_removed.len() as i64,
            checksum: checksum
                .map(|c| c.wrapping_add(sum(&change.files_added)).wrapping_sub(sum(&change.files_removed))),
        }
    }
}

/// What an epoch did to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The epoch.
    pub epoch: u64,
    /// The start of the pipeline that wrote it.
    pub generation: u64,
    /// The table.
    pub table: String,
    /// Rows that came.
    pub rows_added: i64,
    /// Rows that went.
    pub rows_removed: i64,
    /// Files that came.
    pub files_added: i64,
    /// Files that went.
    pub files_removed: i64,
    /// What the table holds since.
    pub totals: Totals,
    /// For a bronze table: which part of its log the epoch read.
    pub offsets: Option<Offsets>,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        number("epoch"),
        number("generation"),
        text("table"),
        number("rows_added"),
        number("rows_removed"),
        number("files_added"),
        number("files_removed"),
        number("rows"),
        number("files"),
        text("checksum"),
        text("offsets"),
    ]))
});

/// The audit's columns: `epoch`, `generation`, `table string`, `rows_added`, `rows_removed`, `files_added`, `files_removed`,
/// `rows` and `files` (after it), all bigint; `checksum string` (32 hexadecimal digits, after it), `offsets string` (JSON:
/// split -> [from, to]).
pub fn audit_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// Entries as rows.
pub(super) fn to_rows(entries: &[Entry]) -> Result<RecordBatch> {
    let numbers = |of: fn(&Entry) -> i64| Arc::new(Int64Array::from_iter_values(entries.iter().map(of))) as ArrayRef;
    let json = |offsets: &Offsets| serde_json::to_string(offsets).ok();
    let columns: Vec<ArrayRef> = vec![
        numbers(|e| e.epoch as i64),
        numbers(|e| e.generation as i64),
        Arc::new(StringArray::from_iter_values(entries.iter().map(|e| &e.table))),
        numbers(|e| e.rows_added),
        numbers(|e| e.rows_removed),
        numbers(|e| e.files_added),
        numbers(|e| e.files_removed),
        numbers(|e| e.totals.rows),
        numbers(|e| e.totals.files),
        Arc::new(entries.iter().map(|e| e.totals.checksum.map(|c| format!("{c:032x}"))).collect::<StringArray>()),
        Arc::new(entries.iter().map(|e| e.offsets.as_ref().and_then(json)).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(audit_schema(), columns)?)
}

/// Rows as entries.
///
/// # Errors
/// `Data` when a row is not one that [`to_rows`] makes.
pub(super) fn from_rows(rows: &RecordBatch) -> Result<Vec<Entry>> {
    let damaged =
        |what: &str| Error::data(format!("the audit cannot be read: {what}; move it away, so that it begins anew"));
    let column = |i: usize| rows.column(i);
    let numbers: Vec<&Int64Array> = [0, 1, 3, 4, 5, 6, 7, 8]
        .iter()
        .map(|i| column(*i).as_primitive_opt::<Int64Type>().ok_or_else(|| damaged("a column is no bigint")))
        .collect::<Result<_>>()?;
    let texts: Vec<&StringArray> = [2, 9, 10]
        .iter()
        .map(|i| column(*i).as_string_opt::<i32>().ok_or_else(|| damaged("a column is no string")))
        .collect::<Result<_>>()?;
    let text = |which: usize, row: usize| texts[which].iter().nth(row).flatten();
    let entry = |row: usize| {
        let number = |which: usize| numbers[which].value(row);
        let checksum = text(1, row).map(|c| u128::from_str_radix(c, 16)).transpose();
        let offsets = text(2, row).map(serde_json::from_str).transpose();
        Ok(Entry {
            epoch: number(0) as u64,
            generation: number(1) as u64,
            table: text(0, row).unwrap_or_default().to_owned(),
            rows_added: number(2),
            rows_removed: number(3),
            files_added: number(4),
            files_removed: number(5),
            totals: Totals {
                rows: number(6),
                files: number(7),
                checksum: checksum.map_err(|e| damaged("a checksum").because(e))?,
            },
            offsets: offsets.map_err(|e| damaged("offsets").because(e))?,
        })
    };
    (0..rows.num_rows()).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(added: &[&str], removed: &[&str], rows: (u64, u64)) -> EpochChange {
        let paths =
            |names: &[&str]| names.iter().map(|n| format!("part-00001-000-00000-{n:0>32}.snappy.parquet")).collect();
        EpochChange {
            rows_added: rows.0,
            rows_removed: rows.1,
            files_added: paths(added),
            files_removed: paths(removed),
            anew: false,
        }
    }

    /// Entries come back from rows as they were.
    #[test]
    fn rows_and_back() {
        let entry = Entry {
            epoch: 3,
            generation: 2,
            table: "gold.spend".into(),
            rows_added: 5,
            rows_removed: 1,
            files_added: 2,
            files_removed: 0,
            totals: Totals { rows: 4, files: 2, checksum: Some(u128::MAX - 1) },
            offsets: Some([("0".into(), (None, 7)), ("1".into(), (Some(3), 9))].into()),
        };
        let plain = Entry { offsets: None, totals: Totals { checksum: None, ..entry.totals }, ..entry.clone() };
        let entries = vec![entry, plain];
        assert_eq!(from_rows(&to_rows(&entries).unwrap()).unwrap(), entries);
    }

    /// Totals do not depend on the order of changes, a file that goes takes what it stood for with it, and a file that no
    /// epoch has written leaves no checksum.
    #[test]
    fn totals_add_up() {
        let (a, b) = (change(&["1"], &[], (3, 0)), change(&["2"], &[], (4, 0)));
        let one = Totals { checksum: Some(0), ..Totals::default() };
        let both = one.after(&a).after(&b);
        assert_eq!(both, one.after(&b).after(&a));
        assert_eq!((both.rows, both.files), (7, 2));
        assert_eq!(one.after(&a), both.after(&change(&[], &["2"], (0, 4))));
        let other = EpochChange { files_removed: vec!["part-x.parquet".into()], ..EpochChange::default() };
        assert_eq!(both.after(&other).checksum, None);
        assert_eq!(both.after(&other).after(&a).checksum, None);
    }
}
