//! A table that shows rows before their epoch is committed: of each key the row of the highest version counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::future::{BoxFuture, FutureExt, ready};
use serde_json::json;
use sluice_engine::{Batch, Committer, Part, PrepareFuture, Result, Sink, Token};

use super::log::rows_of;
use super::plant::Plant;
use super::table::{Table, Weights};
use super::world::{Pid, World};

/// Generation and sequence.
type Version = (u64, u64);

#[derive(Clone)]
struct Shown {
    version: Version,
    epoch: u64,
    /// None: the key is gone.
    value: Option<i64>,
    late: bool,
}

/// A table of keys and values that replaces rows by version. Cheap to clone: all clones are one.
///
/// A run that lives on beside the one that has taken over may show a row after the other has set the table back. Nothing
/// is there to stop it, and when the key does not change any more nothing replaces the row: it is known to be late.
#[derive(Clone, Default)]
pub struct EarlyTable(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    rows: BTreeMap<i64, Shown>,
    /// The newest run that has set the table back.
    set_back_by: u64,
}

impl EarlyTable {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().expect("nobody panics while holding a table")
    }

    /// What a reader sees.
    pub fn shown(&self) -> Weights {
        self.content().rows.iter().filter_map(|(key, shown)| Some((vec![*key, shown.value?], 1))).collect()
    }

    /// The keys whose rows are late.
    pub fn late(&self) -> BTreeSet<i64> {
        self.content().rows.iter().filter(|(_, shown)| shown.late).map(|(key, _)| *key).collect()
    }

    fn insert(&self, key: i64, version: Version, epoch: u64, value: Option<i64>) {
        let content = &mut *self.content();
        if content.rows.get(&key).is_none_or(|there| there.version <= version) {
            let late = version.0 < content.set_back_by;
            content.rows.insert(key, Shown { version, epoch, value, late });
        }
    }
}

/// A sink and its committer, as one process holds them.
pub struct EarlyPart {
    pub table: EarlyTable,
    /// Holds the same rows, by epoch: what the table is set back to.
    pub settled: Table,
    pub world: World,
    pub pid: Pid,
    pub plant: Option<Plant>,
    pub generation: u64,
    pub staged: Weights,
}

impl Sink for EarlyPart {
    fn write(&mut self, batch: Batch) -> Result<()> {
        self.world.now(self.pid, "write early", || Ok(()))?;
        for (i, row) in rows_of(batch.rows()).into_iter().enumerate() {
            *self.staged.entry(row).or_default() += batch.weight(i);
        }
        Ok(())
    }

    /// Shows the net change of each key, in two inserts between which the run may end.
    fn flush(&mut self, epoch: u64, sequence: u64) -> Result<()> {
        let mut changes: BTreeMap<i64, Option<i64>> = BTreeMap::new();
        for (row, weight) in std::mem::take(&mut self.staged).into_iter().filter(|(_, weight)| *weight != 0) {
            let value = changes.entry(row[0]).or_default();
            if weight > 0 {
                *value = Some(row[1]);
            }
        }
        let version = (self.generation, sequence);
        let changes: Vec<_> = changes.into_iter().collect();
        let (first, second) = changes.split_at(changes.len() / 2);
        for half in [first, second] {
            self.world.now(self.pid, &format!("show {} keys at {version:?}", half.len()), || {
                half.iter().for_each(|(key, value)| {
                    self.table.insert(*key, version, epoch, *value);
                });
                Ok(())
            })?;
        }
        Ok(())
    }

    fn prepare(&mut self, _epoch: u64) -> Result<PrepareFuture> {
        Ok(ready(Ok(Box::new(()) as Part)).boxed())
    }
}

impl EarlyPart {
    /// What is not of the committed epochs is set back to them: rows of a later epoch; and rows of a run later than the one
    /// that has written the newest manifest, because such a run has cut the epochs of the same numbers elsewhere.
    fn set_back(&self, last: Option<(u64, u64)>) {
        let (last, by) = last.unwrap_or_default();
        let settled: BTreeMap<i64, i64> = self.settled.rows().into_keys().map(|row| (row[0], row[1])).collect();
        let by_epoch_only = self.plant == Some(Plant::SetBackByEpochOnly);
        let is_other = |shown: &Shown| shown.epoch > last || !by_epoch_only && shown.version.0 > by;
        let others: Vec<i64> = {
            let mut content = self.table.content();
            content.set_back_by = content.set_back_by.max(self.generation);
            content.rows.iter().filter(|(_, shown)| is_other(shown)).map(|(key, _)| *key).collect()
        };
        for key in others {
            self.table.insert(key, (self.generation, 0), last, settled.get(&key).copied());
        }
    }
}

impl Committer for EarlyPart {
    fn shows_early(&self) -> bool {
        true
    }

    fn seal<'a>(&'a mut self, _epoch: u64, _parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        ready(Ok(json!({ "generation": self.generation }))).boxed()
    }

    fn commit<'a>(&'a mut self, _epoch: u64, _token: &'a Token) -> BoxFuture<'a, Result<()>> {
        ready(Ok(())).boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        let this = &*self;
        let effect = move || {
            if this.plant != Some(Plant::NotSetBack) {
                this.set_back(last.map(|(epoch, token)| (epoch, token["generation"].as_u64().unwrap_or(0))));
            }
            Ok(())
        };
        this.world.later(this.pid, "set early back".into(), effect).boxed()
    }
}
