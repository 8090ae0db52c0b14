//! Equi-joins.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, NullEquality};
use datafusion::logical_expr::{Expr, Join, JoinType, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, IsNotNullExpr, IsNullExpr, Literal, NotExpr};
use sluice_operators::join::equi::{EquiJoinSpec, JoinKind};

use super::rows::keep_if;
use super::{Lowered, Lowering, Op, arrow_schema, column, physical, type_of, unsupported};

impl Lowering<'_> {
    pub(super) fn join(&self, join: &Join) -> Lowered {
        let kind = match join.join_type {
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left if join.filter.is_none() => JoinKind::Left,
            JoinType::Left => return unsupported("a left join with a condition beside equality"),
            other => return unsupported(format!("a {} join", other.to_string().to_lowercase())),
        };
        if join.on.is_empty() {
            return unsupported("a join without an equality of columns");
        }
        if join.null_equality == NullEquality::NullEqualsNull {
            return unsupported("a join in which NULL equals NULL");
        }
        let left = self.plan(&join.left)?;
        let right = self.plan(&join.right)?;
        let (left_on, right_on): (Vec<&Expr>, Vec<&Expr>) = join.on.iter().map(|(l, r)| (l, r)).unzip();
        let (left_width, right_width) = (left.schema().fields().len(), right.schema().fields().len());
        let (left, left_keys) = with_keys(left, &left_on, join.left.schema())?;
        let (right, right_keys) = with_keys(right, &right_on, join.right.schema())?;
        let (ls, rs) = (left.schema(), right.schema());
        for (l, r) in left_keys.iter().zip(&right_keys) {
            if ls.field(*l).data_type() != rs.field(*r).data_type() {
                return unsupported("a join of columns of different types");
            }
        }
        let plain = ls.fields().len() == left_width && rs.fields().len() == right_width;
        let condition = join.filter.as_ref().map(|f| physical(f, &join.schema)).transpose()?;
        // What can fail for a row is left to a filter behind the join, which knows what to do with such rows.
        let (residual, behind) =
            if plain && condition.as_ref().is_none_or(cannot_fail) { (condition, None) } else { (None, condition) };
        let both: Vec<Field> = ls.fields().iter().chain(rs.fields()).map(|f| f.as_ref().clone()).collect();
        let wide: SchemaRef = if plain { arrow_schema(&join.schema) } else { Arc::new(Schema::new(renamed(both))) };
        let spec =
            EquiJoinSpec { kind, left: ls.clone(), right: rs, left_keys, right_keys, residual, schema: wide.clone() };
        let joined = Op::Join { left: Box::new(left), right: Box::new(right), spec };
        let joined = if plain {
            joined
        } else {
            let own = (0..left_width).chain(ls.fields().len()..ls.fields().len() + right_width);
            let columns = own.map(|i| column(&wide, i)).collect();
            Op::Map { input: Box::new(joined), predicate: None, columns, schema: arrow_schema(&join.schema) }
        };
        Ok(match behind {
            Some(condition) => keep_if(joined, condition),
            None => joined,
        })
    }
}

/// Comparisons of columns and constants, and what AND, OR and NOT make of them.
fn cannot_fail(condition: &Arc<dyn PhysicalExpr>) -> bool {
    use Operator as O;
    let compares = condition.downcast_ref::<BinaryExpr>().is_some_and(|b| {
        let comparisons = [O::Eq, O::NotEq, O::Lt, O::LtEq, O::Gt, O::GtEq, O::IsDistinctFrom, O::IsNotDistinctFrom];
        matches!(b.op(), O::And | O::Or) || comparisons.contains(b.op())
    });
    let is_plain = condition.downcast_ref::<Column>().is_some()
        || condition.downcast_ref::<Literal>().is_some()
        || condition.downcast_ref::<NotExpr>().is_some()
        || condition.downcast_ref::<IsNullExpr>().is_some()
        || condition.downcast_ref::<IsNotNullExpr>().is_some();
    (compares || is_plain) && condition.children().into_iter().all(cannot_fail)
}

fn renamed(fields: Vec<Field>) -> Vec<Field> {
    fields.into_iter().enumerate().map(|(i, f)| f.with_name(format!("c{i}")).with_nullable(true)).collect()
}

/// The input with a column for each key expression that is not a column already, and the keys' indices.
fn with_keys(input: Op, keys: &[&Expr], from: &DFSchema) -> Lowered<(Op, Vec<usize>)> {
    let below = input.schema();
    let mut columns: Vec<Arc<dyn PhysicalExpr>> = (0..below.fields().len()).map(|i| column(&below, i)).collect();
    let mut fields: Vec<Field> = below.fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut indices = Vec::new();
    for key in keys {
        let expr = physical(key, from)?;
        let found = columns.iter().position(|c| c.eq(&expr));
        indices.push(found.unwrap_or(columns.len()));
        if found.is_none() {
            fields.push(Field::new(format!("k{}", columns.len()), type_of(&below, &expr)?, true));
            columns.push(expr);
        }
    }
    if columns.len() == below.fields().len() {
        return Ok((input, indices));
    }
    let schema = Arc::new(Schema::new(fields));
    Ok((Op::Map { input: Box::new(input), predicate: None, columns, schema }, indices))
}
