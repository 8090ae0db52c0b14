//! A query's operators, driven by hand: the simplest engine there is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, Float64Array, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::{MemTable, TableType};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use sluice_engine::state::{Restored, Share, Snapshot, SnapshotMode};
use sluice_engine::{Batch, Emitter, Operator};

use super::rows::{Tables, batch, schema};
use crate::compile::graph::steps::{OperatorFactory, factory};
use crate::sql::lower::{self, lower};
use crate::sql::op::Op;
use crate::sql::plan_query;
use crate::sql::session::spark_session;

struct Node {
    make: OperatorFactory,
    operator: Box<dyn Operator>,
    /// Who reads it, and by which input.
    reader: Option<(usize, usize)>,
    /// Its snapshots since the last full one.
    saved: Vec<Snapshot>,
}

/// The operators of one query.
pub struct Runner {
    /// Each after all that it reads.
    nodes: Vec<Node>,
    /// For each table who reads it, and by which input.
    scans: Vec<(String, Option<(usize, usize)>)>,
    digits: usize,
    /// The result: each row as text, and how often it is there.
    rows: BTreeMap<String, i64>,
}

/// A table whose rows change.
#[derive(Debug)]
struct Live(Arc<Mutex<RecordBatch>>);

#[async_trait]
impl TableProvider for Live {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let rows = self.0.lock().expect("nobody panics with it").clone();
        MemTable::try_new(schema(), vec![vec![rows]])?.scan(state, projection, filters, limit).await
    }
}

/// A query as a batch, over rows that change.
pub struct BatchQuery {
    context: SessionContext,
    plan: LogicalPlan,
    /// How many digits of doubles count.
    digits: usize,
    tables: [Arc<Mutex<RecordBatch>>; 2],
}

impl BatchQuery {
    pub async fn new(sql: &str, digits: usize) -> Result<Self, String> {
        let context = spark_session(["b"]);
        let tables = [(); 2].map(|()| Arc::new(Mutex::new(batch(&[]))));
        for (name, rows) in ["t", "u"].into_iter().zip(&tables) {
            let table = Arc::new(Live(rows.clone()));
            context.register_table(TableReference::partial("b", name), table).expect("a new table");
        }
        let plan = plan_query(&context, sql).await.map_err(|e| e.message)?.plan;
        Ok(Self { context, plan, tables, digits })
    }

    /// The rows, as text, in order.
    pub async fn answer(&self, tables: &Tables) -> Result<Vec<String>, String> {
        for (rows, live) in [&tables.t, &tables.u].into_iter().zip(&self.tables) {
            *live.lock().expect("nobody panics with it") = batch(rows);
        }
        let plan = self.context.state().query_planner().create_physical_plan(&self.plan, &self.context.state()).await;
        let rows =
            collect(plan.map_err(|e| e.to_string())?, self.context.task_ctx()).await.map_err(|e| e.to_string())?;
        let mut rows: Vec<String> =
            rows.iter().flat_map(|b| (0..b.num_rows()).map(|row| text(b, row, self.digits))).collect();
        rows.sort();
        Ok(rows)
    }
}

/// A row as text; doubles with so many digits, 0 without a sign.
fn text(rows: &RecordBatch, row: usize, digits: usize) -> String {
    let value = |column: &Arc<dyn Array>| match column.as_any().downcast_ref::<Float64Array>() {
        Some(doubles) if doubles.is_valid(row) => format!("{:.digits$e}", doubles.value(row) + 0.0),
        _ => array_value_to_string(column, row).expect("a value"),
    };
    rows.columns().iter().map(value).collect::<Vec<_>>().join("|")
}

impl Runner {
    pub fn new(query: &BatchQuery, append_only: bool) -> Result<Self, String> {
        let table = || lower::Table { append_only, times: vec![None; schema().fields().len()] };
        let tables = [("b.t".to_owned(), table()), ("b.u".to_owned(), table())].into();
        let op =
            lower(&query.plan, &tables).map_err(|e| format!("not a stream: {e}\n{}", query.plan.display_indent()))?;
        let mut runner = Self { nodes: vec![], scans: vec![], rows: BTreeMap::new(), digits: query.digits };
        let mut constants = Vec::new();
        runner.add(&op, &mut constants)?;
        for (rows, reader) in constants {
            runner.send(reader, Batch::insert(rows))?;
        }
        Ok(runner)
    }

