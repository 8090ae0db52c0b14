//! A DataFusion session that speaks Spark SQL.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, Operator, binary_expr, cast};
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion_spark::SessionStateBuilderSpark;

use super::casts::CastsOfSpark;
use super::functions;
use super::types::SparkTypes;

/// Rules that rewrite what our operators do better as it stands.
const RULES_LEFT_OUT: &[&str] = &["single_distinct_aggregation_to_group_by"];

/// A session without tables, with the given layers (schemas) to put tables in.
pub fn spark_session<'a>(layers: impl IntoIterator<Item = &'a str>) -> SessionContext {
    let context = SessionContext::new_with_state(state());
    let catalog = Arc::new(MemoryCatalogProvider::new());
    for layer in layers.into_iter().chain(["default"]) {
        if catalog.schema(layer).is_none() {
            // A memory catalog takes any schema.
            let _ = catalog.register_schema(layer, Arc::new(MemorySchemaProvider::new()));
        }
    }
    context.register_catalog("sluice", catalog);
    context
}

fn state() -> SessionState {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("sluice", "default")
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.time_zone = Some("UTC".into());
    options.execution.parquet.schema_force_view_types = false;
    let rules = Optimizer::new().rules.into_iter().filter(|r| !RULES_LEFT_OUT.contains(&r.name()));
    let rules = rules.collect();
    let mut builder = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_spark_features()
        .with_type_planner(Arc::new(SparkTypes))
        .with_analyzer_rule(Arc::new(CastsOfSpark::default()))
        .with_optimizer_rules(rules);
    builder.expr_planners().get_or_insert_default().insert(0, Arc::new(SparkOperators));
    builder.scalar_functions().get_or_insert_default().extend(functions::scalar());
    builder.aggregate_functions().get_or_insert_default().extend(functions::aggregate());
    builder.build()
}

/// Operators that mean something else in Spark: `/` of integers is a double, and what is divided by zero is NULL.
#[derive(Debug)]
struct SparkOperators;

impl ExprPlanner for SparkOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        let whole = |t: &DataType| t.is_integer() || t.is_null();
        let (whole, number) = (whole(&left) && whole(&right), right.is_numeric() || right.is_null());
        let planned = match expr.op {
            BinaryOperator::Divide if whole => {
                let double = |e| cast(e, DataType::Float64);
                binary_expr(double(expr.left), Operator::Divide, divisor(double(expr.right)))
            }
            BinaryOperator::Divide if number => binary_expr(expr.left, Operator::Divide, divisor(expr.right)),
            BinaryOperator::Modulo if number => binary_expr(expr.left, Operator::Modulo, divisor(expr.right)),
            BinaryOperator::MyIntegerDivide if whole => {
                let long = |e| cast(e, DataType::Int64);
                binary_expr(long(expr.left), Operator::Divide, divisor(long(expr.right)))
            }
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(planned))
    }
}

/// NULL in place of zero; a constant that is not zero stays as it is.
fn divisor(expr: Expr) -> Expr {
    let mut inner = &expr;
    while let Expr::Cast(Cast { expr, .. }) = inner {
        inner = expr;
    }
    let is_constant = matches!(inner, Expr::Literal(value, _) if !value.is_null()
        && value.cast_to(&DataType::Float64).is_ok_and(|v| !matches!(v, ScalarValue::Float64(Some(0.0)))));
    if is_constant { expr } else { functions::cast::divisor().call(vec![expr]) }
}
