//! Which tables the audit follows, and what the lake holds of them.

use sluice_engine::Result;
use sluice_operators::sink::delta::{DeltaConfig, WriteMode, checksum_in_name};
use sluice_operators::store::{OWN_FOLDER, Store, TableAtEpoch};
use xxhash_rust::xxh3::xxh3_128;

use super::entry::{Totals, audit_schema};
use crate::compile::{Pipeline, REJECTS, TableName};

/// Where a pipeline's audit lies below the lake.
pub fn audit_path(pipeline: &str) -> String {
    format!("{OWN_FOLDER}/audit/{pipeline}")
}

/// The audit as a table.
pub(super) fn audit_table(pipeline: &Pipeline, store: &Store) -> DeltaConfig {
    let path = audit_path(&pipeline.project.name);
    let about = "what each epoch did to each table; newest epochs only";
    let table = TableName { path: &path, name: "audit", about };
    pipeline.delta_table(store, table, audit_schema(), WriteMode::Append)
}

/// A table that the audit follows.
#[derive(Debug, Clone)]
pub(super) struct Audited {
    /// `layer.name`, or [`REJECTS`].
    pub(super) table: String,
    /// Its folder below the lake.
    pub(super) path: String,
    /// Who commits to it.
    pub(super) app_id: String,
    /// The stream that it is the bronze table of, by its place in the pipeline.
    pub(super) stream: Option<usize>,
    /// The sink that writes it; none when it is made anew by full queries.
    pub(super) sink: Option<String>,
}

impl Audited {
    /// True when it is made anew by full queries.
    pub(super) fn is_refreshed(&self) -> bool {
        self.sink.is_none()
    }

    /// The table as an epoch left it; none when it is not there.
    pub(super) async fn at(&self, store: &Store, epoch: u64) -> Result<Option<TableAtEpoch>> {
        TableAtEpoch::open(store, &self.path, &self.app_id, Some(epoch)).await
    }

    /// True when it has an entry in each epoch, changed or not.
    pub(super) fn is_always_recorded(&self) -> bool {
        self.stream.is_some() || self.table == REJECTS
    }
}

/// All tables of a pipeline.
pub(super) fn audited(pipeline: &Pipeline, store: &Store) -> Vec<Audited> {
    let tables = pipeline.lake_tables(store).into_iter().map(|table| Audited {
        stream: pipeline.streams.iter().position(|stream| stream.table == table.name),
        table: table.name,
        path: table.config.path,
        app_id: table.config.app_id,
        sink: table.sink,
    });
    tables.collect()
}

/// What stands for a file in a table's checksum: its name, which has the checksum of its bytes. (Not its folder: the log
/// writes partition values in more than one way.)
pub(super) fn file_term(path: &str) -> u128 {
    xxh3_128(path.rsplit('/').next().unwrap_or(path).as_bytes())
}

/// What a table holds. Its rows are none when the log does not say how many a file has.
pub(super) fn totals_of(table: &TableAtEpoch) -> (Option<i64>, Totals) {
    let rows: Option<u64> = table.files.iter().map(|f| f.rows).sum();
    let rows = rows.and_then(|rows| i64::try_from(rows).ok());
    let checksum = table.files.iter().fold(0u128, |sum, f| sum.wrapping_add(file_term(&f.file.path)));
    (rows, Totals { rows: rows.unwrap_or(0), files: table.files.len() as i64, checksum: Some(checksum) })
}

/// True when a file says what is in it.
pub(super) fn says_checksum(path: &str) -> bool {
    checksum_in_name(path).is_some()
}
