//! A transactional table: files are written first, a log entry with the epoch's number makes them part of the table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::future::{BoxFuture, FutureExt};
use serde_json::json;
use sluice_engine::{Batch, Committer, Error, Part, PrepareFuture, Result, Sink, Token};

use super::ledger::Ledger;
use super::log::rows_of;
use super::plant::Plant;
use super::world::{Pid, World};

/// Rows and how often each is there.
pub type Weights = BTreeMap<Vec<i64>, i64>;

/// A file: rows with weights. It can be read once it has been finished.
struct File {
    rows: Vec<(Vec<i64>, i64)>,
    finished: bool,
}

#[derive(Default)]
struct Content {
    rows: Weights,
    /// The last epoch that has been committed: Delta's `txn`.
    epoch: u64,
    files: BTreeMap<u64, File>,
    files_made: u64,
    /// Epochs in the order in which they have changed the table.
    commits: Vec<u64>,
}

/// A table. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Table {
    pub name: &'static str,
    content: Arc<Mutex<Content>>,
}

impl Table {
    pub fn named(name: &'static str) -> Self {
        Self { name, content: Arc::default() }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("nobody panics while holding a table")
    }

    /// What it holds now.
    pub fn rows(&self) -> Weights {
        self.content().rows.clone()
    }

    /// Epochs in the order in which they have changed the table.
    pub fn commits(&self) -> Vec<u64> {
        self.content().commits.clone()
    }

    /// The two halves of a sink, for one process.
    pub fn part(&self, ledger: &Ledger, pid: Pid, plant: Option<Plant>) -> TablePart {
        let (table, ledger) = (self.clone(), ledger.clone());
        TablePart { table, world: ledger.world().clone(), ledger, pid, plant, written: vec![] }
    }

    fn upload(&self, rows: Vec<(Vec<i64>, i64)>) -> u64 {
        let mut content = self.content();
        content.files_made += 1;
        let id = content.files_made;
        content.files.insert(id, File { rows, finished: false });
        id
    }

    fn finish(&self, id: u64) -> Result<u64> {
        let swept = || Error::transient(format!("table {}: file {id} has been swept", self.name));
        self.content().files.get_mut(&id).ok_or_else(swept)?.finished = true;
        Ok(id)
    }

    fn sweep(&self) {
        self.content().files.retain(|_, file| file.finished);
    }
}

/// A sink and its committer, as one process holds them.
pub struct TablePart {
    table: Table,
    ledger: Ledger,
    world: World,
    pid: Pid,
    plant: Option<Plant>,
    written: Vec<(Vec<i64>, i64)>,
}

impl Sink for TablePart {
    fn write(&mut self, batch: Batch) -> Result<()> {
        let rows = rows_of(batch.rows()).into_iter().enumerate().map(|(i, row)| (row, batch.weight(i)));
        self.world.now(self.pid, &format!("write {}", self.table.name), || Ok(()))?;
        self.written.extend(rows);
        Ok(())
    }

    fn flush(&mut self, _epoch: u64, _sequence: u64) -> Result<()> {
        self.world.now(self.pid, &format!("flush {}", self.table.name), || Ok(()))
    }

    fn prepare(&mut self, epoch: u64) -> Result<PrepareFuture> {
        let rows = std::mem::take(&mut self.written);
        let (table, world, pid) = (self.table.clone(), self.world.clone(), self.pid);
        self.world.now(pid, &format!("prepare {} {epoch}", table.name), || Ok(()))?;
        let uploaded = async move {
            let mut files: Vec<u64> = vec![];
            if !rows.is_empty() {
                let what = |step| format!("{step} {} {epoch}", table.name);
                let id = world.later(pid, what("upload"), || Ok(table.upload(rows))).await?;
                files.push(world.later(pid, what("finish"), || table.finish(id)).await?);
            }
            Ok(Box::new(files) as Part)
        };
        Ok(uploaded.boxed())
    }
}

impl TablePart {
    fn apply(&self, epoch: u64, token: &Token) -> Result<()> {
        let mut content = self.table.content();
        if content.epoch >= epoch && self.plant != Some(Plant::CommitsAgain) {
            return Ok(());
        }
        self.ledger.on_commit(self.table.name, epoch, token);
        for id in token["files"].as_array().into_iter().flatten() {
            let file = id.as_u64().and_then(|id| content.files.get(&id)).filter(|f| f.finished);
            let Some(file) = file else {
                self.world.violation(format!("table {}: epoch {epoch} wants file {id}", self.table.name));
                continue;
            };
            for (row, weight) in file.rows.clone() {
                *content.rows.entry(row).or_default() += weight;
            }
        }
        content.rows.retain(|_, weight| *weight != 0);
        content.epoch = epoch;
        content.commits.push(epoch);
        self.world.note(format!("{} table {} is at epoch {epoch}", self.pid, self.table.name));
        Ok(())
    }

    /// The table may not be ahead of the manifests. It may be ahead of the one that was read, when another run has
    /// published a later one since.
    fn check_epoch(&self, last: u64) -> Result<()> {
        let (at, newest) = (self.table.content().epoch, self.ledger.newest_epoch());
        if at > newest {
            self.world
                .violation(format!("table {} is at epoch {at}, the newest manifest is {newest}", self.table.name));
        }
        if at > last {
            // As the real one, which knows the manifest that was read and no other: the engine finds out what it means.
            return Err(Error::config(format!(
                "table {} is at epoch {at}, this run begins at {last}",
                self.table.name
            )));
        }
        Ok(())
    }
}

impl Committer for TablePart {
    fn seal<'a>(&'a mut self, epoch: u64, parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        let effect = move || {
            let mut files = vec![];
            for part in parts {
                files.extend(*part.downcast::<Vec<u64>>().map_err(|_| Error::bug("a part of another sink"))?);
            }
            Ok(json!({ "files": files }))
        };
        self.world.later(self.pid, format!("seal {} {epoch}", self.table.name), effect).boxed()
    }

    fn commit<'a>(&'a mut self, epoch: u64, token: &'a Token) -> BoxFuture<'a, Result<()>> {
        let what = format!("commit {} {epoch}", self.table.name);
        let this = &*self;
        this.world
            .later(this.pid, what, move || {
                this.ledger.on_act(this.pid, "a commit");
                this.apply(epoch, token)
            })
            .boxed()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        async move {
            let at = last.as_ref().map_or(0, |(epoch, _)| *epoch);
            let what = |step| format!("{step} {}", self.table.name);
            self.world.later(self.pid, what("check"), || self.check_epoch(at)).await?;
            if let Some((epoch, token)) = &last {
                let effect = || self.apply(*epoch, token);
                self.world.later(self.pid, format!("commit again {} {epoch}", self.table.name), effect).await?;
            }
            let sweep = || {
                self.table.sweep();
                Ok(())
            };
            self.world.later(self.pid, what("sweep"), sweep).await
        }
        .boxed()
    }
}
