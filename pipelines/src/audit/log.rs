//! Whether each record of a stream's log is in bronze or in rejects, exactly once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use futures::TryStreamExt;
use sluice_engine::{Error, Result};
use sluice_operators::source::file::{FileConfig, lines_of, split_number};
use sluice_operators::source::kafka::records_in_gaps;
use sluice_operators::store::TableAtEpoch;

use super::entry::Offsets;
use super::offsets::{OffsetSet, named, ranges};
use crate::compile::{Pipeline, Stream};
use crate::project::SourceSettings;
use crate::sources::{file_config, kafka_config};

/// Doubled offsets of a partition that are named.
const DOUBLED_NAMED_MAX: usize = 20;

/// What the tables hold of one partition.
#[derive(Default)]
struct Partition {
    offsets: OffsetSet,
    /// Rows beyond the first of an offset.
    doubled: u64,
    doubled_named: Vec<i64>,
}

/// What the tables hold of one stream.
#[derive(Default)]
pub(super) struct Held {
    partitions: BTreeMap<i32, Partition>,
    /// Rows of bronze.
    pub(super) bronze: u64,
    /// Records that wait in rejects.
    pub(super) rejects: u64,
}

/// What came of holding a stream's tables against its log.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) partitions: usize,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// What is wrong.
    pub(super) faults: Vec<String>,
    /// What could not be judged.
    pub(super) notes: Vec<String>,
}

impl Held {
    /// Adds the rows of a bronze table. A file that cannot be read is left out, and its path given.
    pub(super) async fn add_bronze(&mut self, table: &TableAtEpoch) -> Result<Vec<String>> {
        let columns =
            vec![Field::new("_partition", DataType::Int32, true), Field::new("_offset", DataType::Int64, true)];
        let columns = Arc::new(Schema::new(columns));
        let mut unread = Vec::new();
        for file in &table.files {
            let read = async {
                match table.rows(file, columns.clone()).await {
                    Ok(rows) => rows.try_collect::<Vec<_>>().await,
                    // Altered, perhaps: what it holds says more than that.
                    Err(_) => table.rows_of_any_size(file, columns.clone()).await?.try_collect().await,
                }
            };
            match read.await {
                Ok(rows) => {
                    for rows in &rows {
                        self.bronze += self.add(rows, |_| true)?;
                    }
                }
                Err(_) => unread.push(file.file.path.clone()),
            }
        }
        Ok(unread)
    }

    /// Adds the records of a stream that wait in rejects. Those that were replayed are in bronze.
    pub(super) fn add_rejects(&mut self, stream: &Stream, rejects: &[RecordBatch]) -> Result<()> {
        for rows in rejects {
            let text = |name: &str| rows.column_by_name(name).and_then(|c| c.as_string_opt::<i32>().cloned());
            let (streams, topics) = (text("stream"), text("_topic"));
            let is = |column: &Option<datafusion::arrow::array::StringArray>, i: usize, wanted: &str| {
                column.as_ref().is_some_and(|c| c.is_valid(i) && c.value(i) == wanted)
            };
            let replayed = rows.column_by_name("replayed").cloned();
            let waits = |i: usize| replayed.as_ref().is_none_or(|r| r.is_null(i));
            self.rejects +=
                self.add(rows, |i| is(&streams, i, &stream.name) && is(&topics, i, &stream.topic) && waits(i))?;
        }
        Ok(())
    }

    fn add(&mut self, rows: &RecordBatch, wanted: impl Fn(usize) -> bool) -> Result<u64> {
        let bug = || Error::data("a table has rows without _partition and _offset");
        let partitions = rows.column_by_name("_partition").and_then(|c| c.as_primitive_opt::<Int32Type>());
        let offsets = rows.column_by_name("_offset").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let (partitions, offsets) = (partitions.ok_or_else(bug)?, offsets.ok_or_else(bug)?);
        let mut added = 0;
        for i in (0..rows.num_rows()).filter(|i| wanted(*i)) {
            added += 1;
            let partition = self.partitions.entry(partitions.value(i)).or_default();
            let offset = offsets.value(i);
            if !partition.offsets.insert(offset) {
                partition.doubled += 1;
                partition.doubled_named.extend((partition.doubled_named.len() < DOUBLED_NAMED_MAX).then_some(offset));
            }
        }
        Ok(added)
    }

