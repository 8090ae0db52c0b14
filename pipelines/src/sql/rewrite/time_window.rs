//! `window()` and `session_window()` in GROUP BY, as queries over rows that have their window as a column.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::*;

use super::duration::duration_us;
use super::function;
use super::template::{Parts, as_table, table_name};

const START: &str = "__window_start";
const END: &str = "__window_end";
/// The time of a row that begins a session, NULL in others.
const FIRST: &str = "__window_first";
/// The table of rows with their windows, when the query names none.
const WINDOWED: &str = "__windowed";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of fixed size.
    Window,
    /// Ended by a gap.
    Session,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Window, Kind::Session];

    fn name(self) -> &'static str {
        match self {
            Kind::Window => "window",
            Kind::Session => "session_window",
        }
    }

    fn of_call(expr: &Expr) -> Option<Kind> {
        let Expr::Function(f) = expr else { return None };
        Kind::ALL.into_iter().find(|kind| f.over.is_none() && f.name.to_string().eq_ignore_ascii_case(kind.name()))
    }
}

/// `select window.start ... from t group by window(ts, '5 minutes')` becomes a query over t with the window's two ends
/// as columns. Hopping windows become a row for each window that a row falls into.
pub(super) fn lift(select: &mut Select) -> Result<(), String> {
    let projection = select.projection.clone();
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return Ok(()) };
    for key in keys.iter_mut() {
        if let Some(meant) = meant_by(key, &projection)
            && Kind::of_call(&meant).is_some()
        {
            *key = meant;
        }
    }
    let Some(at) = keys.iter().position(|k| Kind::of_call(k).is_some()) else { return Ok(()) };
    let call = keys.remove(at);
    if keys.iter().any(|k| Kind::of_call(k).is_some()) {
        return Err("two windows in one GROUP BY are not supported; use a CTE for each".into());
    }
    let others: Vec<Expr> = keys.iter().map(|k| meant_by(k, &projection).unwrap_or_else(|| k.clone())).collect();
    keys.insert(at, Expr::Identifier(Ident::new(START)));
    let kind = Kind::of_call(&call).unwrap_or(Kind::Window);
    let from = std::mem::take(&mut select.from);
    let name = table_name(&from, WINDOWED);
    let parts = Parts { values: &[], by: &others, from, selection: select.selection.take() };
    let (windowed, end) = match kind {
        Kind::Window => {
            keys.insert(at + 1, Expr::Identifier(Ident::new(END)));
            fixed(&call, parts, &name)?
        }
        Kind::Session => session(&call, parts, &name)?,
    };
    select.from = windowed;
    let mut replace = ReplaceWindow { call, kind, end };
    let mut broken = None;
    for item in &mut select.projection {
        broken = broken.or(item.visit(&mut replace).break_value());
    }
    if let Some(having) = &mut select.having {
        broken = broken.or(having.visit(&mut replace).break_value());
    }
    broken.map_or(Ok(()), Err)
}

/// What a key of GROUP BY stands for when it is the number or the alias of a column of the SELECT list.
fn meant_by(key: &Expr, projection: &[SelectItem]) -> Option<Expr> {
    match key {
        Expr::Value(ValueWithSpan { value: Value::Number(n, _), .. }) => {
            let item = projection.get(n.to_string().parse::<usize>().ok()?.checked_sub(1)?)?;
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
                _ => None,
            }
        }
        Expr::Identifier(name) => projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&name.value) => {
                Some(expr.clone())
            }
            _ => None,
        }),
        _ => None,
    }
}

/// Rows with the ends of their tumbling or hopping windows. A row without a time falls into no window.
fn fixed(call: &Expr, parts: Parts<'_>, name: &Ident) -> Result<(Vec<TableWithJoins>, Expr), String> {
    let (time, size_us, slide_us) = window_arguments(call)?;
    let rows = "from __from where __time is not null and __where";
    let sql = if slide_us == size_us {
        format!(
            "select *, sluice_window_start(__time, {size_us}) as {START}, sluice_window_end(__time, {size_us}) as {END} \
             {rows}"
        )
    } else {
        let hops = format!("select *, unnest(sluice_hops(__time, {size_us}, {slide_us})) as {START} {rows}");
        format!("select *, sluice_span_end({START}, {size_us}) as {END} from ({hops})")
    };
    let table = as_table(&sql, Parts { values: &[("__time", time)], ..parts }, name)?;
    Ok((table, Expr::Identifier(Ident::new(END))))
}

