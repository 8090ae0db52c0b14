//! An expression with its constants in a table.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::compute::concat_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::sqlparser::ast::{Expr, Ident, Value, ValueWithSpan, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::SparkSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use sluice_pipelines::sql::plan_query;

use super::cases::Case;

/// The table of constants.
const TABLE: &str = "constants";

/// The query that takes the constants of an expression from a table of two rows, which is registered; none when the case
/// is a query or has no constants.
pub async fn lift(context: &SessionContext, case: &Case) -> Option<String> {
    // What is an INT with its sign is none without; aggregates see two rows.
    let other = ["interval", "2147483648", "array_agg"];
    if case.is_query() || other.iter().any(|text| case.sql.contains(text)) {
        return None;
    }
    let mut parsed = Parser::parse_sql(&SparkSqlDialect {}, &case.query()).ok()?;
    let mut constants = Constants(Vec::new());
    let _ = VisitMut::visit(&mut parsed, &mut constants);
    if constants.0.is_empty() {
        return None;
    }
    let columns: Vec<String> = constants.0.iter().enumerate().map(|(i, c)| format!("{c} as c{i}")).collect();
    let planned = plan_query(context, &format!("select {}", columns.join(", "))).await.ok()?;
    let rows = DataFrame::new(context.state(), planned.plan).collect().await.ok()?;
    let rows = concat_batches(&rows[0].schema(), rows.iter().chain(&rows)).ok()?;
    let _ = context.deregister_table(TABLE);
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).ok()?;
    context.register_table(TABLE, Arc::new(table)).ok()?;
    Some(format!("{} from {TABLE}", parsed[0]))
}

/// The constants that were found; each becomes a column.
struct Constants(Vec<String>);

impl VisitorMut for Constants {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_constant = match expr {
            Expr::TypedString(_) => true,
            Expr::Value(ValueWithSpan { value, .. }) => {
                matches!(value, Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_))
            }
            _ => false,
        };
        if is_constant {
            let name = Ident::new(format!("c{}", self.0.len()));
            self.0.push(expr.to_string());
            *expr = Expr::Identifier(name);
        }
        ControlFlow::Continue(())
    }
}
