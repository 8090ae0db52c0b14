//! A query as text to a plan whose columns have the names and types that the table will have.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Volatility, col};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as DataFusionStatement;
use datafusion::sql::sqlparser::ast::{Query, SelectItem, SetExpr, Statement};

use super::dialect;
use super::place::line_of_fault;
use super::rewrite::spark_to_datafusion;
use super::types::stored;

/// SQL that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// What is wrong; the parser's says where (line and column are of the rendered SQL).
    pub message: String,
    /// The line of the rendered SQL, from 1, of what the planner refuses, where it can be found.
    pub line: Option<usize>,
}

impl SqlError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: None }
    }
}

/// A query that was planned.
#[derive(Debug, Clone)]
pub struct PlannedModel {
    /// The optimized plan; its output has `schema`'s types, in lower-case names.
    pub plan: LogicalPlan,
    /// The table's columns: names as the SQL wrote them, types as tables store them.
    pub schema: SchemaRef,
    /// A function in it that has another value at each time (`now`) or at each call (`uuid`), if there is one. The plan
    /// may hold its value of the moment.
    pub changing: Option<String>,
}

/// Parses and plans a query over the tables that `context` knows.
///
/// # Errors
/// [`SqlError`] with the parser's or the planner's words.
pub async fn plan_query(context: &SessionContext, sql: &str) -> Result<PlannedModel, SqlError> {
    let query = parse(sql)?;
    match plan_parsed(context, query.clone()).await {
        Ok(planned) => Ok(planned),
        Err(error) => {
            let line = line_of_fault(context, &query, &error.message).await;
            Err(SqlError { line, ..error })
        }
    }
}

/// Plans a query that was parsed.
pub(super) async fn plan_parsed(context: &SessionContext, mut query: Box<Query>) -> Result<PlannedModel, SqlError> {
    let written = written_names(&query);
    spark_to_datafusion(&mut query).map_err(SqlError::new)?;
    let statement = DataFusionStatement::Statement(Box::new(Statement::Query(query)));
    let planned = context.state().statement_to_plan(statement).await;
    let plan = planned.map_err(|e| refused(&e, &written))?;
    let changing = changing_function(&plan).map_err(|e| refused(&e, &written))?;
    let plan = as_stored(plan).map_err(|e| refused(&e, &written))?;
    let plan = context.state().optimize(&plan).map_err(|e| SqlError::new(plain(&e)))?;
    let named = |(i, f): (usize, &Arc<Field>)| {
        let name = written.get(i).cloned().flatten().filter(|w| w.to_lowercase() == *f.name());
        Field::new(name.unwrap_or_else(|| f.name().clone()), f.data_type().clone(), true)
    };
    let fields: Vec<Field> = plan.schema().fields().iter().enumerate().map(named).collect();
    if let Some(fault) = two_of_one_name(fields.iter().map(|f| f.name().to_lowercase()).collect()) {
        return Err(fault);
    }
    Ok(PlannedModel { schema: Arc::new(Schema::new(fields)), plan, changing })
}

/// The first function whose value does not follow from its arguments. Asked before the optimizer puts in the value.
fn changing_function(plan: &LogicalPlan) -> datafusion::error::Result<Option<String>> {
    let mut found = None;
    let mut of_expression = |expr: &Expr| {
        Ok(match expr {
            Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
                found = Some(call.func.name().to_owned());
                TreeNodeRecursion::Stop
            }
            _ => TreeNodeRecursion::Continue,
        })
    };
    plan.apply_with_subqueries(|node| node.apply_expressions(|expr| expr.apply(&mut of_expression)))?;
    Ok(found)
}