/// Rows with the start of their session, and the session's end over a session's rows. As Spark has it, a row exactly
/// one gap after the last one begins a new session.
fn session(call: &Expr, parts: Parts<'_>, name: &Ident) -> Result<(Vec<TableWithJoins>, Expr), String> {
    let (time, gap_us) = session_arguments(call)?;
    let by = if parts.by.is_empty() { "" } else { "partition by __by " };
    let last = format!("lag(__time) over ({by}order by __time)");
    let begins = format!("{last} is null or __time >= sluice_span_end({last}, {gap_us})");
    let marked = format!(
        "select *, case when {begins} then __time end as {FIRST} from __from where __time is not null and __where"
    );
    let inner = as_table(&marked, Parts { values: &[("__time", time.clone())], ..parts.clone() }, name)?;
    let sql = format!("select *, max({FIRST}) over ({by}order by __time) as {START} from __from");
    let outer = Parts { values: &[("__time", time.clone())], from: inner, ..parts };
    let number = Expr::Value(Value::Number(gap_us.to_string(), false).with_empty_span());
    let end = function("sluice_span_end", vec![function("max", vec![time]), number]);
    Ok((as_table(&sql, outer, name)?, end))
}

/// `window.start`, `window.end`, and the call itself repeated in the SELECT list.
struct ReplaceWindow {
    call: Expr,
    kind: Kind,
    end: Expr,
}

impl VisitorMut for ReplaceWindow {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let start = || Expr::Identifier(Ident::new(START));
        let name = self.kind.name();
        if let Expr::CompoundIdentifier(parts) = expr
            && let [window, field] = parts.as_slice()
            && window.value.eq_ignore_ascii_case(name)
        {
            match field.value.to_lowercase().as_str() {
                "start" => *expr = start(),
                "end" => *expr = self.end.clone(),
                other => return ControlFlow::Break(format!("a window has start and end, but no {other:?}")),
            }
        } else if matches!(expr, Expr::Identifier(i) if i.value.eq_ignore_ascii_case(name)) || *expr == self.call {
            let text = |name: &str| Expr::Value(Value::SingleQuotedString(name.into()).with_empty_span());
            *expr = function("named_struct", vec![text("start"), start(), text("end"), self.end.clone()]);
        }
        ControlFlow::Continue(())
    }
}

fn arguments(call: &Expr) -> Vec<&Expr> {
    let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = call else { return vec![] };
    let unnamed = |a| match a {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref e)) => Some(e),
        _ => None,
    };
    list.args.iter().filter_map(unnamed).collect()
}

fn duration(kind: Kind, expr: &Expr) -> Result<i64, String> {
    let name = kind.name();
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(s) | Value::DoubleQuotedString(s), .. }) => {
            duration_us(s).ok_or_else(|| format!("{name}(): {s:?} is no duration; write for instance '5 minutes'"))
        }
        other => Err(format!("{name}(): the duration must be a text such as '5 minutes', not {other}")),
    }
}

/// The time expression, and size and slide in microseconds.
fn window_arguments(call: &Expr) -> Result<(Expr, i64, i64), String> {
    let duration = |e| duration(Kind::Window, e);
    match arguments(call).as_slice() {
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

/// The time expression, and the gap in microseconds.
fn session_arguments(call: &Expr) -> Result<(Expr, i64), String> {
    match arguments(call).as_slice() {
        [time, gap] => Ok(((*time).clone(), duration(Kind::Session, gap)?)),
        _ => Err("session_window() takes a timestamp and a gap".into()),
    }
}
