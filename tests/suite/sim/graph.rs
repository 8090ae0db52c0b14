//! The tables of a scenario, and the graph that fills them.

use std::sync::Arc;

use sluice_engine::checkpoint::MemoryStore;
use sluice_engine::graph::{Exchange, Graph, Input};
use sluice_engine::testing::SumByKey;
use sluice_engine::{Batch, Emitter, Operator, Result};

use super::early::{EarlyPart, EarlyTable};
use super::ledger::Ledger;
use super::log::{Log, LogSource, batch_of, rows_of};
use super::plant::Plant;
use super::table::{Table, Weights};
use super::world::{Pid, World};

/// Different answers of the second aggregate.
const BUCKETS: i64 = 5;

/// Everything that outlives a process.
#[derive(Clone)]
pub struct Lake {
    pub world: World,
    pub ledger: Ledger,
    pub log: Log,
    pub files: Arc<MemoryStore>,
    pub bronze: Table,
    pub sums: Table,
    pub counts: Table,
    pub early: EarlyTable,
    pub plant: Option<Plant>,
    /// The second aggregate is computed on one worker.
    pub gathered: bool,
}

/// `select sum % 5, 1`: takes rows back as it has shown them.
struct Bucket;

impl Operator for Bucket {
    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let rows: Vec<_> = rows_of(batch.rows()).iter().map(|r| vec![r[1].rem_euclid(BUCKETS), 1]).collect();
        out.emit(Batch::with_weights_of(batch_of(&["key", "value"], &rows)?, batch.weights().cloned()));
        Ok(())
    }
}

impl Lake {
    pub fn of(world: World, partitions: usize, gathered: bool, plant: Option<Plant>) -> Self {
        Self {
            ledger: Ledger::of(world.clone()),
            world,
            log: Log::of(partitions),
            files: Arc::default(),
            bronze: Table::named("bronze"),
            sums: Table::named("sums"),
            counts: Table::named("counts"),
            early: EarlyTable::default(),
            plant,
            gathered,
        }
    }

    /// `bronze`: each record. `sums`: by key. `counts`: how many sums have each remainder. `early`: `sums`, at once.
    pub fn graph(&self, pid: Pid, generation: u64) -> Result<Graph> {
        let mut graph = Graph::new();
        let (log, ledger, plant) = (self.log.clone(), self.ledger.clone(), self.plant);
        let log = graph
            .source("log", move |c| Ok(Box::new(LogSource::new(log.clone(), ledger.clone(), pid, plant, c.clone()))))?;
        let sum = || SumByKey::new().map(|o| Box::new(o) as Box<dyn Operator>);
        let sums = graph.operator("sum by key", "1", vec![Input::hash(log, vec![0])], sum)?;
        let bucket = graph.operator("bucket", "1", vec![Input::forward(sums)], || Ok(Box::new(Bucket)))?;
        let to_counts = match self.gathered {
            true => Input { exchange: Exchange::Gather, ..Input::forward(bucket) },
            false => Input::hash(bucket, vec![0]),
        };
        let counts = graph.operator("sum by bucket", "1", vec![to_counts], sum)?;
        for (table, from) in [(&self.bronze, log), (&self.sums, sums), (&self.counts, counts)] {
            let (made, ledger) = (table.clone(), self.ledger.clone());
            let committer = Box::new(table.part(&self.ledger, pid, plant));
            let build = move |_: &_| Ok(Box::new(made.part(&ledger, pid, plant)) as _);
            graph.sink(table.name, vec![Input::forward(from)], build, committer)?;
        }
        // Its committer reads `sums` when it recovers, so it comes after it.
        let early = self.clone();
        let committer = Box::new(self.early_part(pid, generation));
        let build = move |_: &_| Ok(Box::new(early.early_part(pid, generation)) as _);
        graph.sink("early", vec![Input::forward(sums)], build, committer)?;
        Ok(graph)
    }

    fn early_part(&self, pid: Pid, generation: u64) -> EarlyPart {
        EarlyPart {
            table: self.early.clone(),
            settled: self.sums.clone(),
            world: self.world.clone(),
            pid,
            plant: self.plant,
            generation,
            staged: Weights::new(),
            runs: vec![],
        }
    }

    /// Compares each table with what a batch over the whole log gives, and the epochs that have made it.
    pub fn check(&self) {
        let rows = self.log.rows();
        let mut sums = Weights::new();
        let mut by_key = std::collections::BTreeMap::<i64, i64>::new();
        rows.iter().for_each(|r| *by_key.entry(r[0]).or_default() += r[1]);
        let mut by_bucket = std::collections::BTreeMap::<i64, i64>::new();
        by_key.values().for_each(|sum| *by_bucket.entry(sum.rem_euclid(BUCKETS)).or_default() += 1);
        sums.extend(by_key.iter().map(|(key, sum)| (vec![*key, *sum], 1)));
        let counts = by_bucket.iter().map(|(bucket, n)| (vec![*bucket, *n], 1)).collect();
        self.same("bronze", self.bronze.rows(), rows.into_iter().map(|row| (row, 1)).collect());
        self.same("early", self.early.shown(), sums.clone());
        self.same("sums", self.sums.rows(), sums);
        // The aggregate keeps a group whose rows have all gone, with the sum 0; whether there ever was one depends on cuts.
        let counted = self.counts.rows().into_iter().filter(|(row, _)| row[1] != 0).collect();
        self.same("counts", counted, counts);
        let newest = self.ledger.newest_epoch();
        for table in [&self.bronze, &self.sums, &self.counts] {
            if table.commits() != (1..=newest).collect::<Vec<_>>() {
                let (name, commits) = (table.name, table.commits());
                self.world.violation(format!("table {name} has epochs {commits:?}, the newest manifest is {newest}"));
            }
        }
    }

    fn same(&self, table: &str, is: Weights, expected: Weights) {
        let differ = |a: &Weights, b: &Weights| -> Vec<_> {
            a.iter().filter(|(row, w)| b.get(*row) != Some(w)).map(|(r, w)| (r.clone(), *w)).take(5).collect()
        };
        let (wrong, missing) = (differ(&is, &expected), differ(&expected, &is));
        if !wrong.is_empty() || !missing.is_empty() {
            self.world.violation(format!("table {table} has {wrong:?} and should have {missing:?}"));
        }
    }
}
