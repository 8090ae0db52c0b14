//! Which rejects wait, and which of them can be decoded now.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use sluice_engine::{Batch, Emitter, Operator, Result};
use sluice_operators::decode::json::{DecodeJson, REJECTED, raw_of_rejects, rejects_schema};
use sluice_operators::store::{OWN_FOLDER, Store, open_table, read_rows};

use super::REPLAY_BYTES_MAX;
use crate::compile::Stream;

/// The rejects of one stream.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Those that can be decoded now, in the columns of the rejects' table; no more than are replayed at once.
    pub decodable: Vec<RecordBatch>,
    /// How many can be decoded now.
    pub decodable_rows: u64,
    /// Why the others cannot: how many there are for each reason, its numbers left out.
    pub reasons: BTreeMap<String, u64>,
    /// Rejects that were replayed before.
    pub replayed: u64,
}

/// Looks at all rejects of a stream.
///
/// # Errors
/// `Transient` when the lake is away, `Config` when the stream cannot be decoded at all.
pub async fn waiting(store: &Store, stream: &Stream) -> Result<Waiting> {
    let path = format!("{OWN_FOLDER}/rejects");
    let mut waiting = Waiting::default();
    if open_table(store, &path).await?.is_none() {
        return Ok(waiting);
    }
    let mut decoder = stream.decoder()?;
    let mut bytes = 0;
    let (_, mut rows) = read_rows(store, &path).await?;
    while let Some(rows) = rows.try_next().await? {
        let rows = in_columns(&rows)?;
        let (own, replayed) = of_stream(&rows, stream)?;
        waiting.replayed += replayed;
        if own.num_rows() == 0 {
            continue;
        }
        let good = decoded(&mut decoder, &own, &mut waiting.reasons)?;
        waiting.decodable_rows += good.num_rows() as u64;
        if good.num_rows() > 0 && bytes < REPLAY_BYTES_MAX {
            bytes += good["payload"].get_array_memory_size();
            waiting.decodable.push(good);
        }
    }
    Ok(waiting)
}

/// Those of a stream's rejects that can be decoded now, as many as are replayed at once.
///
/// # Errors
/// As [`waiting`].
pub async fn decodable(store: &Store, stream: &Stream) -> Result<Vec<RecordBatch>> {
    Ok(waiting(store, stream).await?.decodable)
}

/// A batch of the table in the columns of today: older tables have no `replayed`.
fn in_columns(rows: &RecordBatch) -> Result<RecordBatch> {
    let schema = rejects_schema();
    let column = |field: &Arc<datafusion::arrow::datatypes::Field>| -> Result<ArrayRef> {
        Ok(match rows.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), rows.num_rows()),
        })
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The stream's rejects that wait, and how many of its others were replayed.
fn of_stream(rows: &RecordBatch, stream: &Stream) -> Result<(RecordBatch, u64)> {
    let (streams, topics) = (rows["stream"].as_string::<i32>(), rows["_topic"].as_string::<i32>());
    let is = |column: &datafusion::arrow::array::StringArray, i: usize, wanted: &str| {
        column.is_valid(i) && column.value(i) == wanted
    };
    let own = |i: usize| is(streams, i, &stream.name) && is(topics, i, &stream.topic);
    let waits: BooleanArray = (0..rows.num_rows()).map(|i| Some(own(i) && rows["replayed"].is_null(i))).collect();
    let all = (0..rows.num_rows()).filter(|i| own(*i)).count();
    Ok((filter_record_batch(rows, &waits)?, (all - waits.true_count()) as u64))
}

/// The rejects that the decoder takes now; counts why it does not take the others.
fn decoded(decoder: &mut DecodeJson, rejects: &RecordBatch, why: &mut BTreeMap<String, u64>) -> Result<RecordBatch> {
    let mut sent = Vec::new();
    decoder.on_batch(0, Batch::insert(raw_of_rejects(rejects)?), &mut Emitter::new(&mut sent))?;
    let mut refused = HashSet::new();
    for (_, batch) in sent.iter().filter(|(port, _)| *port == REJECTED) {
        let reasons = batch.rows()["reason"].as_string::<i32>();
        reasons.iter().flatten().for_each(|reason| *why.entry(without_numbers(reason)).or_insert(0) += 1);
        refused.extend(places(batch.rows()));
    }
    let good: BooleanArray = places(rejects).map(|place| Some(!refused.contains(&place))).collect();
    Ok(filter_record_batch(rejects, &good)?)
}

fn places(rows: &RecordBatch) -> impl Iterator<Item = (i32, i64)> {
    let partitions = rows["_partition"].as_primitive::<Int32Type>().values();
    let offsets = rows["_offset"].as_primitive::<Int64Type>().values();
    partitions.iter().copied().zip(offsets.iter().copied())
}

/// A reason with `N` for each number, so that alike ones are counted together.
fn without_numbers(reason: &str) -> String {
    let mut text = String::new();
    for letter in reason.chars() {
        match letter.is_ascii_digit() {
            true if text.ends_with('N') => {}
            true => text.push('N'),
            false => text.push(letter),
        }
    }
    text
}
