//! A table that shows rows before their epoch is committed: of each key the row of the highest version counts.

use std::collections::BTreeMap;
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
}

/// A table of keys and values that replaces rows by version. Cheap to clone: all clones are one.
#[derive(Clone, Default)]
pub struct EarlyTable(Arc<Mutex<BTreeMap<i64, Shown>>>);

impl EarlyTable {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<i64, Shown>> {
        self.0.lock().expect("nobody panics while holding a table")
    }

    /// What a reader sees.
    pub fn shown(&self) -> Weights {
        self.rows().iter().filter_map(|(key, shown)| Some((vec![*key, shown.value?], 1))).collect()
    }

    fn insert(&self, key: i64, row: Shown) {
        let mut rows = self.rows();
        if rows.get(&key).is_none_or(|there| there.version <= row.version) {
            rows.insert(key, row);
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
                    self.table.insert(*key, Shown { version, epoch, value: *value });
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
    /// What belongs to an epoch after the last committed one is set back.
    fn set_back(&self, last: u64) {
        let settled: BTreeMap<i64, i64> = self.settled.rows().into_keys().map(|row| (row[0], row[1])).collect();
        let later: Vec<i64> =
            self.table.rows().iter().filter(|(_, shown)| shown.epoch > last).map(|(key, _)| *key).collect();
        for key in later {
            let value = settled.get(&key).copied();
            self.table.insert(key, Shown { version: (self.generation, 0), epoch: last, value });
        }
    }
}

impl Committer for EarlyPart {
    fn shows_early(&self) -> bool {
        true
    }

    fn seal<'a>(&'a mut self, _epoch: u64, _parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        ready(Ok(json!({}))).boxed()
    }

    fn commit<'a>(&'a mut self, _epoch: u64, _token: &'a Token) -> BoxFuture<'a, Result<()>> {
        ready(Ok(())).boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        let this = &*self;
        let effect = move || {
            if this.plant != Some(Plant::NotSetBack) {
                this.set_back(last.as_ref().map_or(0, |(epoch, _)| *epoch));
            }
            Ok(())
        };
        this.world.later(this.pid, "set early back".into(), effect).boxed()
    }
}
