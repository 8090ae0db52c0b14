//! A logical plan onto our operators.
//!
//! What has no operator yet is [`Unsupported`], with the reason that `sluice plan` shows; such a model runs as `refresh`.

mod aggregate;
mod first_rows;
mod grouping_sets;
mod join;
mod kept;
mod limit;
mod over;
mod rows;
mod subqueries;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::op::Op;
use super::times::Times;

/// Why a plan cannot run as a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(pub String);

type Lowered<T = Op> = Result<T, Unsupported>;

fn unsupported<T>(why: impl Into<String>) -> Lowered<T> {
    Err(Unsupported(why.into()))
}

/// What lowering knows of tables. Those that are refreshed are not in the map.
pub type Tables = BTreeMap<String, Table>;

/// What lowering knows of a table.
#[derive(Debug, Clone)]
pub struct Table {
    /// True when it never takes rows back.
    pub append_only: bool,
    /// How its columns follow event time.
    pub times: Times,
}

/// Lowers a plan.
///
/// # Errors
/// [`Unsupported`] with the first thing that has no operator.
pub fn lower(plan: &LogicalPlan, tables: &Tables) -> Lowered {
    Lowering { tables }.plan(plan)
}

struct Lowering<'a> {
    tables: &'a Tables,
}

impl Lowering<'_> {
    fn plan(&self, plan: &LogicalPlan) -> Lowered {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => rows::constant(plan),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Window(window) => self.over(self.plan(&window.input)?, window, None),
            other => unsupported(format!("{}", other.display())),
        }
    }
}

/// An expression over rows of `input`, ready to run.
fn physical(expr: &Expr, input: &DFSchema) -> Lowered<Arc<dyn PhysicalExpr>> {
    use datafusion::logical_expr::expr::Expr as E;
    let mut inner = expr;
    while let E::Alias(alias) = inner {
        inner = &alias.expr;
    }
    create_physical_expr(inner, input, &ExecutionProps::new(), &Default::default())
        .map_err(|e| Unsupported(format!("the expression {expr}: {}", super::model::plain(&e))))
}

/// A plan's output as an Arrow schema in which every column may be NULL: batches are checked against it.
fn arrow_schema(schema: &DFSchema) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| Field::new(f.name(), f.data_type().clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn column(schema: &Schema, index: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(schema.field(index).name(), index))
}

fn type_of(schema: &SchemaRef, expr: &Arc<dyn PhysicalExpr>) -> Lowered<DataType> {
    expr.data_type(schema).map_err(|e| Unsupported(format!("the expression {expr}: {}", super::model::plain(&e))))
}
