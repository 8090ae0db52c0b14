//! GROUP BY and DISTINCT.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::array::new_null_array;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Literal};
use sluice_engine::state::bits::has_bits;
use sluice_operators::window::aggregate::{AggregateCall, AggregateKind, AggregateSpec, FollowsTime, TimeKey};

use super::kept::kept_call;
use super::{Lowered, Lowering, Op, Unsupported, arrow_schema, column, physical, type_of, unsupported};

/// A column of the step before an aggregate: what the aggregate's keys, arguments and filters are made of.
struct Inputs {
    columns: Vec<Arc<dyn PhysicalExpr>>,
    types: Vec<DataType>,
}

impl Inputs {
    /// The index of an expression's column, added if it is not there.
    fn add(&mut self, expr: Arc<dyn PhysicalExpr>, data_type: DataType, fresh: bool) -> usize {
        if !fresh && let Some(i) = self.columns.iter().position(|c| c.eq(&expr)) {
            return i;
        }
        self.columns.push(expr);
        self.types.push(data_type);
        self.columns.len() - 1
    }

    fn schema(&self) -> SchemaRef {
        let field = |(i, t): (usize, &DataType)| Field::new(format!("c{i}"), t.clone(), true);
        Arc::new(Schema::new(self.types.iter().enumerate().map(field).collect::<Vec<_>>()))
    }
}

/// A call, before the step that computes its inputs is complete.
struct Call {
    kind: AggregateKind,
    argument: Option<(usize, DataType)>,
    filter: Option<usize>,
    output_type: DataType,
}

impl Lowering<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate) -> Lowered {
        let input = self.plan(&aggregate.input)?;
        match aggregate.group_expr.as_slice() {
            [] => self.over_all_rows(input, aggregate),
            [Expr::GroupingSet(sets)] => self.grouping_sets(input, aggregate, sets),
            keys => {
                let from = aggregate.input.schema();
                let keys = keys.iter().map(|key| physical(key, from)).collect::<Lowered<Vec<_>>>()?;
                grouped(input, keys, aggregate, None)
            }
        }
    }

    /// An aggregate without GROUP BY has one row, whether or not there are rows: a row that no function counts is
    /// always there.
    fn over_all_rows(&self, input: Op, aggregate: &Aggregate) -> Lowered {
        let below = input.schema();
        let literal = |value| Arc::new(Literal::new(value)) as Arc<dyn PhysicalExpr>;
        let mut fields: Vec<Field> = below.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        let mut columns: Vec<Arc<dyn PhysicalExpr>> = (0..fields.len()).map(|i| column(&below, i)).collect();
        fields.push(Field::new("counts", DataType::Boolean, true));
        columns.push(literal(ScalarValue::Boolean(Some(true))));
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let mut row: Vec<_> = below.fields().iter().map(|f| new_null_array(f.data_type(), 1)).collect();
        row.push(ScalarValue::Boolean(Some(false)).to_array().map_err(|e| Unsupported(e.to_string()))?);
        let rows = RecordBatch::try_new(schema.clone(), row).map_err(|e| Unsupported(e.to_string()))?;
        let counted = Op::Map { input: Box::new(input), predicate: None, columns, schema: schema.clone() };
        let union = Op::Union { inputs: vec![counted, Op::Constant { rows }], schema: schema.clone() };
        let counts = column(&schema, schema.fields().len() - 1);
        let one = literal(ScalarValue::Int8(Some(0)));
        let grouped = grouped(union, vec![one], aggregate, Some(counts))?;
        let below = grouped.schema();
        let columns = (1..below.fields().len()).map(|i| column(&below, i)).collect();
        let schema = arrow_schema(&aggregate.schema);
        Ok(Op::Map { input: Box::new(grouped), predicate: None, columns, schema })
    }
}