    /// Holds them against the log, which was read up to `read`. `epoch_of` says which epoch read an offset of a split.
    pub(super) async fn judge(
        mut self,
        pipeline: &Pipeline,
        stream: &Stream,
        read: &Offsets,
        epoch_of: impl Fn(&str, i64) -> Option<u64>,
    ) -> Result<Judged> {
        let mut judged = Judged { partitions: read.len(), ..Judged::default() };
        for (split, (_, to)) in read {
            let number = partition_of(pipeline, stream, split)?;
            let held = self.partitions.remove(&number).unwrap_or_default();
            let place = format!("{}: partition {split}", stream.table);
            held.judge_doubled(&place, &mut judged);
            let later = ranges(held.offsets.iter().filter(|o| o >= to));
            if !later.is_empty() {
                judged
                    .faults
                    .push(format!("{place}: rows of offsets {} are there, which were not read yet", named(&later)));
            }
            let missing = missing(pipeline, stream, split, *to, held.offsets, &mut judged.notes).await?;
            let (count, missing) = missing;
            if count > 0 {
                judged.lost += count;
                let epoch = missing.first().and_then(|m| epoch_of(split, m.start));
                let epoch = epoch.map_or_else(String::new, |e| format!(" (read in epoch {e})"));
                let more =
                    if missing.iter().map(|m| m.end - m.start).sum::<i64>() < count as i64 { ", ..." } else { "" };
                judged
                    .faults
                    .push(format!("{place}: {count} records are lost, of offsets {}{more}{epoch}", named(&missing)));
            }
        }
        for (partition, held) in self.partitions {
            let offsets = ranges(held.offsets.iter());
            let (table, offsets) = (&stream.table, named(&offsets));
            judged
                .faults
                .push(format!("{table}: rows of partition {partition}, which was never read: offsets {offsets}"));
        }
        Ok(judged)
    }
}

impl Partition {
    fn judge_doubled(&self, place: &str, judged: &mut Judged) {
        if self.doubled == 0 {
            return;
        }
        judged.doubled += self.doubled;
        let mut offsets = self.doubled_named.clone();
        offsets.sort_unstable();
        offsets.dedup();
        let offsets = named(&ranges(offsets));
        judged
            .faults
            .push(format!("{place}: {} rows too many, of offsets that are there already: {offsets}", self.doubled));
    }
}

fn partition_of(pipeline: &Pipeline, stream: &Stream, split: &str) -> Result<i32> {
    match pipeline.project.settings.sources.get(&stream.source) {
        Some(SourceSettings::FileStreams(files)) => split_number(&file_config(&pipeline.project, stream, files), split),
        _ => split.parse().map_err(|e| Error::data(format!("split {split:?} is no partition")).because(e)),
    }
}

/// How many offsets before `to` hold a record and are not among `held`, and the first of them.
async fn missing(
    pipeline: &Pipeline,
    stream: &Stream,
    split: &str,
    to: i64,
    held: OffsetSet,
    notes: &mut Vec<String>,
) -> Result<(u64, Vec<Range<i64>>)> {
    let place = format!("{}: partition {split}", stream.table);
    match pipeline.project.settings.sources.get(&stream.source) {
        Some(SourceSettings::Kafka(kafka)) => {
            let gaps = held.gaps(0..to);
            if gaps.is_empty() {
                return Ok((0, vec![]));
            }
            let config = kafka_config(kafka, &stream.source, &stream.topic, &pipeline.project.name);
            let (partition, asked) = (partition_of(pipeline, stream, split)?, gaps.clone());
            let answer = tokio::task::spawn_blocking(move || records_in_gaps(&config, partition, &asked)).await;
            let answer = answer.map_err(|e| Error::bug("asking Kafka panicked").because(e))??;
            if answer.gone > 0 {
                let gone = gaps.iter().filter(|g| g.start < answer.earliest);
                let gone: Vec<_> = gone.map(|g| g.start..g.end.min(answer.earliest)).collect();
                notes.push(format!(
                    "{place}: whether offsets {} held records cannot be judged: the log begins at {} now",
                    named(&gone),
                    answer.earliest
                ));
            }
            if answer.not_looked_at > 0 {
                notes.push(format!("{place}: {} offsets more were not looked at: too many gaps", answer.not_looked_at));
            }
            Ok((answer.records, ranges(answer.named)))
        }
        Some(SourceSettings::FileStreams(files)) => {
            let (config, name) = (file_config(&pipeline.project, stream, files), split.to_owned());
            let looked = tokio::task::spawn_blocking(move || in_file(&config, &name, to, held)).await;
            let looked = looked.map_err(|e| Error::bug("reading a file panicked").because(e))??;
            if looked.is_none() {
                notes.push(format!("{place}: the file is not there any more, so that its lines cannot be counted"));
            }
            Ok(counted(looked.unwrap_or_default()))
        }
        _ => Ok(counted(held.gaps(0..to))),
    }
}

fn counted(missing: Vec<Range<i64>>) -> (u64, Vec<Range<i64>>) {
    (missing.iter().map(|m| m.end - m.start).sum::<i64>() as u64, missing)
}

/// The lines of a file that are not among `held`.
fn in_file(config: &FileConfig, split: &str, to: i64, held: OffsetSet) -> Result<Option<Vec<Range<i64>>>> {
    let (mut missing, mut held) = (Vec::new(), held.iter().peekable());
    let is_there = lines_of(config, split, to, |offset| {
        while held.next_if(|h| *h < offset).is_some() {}
        if held.next_if_eq(&offset).is_none() {
            missing.push(offset);
        }
    })?;
    Ok(is_there.then(|| missing.into_iter().map(|o| o..o + 1).collect()))
}
