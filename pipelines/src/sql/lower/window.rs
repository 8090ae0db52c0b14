//! `row_number() over (partition by ... order by ...) = 1`: the first row of each key.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, Window};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use sluice_operators::transform::dedupe::{DedupeSpec, OrderColumn};

use super::rows::keep_if;
use super::{Lowered, Lowering, Op, arrow_schema, column, physical, type_of, unsupported};

impl Lowering<'_> {
    pub(super) fn first_of_each_key(&self, window: &Window, predicate: &Expr) -> Lowered {
        let [expr] = window.window_expr.as_slice() else { return unsupported("several window functions") };
        let name = expr.schema_name().to_string();
        let call = row_number(expr)?;
        let parts = split_conjunction(predicate);
        let (ranks, others): (Vec<&Expr>, Vec<&Expr>) =
            parts.into_iter().partition(|p| p.column_refs().iter().any(|c| c.name == name));
        if ranks.len() != 1 || !is_first(ranks[0]) {
            return unsupported(format!("row_number() with another condition than = 1: {predicate}"));
        }
        let input = self.plan(&window.input)?;
        if !input.append_only() {
            return unsupported("row_number() over rows that can be taken back");
        }
        let deduped = self.dedupe(input, window, call)?;
        let with_rank = add_rank(deduped, window);
        match conjunction(others.into_iter().cloned()) {
            Some(rest) => Ok(keep_if(with_rank, physical(&rest, &window.schema)?)),
            None => Ok(with_rank),
        }
    }

    fn dedupe(&self, input: Op, window: &Window, call: &WindowFunction) -> Lowered {
        let from = window.input.schema();
        let below = input.schema();
        let mut columns: Vec<Arc<dyn PhysicalExpr>> = (0..below.fields().len()).map(|i| column(&below, i)).collect();
        let mut fields: Vec<Field> = below.fields().iter().map(|f| f.as_ref().clone()).collect();
        let mut place = |expr: &Expr| {
            let expr = physical(expr, from)?;
            if let Some(i) = columns.iter().position(|c| c.eq(&expr)) {
                return Ok(i);
            }
            fields.push(Field::new(format!("k{}", columns.len()), type_of(&below, &expr)?, true));
            columns.push(expr);
            Ok(columns.len() - 1)
        };
        let params = &call.params;
        let keys = params.partition_by.iter().map(&mut place).collect::<Lowered<Vec<_>>>()?;
        if keys.is_empty() {
            return unsupported("row_number() without PARTITION BY");
        }
        let mut order = Vec::new();
        for sort in &params.order_by {
            order.push(OrderColumn {
                column: place(&sort.expr)?,
                descending: !sort.asc,
                nulls_first: sort.nulls_first,
            });
        }
        let schema = Arc::new(Schema::new(fields));
        let width = below.fields().len();
        let extended = if columns.len() == width {
            input
        } else {
            Op::Map { input: Box::new(input), predicate: None, columns, schema: schema.clone() }
        };
        Ok(Op::Dedupe { input: Box::new(extended), spec: DedupeSpec { schema, keys, order } })
    }
}

/// The window's output: the input's columns and the row number, which is 1.
fn add_rank(deduped: Op, window: &Window) -> Op {
    let below = deduped.schema();
    let width = window.input.schema().fields().len();
    let mut columns: Vec<Arc<dyn PhysicalExpr>> = (0..width).map(|i| column(&below, i)).collect();
    columns.push(Arc::new(Literal::new(ScalarValue::UInt64(Some(1)))));
    Op::Map { input: Box::new(deduped), predicate: None, columns, schema: arrow_schema(&window.schema) }
}

fn row_number(expr: &Expr) -> Lowered<&WindowFunction> {
    match expr {
        Expr::Alias(alias) => row_number(&alias.expr),
        Expr::WindowFunction(call) if call.fun.name() == "row_number" => Ok(call),
        other => unsupported(format!("the window function {}", other.to_string().split(" ROWS").next().unwrap_or(""))),
    }
}

/// `rn = 1`, `rn <= 1`, `rn < 2`, or the same from the other side.
fn is_first(expr: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return false };
    let number = |e: &Expr| match e {
        Expr::Literal(value, _) => value.cast_to(&datafusion::arrow::datatypes::DataType::Int64).ok(),
        _ => None,
    };
    let is = |e: &Expr, n: i64| number(e) == Some(ScalarValue::Int64(Some(n)));
    match op {
        Operator::Eq => is(right, 1) || is(left, 1),
        Operator::LtEq => is(right, 1),
        Operator::Lt => is(right, 2),
        Operator::GtEq => is(left, 1),
        Operator::Gt => is(left, 2),
        _ => false,
    }
}
