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

/// The runs that have committed epochs, oldest first: generation, and the first epoch.
type Runs = Vec<(u64, u64)>;

/// A table of keys and values that replaces rows by version. Cheap to clone: all clones are one.
///
/// A run that lives on beside the one that has taken over may show a row after the other has set the table back. Nothing
/// is there to stop it; but the row is of no epoch that its run has committed, so it is found, when the other commits or at
/// the next start.
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

    fn insert(&self, key: i64, version: Version, epoch: u64, value: Option<i64>) {
        let mut rows = self.rows();
        if rows.get(&key).is_none_or(|there| there.version <= version) {
            rows.insert(key, Shown { version, epoch, value });
        }
    }
}

/// True for a row of no committed epoch, as `sink/clickhouse/runs.rs` has it. `last` is the newest committed epoch.
fn is_not_committed(shown: &Shown, runs: &Runs, last: u64, plant: Option<Plant>) -> bool {
    let (generation, sequence) = shown.version;
    match plant {
        Some(Plant::SetBackByEpochOnly) => return shown.epoch > last,
        Some(Plant::LateRowsStay) => {
            return shown.epoch > last || runs.last().is_some_and(|(newest, _)| generation > *newest);
        }
        _ => {}
    }
    let Some(at) = runs.iter().rposition(|(run, _)| *run <= generation) else {
        return runs.is_empty() && shown.epoch > last;
    };
    let ended = runs.get(at + 1).map_or(last, |(_, first)| first - 1);
    if runs[at].0 == generation { shown.epoch > ended } else { sequence != 0 || shown.epoch < ended }
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
    pub runs: Runs,
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
    /// What is of no committed epoch is set back to the newest, `last`; without one, everything. With `before` only rows of
    /// older runs.
    fn set_back(&self, last: Option<u64>, before: Option<u64>) {
        let settled: BTreeMap<i64, i64> = self.settled.rows().into_keys().map(|row| (row[0], row[1])).collect();
        let is_wrong = |shown: &Shown| {
            before.is_none_or(|before| shown.version.0 < before)
                && last.is_none_or(|last| is_not_committed(shown, &self.runs, last, self.plant))
        };
        let wrong: Vec<i64> =
            self.table.rows().iter().filter(|(_, shown)| is_wrong(shown)).map(|(key, _)| *key).collect();
        for key in wrong {
            let value = last.and_then(|_| settled.get(&key).copied());
            self.table.insert(key, (self.generation, 0), last.unwrap_or(0), value);
        }
    }

    fn notes(&mut self, epoch: u64) {
        if self.runs.last().is_none_or(|(newest, _)| *newest < self.generation) {
            self.runs.push((self.generation, epoch));
        }
    }
}

impl Committer for EarlyPart {
    fn shows_early(&self) -> bool {
        true
    }

    fn seal<'a>(&'a mut self, epoch: u64, _parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        let mut runs = self.runs.clone();
        if runs.last().is_none_or(|(newest, _)| *newest < self.generation) {
            runs.push((self.generation, epoch));
        }
        ready(Ok(json!({ "runs": runs }))).boxed()
    }

    /// Looks for late rows, now and then.
    fn commit<'a>(&'a mut self, epoch: u64, _token: &'a Token) -> BoxFuture<'a, Result<()>> {
        self.notes(epoch);
        let this = &*self;
        let effect = move || {
            if this.world.random(|r| r.per_mille(300)) {
                this.set_back(Some(epoch), Some(this.generation));
            }
            Ok(())
        };
        this.world.later(this.pid, "look for late rows".into(), effect).boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        let runs = last.as_ref().map(|(_, token)| serde_json::from_value(token["runs"].clone()));
        self.runs = runs.map(|runs| runs.expect("the token is this sink's")).unwrap_or_default();
        let this = &*self;
        let effect = move || {
            if this.plant != Some(Plant::NotSetBack) {
                this.set_back(last.map(|(epoch, _)| epoch), None);
            }
            Ok(())
        };
        this.world.later(this.pid, "set early back".into(), effect).boxed()
    }
}
