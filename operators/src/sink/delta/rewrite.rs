//! Takes rows out of a table: the files that hold them are written again without them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::util::pretty::pretty_format_batches;
use chrono::Utc;
use deltalake::kernel::{Add, Remove};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice_engine::{Error, Result};

use super::committer::DeltaCommitter;
use super::consolidate::RowHasher;
use super::files::Files;
use super::log_state::ActiveFile;
use super::prune::Wanted;
use super::schema::TableSchema;
use super::upload::put_files;
use crate::store::{FileToRead, read_file};

/// Rows that an error shows.
const SHOWN_ROWS_MAX: usize = 3;

/// Rows to take out, each as often as its weight says.
pub(super) struct Deletes {
    batches: Vec<RecordBatch>,
    /// Rows, by their hashes, and how often each is still to be found.
    missing: HashMap<u128, u64>,
    missing_rows: u64,
    rows: RowHasher,
    keys: Option<KeysOf>,
}

/// The keys among the deletes, so that only rows with one of them are compared whole.
struct KeysOf {
    hasher: RowHasher,
    columns: SchemaRef,
    positions: Vec<usize>,
    keys: HashSet<u128>,
}

impl Deletes {
    pub(super) fn new(schema: &TableSchema, batches: &[RecordBatch]) -> Result<Self> {
        let rows = RowHasher::new(&schema.table)?;
        let mut missing = HashMap::new();
        for batch in batches {
            rows.hashes(batch.columns())?.into_iter().for_each(|row| *missing.entry(row).or_insert(0) += 1);
        }
        let missing_rows = batches.iter().map(|b| b.num_rows() as u64).sum();
        let keys = if schema.key.is_empty() { None } else { Some(KeysOf::new(schema, batches)?) };
        Ok(Self { batches: batches.to_vec(), missing, missing_rows, rows, keys })
    }

    /// How many rows are still to be found.
    pub(super) fn rows(&self) -> u64 {
        self.missing_rows
    }

    /// Which of these rows go, one for each row that is still to be found. Those are found after it.
    fn find_in(&mut self, rows: &RecordBatch) -> Result<Option<Vec<u32>>> {
        let suspects = match &self.keys {
            None => None,
            Some(keys) => Some(keys.among(rows)?),
        };
        if suspects.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        let looked_at = match &suspects {
            None => rows.clone(),
            Some(suspects) => take_record_batch(rows, &UInt32Array::from(suspects.clone()))?,
        };
        let mut found = Vec::new();
        for (i, row) in self.rows.hashes(looked_at.columns())?.into_iter().enumerate() {
            let Some(count) = self.missing.get_mut(&row) else { continue };
            *count -= 1;
            if *count == 0 {
                self.missing.remove(&row);
            }
            self.missing_rows -= 1;
            found.push(suspects.as_ref().map_or(i as u32, |s| s[i]));
        }
        Ok((!found.is_empty()).then_some(found))
    }

    /// What to say when rows were not found: shows some of them.
    fn not_found(&self, schema: &TableSchema) -> Error {
        let shown = self.batches.iter().map(|batch| self.some_missing(schema, batch)).collect::<Result<Vec<_>>>();
        let text = shown.map(|rows| pretty_format_batches(&rows).map(|t| t.to_string()).unwrap_or_default());
        Error::bug(format!(
            "{} rows are to be taken out that the table does not hold; the first of them:\n{}",
            self.missing_rows,
            text.unwrap_or_default()
        ))
    }
}

impl Deletes {
    /// Some of a batch's rows that were not found: their keys, if they have any.
    fn some_missing(&self, schema: &TableSchema, batch: &RecordBatch) -> Result<RecordBatch> {
        let hashes = self.rows.hashes(batch.columns())?;
        let missing = (0..hashes.len() as u32).filter(|i| self.missing.contains_key(&hashes[*i as usize]));
        let rows = take_record_batch(batch, &missing.take(SHOWN_ROWS_MAX).collect::<UInt32Array>())?;
        if schema.key.is_empty() { Ok(rows) } else { Ok(rows.project(&schema.key)?) }
    }
}

