//! The open files of one writer: one for each partition that rows came for lately.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::Utc;
use deltalake::kernel::Add;
use object_store::PutPayload;
use sluice_engine::Result;

use super::file_name::data_file;
use super::partition::{PartitionValues, folder, named, split};
use super::schema::TableSchema;
use super::writer::{Encoding, FinishedFile, OpenFile};

/// Open files of one writer; the one that was idle longest is closed for another.
const OPEN_FILES_MAX: usize = 64;
/// Bytes of memory that all open files of one writer hold; above it the biggest is closed.
const OPEN_BYTES_MAX: usize = 32 << 20;
/// A file that got no rows in so many writes to others is closed: most streams go by time, and its time has passed.
const IDLE_WRITES_MAX: u64 = 32;

/// Takes rows in the table's columns and makes data files of them.
pub(super) struct Files {
    schema: Arc<TableSchema>,
    encoding: Encoding,
    target_file_bytes: usize,
    /// Goes into the files' names: which run and which writer of it.
    writer: String,
    made: u64,
    turn: u64,
    open: HashMap<PartitionValues, (OpenFile, u64)>,
    full: Vec<FullFile>,
    adds: Vec<Add>,
    rows: u64,
}

/// A file that wants to be uploaded: path below the table, and content.
pub(super) type FullFile = (String, PutPayload);

/// The files made, as the log's actions, and the rows in them.
pub(super) struct Made {
    pub(super) adds: Vec<Add>,
    pub(super) rows: u64,
}

impl Files {
    pub(super) fn new(
        schema: Arc<TableSchema>,
        target_file_bytes: usize,
        row_group_rows: usize,
        writer: String,
    ) -> Self {
        let encoding = Encoding::new(schema.file.clone(), row_group_rows);
        Self {
            schema,
            encoding,
            target_file_bytes,
            writer,
            made: 0,
            turn: 0,
            open: HashMap::new(),
            full: Vec::new(),
            adds: Vec::new(),
            rows: 0,
        }
    }

    /// Adds rows. Ask for [`Files::take_full`] after it.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        for (values, rows) in split(&self.schema, rows)? {
            self.turn += 1;
            if !self.open.contains_key(&values) {
                self.make_room()?;
                self.open.insert(values.clone(), (self.encoding.begin(&rows)?, 0));
            }
            let (file, used) = self.open.get_mut(&values).expect("it is there or has just been put there");
            *used = self.turn;
            file.write(&rows)?;
            if file.file_bytes() >= self.target_file_bytes {
                self.close(&values)?;
            }
        }
        self.close_idle()?;
        while self.open_bytes() > OPEN_BYTES_MAX {
            let biggest = self.open.iter().max_by_key(|(_, (f, _))| f.memory_bytes()).map(|(v, _)| v.clone());
            let Some(biggest) = biggest else { break };
            self.close(&biggest)?;
        }
        Ok(())
    }

    /// The files that have become full since the last call: upload them.
    pub(super) fn take_full(&mut self) -> Vec<FullFile> {
        std::mem::take(&mut self.full)
    }

    /// Closes all files and says what was made since the last call. Ask for [`Files::take_full`] after it.
    pub(super) fn finish(&mut self) -> Result<Made> {
        let mut open: Vec<PartitionValues> = self.open.keys().cloned().collect();
        open.sort();
        for values in open {
            self.close(&values)?;
        }
        Ok(Made { adds: std::mem::take(&mut self.adds), rows: std::mem::take(&mut self.rows) })
    }

    pub(super) fn open_bytes(&self) -> usize {
        self.open.values().map(|(f, _)| f.memory_bytes()).sum()
    }

    fn close_idle(&mut self) -> Result<()> {
        let oldest = self.turn.saturating_sub(IDLE_WRITES_MAX.max(2 * self.open.len() as u64));
        let idle: Vec<_> = self.open.iter().filter(|(_, (_, used))| *used < oldest).map(|(v, _)| v.clone()).collect();
        idle.iter().try_for_each(|values| self.close(values))
    }

    fn make_room(&mut self) -> Result<()> {
        while self.open.len() >= OPEN_FILES_MAX {
            let idle = self.open.iter().min_by_key(|(_, (_, used))| *used).map(|(v, _)| v.clone());
            let Some(idle) = idle else { break };
            self.close(&idle)?;
        }
        Ok(())
    }

    fn close(&mut self, values: &PartitionValues) -> Result<()> {
        let Some((file, _)) = self.open.remove(values) else { return Ok(()) };
        let file = file.finish()?;
        let name = data_file(&self.writer, self.made, &file.content);
        let path = folder(&self.schema, values) + &name;
        self.made += 1;
        self.rows += file.rows;
        self.adds.push(add_action(&self.schema, &path, values, &file));
        self.full.push((path, file.content.into_iter().collect()));
        Ok(())
    }
}

fn add_action(schema: &TableSchema, path: &str, values: &[Option<String>], file: &FinishedFile) -> Add {
    Add {
        path: path.to_string(),
        partition_values: named(schema, values),
        size: file.bytes as i64,
        modification_time: Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(file.stats.clone()),
        ..Add::default()
    }
}