    /// Adds an operator and all that it reads; gives its number, none for a table.
    fn add(
        &mut self,
        op: &Op,
        constants: &mut Vec<(RecordBatch, Option<(usize, usize)>)>,
    ) -> Result<Option<usize>, String> {
        let (mut scans, mut own_constants, mut nodes) = (vec![], vec![], vec![]);
        for (input, below) in op.inputs().into_iter().enumerate() {
            match below {
                Op::Scan { table, .. } => scans.push((input, table.clone())),
                Op::Constant { rows } => own_constants.push((input, rows.clone())),
                below => nodes.extend(self.add(below, constants)?.map(|n| (input, n))),
            }
        }
        let number = self.nodes.len();
        let Some((_, make)) = factory(op, "m") else {
            match op {
                Op::Scan { table, .. } => self.scans.push((table.clone(), None)),
                Op::Constant { rows } => constants.push((rows.clone(), None)),
                _ => {}
            }
            return Ok(None);
        };
        let operator = make().map_err(|e| e.to_string())?;
        self.nodes.push(Node { make, operator, reader: None, saved: vec![] });
        scans.into_iter().for_each(|(input, table)| self.scans.push((table, Some((number, input)))));
        own_constants.into_iter().for_each(|(input, rows)| constants.push((rows, Some((number, input)))));
        nodes.into_iter().for_each(|(input, node)| self.nodes[node].reader = Some((number, input)));
        Ok(Some(number))
    }

    /// Gives changes of a table to all that read it.
    pub fn push(&mut self, table: &str, batch: Batch) -> Result<(), String> {
        let readers: Vec<_> = self.scans.iter().filter(|(t, _)| t == table).map(|(_, r)| *r).collect();
        readers.into_iter().try_for_each(|reader| self.send(reader, batch.clone()))
    }

    fn send(&mut self, reader: Option<(usize, usize)>, batch: Batch) -> Result<(), String> {
        let Some((node, input)) = reader else {
            for row in 0..batch.len() {
                let text = text(batch.rows(), row, self.digits);
                let count = self.rows.entry(text.clone()).or_default();
                *count += batch.weight(row);
                if *count == 0 {
                    self.rows.remove(&text);
                }
            }
            return Ok(());
        };
        let mut sent = Vec::new();
        let node = &mut self.nodes[node];
        node.operator.on_batch(input, batch, &mut Emitter::new(&mut sent)).map_err(|e| e.to_string())?;
        let reader = node.reader;
        sent.into_iter().filter(|(port, _)| *port == 0).try_for_each(|(_, batch)| self.send(reader, batch))
    }

    /// A barrier; `epoch`: with snapshots.
    pub fn barrier(&mut self, epoch: bool) -> Result<(), String> {
        for i in 0..self.nodes.len() {
            let mut sent = Vec::new();
            let node = &mut self.nodes[i];
            node.operator.on_barrier(None, &mut Emitter::new(&mut sent)).map_err(|e| e.to_string())?;
            let reader = node.reader;
            sent.into_iter().filter(|(port, _)| *port == 0).try_for_each(|(_, batch)| self.send(reader, batch))?;
        }
        if epoch {
            self.nodes.iter_mut().try_for_each(|node| save(node, SnapshotMode::Delta))?;
        }
        Ok(())
    }

    /// Makes all operators anew from their snapshots, right after an epoch. `full`: after one more of all of the state.
    pub fn restart(&mut self, full: bool) -> Result<(), String> {
        for node in &mut self.nodes {
            if full && !node.operator.state_only_grows() {
                save(node, SnapshotMode::Full)?;
            }
            node.operator = (node.make)().map_err(|e| e.to_string())?;
            let pieces = node.saved.clone();
            let share = Share { worker: 0, workers: 1 };
            node.operator.restore(Restored { pieces, share, cold_until: None }).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// The rows, as text, in order.
    pub fn answer(&self) -> Vec<String> {
        self.rows.iter().flat_map(|(row, count)| (0..*count).map(|_| row.clone())).collect()
    }
}

fn save(node: &mut Node, mode: SnapshotMode) -> Result<(), String> {
    let piece = node.operator.snapshot(mode).map_err(|e| e.to_string())?;
    let bytes = piece.encode().map_err(|e| e.to_string())?.concat();
    if mode == SnapshotMode::Full {
        node.saved.clear();
    }
    node.saved.push(Snapshot::decode(&bytes).map_err(|e| e.to_string())?);
    Ok(())
}
