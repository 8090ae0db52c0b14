//! Window functions of which a filter keeps the first rows of each partition: `row_number() over (...) <= n`.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, Window};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use sluice_operators::transform::dedupe::{Dedupe, DedupeSpec};

use super::over::{Extended, call_of};
use super::rows::keep_if;
use super::{Lowered, Lowering, Op, arrow_schema, column, physical};

impl Lowering<'_> {
    /// Window functions and a filter over their results.
    pub(super) fn filtered_window(&self, window: &Window, predicate: &Expr) -> Lowered {
        let input = self.plan(&window.input)?;
        let wanted = first_rows(window, predicate);
        if wanted == Some(1)
            && let [expr] = window.window_expr.as_slice()
            && input.append_only()
            && let Some(deduped) = dedupe(&input, window, expr)?
        {
            let with_number = add_number(deduped, window);
            // That the number is 1 or less is true of all of them.
            let others = split_conjunction(predicate).into_iter().filter(|p| bound(p, &name_of(expr)) != Some(1));
            return Ok(match conjunction(others.cloned()) {
                Some(rest) => keep_if(with_number, physical(&rest, &window.schema)?),
                None => with_number,
            });
        }
        let over = self.over(input, window, wanted)?;
        Ok(keep_if(over, physical(predicate, &window.schema)?))
    }
}

/// The first row of each key; none when the keys or the order are not such that they can be kept.
fn dedupe(input: &Op, window: &Window, expr: &Expr) -> Lowered<Option<Op>> {
    let call = call_of(expr)?;
    let mut extended = Extended::new(input, window.input.schema());
    let (keys, order) = (extended.keys(&call.params)?, extended.order(&call.params.order_by)?);
    let spec = DedupeSpec { schema: extended.schema(), keys, order };
    if spec.keys.is_empty() || Dedupe::new(spec.clone()).is_err() {
        return Ok(None);
    }
    Ok(Some(Op::Dedupe { input: Box::new(extended.over(input.clone())), spec }))
}

/// The window's output: the input's columns and the row number, which is 1.
fn add_number(deduped: Op, window: &Window) -> Op {
    let below = deduped.schema();
    let width = window.input.schema().fields().len();
    let mut columns: Vec<Arc<dyn PhysicalExpr>> = (0..width).map(|i| column(&below, i)).collect();
    columns.push(Arc::new(Literal::new(ScalarValue::UInt64(Some(1)))));
    Op::Map { input: Box::new(deduped), predicate: None, columns, schema: arrow_schema(&window.schema) }
}

fn name_of(expr: &Expr) -> String {
    expr.schema_name().to_string()
}

/// How many rows of each partition the filter can let through, when that follows from `row_number()` and all functions are
/// such that rows behind those do not matter to them.
fn first_rows(window: &Window, predicate: &Expr) -> Option<u64> {
    let mut numbers = Vec::new();
    for expr in &window.window_expr {
        let call = call_of(expr).ok()?;
        match call.fun.name() {
            "row_number" => numbers.push(name_of(expr)),
            "lag" if call.params.args.len() == 1 && call.params.null_treatment.is_none() => {}
            _ => return None,
        }
    }
    let bounds = split_conjunction(predicate).into_iter();
    bounds.filter_map(|p| numbers.iter().find_map(|name| bound(p, name))).min()
}

/// The number as it is: the planner compares whole numbers as INT, however they are kept.
fn without_casts(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => without_casts(&cast.expr),
        Expr::TryCast(cast) => without_casts(&cast.expr),
        Expr::ScalarFunction(call) if call.args.len() == 1 && call.func.name().contains("cast") => {
            without_casts(&call.args[0])
        }
        other => other,
    }
}

/// `rn = n`, `rn <= n`, `rn < n + 1`, or the same from the other side, gives n.
fn bound(expr: &Expr, number: &str) -> Option<u64> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
    let is_number = |e: &Expr| matches!(without_casts(e), Expr::Column(c) if c.name == number);
    let constant = |e: &Expr| match e {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(n)) => n,
            _ => None,
        },
        _ => None,
    };
    let (op, constant) = if is_number(left) {
        (*op, constant(right)?)
    } else if is_number(right) {
        (op.swap()?, constant(left)?)
    } else {
        return None;
    };
    let bound = match op {
        Operator::Eq | Operator::LtEq => constant,
        Operator::Lt => constant.checked_sub(1)?,
        _ => return None,
    };
    u64::try_from(bound).ok().filter(|n| *n > 0)
}
