//! What is changed in the parsed SQL before it is planned: Spark's forms that DataFusion does not know.

mod calls;
mod duration;
mod extremes;
mod lateral;
mod template;
mod time_window;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::*;

/// Rewrites a query in place.
///
/// # Errors
/// A message when a form is used in a way that cannot be rewritten.
pub fn spark_to_datafusion(query: &mut Query) -> Result<(), String> {
    let mut rewriter = Rewriter;
    match query.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(message) => Err(message),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = String;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        let rewritten =
            lateral::views(select).and_then(|()| lateral::generators(select)).and_then(|()| time_window::lift(select));
        match rewritten {
            Ok(()) => ControlFlow::Continue(()),
            Err(message) => ControlFlow::Break(message),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Pivot { .. } => ControlFlow::Break(
                "PIVOT is not supported; write an aggregate for each column, such as sum(case when k = 1 then v end) as \
                 one, and GROUP BY the others"
                    .into(),
            ),
            TableFactor::Unpivot { .. } => {
                ControlFlow::Break("UNPIVOT is not supported; write a SELECT for each column and UNION ALL them".into())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<String> {
        for part in &mut relation.0 {
            if let ObjectNamePart::Identifier(ident) = part {
                lower(ident);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match expr {
            Expr::Identifier(ident) => lower(ident),
            Expr::CompoundIdentifier(parts) => parts.iter_mut().for_each(lower),
            Expr::RLike { negated, expr: text, pattern, .. } => {
                let call = function("regexp_like", vec![(**text).clone(), (**pattern).clone()]);
                *expr = if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(call) } } else { call };
            }
            Expr::Function(call) => {
                if let Some(rewritten) = extremes::rewritten(call) {
                    *expr = rewritten;
                    return ControlFlow::Continue(());
                }
                return calls::spark_call(call);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Spark does not tell names apart by case, not even quoted ones.
fn lower(ident: &mut Ident) {
    ident.value = ident.value.to_lowercase();
}

/// A call of a function.
pub(super) fn function(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}
