//! LATERAL VIEW explode(...), and explode(...) in the SELECT list: a row for each element of a list.

use std::ops::ControlFlow;

use super::template::{Parts, as_table, table_name};
use datafusion::sql::sqlparser::ast::*;

/// The table of rows with their elements, when the query names none.
const EXPLODED: &str = "__exploded_rows";

/// `from t lateral view explode(l) e as x` becomes `from (select *, unnest(l) as x from t) as t`.
pub(super) fn views(select: &mut Select) -> Result<(), String> {
    for view in std::mem::take(&mut select.lateral_views) {
        let (list, keeps_empty) = exploded(&view.lateral_view)
            .map(|(list, outer)| (list.clone(), outer || view.outer))
            .ok_or_else(|| format!("LATERAL VIEW takes explode() or explode_outer(), not {}", view.lateral_view))?;
        let [column] = view.lateral_col_alias.as_slice() else {
            return Err(
                "LATERAL VIEW explode(list) has one column; name it: LATERAL VIEW explode(list) v AS column".into()
            );
        };
        select.from = unnested(list, keeps_empty, column, std::mem::take(&mut select.from))?;
        let mut unqualify = Unqualify { view: view.lateral_view_name.to_string(), column: column.clone() };
        // The visitor never breaks.
        let _ = select.visit(&mut unqualify);
    }
    Ok(())
}

/// `select a, explode(l) as x from t` becomes `select a, x from (select *, unnest(l) as x from t)`.
pub(super) fn generators(select: &mut Select) -> Result<(), String> {
    let mut found: Vec<(usize, Expr, bool, Ident)> = Vec::new();
    for (i, item) in select.projection.iter().enumerate() {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, Ident::new("col")),
            SelectItem::ExprWithAlias { expr, alias } => (expr, alias.clone()),
            _ => continue,
        };
        if let Some((list, outer)) = exploded(expr) {
            found.push((i, list.clone(), outer, alias));
        }
    }
    let (at, list, outer, alias) = match found.as_slice() {
        [] => return Ok(()),
        [(at, list, outer, alias)] => (*at, list, *outer, alias),
        _ => return Err("only one explode() in a SELECT list is possible; use LATERAL VIEW for each".into()),
    };
    // A name of its own: the table may have a column of the alias.
    let inner = Ident::new("__exploded");
    select.from = unnested(list.clone(), outer, &inner, std::mem::take(&mut select.from))?;
    select.projection[at] = SelectItem::ExprWithAlias { expr: Expr::Identifier(inner), alias: alias.clone() };
    Ok(())
}

/// The list of `explode(list)`, and whether a row without elements stays (`explode_outer`).
fn exploded(expr: &Expr) -> Option<(&Expr, bool)> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = expr else {
        return None;
    };
    let name = name.to_string().to_lowercase();
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] if name == "explode" || name == "explode_outer" => {
            Some((argument, name == "explode_outer"))
        }
        _ => None,
    }
}

/// The rows of `from` with a row for each element of their list.
fn unnested(
    list: Expr,
    keeps_empty: bool,
    column: &Ident,
    from: Vec<TableWithJoins>,
) -> Result<Vec<TableWithJoins>, String> {
    let name = table_name(&from, EXPLODED);
    let sql = if keeps_empty {
        // A list of one NULL stands for no list and for an empty one.
        "select *, unnest(case when __list is null or cardinality(__list) = 0 then make_array(null) else __list end) as x \
         from __from"
    } else {
        "select *, unnest(__list) as x from __from where __list is not null"
    };
    let parts = Parts { values: &[("__list", list)], by: &[], from, selection: None };
    let mut table = as_table(sql, parts, &name)?;
    if let [TableWithJoins { relation: TableFactor::Derived { subquery, .. }, .. }] = table.as_mut_slice()
        && let SetExpr::Select(select) = subquery.body.as_mut()
        && let Some(SelectItem::ExprWithAlias { alias, .. }) = select.projection.last_mut()
    {
        *alias = column.clone();
    }
    Ok(table)
}

/// `e.x` becomes `x`.
struct Unqualify {
    view: String,
    column: Ident,
}

impl VisitorMut for Unqualify {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [view, column] = parts.as_slice()
            && view.value.eq_ignore_ascii_case(&self.view)
            && column.value.eq_ignore_ascii_case(&self.column.value)
        {
            *expr = Expr::Identifier(column.clone());
        }
        ControlFlow::Continue(())
    }
}
