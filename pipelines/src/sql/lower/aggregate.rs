//! GROUP BY and DISTINCT.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr};
use datafusion::physical_expr::PhysicalExpr;
use sluice_engine::state::bits::has_bits;
use sluice_operators::window::aggregate::{AggregateCall, AggregateKind, AggregateSpec, FollowsTime, TimeKey};

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

    fn schema(&self) -> Schema {
        let field = |(i, t): (usize, &DataType)| Field::new(format!("c{i}"), t.clone(), true);
        Schema::new(self.types.iter().enumerate().map(field).collect::<Vec<_>>())
    }
}

impl Lowering<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate) -> Lowered {
        if aggregate.group_expr.is_empty() {
            return unsupported("an aggregate over all rows (no GROUP BY)");
        }
        if aggregate.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) {
            return unsupported("GROUPING SETS, ROLLUP or CUBE");
        }
        let input = self.plan(&aggregate.input)?;
        let below = input.schema();
        let from = aggregate.input.schema();
        let mut inputs = Inputs { columns: vec![], types: vec![] };
        for key in &aggregate.group_expr {
            let expr = physical(key, from)?;
            let data_type = type_of(&below, &expr)?;
            inputs.add(expr, data_type, true);
        }
        let mut calls = Vec::new();
        for (i, expr) in aggregate.aggr_expr.iter().enumerate() {
            let field = aggregate.schema.field(aggregate.group_expr.len() + i);
            calls.push((call_of(expr)?, field.data_type().clone()));
        }
        let mut lowered = Vec::new();
        for (call, output_type) in calls {
            let kind = kind_of(call)?;
            let argument = call.params.args.first().filter(|a| !is_constant(a));
            let mut place = |e: &Expr| {
                let expr = physical(e, from)?;
                let data_type = type_of(&below, &expr)?;
                Ok::<_, Unsupported>((inputs.add(expr, data_type.clone(), false), data_type))
            };
            let argument = argument.map(&mut place).transpose()?;
            let filter = call.params.filter.as_deref().map(&mut place).transpose()?;
            lowered.push((kind, argument, filter.map(|f| f.0), output_type));
        }
        let middle = Arc::new(inputs.schema());
        let calls = lowered.into_iter().map(|(kind, argument, filter, output_type)| AggregateCall {
            kind,
            argument: argument.as_ref().map(|(i, _)| column(&middle, *i)),
            argument_type: argument.map_or(DataType::Null, |(_, t)| t),
            filter: filter.map(|i| column(&middle, i)),
            output_type,
        });
        let calls: Vec<AggregateCall> = calls.collect();
        let map = Op::Map { input: Box::new(input), predicate: None, columns: inputs.columns, schema: middle.clone() };
        let spec = AggregateSpec {
            time: time_key(&map.times()[..aggregate.group_expr.len()], &middle),
            append_only: map.append_only(),
            keys: (0..aggregate.group_expr.len()).map(|i| column(&middle, i)).collect(),
            schema: arrow_schema(&aggregate.schema),
            calls,
        };
        // The accumulators say what they can take.
        sluice_operators::window::aggregate::Aggregate::new(spec.clone()).map_err(|e| Unsupported(e.to_string()))?;
        Ok(Op::Aggregate { input: Box::new(map), spec })
    }
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

fn kind_of(call: &AggregateFunction) -> Lowered<AggregateKind> {
    let params = &call.params;
    if !params.order_by.is_empty() {
        return unsupported(format!("{} with ORDER BY", call.func.name()));
    }
    Ok(match (call.func.name(), params.distinct) {
        ("count", false) if params.args.len() <= 1 => AggregateKind::Count,
        ("count", true) if params.args.len() == 1 => AggregateKind::CountDistinct,
        ("sum", false) => AggregateKind::Sum,
        ("avg", false) => AggregateKind::Avg,
        ("min", _) => AggregateKind::Min,
        ("max", _) => AggregateKind::Max,
        (name, distinct) => {
            return unsupported(format!("the aggregate {name}{}", if distinct { "(distinct)" } else { "" }));
        }
    })
}
