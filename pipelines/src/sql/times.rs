//! Which columns of a plan follow event time, and how: groups by such a column leave memory when its time is over.
//!
//! A stream's event time is an expression over one of its columns; the columns that plans make of that one by functions
//! that grow with their argument follow it too, through models and joins. What is taken for growing and is not costs
//! time, never a wrong row (`operators::window::aggregate`).

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column, Literal, TryCastExpr};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use sluice_operators::window::aggregate::FollowsTime;

use super::op::Op;

/// For each column how it follows event time, if it does.
pub type Times = Vec<Option<FollowsTime>>;

/// Functions that grow with the one argument that is no constant.
const GROWING: [&str; 18] = [
    "date",
    "date_trunc",
    "sluice_hops",
    "sluice_span_end",
    "sluice_window_end",
    "sluice_window_start",
    "timestamp_micros",
    "timestamp_millis",
    "timestamp_seconds",
    "to_date",
    "to_local_time",
    "to_timestamp",
    "trunc",
    "unix_date",
    "unix_micros",
    "unix_millis",
    "unix_seconds",
    "year",
];

/// Units in which integers count event time: microseconds in one of them.
const UNITS_US: [i64; 3] = [1_000, 1, 1_000_000];

/// The columns of a stream that follow its event time, given as an expression over them; `_date` is its date.
pub fn of_stream(schema: &Schema, event_time: Option<&Arc<dyn PhysicalExpr>>) -> Times {
    let mut times: Times = vec![None; schema.fields().len()];
    let Some(one) = event_time.and_then(|expr| OfOne::of(expr, schema)) else { return times };
    if let Ok(date) = schema.index_of("_date") {
        times[date] = Some(FollowsTime::new(|time_us| cast(&timestamp(time_us), &DataType::Date32).ok()));
    }
    let index = one.index;
    times[index] = one.inverse();
    times
}

pub(super) fn timestamp(time_us: i64) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![time_us]).with_timezone("UTC"))
}

/// An expression over one column that grows with it.
struct OfOne {
    index: usize,
    data_type: DataType,
    /// Over that column alone.
    expr: Arc<dyn PhysicalExpr>,
    alone: Arc<Schema>,
}

impl OfOne {
    fn of(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Self> {
        let index = grows_with(expr)?;
        let field: Field = schema.fields().get(index)?.as_ref().clone();
        let data_type = field.data_type().clone();
        let alone = |e: Arc<dyn PhysicalExpr>| {
            Ok(match e.downcast_ref::<Column>() {
                Some(column) => Transformed::yes(Arc::new(Column::new(column.name(), 0)) as Arc<dyn PhysicalExpr>),
                None => Transformed::no(e),
            })
        };
        let expr = expr.clone().transform_up(alone).ok()?.data;
        Some(Self { index, data_type, expr, alone: Arc::new(Schema::new(vec![field])) })
    }

    fn at(&self, value: ArrayRef) -> Option<ArrayRef> {
        let row = RecordBatch::try_new(self.alone.clone(), vec![value]).ok()?;
        self.expr.evaluate(&row).and_then(|value| value.into_array(1)).ok()
    }

    /// The column's value at an event time, when the expression is the event time.
    fn inverse(self) -> Option<FollowsTime> {
        match self.data_type {
            DataType::Timestamp(..) => {
                let data_type = self.data_type.clone();
                Some(FollowsTime::new(move |time_us| cast(&timestamp(time_us), &data_type).ok()))
            }
            DataType::Int64 => Some(FollowsTime::new(move |time_us| {
                let whole =
                    |unit_us: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![time_us.div_euclid(unit_us)])) };
                let is_that = |time: &ArrayRef, unit_us: i64| {
                    let time = time.as_primitive_opt::<TimestampMicrosecondType>();
                    time.is_some_and(|t| t.is_valid(0) && t.value(0) == time_us.div_euclid(unit_us) * unit_us)
                };
                let unit = |unit_us: &&i64| self.at(whole(**unit_us)).is_some_and(|time| is_that(&time, **unit_us));
                UNITS_US.iter().find(unit).map(|unit_us| whole(*unit_us))
            })),
            _ => None,
        }
    }
}

/// The one column that an expression grows with.
fn grows_with(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return Some(column.index());
    }
    let is_constant = |e: &&Arc<dyn PhysicalExpr>| e.downcast_ref::<Literal>().is_some();
    let grows = match (expr.downcast_ref::<ScalarFunctionExpr>(), expr.downcast_ref::<BinaryExpr>()) {
        (Some(call), _) => GROWING.contains(&call.name()),
        (_, Some(sum)) => matches!(sum.op(), Operator::Plus | Operator::Minus) && is_constant(&sum.right()),
        _ => expr.downcast_ref::<CastExpr>().is_some() || expr.downcast_ref::<TryCastExpr>().is_some(),
    };
    let children = expr.children();
    let mut varying = children.into_iter().filter(|e| !is_constant(e));
    match (varying.next(), varying.next()) {
        (Some(one), None) if grows => grows_with(one),
        _ => None,
    }
}

/// How an expression over columns that follow event time does so itself.
fn of_expression(expr: &Arc<dyn PhysicalExpr>, schema: &Schema, below: &Times) -> Option<FollowsTime> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return below.get(column.index())?.clone();
    }
    let one = OfOne::of(expr, schema)?;
    let follows = below.get(one.index)?.clone()?;
    Some(FollowsTime::new(move |time_us| one.at(follows.at(time_us)?)))
}

/// The first element of a list: hops are in order, oldest first.
fn first_of(list: FollowsTime) -> FollowsTime {
    FollowsTime::new(move |time_us| {
        let lists = list.at(time_us)?;
        let elements = lists.as_list_opt::<i32>().filter(|l| l.is_valid(0))?.value(0);
        (!elements.is_empty()).then(|| elements.slice(0, 1))
    })
}

impl Op {
    /// How its columns follow event time.
    pub fn times(&self) -> Times {
        match self {
            Op::Scan { times, .. } => times.clone(),
            Op::Constant { rows } => vec![None; rows.num_columns()],
            Op::Map { input, columns, .. } => {
                let (schema, below) = (input.schema(), input.times());
                columns.iter().map(|expr| of_expression(expr, &schema, &below)).collect()
            }
            // The branches of a union may follow different times; groups are told from each other by them all the same.
            Op::Union { inputs, schema } => inputs.first().map_or_else(|| vec![None; schema.fields().len()], Op::times),
            Op::Explode { input, sources, list, .. } => {
                let below = input.times();
                let of = |source: &usize| {
                    let follows = below.get(*source)?.clone()?;
                    Some(if source == list { first_of(follows) } else { follows })
                };
                sources.iter().map(of).collect()
            }
            Op::Aggregate { input, spec, .. } => {
                let (schema, below) = (input.schema(), input.times());
                let mut times: Times = spec.keys.iter().map(|key| of_expression(key, &schema, &below)).collect();
                times.resize(spec.schema.fields().len(), None);
                times
            }
            Op::Dedupe { input, .. } => input.times(),
            Op::Over { input, spec } => {
                let mut times = input.times();
                times.resize(spec.schema.fields().len(), None);
                times
            }
            Op::Join { left, right, .. } => [left.times(), right.times()].concat(),
        }
    }
}
