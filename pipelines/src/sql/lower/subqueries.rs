//! Subqueries that are a value: each row beside the one row of the subquery.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::logical_expr::{Expr, FetchType, Limit, LogicalPlan};
use sluice_operators::join::equi::{EquiJoinSpec, JoinKind};

use super::{Lowered, Lowering, Op, Unsupported, unsupported};

impl Lowering<'_> {
    /// The input with a column for each subquery in the expressions, its columns, and the expressions over those.
    pub(super) fn with_values(
        &self,
        input: Op,
        schema: &DFSchemaRef,
        exprs: &[Expr],
    ) -> Lowered<(Op, DFSchemaRef, Vec<Expr>)> {
        let mut found: Vec<(Expr, Column)> = Vec::new();
        let mut replaced = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let replace = |e: Expr| {
                Ok(match &e {
                    Expr::ScalarSubquery(_) => {
                        let known = found.iter().find(|(subquery, _)| *subquery == e).map(|(_, c)| c.clone());
                        let column = known.unwrap_or_else(|| {
                            let column = Column::new_unqualified(format!("__value_{}", found.len()));
                            found.push((e.clone(), column.clone()));
                            column
                        });
                        Transformed::yes(Expr::Column(column))
                    }
                    _ => Transformed::no(e),
                })
            };
            replaced.push(expr.clone().transform_up(replace).map_err(|e| Unsupported(e.to_string()))?.data);
        }
        let (mut op, mut schema) = (input, schema.clone());
        for (subquery, column) in found {
            let Expr::ScalarSubquery(subquery) = subquery else { continue };
            if !subquery.outer_ref_columns.is_empty() {
                return unsupported("a subquery that depends on the row, in a form that is no join");
            }
            if !has_one_row(&subquery.subquery) {
                return unsupported("a subquery as a value that may have several rows; aggregate it, or add LIMIT 1");
            }
            let value = self.plan(&subquery.subquery)?;
            let field = Field::new(&column.name, value.schema().field(0).data_type().clone(), true);
            op = beside_one(op, value, field.clone());
            let with = DFSchema::from_unqualified_fields(vec![field].into(), Default::default());
            let with = with.and_then(|value| schema.join(&value)).map_err(|e| Unsupported(e.to_string()))?;
            schema = Arc::new(with);
        }
        Ok((op, schema, replaced))
    }
}

/// True when a query cannot have more than one row.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Limit(limit) => fetches_one(limit) || has_one_row(&limit.input),
        LogicalPlan::Sort(sort) => sort.fetch == Some(1) || has_one_row(&sort.input),
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::Filter(filter) => has_one_row(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        LogicalPlan::EmptyRelation(_) => true,
        _ => false,
    }
}

fn fetches_one(limit: &Limit) -> bool {
    matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(0 | 1))))
}

/// Each row beside the one row of `value`, or beside NULL.
fn beside_one(input: Op, value: Op, field: Field) -> Op {
    let (left, right) = (input.schema(), value.schema());
    let fields = left.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).chain([field]);
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let spec = EquiJoinSpec {
        kind: JoinKind::Left,
        left,
        right,
        left_keys: vec![],
        right_keys: vec![],
        nulls_match: false,
        residual: None,
        schema,
    };
    Op::Join { left: Box::new(input), right: Box::new(value), spec }
}