impl KeysOf {
    fn new(schema: &TableSchema, deletes: &[RecordBatch]) -> Result<Self> {
        let columns = Arc::new(schema.table.project(&schema.key)?);
        let mut new = Self {
            hasher: RowHasher::new(&columns)?,
            columns,
            positions: schema.key.clone(),
            keys: Default::default(),
        };
        for rows in deletes {
            new.keys.extend(new.hasher.hashes(&new.of(rows))?);
        }
        Ok(new)
    }

    fn of(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.positions.iter().map(|&i| rows.column(i).clone()).collect()
    }

    /// The rows that have one of the keys.
    fn among(&self, rows: &RecordBatch) -> Result<Vec<u32>> {
        self.matching(&self.of(rows))
    }

    fn matching(&self, keys: &[ArrayRef]) -> Result<Vec<u32>> {
        let hashes = self.hasher.hashes(keys)?.into_iter().enumerate();
        Ok(hashes.filter(|(_, key)| self.keys.contains(key)).map(|(i, _)| i as u32).collect())
    }
}

/// An epoch's actions after its deletes have been done.
pub(super) struct Rewritten {
    pub(super) adds: Vec<Add>,
    pub(super) removes: Vec<Remove>,
}

/// A file that may hold rows to take out.
struct Candidate {
    path: String,
    file: ActiveFile,
    /// True for a file of this very epoch, which no log knows yet.
    own: bool,
}

impl DeltaCommitter {
    /// Finds the rows in the table's files and in the epoch's own, and writes those that hold any again without them. Files
    /// that are `spared` are not looked into. `what` is a part of the new files' names.
    pub(super) async fn take_out(
        &mut self,
        (what, epoch): (&str, u64),
        adds: Vec<Add>,
        mut deletes: Deletes,
        spared: &HashSet<String>,
    ) -> Result<Rewritten> {
        let objects = self.log.log_store().object_store(None);
        let candidates = self.candidates(&objects, &adds, &deletes, spared).await?;
        let writer = format!("{:05}-{what}-{epoch}", self.generation);
        let (target, group) = (self.config.target_file_bytes, self.config.row_group_rows);
        let mut files = Files::new(self.schema.clone(), target, group, writer);
        let mut removes = Vec::new();
        let mut dropped = HashSet::new();
        for candidate in candidates {
            if deletes.missing_rows == 0 {
                break;
            }
            if !rewrite(&objects, &self.schema, &candidate, &mut deletes, &mut files, self.index.is_none()).await? {
                continue;
            }
            if candidate.own {
                dropped.insert(candidate.path);
            } else {
                removes.push(remove_action(candidate));
            }
        }
        if deletes.missing_rows > 0 {
            return Err(deletes.not_found(&self.schema));
        }
        let made = files.finish()?;
        put_files(&objects, files.take_full()).await?;
        discard(&objects, &dropped).await;
        let kept = adds.into_iter().filter(|add| !dropped.contains(&add.path));
        Ok(Rewritten { adds: kept.chain(made.adds).collect(), removes })
    }

    /// The files that may hold rows to take out: this epoch's own first, then small ones, which are cheap to write again.
    async fn candidates(
        &mut self,
        objects: &Arc<dyn ObjectStore>,
        adds: &[Add],
        deletes: &Deletes,
        spared: &HashSet<String>,
    ) -> Result<Vec<Candidate>> {
        let state = self.log.state().ok_or_else(|| Error::bug("rows are taken out of a table that is not there"))?;
        if let Some((path, _)) = state.files.iter().find(|(_, file)| file.deletion_vector) {
            return Err(Error::config(format!(
                "file {path} has a deletion vector, which this program does not read; \
                 run `REORG TABLE ... APPLY (PURGE)` and switch deletion vectors off"
            )));
        }
        let wanted = Wanted::new(&self.schema, &deletes.batches)?;
        let mut candidates = Vec::new();
        for add in adds {
            let (path, file) = (add.path.clone(), ActiveFile::from(add.clone()));
            if wanted.may_be_in(&self.schema, &file)? {
                candidates.push(Candidate { path, file, own: true });
            }
        }
        let mut committed = HashSet::new();
        for (path, file) in &state.files {
            if !spared.contains(path) && wanted.may_be_in(&self.schema, file)? {
                committed.insert(path.clone());
            }
        }
        if let Some(index) = &mut self.index {
            index.follow(objects, &state.files, &committed).await?;
            let known = index.files_of(&deletes.batches)?;
            committed.retain(|path| known.contains(path));
        }
        let of_table = |path: String| Candidate { file: state.files[&path].clone(), path, own: false };
        candidates.extend(committed.into_iter().map(of_table));
        candidates.sort_by(|a, b| {
            b.own.cmp(&a.own).then(a.file.size_bytes.cmp(&b.file.size_bytes)).then_with(|| a.path.cmp(&b.path))
        });
        Ok(candidates)
    }
}

