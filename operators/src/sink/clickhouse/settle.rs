//! After a crash: rows that were shown before their epoch was committed.
//!
//! Rows go to ClickHouse before their epoch is committed. When the run breaks off in between, they are read and made
//! again, but ticks fall elsewhere: a key that went a -> b -> a, and was seen as b, may now go from a to a inside of
//! one tick, and then nothing says so. So what belongs to an epoch after the last committed one is set back, before any
//! row is read, to what it was when that epoch was committed.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use futures::future::BoxFuture;
use serde::Deserialize;
use sluice_engine::{Batch, Error, Result};

use super::block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, Block, token};
use super::client::Client;
use super::consolidate::Staged;
use super::ddl::{insert_arrow, insert_tombstones, key_list};
use super::target::Target;
use super::version::{Stamp, generation_of};

/// Keys that are looked up at once, at most.
const KEYS_AT_ONCE_MAX: usize = 65_536;

/// Reads a model's rows as they were when an epoch was committed.
pub trait Settled: Send {
    /// The model's rows whose key is among `keys` (a column for each column of the key, in its order), as of the end of
    /// `epoch`. Called at start only.
    ///
    /// # Errors
    /// Those of the table that is read.
    fn rows<'a>(&'a mut self, epoch: u64, keys: RecordBatch) -> BoxFuture<'a, Result<Vec<RecordBatch>>>;
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

/// Asks for one number.
async fn number(client: &Client, sql: &str) -> Result<u64> {
    let answer: Vec<Answer> = client.rows(sql).await?;
    let text = answer.into_iter().next().map(|a| a.value).unwrap_or_default();
    text.parse().map_err(|e| Error::bug(format!("clickhouse answers {text:?} to {sql}")).because(e))
}

/// Rows of a later run would win over everything that this one writes: they are left from a lake that is gone, or
/// another pipeline writes here.
pub(super) async fn refuse_later_rows(client: &Client, target: &Target, stamp: Stamp) -> Result<()> {
    let found = number(client, &format!("SELECT toString(max(_version)) AS value FROM {}", target.rows_name())).await?;
    if found <= stamp.version()? {
        return Ok(());
    }
    Err(Error::config(format!(
        "clickhouse table {} holds rows of run {}, but this is run {} of the pipeline: if the lake was made anew, \
         run DROP TABLE {} and start again, which fills it as the lake is filled; if another pipeline writes there, set another \
         clickhouse.database in sluice.yml",
        target.shown(),
        generation_of(found),
        stamp.generation,
        target.rows_name()
    )))
}

/// Sets what is later than epoch `last` back to what it was then. Without a committed epoch, to nothing.
pub(super) async fn settle(
    client: &Client,
    target: &Arc<Target>,
    stamp: Stamp,
    last: Option<u64>,
    settled: Option<&mut (dyn Settled + 'static)>,
) -> Result<()> {
    let Some(last) = last else {
        return client.execute_on_table(&insert_tombstones(target, stamp.version()?, 0)).await;
    };
    let later = format!("FROM {} WHERE _epoch > {last}", target.rows_name());
    let rows = number(client, &format!("SELECT toString(count()) AS value {later}")).await?;
    if rows == 0 {
        return Ok(());
    }
    let table = target.shown();
    let Some(settled) = settled else {
        tracing::warn!(
            table,
            rows,
            last,
            "clickhouse shows rows of an epoch that was not committed; each is right again when it changes"
        );
        return Ok(());
    };
    let mut back = Written { client, target, stamp, number: 0 };
    for keys in read_keys(client, target, &format!("SELECT DISTINCT {} {later}", key_list(target))).await? {
        let mut staged = Staged::new(target.clone())?;
        staged.touch(keys.columns())?;
        for batch in settled.rows(last, keys).await? {
            staged.add(&Batch::insert(batch))?;
        }
        back.write(staged).await?;
    }
    tracing::info!(table, rows, last, "clickhouse: rows of an epoch that was not committed are set back");
    Ok(())
}

struct Written<'a> {
    client: &'a Client,
    target: &'a Target,
    stamp: Stamp,
    number: u64,
}

impl Written<'_> {
    async fn write(&mut self, mut staged: Staged) -> Result<()> {
        for piece in staged.take_pieces(BLOCK_ROWS_MAX, BLOCK_BYTES_MAX) {
            self.number += 1;
            let token = token(self.target, self.stamp, "recovery", self.number);
            let block = Block::new(self.target, staged.net(&piece)?, self.stamp, token)?;
            self.client.insert(&insert_arrow(self.target), block.bytes, &block.token).await?;
        }
        Ok(())
    }
}

/// Reads keys back in the model's types. Texts come as bytes, because a text of ClickHouse need not be UTF-8.
async fn read_keys(client: &Client, target: &Target, sql: &str) -> Result<Vec<RecordBatch>> {
    let settings = [("output_format_arrow_string_as_string", "0"), ("output_format_arrow_compression_method", "none")];
    let bytes = client.bytes(sql, "ArrowStream", &settings).await?;
    let reader = StreamReader::try_new(&bytes[..], None)?;
    let schema = key_schema(target);
    let batch = |rows: RecordBatch| {
        let column = |(a, f): (&ArrayRef, &Arc<Field>)| cast(a, f.data_type());
        let columns = rows.columns().iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(schema.clone(), columns)
    };
    // ClickHouse answers in pieces as small as its parts; each would be a look-up of its own.
    let keys = reader.map(|rows| rows.and_then(batch)).collect::<Result<Vec<_>, _>>()?;
    let keys = concat_batches(&schema, &keys)?;
    let piece = |at: usize| keys.slice(at, KEYS_AT_ONCE_MAX.min(keys.num_rows() - at));
    Ok((0..keys.num_rows()).step_by(KEYS_AT_ONCE_MAX).map(piece).collect())
}

fn key_schema(target: &Target) -> SchemaRef {
    let field = |i: &usize| Field::new(&target.columns[*i].name, target.columns[*i].wire.clone(), true);
    Arc::new(Schema::new(target.key.iter().map(field).collect::<Vec<_>>()))
}
