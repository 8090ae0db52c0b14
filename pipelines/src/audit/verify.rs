//! `sluice verify`: the sources' state, the audit and the tables held against each other.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use sluice_engine::checkpoint::{Manifest, newest};
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::store::{Store, TableAtEpoch};

use super::batch::{Batches, Compared};
use super::clickhouse;
use super::contents::altered_files;
use super::entry::{Entry, Offsets};
use super::log::Held;
use super::recorder::read_entries;
use super::report::{Check, Report, StreamLine, TableLine};
use super::tables::{Audited, audited, says_checksum, totals_of};
use crate::compile::{Pipeline, REJECTS};
use crate::node_names::stream_source;

/// What is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// Compute each model as a batch over bronze, and hold its table against that. The results are in memory.
    pub deep: bool,
}

/// Holds a pipeline's sources and tables against its audit, as of the newest epoch that was audited; a run may go on
/// meanwhile.
///
/// # Errors
/// `Config` when nothing was audited yet, `Transient` when the lake or another server is away. What does not add up is no
/// error, but in the report.
pub async fn verify(pipeline: &Pipeline, store: &Store, options: VerifyOptions) -> Result<Report> {
    let entries = read_entries(store, &pipeline.project.name).await?;
    let manifest = newest(store, &pipeline.project.name).await?;
    let (Some(last), Some(manifest)) = (entries.last().cloned(), manifest) else {
        return Err(Error::config(format!(
            "no epoch of pipeline {:?} was audited yet in {}; run it first",
            pipeline.project.name,
            store.url()
        )));
    };
    let report = Report {
        pipeline: pipeline.project.name.clone(),
        lake: store.url().to_string(),
        epoch: last.epoch,
        generation: last.generation,
        ..Report::default()
    };
    let mut verifying = Verifying { pipeline, store, entries, report, tables: vec![] };
    verifying.check_manifest(&manifest);
    verifying.open_tables().await?;
    verifying.check_streams().await?;
    if options.deep {
        verifying.check_models().await?;
    }
    verifying.check_clickhouse().await?;
    Ok(verifying.report)
}

struct Verifying<'a> {
    pipeline: &'a Pipeline,
    store: &'a Store,
    /// Oldest first.
    entries: Vec<Entry>,
    report: Report,
    /// Each table, as the epoch left it, and its line in the report.
    tables: Vec<(Audited, Option<TableAtEpoch>)>,
}