/// An aggregate of these keys. `counts` says which rows the functions see.
pub(super) fn grouped(
    input: Op,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    aggregate: &Aggregate,
    counts: Option<Arc<dyn PhysicalExpr>>,
) -> Lowered {
    let (below, from, width) = (input.schema(), aggregate.input.schema(), keys.len());
    let mut inputs = Inputs { columns: vec![], types: vec![] };
    let mut fields = Vec::new();
    for key in keys {
        let data_type = type_of(&below, &key)?;
        fields.push(Field::new(format!("g{}", fields.len()), data_type.clone(), true));
        inputs.add(key, data_type, true);
    }
    let outputs = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
    let mut calls = Vec::new();
    for (i, expr) in aggregate.aggr_expr.iter().enumerate() {
        let output_type = aggregate.schema.field(outputs + i).data_type().clone();
        let call = lower_call(call_of(expr)?, output_type, from, &below, &mut inputs, counts.as_ref())?;
        fields.push(Field::new(format!("a{i}"), call.output_type.clone(), true));
        calls.push(call);
    }
    let middle = inputs.schema();
    let calls = calls.into_iter().map(|call| AggregateCall {
        kind: call.kind,
        argument: call.argument.as_ref().map(|(i, _)| column(&middle, *i)),
        argument_type: call.argument.map_or(DataType::Null, |(_, t)| t),
        filter: call.filter.map(|i| column(&middle, i)),
        output_type: call.output_type,
    });
    let calls: Vec<AggregateCall> = calls.collect();
    let map = Op::Map { input: Box::new(input), predicate: None, columns: inputs.columns, schema: middle.clone() };
    // Names are those of the plan where the keys are the plan's.
    let named = outputs == width && !matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]);
    let schema = if named { arrow_schema(&aggregate.schema) } else { Arc::new(Schema::new(fields)) };
    let spec = AggregateSpec {
        time: time_key(&map.times()[..width], &middle),
        append_only: map.append_only(),
        keys: (0..width).map(|i| column(&middle, i)).collect(),
        schema,
        calls,
    };
    // The accumulators say what they can take.
    sluice_operators::window::aggregate::Aggregate::new(spec.clone()).map_err(|e| Unsupported(e.to_string()))?;
    Ok(Op::Aggregate { input: Box::new(map), spec })
}

fn lower_call(
    call: &AggregateFunction,
    output_type: DataType,
    from: &DFSchema,
    below: &SchemaRef,
    inputs: &mut Inputs,
    counts: Option<&Arc<dyn PhysicalExpr>>,
) -> Lowered<Call> {
    let mut filter = call.params.filter.as_deref().map(|f| physical(f, from)).transpose()?;
    if let Some(counts) = counts {
        filter = Some(match filter {
            Some(filter) => Arc::new(BinaryExpr::new(counts.clone(), Operator::And, filter)),
            None => counts.clone(),
        });
    }
    let filter = filter.map(|f| inputs.add(f, DataType::Boolean, false));
    let argument = call.params.args.first().filter(|a| !is_constant(a)).map(|a| physical(a, from)).transpose()?;
    let argument = argument.map(|a| Ok::<_, Unsupported>((type_of(below, &a)?, a))).transpose()?;
    if let Some(kind) = kind_of(call, argument.as_ref().map(|a| &a.0)) {
        let argument = argument.map(|(data_type, a)| (inputs.add(a, data_type.clone(), false), data_type));
        return Ok(Call { kind, argument, filter, output_type });
    }
    let (kept, values) = kept_call(call, from, below)?;
    let data_type = type_of(below, &values)?;
    let argument = Some((inputs.add(values, data_type.clone(), false), data_type));
    Ok(Call { kind: AggregateKind::Kept(kept), argument, filter, output_type })
}

/// The first key that follows event time.
fn time_key(keys: &[Option<FollowsTime>], schema: &Schema) -> Option<TimeKey> {
    let fits = |key: &usize| has_bits(schema.field(*key).data_type());
    let mut following = keys.iter().enumerate().filter_map(|(key, follows)| Some((key, follows.clone()?)));
    following.find(|(key, _)| fits(key)).map(|(key, follows)| TimeKey { key, follows })
}

fn is_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if !value.is_null())
}

fn call_of(expr: &Expr) -> Lowered<&AggregateFunction> {
    match expr {
        Expr::Alias(alias) => call_of(&alias.expr),
        Expr::AggregateFunction(call) => Ok(call),
        other => unsupported(format!("the aggregate {other}")),
    }
}

/// One of our own accumulators; none where a group must keep its values.
fn kind_of(call: &AggregateFunction, argument: Option<&DataType>) -> Option<AggregateKind> {
    let params = &call.params;
    if !params.order_by.is_empty() || params.args.len() > 1 {
        return None;
    }
    let has_sum = matches!(argument, Some(DataType::Int64 | DataType::Float64 | DataType::Decimal128(..)));
    Some(match (call.func.name(), params.distinct) {
        ("count", false) => AggregateKind::Count,
        ("count", true) | ("approx_distinct", _) if argument.is_some() => AggregateKind::CountDistinct,
        ("sum", false) if has_sum => AggregateKind::Sum,
        ("avg", false) if argument == Some(&DataType::Float64) => AggregateKind::Avg,
        ("min", _) if argument.is_some() => AggregateKind::Min,
        ("max", _) if argument.is_some() => AggregateKind::Max,
        _ => return None,
    })
}
