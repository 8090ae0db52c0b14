//! Aggregates that have no accumulator of our own: DataFusion's, over values that each group keeps.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use sluice_operators::window::aggregate::{KeptArgument, KeptCall};

use super::{Lowered, Unsupported, column, physical, type_of, unsupported};

/// The call, and the struct that a row gives to it: what it orders by, then its arguments.
pub(super) fn kept_call(
    call: &AggregateFunction,
    from: &DFSchema,
    below: &SchemaRef,
) -> Lowered<(KeptCall, Arc<dyn PhysicalExpr>)> {
    let params = &call.params;
    let mut fields: Vec<Expr> = params.order_by.iter().map(|s| s.expr.clone()).collect();
    let option =
        |s: &datafusion::logical_expr::SortExpr| SortOptions { descending: !s.asc, nulls_first: s.nulls_first };
    let order: Vec<SortOptions> = params.order_by.iter().map(option).collect();
    let mut arguments = Vec::new();
    for argument in &params.args {
        if let Expr::Literal(value, _) = argument {
            arguments.push(KeptArgument::Constant(value.clone()));
        } else {
            arguments.push(KeptArgument::Field(fields.len()));
            fields.push(argument.clone());
        }
    }
    if fields.is_empty() {
        fields.push(lit(true));
    }
    let named = fields.into_iter().enumerate().flat_map(|(i, field)| [lit(format!("f{i}")), field]).collect();
    let values = physical(&named_struct(named), from)?;
    let DataType::Struct(types) = type_of(below, &values)? else {
        return unsupported(format!("the aggregate {}", call.func.name()));
    };
    let schema = Arc::new(Schema::new(types));
    let args = arguments.iter().map(|argument| match argument {
        KeptArgument::Field(i) => column(&schema, *i),
        KeptArgument::Constant(value) => Arc::new(Literal::new(value.clone())) as Arc<dyn PhysicalExpr>,
    });
    let sorts = order.iter().enumerate().map(|(i, options)| PhysicalSortExpr::new(column(&schema, i), *options));
    let function = AggregateExprBuilder::new(call.func.clone(), args.collect())
        .order_by(sorts.collect())
        .schema(schema.clone())
        .alias(call.func.name())
        .with_ignore_nulls(params.null_treatment == Some(NullTreatment::IgnoreNulls))
        .build()
        .map_err(|e| Unsupported(format!("the aggregate {}: {}", call.func.name(), crate::sql::model::plain(&e))))?;
    Ok((KeptCall { function: Arc::new(function), order, arguments, distinct: params.distinct }, values))
}
