//! What is changed in the parsed SQL before it is planned: Spark's forms that DataFusion does not know.

mod calls;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::*;
use datafusion::sql::sqlparser::dialect::SparkSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

const WINDOW: &str = "window";
const START: &str = "__window_start";
const END: &str = "__window_end";

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
        match lift_window(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(message) => ControlFlow::Break(message),
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
            Expr::Function(call) => return calls::spark_call(call),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Spark does not tell names apart by case, not even quoted ones.
fn lower(ident: &mut Ident) {
    ident.value = ident.value.to_lowercase();
}

fn function(name: &str, args: Vec<Expr>) -> Expr {
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

fn is_window_call(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(f) if f.over.is_none() && f.name.to_string().eq_ignore_ascii_case(WINDOW))
}

/// `select window.start ... from t group by window(ts, '5 minutes')` becomes a query over t with the window's two ends
/// as columns. Hopping windows become a row for each window that a row falls into.
fn lift_window(select: &mut Select) -> Result<(), String> {
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return Ok(()) };
    let Some(at) = keys.iter().position(is_window_call) else { return Ok(()) };
    let call = keys.remove(at);
    keys.insert(at, Expr::Identifier(Ident::new(START)));
    keys.insert(at + 1, Expr::Identifier(Ident::new(END)));
    if keys.iter().any(is_window_call) {
        return Err("two window() calls in one GROUP BY are not supported; use a CTE for each".into());
    }
    let (time, size_us, slide_us) = window_arguments(&call)?;
    let source = source_text(&std::mem::take(&mut select.from), select.selection.take(), &time);
    let windowed = if slide_us == size_us {
        format!(
            "select *, sluice_window_start({time}, {size_us}) as {START}, \
             sluice_window_end({time}, {size_us}) as {END} {source}"
        )
    } else {
        let hops = format!("select *, unnest(sluice_hops({time}, {size_us}, {slide_us})) as {START} {source}");
        format!("select *, sluice_span_end({START}, {size_us}) as {END} from ({hops})")
    };
    let from = parse_from(&windowed)?;
    select.from = from;
    let mut replace = ReplaceWindow { call };
    for item in &mut select.projection {
        if let ControlFlow::Break(message) = item.visit(&mut replace) {
            return Err(message);
        }
    }
    if let Some(having) = &mut select.having
        && let ControlFlow::Break(message) = having.visit(&mut replace)
    {
        return Err(message);
    }
    Ok(())
}

/// FROM and WHERE as text; a row without a time falls into no window.
fn source_text(from: &[TableWithJoins], selection: Option<Expr>, time: &Expr) -> String {
    let from = from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let and = selection.map(|s| format!(" and ({s})")).unwrap_or_default();
    format!("from {from} where {time} is not null{and}")
}

fn parse_from(sql: &str) -> Result<Vec<TableWithJoins>, String> {
    let outer = format!("select 1 from ({sql}) as __windowed");
    let parsed = Parser::parse_sql(&SparkSqlDialect {}, &outer).map_err(|e| format!("window(): {e}"))?;
    let body = match parsed.into_iter().next() {
        Some(Statement::Query(query)) => *query.body,
        _ => return Err("window() could not be rewritten".into()),
    };
    match body {
        SetExpr::Select(select) => Ok(select.from),
        _ => Err("window() could not be rewritten".into()),
    }
}

/// `window.start`, `window.end`, and the call itself repeated in the SELECT list.
struct ReplaceWindow {
    call: Expr,
}

impl VisitorMut for ReplaceWindow {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let column = |name| Expr::Identifier(Ident::new(name));
        if let Expr::CompoundIdentifier(parts) = expr
            && let [window, field] = parts.as_slice()
            && window.value.eq_ignore_ascii_case(WINDOW)
        {
            match field.value.to_lowercase().as_str() {
                "start" => *expr = column(START),
                "end" => *expr = column(END),
                other => return ControlFlow::Break(format!("a window has start and end, but no {other:?}")),
            }
        } else if matches!(expr, Expr::Identifier(i) if i.value.eq_ignore_ascii_case(WINDOW)) || *expr == self.call {
            let text = |name: &str| Expr::Value(Value::SingleQuotedString(name.into()).with_empty_span());
            *expr = function("named_struct", vec![text("start"), column(START), text("end"), column(END)]);
        }
        ControlFlow::Continue(())
    }
}

/// The time expression, and size and slide in microseconds.
fn window_arguments(call: &Expr) -> Result<(Expr, i64, i64), String> {
    let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = call else {
        return Err("window() needs a timestamp and a duration".into());
    };
    let args: Vec<&Expr> = list
        .args
        .iter()
        .filter_map(|a| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
            _ => None,
        })
        .collect();
    let duration = |e: &Expr| match e {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(s) | Value::DoubleQuotedString(s), .. }) => {
            duration_us(s).ok_or_else(|| format!("window(): {s:?} is no duration; write for instance '5 minutes'"))
        }
        other => Err(format!("window(): the duration must be a text such as '5 minutes', not {other}")),
    };
    match args.as_slice() {
        [time, size] => {
            let size = duration(size)?;
            Ok(((*time).clone(), size, size))
        }
        [time, size, slide] => {
            let (size, slide) = (duration(size)?, duration(slide)?);
            if slide > size {
                return Err(
                    "window(): the slide is longer than the window, so rows between windows would be lost".into()
                );
            }
            Ok(((*time).clone(), size, slide))
        }
        _ => Err("window() takes a timestamp, a duration and perhaps a slide; a start time is not supported".into()),
    }
}

/// A Spark duration such as `5 minutes` or `1 hour 30 minutes`, in microseconds.
pub fn duration_us(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.strip_prefix(&["interval"]).unwrap_or(&words);
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return None;
    }
    let mut total = 0i64;
    for pair in words.chunks(2) {
        let unit: i64 = match pair[1].to_lowercase().trim_end_matches('s') {
            "microsecond" => 1,
            "millisecond" => 1_000,
            "second" => 1_000_000,
            "minute" => 60_000_000,
            "hour" => 3_600_000_000,
            "day" => 86_400_000_000,
            "week" => 604_800_000_000,
            _ => return None,
        };
        total = total.checked_add(pair[0].parse::<i64>().ok()?.checked_mul(unit)?)?;
    }
    (total > 0).then_some(total)
}
