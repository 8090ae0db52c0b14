//! The model of a unit test through the operators that a run would have: every row is an epoch of its own, so that what is
//! shown early is taken back.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::row::{RowConverter, SortField};
use sluice_engine::checkpoint::MemoryStore;
use sluice_engine::runtime::{NoObserver, RunConfig, claim, run};
use sluice_engine::source::SplitPosition;
use sluice_engine::testing::MemoryTable;
use sluice_engine::{Batch, Error, Polled, Position, Result, Source, SourceContext};
use sluice_operators::decode::json::rejects_schema;

use super::{Table, register, session};
use crate::compile::{GivenSource, How, Pipeline, model_graph};
use crate::project::UnitTest;
use crate::sql::lower::{self, Tables};
use crate::sql::plan_query;

/// Workers of such a run: with two, rows with different keys go different ways.
const WORKERS: usize = 2;

/// What a model's operators have made.
pub(super) struct Streamed {
    pub schema: SchemaRef,
    pub rows: RecordBatch,
    /// Why rows were rejected, one text for each.
    pub rejected: Vec<String>,
}

/// Runs the model's operators over the given tables; none when the model has none, because it is refreshed or the SQL of
/// the test would make it so.
pub(super) async fn streamed(pipeline: &Pipeline, test: &UnitTest, tables: Vec<Table>) -> Result<Option<Streamed>> {
    if pipeline.models.get(&test.model).is_some_and(|model| matches!(model.how, How::Refresh { .. })) {
        return Ok(None);
    }
    // Planned as a run plans it: over tables of which only the columns are known.
    let context = session(pipeline, test);
    for table in &tables {
        register(&context, &table.name, RecordBatch::new_empty(table.rows.schema()))?;
    }
    let planned = plan_query(&context, &test.sql).await.map_err(|e| Error::config(e.message))?;
    let known = |t: &Table| Some((t.name.clone(), lower::Table { append_only: t.append_only?, times: vec![] }));
    let known: Tables = tables.iter().filter_map(known).collect();
    let Ok(op) = lower::lower(&planned.plan, &known) else { return Ok(None) };

    let read: Vec<String> = op.tables().into_iter().map(str::to_owned).collect();
    let given = tables.into_iter().filter(|table| read.contains(&table.name)).map(given_source).collect();
    let (rows, rejected) = (MemoryTable::default(), MemoryTable::default());
    let graph = model_graph((&op, &planned.schema, &test.model), given, &rows, &rejected)?;
    let store = Arc::new(MemoryStore::default());
    let claim = claim(store.as_ref(), &test.name, "unit test").await?;
    let config = RunConfig { workers: WORKERS, epoch_rows_max: 1, until_idle: true, ..RunConfig::new(&test.name) };
    run(graph, claim, store, config, Box::new(NoObserver)).await?;
    let (schema, rejects) = (planned.schema, content(&rejected, &rejects_schema())?);
    let reasons = rejects.column_by_name("reason").map(|c| c.as_string::<i32>().clone());
    let rejected = reasons.iter().flat_map(|r| r.iter().flatten().map(str::to_owned)).collect();
    Ok(Some(Streamed { rows: content(&rows, &schema)?, schema, rejected }))
}

/// A table's rows, each as often as it is there.
fn content(table: &MemoryTable, schema: &SchemaRef) -> Result<RecordBatch> {
    let converter = RowConverter::new(schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect())?;
    let rows = table.rows();
    let mut repeated = Vec::new();
    for (row, times) in &rows {
        let times = usize::try_from(*times);
        let times = times.map_err(|_| Error::bug("a model's operators have taken back a row that was not there"))?;
        repeated.extend(std::iter::repeat_n(row, times));
    }
    let parser = converter.parser();
    let columns = converter.convert_rows(repeated.into_iter().map(|row| parser.parse(row)))?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

fn given_source(table: Table) -> GivenSource {
    let rows = table.rows;
    let build =
        move |c: &SourceContext| Ok(Box::new(RowByRow { rows: rows.clone(), next: 0, mine: c.worker == 0 }) as _);
    GivenSource { table: table.name, build: Box::new(build) }
}

/// Gives one row at each poll, all of them on the first worker.
struct RowByRow {
    rows: RecordBatch,
    next: usize,
    mine: bool,
}

impl Source for RowByRow {
    fn open(&mut self, _resume: &Position) -> Result<()> {
        Ok(())
    }

    fn poll(&mut self, _rows: usize, _bytes: usize) -> Result<Polled> {
        if !self.mine || self.next == self.rows.num_rows() {
            return Ok(Polled::End);
        }
        self.next += 1;
        Ok(Polled::Batch(Batch::insert(self.rows.slice(self.next - 1, 1))))
    }

    fn position(&self) -> Position {
        let split = SplitPosition { next: self.next as i64, detail: serde_json::Value::Null };
        if self.mine { Position([("rows".to_owned(), split)].into()) } else { Position::default() }
    }
}
