//! Rows that were shown, and whose epoch was never committed by the run that has shown them.
//!
//! Rows go to ClickHouse before their epoch is committed. When the run breaks off in between, they are read and made
//! again, but ticks fall elsewhere: a key that went a -> b -> a, and was seen as b, may now go from a to a inside of
//! one tick, and then nothing says so. So what belongs to no committed epoch is set back, before any row is read, to what
//! it was when the last epoch was committed. Which rows those are, `runs` says.
//!
//! A run that has been overtaken, and does not know it yet, may show rows after the next has set the table back. Those are
//! looked for from time to time, and at the next start.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::Deserialize;
use sluice_engine::{Batch, Error, Result};

use super::block::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, Block, token};
use super::client::Client;
use super::consolidate::Staged;
use super::ddl::{insert_arrow, insert_tombstones, key_list};
use super::runs::Runs;
use super::target::Target;
use super::version::{Stamp, first_version, generation_of};

/// Keys that are looked up at once, at most.
const KEYS_AT_ONCE_MAX: usize = 65_536;

/// Bytes of keys that ClickHouse holds in memory while it looks for those whose newest row is wrong; more go to its disk.
const GROUP_BYTES_MAX: &str = "1000000000";

/// Reads a model's rows as they were when an epoch was committed.
pub trait Settled: Send {
    /// The model's rows whose key is among `keys` (a column for each column of the key, in its order), as of the end of
    /// `epoch`. Called at start only.
    ///
    /// # Errors
    /// Those of the table that is read.
    fn rows<'a>(&'a mut self, epoch: u64, keys: RecordBatch) -> BoxFuture<'a, Result<Vec<RecordBatch>>>;

    /// All of the model's rows as of the end of `epoch`, piece by piece. Called at start only.
    ///
    /// # Errors
    /// Those of the table that is read.
    fn all<'a>(&'a mut self, epoch: u64) -> BoxFuture<'a, Result<BoxStream<'static, Result<RecordBatch>>>>;

    /// How many rows the model has now; none when that is not known without reading them.
    ///
    /// # Errors
    /// Those of the table that is asked.
    fn count<'a>(&'a mut self) -> BoxFuture<'a, Result<Option<u64>>>;
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
         run DROP TABLE {} and start again, which fills it from the lake; if another pipeline writes there, set another \
         clickhouse.database in sluice.yml",
        target.shown(),
        generation_of(found),
        stamp.generation,
        target.rows_name()
    )))
}

/// What is set back: rows of no committed epoch, told by a condition over columns of these names.
pub(super) struct Settle<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Arc<Target>,
    /// What the rows get that are written: sequence 0 of the run.
    pub(super) stamp: Stamp,
    /// The runs that have committed epochs.
    pub(super) runs: &'a Runs,
    /// The newest committed epoch.
    pub(super) last: u64,
    /// Rows of this run and later ones are left alone.
    pub(super) before: Option<u64>,
    /// Tells the blocks apart: no two times that anything is set back in a run have the same.
    pub(super) label: String,
}

impl Settle<'_> {
    fn condition(&self, version: &str, epoch: &str) -> String {
        let condition = self.runs.not_committed(self.last, version, epoch);
        match self.before {
            None => condition,
            Some(generation) => format!("({condition}) AND {version} < {}", first_version(generation)),
        }
    }

    /// A number that tells which rows are there, seen or not, that belong to no committed epoch: 0 when there are none. Rows
    /// that have been set back stay until ClickHouse merges them, so their number would tell nothing.
    pub(super) async fn fingerprint(&self) -> Result<u64> {
        let (key, rows) = (key_list(self.target), self.target.rows_name());
        let condition = self.condition("_version", "_epoch");
        // As a text, because a hash of a null is null.
        let sum = format!("sum(cityHash64(toString(tuple({key}, _version, _epoch))))");
        number(self.client, &format!("SELECT toString({sum}) AS value FROM {rows} WHERE {condition}")).await
    }

    /// Sets back the keys whose newest row is one of those, to what `settled` says. Returns how many.
    pub(super) async fn set_back(&self, settled: &mut (dyn Settled + 'static)) -> Result<u64> {
        let (key, rows) = (key_list(self.target), self.target.rows_name());
        let newest = format!(
            "SELECT {key}, max(_version) AS _newest_version, argMax(_epoch, _version) AS _newest_epoch \
             FROM {rows} GROUP BY {key}"
        );
        let condition = self.condition("_newest_version", "_newest_epoch");
        let mut back =
            Written { client: self.client, target: self.target, stamp: self.stamp, label: &self.label, number: 0 };
        let mut keys_set_back = 0;
        for keys in
            read_keys(self.client, self.target, &format!("SELECT {key} FROM ({newest}) WHERE {condition}")).await?
        {
            keys_set_back += keys.num_rows() as u64;
            let mut staged = Staged::new(self.target.clone())?;
            staged.touch(keys.columns())?;
            for batch in settled.rows(self.last, keys).await? {
                staged.add(&Batch::insert(batch))?;
            }
            back.write(staged).await?;
        }
        Ok(keys_set_back)
    }
}

/// Sets everything back to nothing: no epoch is committed.
pub(super) async fn empty(client: &Client, target: &Target, stamp: Stamp) -> Result<()> {
    client.execute_on_table(&insert_tombstones(target, stamp.version()?, 0)).await
}

/// How many rows the view shows.
pub(super) async fn shown_rows(client: &Client, target: &Target) -> Result<u64> {
    let rows = target.rows_name();
    number(client, &format!("SELECT toString(count()) AS value FROM {rows} FINAL WHERE _deleted = 0")).await
}

struct Written<'a> {
    client: &'a Client,
    target: &'a Target,
    stamp: Stamp,
    label: &'a str,
    number: u64,
}

impl Written<'_> {
    async fn write(&mut self, mut staged: Staged) -> Result<()> {
        for piece in staged.take_pieces(BLOCK_ROWS_MAX, BLOCK_BYTES_MAX) {
            self.number += 1;
            let token = token(self.target, self.stamp, self.label, self.number);
            let block = Block::new(self.target, staged.net(&piece)?, self.stamp, token)?;
            self.client.insert(&insert_arrow(self.target), block.bytes, &block.token).await?;
        }
        Ok(())
    }
}

/// Reads keys back in the model's types. Texts come as bytes, because a text of ClickHouse need not be UTF-8.
async fn read_keys(client: &Client, target: &Target, sql: &str) -> Result<Vec<RecordBatch>> {
    let settings = [
        ("output_format_arrow_string_as_string", "0"),
        ("output_format_arrow_compression_method", "none"),
        ("max_bytes_before_external_group_by", GROUP_BYTES_MAX),
    ];
    let bytes = client.bytes_of_table(sql, "ArrowStream", &settings).await?;
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
