//! Which file holds which key, so that taking rows out need not read every file.
//!
//! Before rows are taken out it reads the key columns of the files that it does not know yet, but only of those that may
//! hold one of the rows by their statistics: files of times that are over are never read. It takes 16 bytes a row, and up
//! to twice that while it grows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use hashbrown::HashTable;
use object_store::ObjectStore;
use sluice_engine::{Error, Result};

use super::consolidate::RowHasher;
use super::log_state::ActiveFile;
use super::schema::TableSchema;
use crate::store::{FileToRead, read_file};

/// The index of one table.
pub(super) struct KeyIndex {
    columns: SchemaRef,
    positions: Vec<usize>,
    hasher: RowHasher,
    /// A key's hash and a file that has it; a key may be in several.
    entries: HashTable<(u64, u32)>,
    files: HashMap<String, Indexed>,
    paths: HashMap<u32, String>,
    next_file: u32,
    dead_entries: usize,
}

struct Indexed {
    id: u32,
    entries: usize,
}

impl KeyIndex {
    pub(super) fn new(schema: &TableSchema) -> Result<Self> {
        let columns = Arc::new(schema.table.project(&schema.key)?);
        Ok(Self {
            hasher: RowHasher::new(&columns)?,
            columns,
            positions: schema.key.clone(),
            entries: HashTable::new(),
            files: HashMap::new(),
            paths: HashMap::new(),
            next_file: 0,
            dead_entries: 0,
        })
    }

    /// Takes in those of the table's files that are asked about and new, and forgets those that are gone.
    pub(super) async fn follow(
        &mut self,
        objects: &Arc<dyn ObjectStore>,
        files: &HashMap<String, ActiveFile>,
        asked: &HashSet<String>,
    ) -> Result<()> {
        self.forget_gone(files);
        let unknown: Vec<&String> = asked.iter().filter(|path| !self.files.contains_key(*path)).collect();
        for path in unknown {
            self.add(objects, path, &files[path]).await?;
        }
        Ok(())
    }

    fn forget_gone(&mut self, files: &HashMap<String, ActiveFile>) {
        let gone: Vec<String> = self.files.keys().filter(|path| !files.contains_key(*path)).cloned().collect();
        for path in gone {
            if let Some(file) = self.files.remove(&path) {
                self.paths.remove(&file.id);
                self.dead_entries += file.entries;
            }
        }
        if self.dead_entries * 2 > self.entries.len() {
            let alive = &self.paths;
            self.entries.retain(|(_, id)| alive.contains_key(id));
            self.dead_entries = 0;
        }
    }

    async fn add(&mut self, objects: &Arc<dyn ObjectStore>, path: &str, file: &ActiveFile) -> Result<()> {
        let id = self.next_file;
        self.next_file = id.checked_add(1).ok_or_else(|| Error::bug("the key index has run out of file numbers"))?;
        let to_read = FileToRead {
            path: path.to_string(),
            size_bytes: file.size_bytes,
            partition_values: file.partition_values.clone(),
        };
        let mut entries = 0;
        let mut rows = read_file(objects.clone(), to_read, self.columns.clone(), None).await?;
        while let Some(keys) = rows.try_next().await? {
            let hashes = self.hashes(keys.columns())?;
            self.entries.reserve(hashes.len(), |(hash, _)| *hash);
            for hash in hashes {
                self.entries.insert_unique(hash, (hash, id), |(hash, _)| *hash);
                entries += 1;
            }
        }
        self.files.insert(path.to_string(), Indexed { id, entries });
        self.paths.insert(id, path.to_string());
        Ok(())
    }

    /// The files that hold the keys of these rows (and perhaps others: hashes may meet).
    pub(super) fn files_of(&self, deletes: &[RecordBatch]) -> Result<HashSet<String>> {
        let mut ids = HashSet::new();
        for rows in deletes {
            let keys: Vec<ArrayRef> = self.positions.iter().map(|&i| rows.column(i).clone()).collect();
            for hash in self.hashes(&keys)? {
                ids.extend(self.entries.iter_hash(hash).filter(|(h, _)| *h == hash).map(|(_, id)| *id));
            }
        }
        Ok(ids.iter().filter_map(|id| self.paths.get(id).cloned()).collect())
    }

    fn hashes(&self, keys: &[ArrayRef]) -> Result<Vec<u64>> {
        Ok(self.hasher.hashes(keys)?.into_iter().map(|hash| hash as u64).collect())
    }
}