impl Verifying<'_> {
    /// The audit may be an epoch behind the manifest, and no more.
    fn check_manifest(&mut self, manifest: &Manifest) {
        let (audited, committed) = (self.report.epoch, manifest.epoch);
        if committed == audited + 1 {
            self.report.notes.push(format!(
                "epoch {committed} is committed and not audited yet (a run goes on, or was killed; the next start audits it)"
            ));
        } else if committed != audited {
            self.report
                .faults
                .push(format!("the audit ends with epoch {audited}, but the newest manifest is of epoch {committed}"));
        }
        if committed != audited {
            return;
        }
        for stream in &self.pipeline.streams {
            let read: BTreeMap<&String, i64> = manifest
                .positions
                .get(&stream_source(stream))
                .into_iter()
                .flat_map(|p| p.0.iter().map(|(split, at)| (split, at.next)))
                .collect();
            let recorded = self.read(&stream.table);
            let recorded: BTreeMap<&String, i64> = recorded.iter().map(|(split, (_, to))| (split, *to)).collect();
            if read != recorded {
                let table = &stream.table;
                self.report.faults.push(format!(
                    "{table}: the manifest's positions are not those of the audit: {read:?}, {recorded:?}"
                ));
            }
        }
    }

    fn newest(&self, table: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|e| e.table == table)
    }

    /// How far a bronze table's log was read.
    fn read(&self, table: &str) -> Offsets {
        self.newest(table).and_then(|e| e.offsets.clone()).unwrap_or_default()
    }

    /// Opens all tables, and holds what their logs and files say against the audit.
    async fn open_tables(&mut self) -> Result<()> {
        for audited in audited(self.pipeline, self.store) {
            let found = audited.at(self.store, self.report.epoch).await?;
            let line = self.check_table(&audited, found.as_ref()).await;
            self.report.tables.push(line);
            self.tables.push((audited, found));
        }
        Ok(())
    }

    async fn check_table(&mut self, audited: &Audited, found: Option<&TableAtEpoch>) -> TableLine {
        let name = audited.table.clone();
        let mut line = TableLine {
            table: name.clone(),
            rows: 0,
            files: 0,
            audit: Check::No,
            content: Check::No,
            batch: Check::No,
            clickhouse: Check::No,
        };
        let Some(found) = found else {
            if self.newest(&name).is_some() {
                line.audit = Check::Wrong;
                self.report.faults.push(format!("{name}: the table is gone"));
            }
            return line;
        };
        let (rows, totals) = totals_of(found);
        (line.rows, line.files) = (totals.rows, totals.files);
        let foreign =
            found.files.iter().filter(|f| !sluice_operators::sink::delta::written_by_epoch(&f.file.path)).count();
        if let Some(entry) = self.newest(&name) {
            let recorded = entry.totals;
            line.audit = Check::Ok;
            if rows.is_none() {
                line.audit = Check::Unjudged;
                self.report.notes.push(format!("{name}: its log does not say how many rows each file has"));
            } else if totals.rows != recorded.rows {
                line.audit = Check::Wrong;
                self.report.faults.push(format!(
                    "{name}: its log says {} rows in {} files, the audit {} in {} (epoch {})",
                    totals.rows, totals.files, recorded.rows, recorded.files, entry.epoch
                ));
            } else if foreign == 0 && recorded.checksum.is_some() && totals.checksum != recorded.checksum {
                line.audit = Check::Wrong;
                self.report.faults.push(format!(
                    "{name}: its {} files are not the {} that epochs have written (another checksum of their names)",
                    totals.files, recorded.files
                ));
            }
        }
        if foreign > 0 {
            self.report
                .notes
                .push(format!("{name}: {foreign} files were not written by an epoch (maintenance, or others)"));
        }
        let silent = found.files.iter().filter(|f| !says_checksum(&f.file.path)).count();
        let altered = altered_files(self.store, &audited.path, found).await;
        line.content = match (altered.is_empty(), silent) {
            (false, _) => Check::Wrong,
            (true, 0) => Check::Ok,
            (true, _) => Check::Unjudged,
        };
        self.report.faults.extend(altered.iter().map(|fault| format!("{name}: {fault}")));
        line
    }

    async fn check_streams(&mut self) -> Result<()> {
        let rejects = self.tables.iter().find(|(a, _)| a.table == REJECTS).and_then(|(_, t)| t.as_ref());
        let mut rejected = Vec::new();
        for (table, file) in rejects.iter().flat_map(|t| t.files.iter().map(move |f| (t, f))) {
            // A file that cannot be read has been named already.
            let Ok(rows) = table.rows(file, rejects_schema()).await else { continue };
            rejected.extend(rows.try_collect::<Vec<_>>().await.unwrap_or_default());
        }
        for (i, stream) in self.pipeline.streams.iter().enumerate() {
            let table = self.tables.iter().find(|(a, _)| a.stream == Some(i)).and_then(|(_, t)| t.as_ref());
            let mut held = Held::default();
            if let Some(table) = table {
                let unread = held.add_bronze(table).await?;
                self.report
                    .faults
                    .extend(unread.iter().map(|f| format!("{}: the rows of file {f} cannot be read", stream.table)));
            }
            held.add_rejects(stream, &rejected)?;
            let (bronze, rejects) = (held.bronze, held.rejects);
            let epoch_of = |split: &str, offset: i64| {
                let covers = |e: &&Entry| {
                    let range = e.offsets.as_ref().filter(|_| e.table == stream.table).and_then(|o| o.get(split));
                    range.is_some_and(|(from, to)| from.unwrap_or(0) <= offset && offset < *to)
                };
                self.entries.iter().find(covers).map(|e| e.epoch)
            };
            let judged = held.judge(self.pipeline, stream, &self.read(&stream.table), epoch_of).await;
            let judged = match judged {
                Ok(judged) => judged,
                // What is left can be judged without the log.
                Err(e) if e.kind() == ErrorKind::Transient || e.kind() == ErrorKind::Config => {
                    self.report.notes.push(format!("{}: its log could not be asked: {e}", stream.table));
                    self.report.faults.push(format!("{}: nobody can say whether records are lost", stream.table));
                    continue;
                }
                Err(e) => return Err(e),
            };
            self.report.faults.extend(judged.faults);
            self.report.notes.extend(judged.notes);
            self.report.streams.push(StreamLine {
                table: stream.table.clone(),
                partitions: judged.partitions,
                bronze,
                rejects,
                lost: judged.lost,
                doubled: judged.doubled,
            });
        }
        Ok(())
    }

    fn table(&self, name: &str) -> Option<&TableAtEpoch> {
        self.tables.iter().find(|(a, _)| a.table == name).and_then(|(_, t)| t.as_ref())
    }

    async fn check_models(&mut self) -> Result<()> {
        let streams = self.pipeline.streams.iter();
        let bronze: Vec<_> = streams.map(|s| self.table(&s.table)).collect();
        let batches = Batches::over(self.pipeline, &bronze).await?;
        for model in self.pipeline.models.values() {
            let compared = batches.compare(model, self.table(&model.table), self.report.epoch).await;
            let compared = compared.unwrap_or_else(|e| Compared::failed(&model.table, &e));
            self.take(&model.table, compared.faults, compared.notes, |line| line.batch = compared.check);
        }
        Ok(())
    }

    async fn check_clickhouse(&mut self) -> Result<()> {
        for model in self.pipeline.models.values().filter(|m| m.clickhouse) {
            let compared = clickhouse::compare(self.pipeline, model, self.table(&model.table), self.report.epoch).await;
            let compared = compared.unwrap_or_else(|e| Compared::failed(&model.table, &e));
            self.take(&model.table, compared.faults, compared.notes, |line| line.clickhouse = compared.check);
        }
        Ok(())
    }

    fn take(&mut self, table: &str, faults: Vec<String>, notes: Vec<String>, set: impl FnOnce(&mut TableLine)) {
        self.report.faults.extend(faults);
        self.report.notes.extend(notes);
        if let Some(line) = self.report.tables.iter_mut().find(|line| line.table == table) {
            set(line);
        }
    }
}
