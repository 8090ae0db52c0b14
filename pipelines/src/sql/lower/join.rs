//! Joins.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, NullEquality};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlanBuilder, Operator, col, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, IsNotNullExpr, IsNullExpr, Literal, NotExpr};
use datafusion::physical_expr::utils::collect_columns;
use sluice_operators::join::equi::{EquiJoinSpec, JoinKind};

use super::rows::keep_if;
use super::{Lowered, Lowering, Op, Unsupported, arrow_schema, column, physical, type_of, unsupported};

/// A side of a join: the columns of its input, then those made for keys and conditions.
struct SideOf {
    input: Op,
    below: SchemaRef,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<Field>,
}

impl SideOf {
    fn new(input: Op) -> Self {
        let below = input.schema();
        let columns = (0..below.fields().len()).map(|i| column(&below, i)).collect();
        let fields = below.fields().iter().map(|f| f.as_ref().clone()).collect();
        Self { input, below, columns, fields }
    }

    fn width(&self) -> usize {
        self.below.fields().len()
    }

    /// The index of an expression over the input, added if it is not there.
    fn place(&mut self, expr: Arc<dyn PhysicalExpr>) -> Lowered<usize> {
        if let Some(i) = self.columns.iter().position(|c| c.eq(&expr)) {
            return Ok(i);
        }
        self.fields.push(Field::new(format!("k{}", self.columns.len()), type_of(&self.below, &expr)?, true));
        self.columns.push(expr);
        Ok(self.columns.len() - 1)
    }

    fn keys(&mut self, keys: &[&Expr], from: &DFSchema) -> Lowered<Vec<usize>> {
        keys.iter().map(|key| self.place(physical(key, from)?)).collect()
    }

    /// The input with all columns.
    fn into_op(self) -> Op {
        if self.columns.len() == self.width() {
            return self.input;
        }
        let schema = Arc::new(Schema::new(self.fields));
        Op::Map { input: Box::new(self.input), predicate: None, columns: self.columns, schema }
    }
}

impl Lowering<'_> {
    pub(super) fn join(&self, join: &Join) -> Lowered {
        if join.null_aware {
            return self.not_in(join);
        }
        self.equi_join(join)
    }

    fn equi_join(&self, join: &Join) -> Lowered {
        let (kind, swapped) = kind_of(join.join_type);
        let (mut sides, mut from) = ((&join.left, &join.right), (join.left.schema(), join.right.schema()));
        let (mut left_on, mut right_on): (Vec<&Expr>, Vec<&Expr>) = join.on.iter().map(|(l, r)| (l, r)).unzip();
        if swapped {
            (sides, from) = ((sides.1, sides.0), (from.1, from.0));
            std::mem::swap(&mut left_on, &mut right_on);
        }
        let (mut left, mut right) = (SideOf::new(self.plan(sides.0)?), SideOf::new(self.plan(sides.1)?));
        let (left_keys, right_keys) = (left.keys(&left_on, from.0)?, right.keys(&right_on, from.1)?);
        for (l, r) in left_keys.iter().zip(&right_keys) {
            if left.fields[*l].data_type() != right.fields[*r].data_type() {
                return unsupported("a join of columns of different types");
            }
        }
        let both = from.0.join(from.1).map_err(|e| Unsupported(e.to_string()))?;
        let mut residual = None;
        if let Some(filter) = &join.filter {
            let width = left.width();
            let condition = renumbered(physical(filter, &both)?, |i| if i < width { i } else { RIGHT + i - width })?;
            // Of an inner join the pairs alone are asked.
            let asks_rows = kind != JoinKind::Inner;
            residual = Some(if asks_rows { one_sided(condition, &mut left, &mut right)? } else { condition });
        }
        // What can fail for a row is left to a filter behind the join, which knows what to do with such rows.
        let fails = residual.as_ref().is_some_and(|c| !cannot_fail(c));
        if fails && kind != JoinKind::Inner {
            return unsupported(format!("a {} join with a condition over both sides that can fail", name_of(join)));
        }
        let (widths, wide) = ((left.width(), right.width()), left.fields.len());
        let residual = residual.map(|c| renumbered(c, |i| if i < RIGHT { i } else { i - RIGHT + wide })).transpose()?;
        let (left, right) = (left.into_op(), right.into_op());
        let (ls, rs) = (left.schema(), right.schema());
        let schema = joined_schema(kind, &ls, &rs);
        let (condition, behind) = if fails { (None, residual) } else { (residual, None) };
        let spec = EquiJoinSpec {
            kind,
            left: ls,
            right: rs,
            left_keys,
            right_keys,
            nulls_match: join.null_equality == NullEquality::NullEqualsNull,
            residual: condition,
            schema: schema.clone(),
        };
        let mut joined = Op::Join { left: Box::new(left), right: Box::new(right), spec };
        if let Some(condition) = behind {
            joined = keep_if(joined, condition);
        }
        let own = match kind {
            JoinKind::Semi | JoinKind::Anti => (0..widths.0).collect::<Vec<_>>(),
            JoinKind::Mark => (0..widths.0).chain([wide]).collect(),
            _ => (0..widths.0).chain(wide..wide + widths.1).collect(),
        };
        let columns = own.into_iter().map(|i| column(&schema, i)).collect();
        Ok(Op::Map { input: Box::new(joined), predicate: None, columns, schema: arrow_schema(&join.schema) })
    }

    /// `x not in (select y ...)`: no row at all where some y is NULL, and an x that is NULL only where there is no y. So
    /// the rows without a match are held against how many y there are.
    fn not_in(&self, join: &Join) -> Lowered {
        let ([(x, y)], None) = (join.on.as_slice(), &join.filter) else {
            return unsupported("NOT IN with a subquery that depends on the row; use NOT EXISTS");
        };
        let failed = |e: datafusion::error::DataFusionError| Unsupported(e.to_string());
        let unmatched = self.equi_join(join)?;
        let counts = LogicalPlanBuilder::from(join.right.clone());
        let counts =
            counts.aggregate(Vec::<Expr>::new(), vec![count(lit(1)).alias("n"), count(y.clone()).alias("valid")]);
        let counts = counts.and_then(LogicalPlanBuilder::build).map_err(failed)?;
        let both = join.left.schema().join(counts.schema()).map_err(failed)?;
        let valid = col("valid").eq(col("n")).and(x.clone().is_not_null());
        let condition = physical(&col("n").eq(lit(0i64)).or(valid), &both)?;
        let counts = self.plan(&counts)?;
        let (left, right) = (unmatched.schema(), counts.schema());
        let schema = joined_schema(JoinKind::Inner, &left, &right);
        let columns = (0..left.fields().len()).map(|i| column(&schema, i)).collect();
        let spec = EquiJoinSpec {
            kind: JoinKind::Inner,
            left,
            right,
            left_keys: vec![],
            right_keys: vec![],
            nulls_match: false,
            residual: None,
            schema,
        };
        let beside = keep_if(Op::Join { left: Box::new(unmatched), right: Box::new(counts), spec }, condition);
        Ok(Op::Map { input: Box::new(beside), predicate: None, columns, schema: arrow_schema(&join.schema) })
    }
}