/// Looks for rows to take out in one file, and writes the others to `files` when there are any. False when there are not.
async fn rewrite(
    objects: &Arc<dyn ObjectStore>,
    schema: &TableSchema,
    candidate: &Candidate,
    deletes: &mut Deletes,
    files: &mut Files,
    keys_first: bool,
) -> Result<bool> {
    if keys_first && !has_key(objects, candidate, deletes).await? {
        return Ok(false);
    }
    // Read twice rather than held in memory: files are bigger than what an epoch may use.
    let mut gone: HashMap<usize, Vec<u32>> = HashMap::new();
    let mut rows = read_file(objects.clone(), candidate.to_read(), schema.table.clone(), None).await?;
    let mut batch = 0;
    while let Some(rows) = rows.try_next().await? {
        if let Some(found) = deletes.find_in(&rows)? {
            gone.insert(batch, found);
        }
        batch += 1;
    }
    if gone.is_empty() {
        return Ok(false);
    }
    let mut rows = read_file(objects.clone(), candidate.to_read(), schema.table.clone(), None).await?;
    let mut batch = 0;
    while let Some(rows) = rows.try_next().await? {
        match gone.get(&batch) {
            None => files.write(&rows)?,
            Some(gone) => files.write(&without(&rows, gone)?)?,
        }
        batch += 1;
        put_files(objects, files.take_full()).await?;
    }
    Ok(true)
}

/// True when the file has one of the keys (or the table has no key): only its key columns are read.
async fn has_key(objects: &Arc<dyn ObjectStore>, candidate: &Candidate, deletes: &Deletes) -> Result<bool> {
    let Some(keys) = &deletes.keys else { return Ok(true) };
    let mut rows = read_file(objects.clone(), candidate.to_read(), keys.columns.clone(), None).await?;
    while let Some(rows) = rows.try_next().await? {
        if !keys.matching(rows.columns())?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn without(rows: &RecordBatch, gone: &[u32]) -> Result<RecordBatch> {
    let mut stays = vec![true; rows.num_rows()];
    for &i in gone {
        stays[i as usize] = false;
    }
    Ok(filter_record_batch(rows, &BooleanArray::from(stays))?)
}

/// Removes files of this epoch that were written in vain; no log knows them. What stays is for vacuum.
async fn discard(objects: &Arc<dyn ObjectStore>, paths: &HashSet<String>) {
    for path in paths {
        let Ok(location) = Path::parse(path) else { continue };
        if let Err(e) = objects.delete(&location).await {
            tracing::debug!(path, error = %e, "a file that is not needed stays until vacuum");
        }
    }
}

impl Candidate {
    fn to_read(&self) -> FileToRead {
        FileToRead {
            path: self.path.clone(),
            size_bytes: self.file.size_bytes,
            partition_values: self.file.partition_values.clone(),
        }
    }
}

/// The action that takes a file out of the table.
pub(super) fn remove_file(path: &str, file: &ActiveFile) -> Remove {
    Remove {
        path: path.to_string(),
        data_change: true,
        deletion_timestamp: Some(Utc::now().timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(file.partition_values.clone()),
        size: i64::try_from(file.size_bytes).ok(),
        ..Remove::default()
    }
}

fn remove_action(candidate: Candidate) -> Remove {
    remove_file(&candidate.path, &candidate.file)
}
