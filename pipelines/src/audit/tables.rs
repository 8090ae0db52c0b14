//! Which tables the audit follows, and what the lake holds of them.

use sluice_engine::Result;
use sluice_operators::sink::delta::{DeltaConfig, WriteMode, checksum_in_name};
use sluice_operators::store::{OWN_FOLDER, Store, TableAtEpoch};
use xxhash_rust::xxh3::xxh3_128;

use super::entry::{Totals, audit_schema};
use crate::compile::{How, Pipeline};

/// The rejects' table, as SQL and the audit call it.
pub(super) const REJECTS: &str = "rejects";

/// Where a pipeline's audit lies below the lake.
pub fn audit_path(pipeline: &str) -> String {
    format!("{OWN_FOLDER}/audit/{pipeline}")
}

/// The audit as a table.
pub(super) fn audit_table(pipeline: &Pipeline, store: &Store) -> DeltaConfig {
    let name = &pipeline.project.name;
    let (path, app_id) = (audit_path(name), format!("{name}/audit"));
    let mut config = DeltaConfig::new(store.clone(), path, app_id, audit_schema(), WriteMode::Append);
    config.description = Some("what each epoch did to each table; newest epochs only".into());
    config
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
    /// True when it is made anew by full queries.
    pub(super) is_refreshed: bool,
}

impl Audited {
    /// The sink that writes it.
    pub(super) fn node(&self) -> String {
        format!("delta/{}", self.table)
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
pub(super) fn audited(pipeline: &Pipeline) -> Vec<Audited> {
    let table = |table: &str, path: &str| Audited {
        table: table.to_owned(),
        path: path.to_owned(),
        app_id: format!("{}/{table}", pipeline.project.name),
        stream: None,
        is_refreshed: false,
    };
    let streams = pipeline.streams.iter().enumerate();
    let streams = streams.map(|(i, s)| Audited { stream: Some(i), ..table(&s.table, &s.path) });
    let seeds = pipeline.seeds.iter().map(|s| table(&s.table, &s.path));
    let models = pipeline.models.values().map(|m| {
        let is_refreshed = matches!(m.how, How::Refresh { .. });
        Audited { is_refreshed, ..table(&m.table, &m.path) }
    });
    let rejects = table(REJECTS, &format!("{OWN_FOLDER}/{REJECTS}"));
    streams.chain(seeds).chain(models).chain([rejects]).collect()
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
