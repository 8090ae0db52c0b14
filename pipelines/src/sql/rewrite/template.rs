//! Queries that are written here with places for parts of the user's query. The parts are put in as they were parsed: text
//! of theirs is never read twice.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::*;
use datafusion::sql::sqlparser::dialect::SparkSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The table that stands for the user's FROM.
pub(super) const FROM: &str = "__from";
/// The expression that stands for the user's WHERE.
pub(super) const WHERE: &str = "__where";
/// The expression in PARTITION BY that stands for a list.
pub(super) const BY: &str = "__by";

/// What is put into a template.
#[derive(Clone)]
pub(super) struct Parts<'a> {
    /// For identifiers of these names.
    pub values: &'a [(&'a str, Expr)],
    /// For `__by`.
    pub by: &'a [Expr],
    /// For `__from`.
    pub from: Vec<TableWithJoins>,
    /// For `__where`; true when there is none.
    pub selection: Option<Expr>,
}

/// The query `sql` with the parts in it, as a table of that name.
pub(super) fn as_table(sql: &str, parts: Parts<'_>, name: &Ident) -> Result<Vec<TableWithJoins>, String> {
    let bug = || format!("a rewritten query cannot be read: {sql}");
    let statements = Parser::parse_sql(&SparkSqlDialect {}, sql).map_err(|_| bug())?;
    let Some(Statement::Query(mut subquery)) = statements.into_iter().next() else { return Err(bug()) };
    // The visitor never breaks.
    let _ = VisitMut::visit(subquery.as_mut(), &mut Filled(parts));
    let alias = TableAlias { explicit: true, name: name.clone(), columns: vec![], at: None };
    let relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    Ok(vec![TableWithJoins { relation, joins: vec![] }])
}

struct Filled<'a>(Parts<'a>);

impl Filled<'_> {
    fn stands_for(&self, name: &str) -> Option<Expr> {
        let nested = |e: &Expr| Expr::Nested(Box::new(e.clone()));
        if name == WHERE {
            let all = || Expr::Value(Value::Boolean(true).with_empty_span());
            return Some(self.0.selection.as_ref().map_or_else(all, nested));
        }
        self.0.values.iter().find(|(place, _)| *place == name).map(|(_, value)| nested(value))
    }
}

impl VisitorMut for Filled<'_> {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let is_place =
            |t: &TableWithJoins| matches!(&t.relation, TableFactor::Table { name, .. } if name.to_string() == FROM);
        if select.from.iter().any(is_place) {
            select.from = std::mem::take(&mut self.0.from);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => {
                if let Some(value) = self.stands_for(&name.value) {
                    *expr = value;
                }
            }
            Expr::Function(Function { over: Some(WindowType::WindowSpec(spec)), .. }) => {
                let is_place = |e: &Expr| matches!(e, Expr::Identifier(name) if name.value == BY);
                if spec.partition_by.iter().any(is_place) {
                    spec.partition_by = self.0.by.to_vec();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The name by which a query calls its one table; `other` when it has several, or calls it nothing.
pub(super) fn table_name(from: &[TableWithJoins], other: &str) -> Ident {
    let name = match from {
        [TableWithJoins { relation, joins }] if joins.is_empty() => match relation {
            TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
                Some(alias.name.clone())
            }
            TableFactor::Table { name, .. } => name.0.last().and_then(|part| part.as_ident()).cloned(),
            _ => None,
        },
        _ => None,
    };
    name.unwrap_or_else(|| Ident::new(other))
}