fn kind_of(join: JoinType) -> (JoinKind, bool) {
    match join {
        JoinType::Inner => (JoinKind::Inner, false),
        JoinType::Left => (JoinKind::Left, false),
        JoinType::Right => (JoinKind::Right, false),
        JoinType::Full => (JoinKind::Full, false),
        JoinType::LeftSemi => (JoinKind::Semi, false),
        JoinType::RightSemi => (JoinKind::Semi, true),
        JoinType::LeftAnti => (JoinKind::Anti, false),
        JoinType::RightAnti => (JoinKind::Anti, true),
        JoinType::LeftMark => (JoinKind::Mark, false),
        JoinType::RightMark => (JoinKind::Mark, true),
    }
}

fn name_of(join: &Join) -> String {
    join.join_type.to_string().to_lowercase()
}

/// What the operator gives: its sides' columns under names of its own.
fn joined_schema(kind: JoinKind, left: &Schema, right: &Schema) -> SchemaRef {
    let mut types: Vec<DataType> = left.fields().iter().map(|f| f.data_type().clone()).collect();
    match kind {
        JoinKind::Semi | JoinKind::Anti => {}
        JoinKind::Mark => types.push(DataType::Boolean),
        _ => types.extend(right.fields().iter().map(|f| f.data_type().clone())),
    }
    let fields = types.into_iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Where the right side's columns begin while it is not known how many the left side has.
const RIGHT: usize = 1 << 20;

/// The expression with other columns.
fn renumbered(expr: Arc<dyn PhysicalExpr>, number: impl Fn(usize) -> usize) -> Lowered<Arc<dyn PhysicalExpr>> {
    let renumber = |e: Arc<dyn PhysicalExpr>| {
        Ok(match e.downcast_ref::<Column>() {
            Some(c) => Transformed::yes(Arc::new(Column::new(c.name(), number(c.index()))) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(e),
        })
    };
    expr.transform_up(renumber).map(|t| t.data).map_err(|e| Unsupported(e.to_string()))
}

/// The condition with each part that can fail and looks at one side only as a column of that side.
fn one_sided(
    condition: Arc<dyn PhysicalExpr>,
    left: &mut SideOf,
    right: &mut SideOf,
) -> Lowered<Arc<dyn PhysicalExpr>> {
    let used = collect_columns(&condition);
    let is_right = |c: &Column| c.index() >= RIGHT;
    if !is_plain(&condition) && !used.is_empty() && !used.iter().any(is_right) {
        let placed = left.place(condition)?;
        return Ok(Arc::new(Column::new("k", placed)));
    }
    if !is_plain(&condition) && !used.is_empty() && used.iter().all(is_right) {
        let placed = right.place(renumbered(condition, |i| i - RIGHT)?)?;
        return Ok(Arc::new(Column::new("k", RIGHT + placed)));
    }
    let children = condition.children().into_iter().cloned().collect::<Vec<_>>();
    if children.is_empty() {
        return Ok(condition);
    }
    let children = children.into_iter().map(|c| one_sided(c, left, right)).collect::<Lowered<Vec<_>>>()?;
    condition.with_new_children(children).map_err(|e| Unsupported(e.to_string()))
}

/// True for columns, constants, comparisons and what AND, OR and NOT make of them, whatever is inside.
fn is_plain(expr: &Arc<dyn PhysicalExpr>) -> bool {
    use Operator as O;
    let compares = expr.downcast_ref::<BinaryExpr>().is_some_and(|b| {
        let comparisons = [O::Eq, O::NotEq, O::Lt, O::LtEq, O::Gt, O::GtEq, O::IsDistinctFrom, O::IsNotDistinctFrom];
        matches!(b.op(), O::And | O::Or) || comparisons.contains(b.op())
    });
    compares
        || expr.downcast_ref::<Column>().is_some()
        || expr.downcast_ref::<Literal>().is_some()
        || expr.downcast_ref::<NotExpr>().is_some()
        || expr.downcast_ref::<IsNullExpr>().is_some()
        || expr.downcast_ref::<IsNotNullExpr>().is_some()
}

fn cannot_fail(condition: &Arc<dyn PhysicalExpr>) -> bool {
    is_plain(condition) && condition.children().into_iter().all(cannot_fail)
}
