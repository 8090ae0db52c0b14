//! What CAST means in Spark with `spark.sql.ansi.enabled=false`: a text that is no such value is NULL, of a whole number that
//! is too long the low bits are kept, a number that becomes a timestamp is in seconds, a text may have blanks around it.
//!
//! The rule runs after types were brought together, so it sees the casts of the SQL and those that nobody wrote.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, TryCast, binary_expr, lit,
};
use datafusion::optimizer::AnalyzerRule;

use super::functions::{cast, time};
use super::types::timestamp;

/// Plans each cast as Spark does.
#[derive(Debug)]
pub struct CastsOfSpark {
    unix_seconds: Arc<ScalarUDF>,
    unix_micros: Arc<ScalarUDF>,
}

/// Microseconds in a second, as a double.
const SECOND_US: f64 = 1_000_000.0;

impl Default for CastsOfSpark {
    fn default() -> Self {
        Self { unix_seconds: Arc::new(time::unix_seconds()), unix_micros: Arc::new(time::unix_micros()) }
    }
}

impl CastsOfSpark {
    fn expression(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let (Expr::Cast(Cast { expr: inner, field }) | Expr::TryCast(TryCast { expr: inner, field })) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let is_try = matches!(expr, Expr::TryCast(_));
        let (from, to) = (inner.get_type(schema)?, field.data_type());
        if let Some(message) = cast::refused(&from, to) {
            return plan_err!("{message}");
        }
        let value = inner.as_ref().clone();
        let cast = match (&from, to) {
            // Arrow's own, so that it is seen how a column follows event time.
            (from, to) if from.is_integer() && *to == timestamp() => {
                try_cast(try_cast(value, &DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))), to)
            }
            (from, to) if *from == timestamp() && matches!(to, DataType::Int32 | DataType::Int64) => {
                narrowed(self.unix_seconds.call(vec![value]), &DataType::Int64, to)
            }
            (from, to) if *from == timestamp() && to.is_floating() => {
                let micros = try_cast(self.unix_micros.call(vec![value]), &DataType::Float64);
                narrowed(binary_expr(micros, Operator::Divide, lit(SECOND_US)), &DataType::Float64, to)
            }
            (from, to) if always_fits(from, to) => return Ok(Transformed::no(expr)),
            (from, to) if is_arrows(from, to) => {
                if is_try {
                    return Ok(Transformed::no(expr));
                }
                try_cast(value, to)
            }
            (_, to) => cast::spark_cast(to).call(vec![value]),
        };
        Ok(Transformed::yes(cast))
    }
}

impl AnalyzerRule for CastsOfSpark {
    // Errors name the rule, and what is shown to people leaves out this name.
    fn name(&self) -> &str {
        "type_coercion"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let of_plan = |plan: LogicalPlan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
            }
            let names = NamePreserver::new(&plan);
            let mapped = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|e| self.expression(e, &schema))?;
                Ok(expr.update_data(|e| name.restore(e)))
            })?;
            mapped.map_data(LogicalPlan::recompute_schema)
        };
        Ok(plan.transform_up_with_subqueries(of_plan)?.data)
    }
}

fn try_cast(expr: Expr, to: &DataType) -> Expr {
    Expr::TryCast(TryCast::new(Box::new(expr), to.clone()))
}

/// An expression of type `from` as `to`.
fn narrowed(expr: Expr, from: &DataType, to: &DataType) -> Expr {
    if from == to { expr } else { try_cast(expr, to) }
}

/// Casts that have a result for every value, so that they may stay what they are.
fn always_fits(from: &DataType, to: &DataType) -> bool {
    let widened = || match (from.primitive_width(), to.primitive_width()) {
        (Some(from), Some(to)) => from <= to,
        _ => false,
    };
    from == to
        || from.is_null()
        || (from.is_signed_integer() && to.is_signed_integer() && widened())
        || (from.is_integer() && to.is_floating())
        // What the rule itself has made of a cast to a timestamp; plans are analyzed again when they are run.
        || (from.is_integer() && matches!(to, DataType::Timestamp(TimeUnit::Second, _)))
        || (from.is_floating() && to.is_floating() && widened())
        || (matches!(from, DataType::Boolean) && to.is_numeric() && !to.is_decimal())
        || (is_time(from) && *to == DataType::Date32)
        || (*from == DataType::Date32 && is_time(to))
        || (is_text(from) && is_text(to))
        || ((from.is_integer() || matches!(from, DataType::Boolean)) && is_text(to))
}

/// Casts that Arrow does as Spark, with NULL for what does not fit.
fn is_arrows(from: &DataType, to: &DataType) -> bool {
    let is_number = |t: &DataType| t.is_integer() || t.is_decimal();
    (is_number(from) && to.is_decimal())
        || (from.is_numeric() && to.is_floating())
        || (from.is_numeric() && !from.is_decimal() && matches!(to, DataType::Boolean))
        || (is_time(from) && is_time(to))
        || (is_text(from) && matches!(to, DataType::Binary | DataType::LargeBinary | DataType::BinaryView))
        || matches!(to, DataType::Interval(_) | DataType::Duration(_))
        || matches!(from, DataType::Interval(_) | DataType::Duration(_))
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
