//! Writes the audit: told of each committed epoch before the next one can be committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use futures::TryStreamExt;
use futures::future::{BoxFuture, FutureExt};
use sluice_engine::checkpoint::Manifest;
use sluice_engine::runtime::{Committed, Observer};
use sluice_engine::source::Positions;
use sluice_engine::{Error, Result};
use sluice_operators::sink::delta::{EpochChange, SoleWriter, committed_version};
use sluice_operators::store::{Store, open_table, read_rows};

use super::entry::{Entry, Offsets, Totals, from_rows, to_rows};
use super::tables::{Audited, audit_path, audit_table, audited, totals_of};
use crate::compile::Pipeline;
use crate::lake::Refresher;
use crate::node_names::stream_source;

/// When the audit has more files than this, it is written anew as one.
const FILES_MAX: usize = 256;
/// Epochs that it keeps then, newest first; of a table that did not change in them, its newest entry.
const EPOCHS_KEPT: usize = 1_000;

/// Records each epoch after what has to be refreshed is.
pub struct Recorder {
    inner: Refresher,
    pipeline: Arc<Pipeline>,
    store: Store,
    tables: Vec<Audited>,
    writer: SoleWriter,
    /// The newest entry of each table.
    newest: BTreeMap<String, Entry>,
    /// The entries that the audit holds, oldest epoch first.
    kept: VecDeque<(u64, Vec<Entry>)>,
    /// An epoch that a run before has committed and not recorded.
    missing: Option<Committed>,
}

impl Recorder {
    /// A recorder that tells `inner` first.
    ///
    /// # Errors
    /// `Config` when the lake's address cannot be used.
    pub fn new(pipeline: Arc<Pipeline>, store: Store, inner: Refresher) -> Result<Self> {
        let (tables, writer) = (audited(&pipeline, &store), SoleWriter::new(&audit_table(&pipeline, &store))?);
        let (newest, kept) = (BTreeMap::new(), VecDeque::new());
        Ok(Self { inner, pipeline, store, tables, writer, newest, kept, missing: None })
    }

    /// Reads, at the start, what was recorded; `manifest` is the newest one.
    ///
    /// # Errors
    /// `Transient` when the lake is away, `Data` when the audit cannot be read.
    pub async fn look(&mut self, manifest: Option<&Manifest>) -> Result<()> {
        self.inner.look(manifest.map_or(0, |m| m.epoch)).await?;
        let Some(manifest) = manifest else { return Ok(()) };
        for entry in read_entries(&self.store, &self.pipeline.project.name).await? {
            self.keep(entry);
        }
        let recorded = self.kept.back().map(|(epoch, _)| *epoch);
        if recorded == Some(manifest.epoch) {
            return Ok(());
        }
        if recorded.is_some_and(|epoch| epoch + 1 == manifest.epoch) {
            self.missing = Some(committed_by(manifest));
            // What was refreshed in that epoch is in no manifest: it is looked up.
            for table in self.tables.iter().filter(|t| t.is_refreshed()) {
                if let Some(model) = self.pipeline.models.values().find(|m| m.table == table.table)
                    && committed_version(&self.pipeline.model_table(&self.store, model)).await? == Some(manifest.epoch)
                {
                    self.newest.remove(&table.table);
                }
            }
            return Ok(());
        }
        if let Some(recorded) = recorded {
            let newest = manifest.epoch;
            tracing::warn!(
                "the audit ends with epoch {recorded} and the newest manifest is of {newest}; it begins anew with what the tables hold"
            );
        }
        self.newest.clear();
        Ok(())
    }

    fn keep(&mut self, entry: Entry) {
        self.newest.insert(entry.table.clone(), entry.clone());
        match self.kept.back_mut() {
            Some((epoch, entries)) if *epoch == entry.epoch => entries.push(entry),
            _ => self.kept.push_back((entry.epoch, vec![entry])),
        }
    }

    async fn record(&mut self, epoch: &Committed) -> Result<()> {
        let refreshed = self.inner.take_refreshed();
        let mut new = Vec::new();
        if let Some(missing) = self.missing.take() {
            new.extend(self.entries(&missing, &BTreeMap::new()).await?);
        }
        new.extend(self.entries(epoch, &refreshed).await?);
        if self.writer.files() <= FILES_MAX {
            self.writer.append(epoch.epoch, [to_rows(&new)]).await?;
            return Ok(());
        }
        let surplus = self.kept.len().saturating_sub(EPOCHS_KEPT);
        self.kept.drain(..surplus);
        let first = self.kept.front().map_or(0, |(epoch, _)| *epoch);
        let mut left: Vec<Entry> = self.newest.values().filter(|e| e.epoch < first).cloned().collect();
        left.sort_by_key(|e| e.epoch);
        let all = left.iter().chain(self.kept.iter().flat_map(|(_, entries)| entries)).cloned().collect::<Vec<_>>();
        self.writer.replace(epoch.epoch, [to_rows(&all)]).await?;
        Ok(())
    }

