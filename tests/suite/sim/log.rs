//! A partitioned log that grows, and the source that reads it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use sluice_engine::source::SplitPosition;
use sluice_engine::{Batch, Polled, Position, Result, Source, SourceContext};

use super::ledger::Ledger;
use super::plant::Plant;
use super::world::{Pid, World};

/// A record: key and value. Where it lies says which one it is.
pub type Record = (i64, i64);

/// `key, value, partition, offset`, all bigint.
pub const COLUMNS: [&str; 4] = ["key", "value", "partition", "offset"];

/// The log. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Vec<Vec<Record>>>>);

impl Log {
    pub fn of(partitions: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![vec![]; partitions])))
    }

    fn partitions(&self) -> MutexGuard<'_, Vec<Vec<Record>>> {
        self.0.lock().expect("nobody panics while holding the log")
    }

    /// Appends a record to a partition.
    pub fn append(&self, partition: usize, record: Record) {
        self.partitions()[partition].push(record);
    }

    /// All rows that a source gives: key, value, partition, offset.
    pub fn rows(&self) -> Vec<Vec<i64>> {
        let partitions = self.partitions();
        let of = |(p, records): (usize, &Vec<Record>)| {
            let row = move |(offset, (key, value)): (usize, &Record)| vec![*key, *value, p as i64, offset as i64];
            records.iter().enumerate().map(row).collect::<Vec<_>>()
        };
        partitions.iter().enumerate().flat_map(of).collect()
    }
}

/// A batch of bigint columns from rows.
pub fn batch_of(names: &[&str], rows: &[Vec<i64>]) -> Result<RecordBatch> {
    let schema = Schema::new(names.iter().map(|n| Field::new(*n, DataType::Int64, false)).collect::<Vec<_>>());
    let column = |c: usize| Arc::new(rows.iter().map(|r| r[c]).collect::<Int64Array>()) as ArrayRef;
    Ok(RecordBatch::try_new(Arc::new(schema), (0..names.len()).map(column).collect())?)
}

/// The rows of a batch of bigint columns.
pub fn rows_of(batch: &RecordBatch) -> Vec<Vec<i64>> {
    let column = |c: &ArrayRef| c.as_any().downcast_ref::<Int64Array>().expect("all columns are bigint").clone();
    let columns: Vec<Int64Array> = batch.columns().iter().map(column).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row)).collect()).collect()
}

/// Reads the partitions `p % workers == worker`.
pub struct LogSource {
    pub log: Log,
    pub world: World,
    pub ledger: Ledger,
    pub pid: Pid,
    pub plant: Option<Plant>,
    pub context: SourceContext,
    next: BTreeMap<usize, usize>,
}

impl LogSource {
    pub fn new(log: Log, ledger: Ledger, pid: Pid, plant: Option<Plant>, context: SourceContext) -> Self {
        Self { log, world: ledger.world().clone(), ledger, pid, plant, context, next: BTreeMap::new() }
    }

    /// The partitions that have more.
    fn waiting(&self) -> Vec<usize> {
        let partitions = self.log.partitions();
        self.next.iter().filter(|(p, n)| **n < partitions[**p].len()).map(|(p, _)| *p).collect()
    }

    /// Up to `rows` rows of one of these partitions, in seeded amounts.
    fn read(&mut self, waiting: &[usize], rows: usize) -> Result<Polled> {
        let partitions = self.log.partitions();
        let (partition, most) = self.world.random(|r| (r.pick(waiting), 1 + r.below(rows as u64) as usize));
        let next = self.next.get_mut(&partition).expect("it is one of these");
        let to = partitions[partition].len().min(*next + most);
        let row = |offset: usize| {
            let (key, value) = partitions[partition][offset];
            vec![key, value, partition as i64, offset as i64]
        };
        let read: Vec<_> = (*next..to).map(row).collect();
        self.world.note(format!("{} reads {partition}: {next}..{to}", self.pid));
        *next = to;
        Ok(Polled::Batch(Batch::insert(batch_of(&COLUMNS, &read)?)))
    }
}

impl Source for LogSource {
    fn open(&mut self, resume: &Position) -> Result<()> {
        let (count, context) = (self.log.partitions().len(), self.context.clone());
        let off_by = usize::from(self.plant == Some(Plant::OffsetOffByOne));
        let world = self.world.clone();
        world.now(self.pid, "open", || {
            for partition in (0..count).filter(|p| p % context.workers == context.worker) {
                let next = resume.0.get(&partition.to_string()).map_or(0, |p| p.next as usize);
                self.next.insert(partition, next.saturating_sub(off_by));
            }
            Ok(())
        })
    }

    fn poll(&mut self, rows: usize, _bytes: usize) -> Result<Polled> {
        let (world, waiting) = (self.world.clone(), self.waiting());
        // Most polls are for nothing: faults are kept for those that matter.
        if waiting.is_empty() {
            return Ok(if self.context.until_idle { Polled::End } else { Polled::Idle });
        }
        // A lost answer to a poll would be a source that loses rows: it is the source's contract not to.
        world.now(self.pid, "poll", || Ok(()))?;
        self.read(&waiting, rows)
    }

    fn position(&self) -> Position {
        let split = |(p, next): (&usize, &usize)| {
            (p.to_string(), SplitPosition { next: *next as i64, detail: serde_json::Value::Null })
        };
        Position(self.next.iter().map(split).collect())
    }

    fn acknowledge(&mut self, position: &Position) {
        let (world, ledger) = (self.world.clone(), self.ledger.clone());
        // Nobody waits for an acknowledgement: an error of it is nobody's.
        let pid = self.pid;
        let _ = world.now(pid, "acknowledge", || {
            ledger.on_act(pid, "an acknowledgement");
            ledger.on_acknowledged(position);
            Ok(())
        });
    }
}
