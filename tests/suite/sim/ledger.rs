//! What has been published and committed, and what must hold of it at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use sluice_engine::checkpoint::Manifest;
use sluice_engine::{Position, Token};

use super::world::{Pid, World};

/// Keeps the books of a scenario. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Ledger {
    world: World,
    manifests: Arc<Mutex<BTreeMap<u64, Manifest>>>,
    /// Runs that have written a manifest which is none: its number had been used and swept.
    strays: Arc<Mutex<BTreeSet<Pid>>>,
}

impl Ledger {
    pub fn of(world: World) -> Self {
        Self { world, manifests: Arc::default(), strays: Arc::default() }
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    fn manifests(&self) -> MutexGuard<'_, BTreeMap<u64, Manifest>> {
        self.manifests.lock().expect("nobody panics while holding the books")
    }

    /// The newest epoch that has a manifest, 0 when there is none.
    pub fn newest_epoch(&self) -> u64 {
        self.manifests().keys().next_back().copied().unwrap_or(0)
    }

    /// A run does something that only a run in office may do.
    pub fn on_act(&self, pid: Pid, what: &str) {
        if self.strays.lock().expect("one thread").contains(&pid) {
            self.world.violation(format!("{pid} does {what} after its manifest came too late"));
        }
    }

    /// A manifest has appeared: epochs follow each other, generations do not go back, and what was read is not unread.
    /// `is_there` says whether a file of state is. An old run may write a number again that has been swept: nobody reads it,
    /// but the run must not go on as if it were its commit.
    pub fn on_manifest(&self, pid: Pid, manifest: Manifest, is_there: impl Fn(&str) -> bool) {
        let mut manifests = self.manifests();
        let before = manifests.values().next_back();
        let (epoch, generation) = before.map_or((0, 0), |m| (m.epoch, m.generation));
        if manifest.epoch <= epoch && manifest.generation < generation {
            self.world.note(format!("{pid} has written manifest {} too late: it is none", manifest.epoch));
            self.strays.lock().expect("one thread").insert(pid);
            return;
        }
        if manifest.epoch != epoch + 1 {
            self.world.violation(format!("manifest {} follows manifest {epoch}", manifest.epoch));
        }
        if manifest.generation < generation {
            self.world.violation(format!("run {} publishes after run {generation}", manifest.generation));
        }
        for (name, position) in before.iter().flat_map(|m| &m.positions) {
            for (split, old) in &position.0 {
                let new = manifest.positions.get(name).and_then(|p| p.0.get(split)).map(|p| p.next);
                if new.is_none_or(|new| new < old.next) {
                    self.world.violation(format!("epoch {}: {name} {split} goes back to {new:?}", manifest.epoch));
                }
            }
        }
        for segment in manifest.operators.values().flat_map(|o| &o.segments) {
            if !is_there(&segment.pack) {
                self.world.violation(format!("manifest {} names {}, which is gone", manifest.epoch, segment.pack));
            }
        }
        manifests.insert(manifest.epoch, manifest);
    }

    /// A table is about to change: its epoch's manifest is there, and says the same.
    pub fn on_commit(&self, table: &str, epoch: u64, token: &Token) {
        match self.manifests().get(&epoch).map(|m| m.sinks.get(table)) {
            None => self.world.violation(format!("table {table} commits epoch {epoch}, which has no manifest")),
            Some(said) if said != Some(token) => {
                self.world
                    .violation(format!("table {table} commits {token} in epoch {epoch}, its manifest says {said:?}"));
            }
            Some(_) => {}
        }
    }

    /// A file of the store is deleted: the newest manifest does not need it.
    pub fn on_delete(&self, path: &str) {
        let manifests = self.manifests();
        let Some(newest) = manifests.values().next_back() else { return };
        if newest.operators.values().flat_map(|o| &o.segments).any(|s| s.pack == path) {
            self.world.violation(format!("{path} is deleted, manifest {} needs it", newest.epoch));
        }
    }

    /// The source hears of a position: it is durable.
    pub fn on_acknowledged(&self, position: &Position) {
        let manifests = self.manifests();
        let durable = manifests.values().next_back().and_then(|m| m.positions.values().next());
        for (split, acknowledged) in &position.0 {
            let next = durable.and_then(|p| p.0.get(split)).map_or(0, |p| p.next);
            if acknowledged.next > next {
                self.world.violation(format!("{split} is acknowledged up to {}, durable is {next}", acknowledged.next));
            }
        }
    }
}
