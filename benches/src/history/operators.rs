//! An operator for each strategy, and the rows for all of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use sluice_engine::{Batch, Operator, Result};
use sluice_operators::join::equi::{EquiJoin, EquiJoinSpec, JoinKind};
use sluice_operators::order::OrderColumn;
use sluice_operators::transform::dedupe::{Dedupe, DedupeSpec};
use sluice_operators::window::aggregate::{
    Aggregate, AggregateCall, AggregateKind, AggregateSpec, FollowsTime, TimeKey,
};
use sluice_operators::window::over::{Frame, Function, Over, OverCall, OverSpec};

/// Keys (users, say) that rows are spread over.
const KEYS: usize = 20_000;
/// Time between two rows, in microseconds.
const STEP_US: i64 = 1000;
/// Rows come late by less than this, in microseconds.
pub const LATENESS_US: i64 = 10 * 60 * 1_000_000;
const START_US: i64 = 1_735_689_600_000_000;
const MINUTE_US: i64 = 60_000_000;

/// Whether state that is over leaves memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// It does not.
    Plain,
    /// It does.
    WithFreezing,
}

/// What is measured.
#[derive(Clone, Copy)]
pub struct Strategy {
    pub name: &'static str,
    pub make: fn() -> Result<Box<dyn Operator>>,
    /// Rows of the second input, which are there from the start.
    pub dimension: Option<fn() -> Result<Batch>>,
    pub measured: Measured,
}

const fn plain(name: &'static str, make: fn() -> Result<Box<dyn Operator>>) -> Strategy {
    Strategy { name, make, dimension: None, measured: Measured::Plain }
}

pub const STRATEGIES: &[Strategy] = &[
    Strategy { measured: Measured::WithFreezing, ..plain("window: count by minute", window) },
    plain("aggregate: count by key", aggregate),
    Strategy { dimension: Some(dimension), ..plain("join: fact with dimension", join) },
    plain("keyed: first row of a key", dedupe),
    plain("keyed: lag and lead (SCD2)", lag),
    plain("keyed: running sum (session)", running),
];

/// `key bigint, value bigint, time timestamp, minute bigint`.
fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = [("key", DataType::Int64), ("value", DataType::Int64), ("time", time), ("minute", DataType::Int64)];
    Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
}

/// The time of row `n`.
pub fn time_of(n: usize) -> i64 {
    START_US + n as i64 * STEP_US
}

/// Rows from number `first` on, in order of time.
pub fn rows(first: usize, count: usize) -> anyhow::Result<Batch> {
    let numbers = || first..first + count;
    // A multiplier that visits all keys, neighbours far apart.
    let keys: Int64Array = numbers().map(|n| Some((n * 7919 % KEYS) as i64)).collect();
    let values: Int64Array = numbers().map(|n| Some((n % 3) as i64)).collect();
    let times = TimestampMicrosecondArray::from_iter_values(numbers().map(time_of)).with_timezone("UTC");
    let minutes: Int64Array = numbers().map(|n| Some(time_of(n) / MINUTE_US)).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(values), Arc::new(times), Arc::new(minutes)];
    Ok(Batch::insert(RecordBatch::try_new(schema(), columns)?))
}

fn dimension() -> Result<Batch> {
    let keys: ArrayRef = Arc::new((0..KEYS as i64).collect::<Int64Array>());
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    Ok(Batch::insert(RecordBatch::try_new(schema, vec![keys])?))
}

fn column(name: &str, index: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(name, index))
}

fn counts(key: (&str, usize), time: Option<TimeKey>) -> Result<Box<dyn Operator>> {
    let count = AggregateCall {
        kind: AggregateKind::Count,
        argument: None,
        argument_type: DataType::Null,
        filter: None,
        output_type: DataType::Int64,
    };
    let fields = ["key", "n"].map(|name| Field::new(name, DataType::Int64, true));
    let spec = AggregateSpec {
        keys: vec![column(key.0, key.1)],
        calls: vec![count],
        schema: Arc::new(Schema::new(fields.to_vec())),
        append_only: true,
        time,
    };
    Ok(Box::new(Aggregate::new(spec)?))
}

fn window() -> Result<Box<dyn Operator>> {
    let minute = |us: i64| Some(Arc::new(Int64Array::from(vec![us / MINUTE_US])) as Arc<dyn Array>);
    counts(("minute", 3), Some(TimeKey { key: 0, follows: FollowsTime::new(minute) }))
}

fn aggregate() -> Result<Box<dyn Operator>> {
    counts(("key", 0), None)
}

fn join() -> Result<Box<dyn Operator>> {
    let left = schema();
    let right = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let both = left.fields().iter().chain(right.fields()).cloned().collect::<Vec<_>>();
    Ok(Box::new(EquiJoin::new(EquiJoinSpec {
        kind: JoinKind::Inner,
        left,
        right,
        left_keys: vec![0],
        right_keys: vec![0],
        nulls_match: false,
        residual: None,
        schema: Arc::new(Schema::new(both)),
    })?))
}

fn by_time() -> Vec<OrderColumn> {
    vec![OrderColumn { column: 2, descending: false, nulls_first: true }]
}

fn dedupe() -> Result<Box<dyn Operator>> {
    // Each row is its key's first: nothing is a copy.
    Ok(Box::new(Dedupe::new(DedupeSpec { schema: schema(), keys: vec![2], order: by_time() })?))
}

fn over(calls: Vec<OverCall>) -> Result<Box<dyn Operator>> {
    let outputs = calls.iter().enumerate().map(|(i, c)| Field::new(format!("o{i}"), c.output_type.clone(), true));
    let fields = schema().fields().iter().map(|f| f.as_ref().clone()).chain(outputs).collect::<Vec<_>>();
    Ok(Box::new(Over::new(OverSpec {
        input: schema(),
        keys: vec![0],
        order: by_time(),
        calls,
        first_rows: None,
        schema: Arc::new(Schema::new(fields)),
    })?))
}

fn lag() -> Result<Box<dyn Operator>> {
    let shift = |by| OverCall {
        function: Function::Shift { by, default: ScalarValue::Null },
        argument: Some(1),
        output_type: DataType::Int64,
    };
    over(vec![shift(1), shift(-1)])
}

fn running() -> Result<Box<dyn Operator>> {
    let sum = Function::Sum(Frame::ToRow);
    over(vec![OverCall { function: sum, argument: Some(1), output_type: DataType::Int64 }])
}