    /// The entries of an epoch; they are kept.
    async fn entries(&mut self, epoch: &Committed, refreshed: &BTreeMap<String, EpochChange>) -> Result<Vec<Entry>> {
        let mut new = Vec::new();
        for table in self.tables.clone() {
            if let Some(entry) = self.entry(&table, epoch, refreshed.get(&table.table)).await? {
                self.keep(entry.clone());
                new.push(entry);
            }
        }
        Ok(new)
    }

    /// What the epoch did to a table; none when that is nothing.
    async fn entry(
        &mut self,
        table: &Audited,
        epoch: &Committed,
        refreshed: Option<&EpochChange>,
    ) -> Result<Option<Entry>> {
        let before = self.newest.get(&table.table).cloned();
        let change = match (table.sink.as_ref().and_then(|sink| epoch.sinks.get(sink)), refreshed) {
            (Some(token), _) => EpochChange::of_token(token)?,
            (None, Some(change)) => change.clone(),
            (None, None) if table.is_refreshed() && before.is_none() => EpochChange::default(),
            (None, None) => return Ok(None),
        };
        let is_unchanged = change == EpochChange::default();
        if is_unchanged && before.is_some() && !table.is_always_recorded() {
            return Ok(None);
        }
        let empty = Totals { checksum: Some(0), ..Totals::default() };
        let gone = before.as_ref().filter(|_| change.anew && refreshed.is_none()).map(|b| b.totals).unwrap_or_default();
        let totals = match before {
            // A refresh makes the whole table, and so does an epoch with which the table begins again.
            _ if refreshed.is_some() || change.anew => {
                empty.after(&EpochChange { files_removed: vec![], ..change.clone() })
            }
            Some(ref before) => before.totals.after(&change),
            None if epoch.epoch == 1 && !table.is_refreshed() => empty.after(&change),
            // The audit begins later than the table.
            None => match table.at(&self.store, epoch.epoch).await? {
                Some(found) => totals_of(&found).1,
                None => return Ok(None),
            },
        };
        Ok(Some(Entry {
            epoch: epoch.epoch,
            generation: epoch.generation,
            table: table.table.clone(),
            rows_added: change.rows_added as i64,
            // A row that came and went within the epoch was never there.
            rows_removed: change.rows_removed as i64 + gone.rows,
            files_added: change.files_added.len() as i64,
            files_removed: change.files_removed.len() as i64 + gone.files,
            totals,
            offsets: table.stream.map(|stream| self.offsets(stream, &epoch.positions, before.as_ref())),
        }))
    }

    fn offsets(&self, stream: usize, positions: &Positions, before: Option<&Entry>) -> Offsets {
        let node = stream_source(&self.pipeline.streams[stream]);
        let before = before.and_then(|b| b.offsets.as_ref());
        let read = positions.get(&node).into_iter().flat_map(|p| &p.0);
        let offsets = read.map(|(split, p)| {
            let from = before.and_then(|b| b.get(split)).map(|(_, to)| *to);
            (split.clone(), (from, p.next))
        });
        offsets.collect()
    }
}

fn committed_by(manifest: &Manifest) -> Committed {
    Committed {
        epoch: manifest.epoch,
        generation: manifest.generation,
        positions: manifest.positions.clone(),
        sinks: Arc::new(manifest.sinks.clone()),
        rows: 0,
        last: false,
    }
}

/// All entries that the audit of a pipeline holds, oldest first; none when there is no audit.
///
/// # Errors
/// `Transient` when the lake is away, `Data` when the audit cannot be read.
pub(super) async fn read_entries(store: &Store, pipeline: &str) -> Result<Vec<Entry>> {
    let path = audit_path(pipeline);
    if open_table(store, &path).await?.is_none() {
        return Ok(vec![]);
    }
    let (_, mut rows) = read_rows(store, &path).await?;
    let mut entries = Vec::new();
    while let Some(rows) = rows.try_next().await? {
        entries.extend(from_rows(&rows)?);
    }
    entries.sort_by_key(|e| e.epoch);
    Ok(entries)
}

impl Observer for Recorder {
    fn on_started(&mut self) {
        self.inner.on_started();
    }

    fn wants_epoch(&self) -> bool {
        self.missing.is_some() || self.inner.wants_epoch()
    }

    fn on_committed<'a>(&'a mut self, epoch: &'a Committed) -> BoxFuture<'a, Result<()>> {
        async move {
            self.inner.on_committed(epoch).await?;
            let started = Instant::now();
            self.record(epoch).await.map_err(|e| e.at("recording the epoch in the audit"))?;
            tracing::debug!(epoch = epoch.epoch, took = ?started.elapsed(), "recorded in the audit");
            Ok::<(), Error>(())
        }
        .boxed()
    }
}