/// What the planner refuses, in its words, or in better ones.
fn refused(error: &datafusion::error::DataFusionError, written: &[Option<String>]) -> SqlError {
    let message = plain(error);
    // The planner sees two columns of one name as an ambiguity of its own schema, and says so in its own terms.
    let is_ambiguous = message.contains("ambiguous") || message.contains("unique expression names");
    let names = written.iter().flatten().map(|name| name.to_lowercase()).collect();
    two_of_one_name(names).filter(|_| is_ambiguous).unwrap_or_else(|| SqlError::new(message))
}

fn two_of_one_name(mut names: Vec<String>) -> Option<SqlError> {
    names.sort();
    let twice = names.windows(2).find(|w| w[0] == w[1])?;
    Some(SqlError::new(format!("two columns are named {:?}; give one of them another name with AS", twice[0])))
}

fn parse(sql: &str) -> Result<Box<Query>, SqlError> {
    let statements = dialect::parse(sql)
        .map_err(|e| SqlError::new(e.to_string().replace("sql parser error: ", "the SQL does not parse: ")))?;
    let mut statements = statements.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) => Ok(query),
        (Some(other), None) => {
            let text = other.to_string();
            let start: String = text.chars().take(40).collect();
            Err(SqlError::new(format!("one SELECT is wanted, not {start:?}")))
        }
        (None, _) => Err(SqlError::new("the SQL is empty; write one SELECT")),
        (_, Some(_)) => Err(SqlError::new("there is more than one statement; write one SELECT")),
    }
}

/// The column names of the first SELECT as they were written, where they can be known.
fn written_names(query: &Query) -> Vec<Option<String>> {
    let mut body = &*query.body;
    loop {
        match body {
            SetExpr::Select(select) => {
                let name = |item: &SelectItem| match item {
                    SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
                    SelectItem::UnnamedExpr(e) => e.to_string().rsplit('.').next().map(|n| n.trim_matches('`').into()),
                    _ => None,
                };
                let stars = select
                    .projection
                    .iter()
                    .any(|i| matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
                return if stars { vec![] } else { select.projection.iter().map(name).collect() };
            }
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(inner) => body = &inner.body,
            _ => return vec![],
        }
    }
}

/// Casts each column to the type that tables store.
fn as_stored(plan: LogicalPlan) -> datafusion::error::Result<LogicalPlan> {
    let schema = plan.schema().clone();
    let column = |(qualifier, field): (Option<&datafusion::common::TableReference>, &Arc<Field>)| {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let wanted = stored(field.data_type());
        let name = field.name().to_lowercase();
        let cast = if wanted == *field.data_type() { column } else { column.cast_to(&wanted, &schema)? };
        Ok(cast.alias(name))
    };
    let columns = schema.iter().map(column).collect::<datafusion::error::Result<Vec<_>>>()?;
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// What DataFusion's messages hold for its developers. It calls wrong arguments of a function a bug of its own.
const NOISE: &[&str] = &[
    "Error during planning: ",
    "Schema error: ",
    "Internal error: ",
    "Optimizer rule ",
    "type_coercion\ncaused by\n",
    "\nThis issue was likely caused by a bug in DataFusion's code. Please help us to resolve this by filing a bug report in \
     our issue tracker: https://github.com/apache/datafusion/issues",
];

/// DataFusion's message without what only its developers need.
pub fn plain(error: &datafusion::error::DataFusionError) -> String {
    let text = error.strip_backtrace();
    NOISE.iter().fold(text, |t, noise| t.replace(noise, "")).trim().to_owned()
}

/// The same columns with lower-case names, as SQL sees a table.
pub fn lower_case(schema: &Schema) -> SchemaRef {
    let lower = |f: &Arc<Field>| f.as_ref().clone().with_name(f.name().to_lowercase()).with_nullable(true);
    Arc::new(Schema::new(schema.fields().iter().map(lower).collect::<Vec<_>>()))
}

/// A column by name, without a change of case.
pub fn exact_column(name: &str) -> Expr {
    let mut expr = col("x");
    if let Expr::Column(column) = &mut expr {
        column.name = name.to_owned();
    }
    expr
}
