//! Where in a query the planner's error is: it says what is wrong, and seldom where.

use std::ops::ControlFlow;

use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::*;

use super::model::plan_parsed;

/// Variants of a query that are planned to find a place, at most.
const TRIES_MAX: usize = 200;
/// Where a message goes on with what would have been right.
const RIGHT_NAMES: [&str; 4] = ["Valid fields are", "Did you mean", "did you mean", "Candidate functions"];

/// The line (from 1) of the query's text that the planner's `message` is about, where it can be found.
///
/// An expression is to blame when the query can be planned with a NULL in its place. Where the message has a name, only
/// what has that name is tried, and the first of it is taken if none alone is to blame (a name that is wrong twice).
pub(super) async fn line_of_fault(context: &SessionContext, query: &Query, message: &str) -> Option<usize> {
    let mut places = Places { names: names_in(message), ..Places::default() };
    let _ = query.visit(&mut places);
    let named: Vec<Place> = places.found.iter().filter(|place| place.is_named).cloned().collect();
    if let [only] = named.as_slice() {
        return Some(only.line);
    }
    let tried = if named.is_empty() { &places.found } else { &named };
    let to_blame = to_blame(context, query, message, tried).await;
    to_blame.or_else(|| named.first().map(|first| first.line))
}

/// The names that a message says are wrong, each without what qualifies it, in lower case.
pub(crate) fn names_in(message: &str) -> Vec<String> {
    let wrong = RIGHT_NAMES.iter().fold(message, |text, right| text.split(right).next().unwrap_or(text));
    let after_words = wrong.split("No field named ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    let quoted = ['\'', '"', '`'].into_iter().flat_map(|quote| wrong.split(quote).skip(1).step_by(2));
    let name = |text: &str| {
        let text = text.split('(').next().unwrap_or_default();
        let last = text.rsplit('.').find(|part| !part.is_empty()).unwrap_or_default();
        let last = last.trim_matches(|c: char| !(c.is_alphanumeric() || c == '_')).to_lowercase();
        (!last.is_empty() && last.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(last)
    };
    after_words.chain(quoted).filter_map(name).collect()
}

/// An expression or table of a query.
#[derive(Debug, Clone)]
struct Place {
    /// Which expression it is, in the order in which they are left; none for a table.
    at: Option<usize>,
    line: usize,
    is_named: bool,
}

/// All expressions of a query, inner ones first, and the tables that have one of the names.
#[derive(Default)]
struct Places {
    names: Vec<String>,
    expressions: usize,
    found: Vec<Place>,
}

impl Places {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|wrong| wrong.eq_ignore_ascii_case(name))
    }

    fn has_last(&self, name: &ObjectName) -> bool {
        let last = name.0.last().and_then(ObjectNamePart::as_ident);
        last.is_some_and(|ident| self.has(&ident.value))
    }
}

impl Visitor for Places {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let at = self.expressions;
        self.expressions += 1;
        let is_named = match expr {
            Expr::Identifier(ident) => self.has(&ident.value),
            Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|ident| self.has(&ident.value)),
            Expr::Function(call) => self.has_last(&call.name),
            _ => false,
        };
        if let Some(line) = line(expr.span()) {
            self.found.push(Place { at: Some(at), line, is_named });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if let Some(line) = line(relation.span()).filter(|_| self.has_last(relation)) {
            self.found.push(Place { at: None, line, is_named: true });
        }
        ControlFlow::Continue(())
    }
}

fn line(span: datafusion::sql::sqlparser::tokenizer::Span) -> Option<usize> {
    usize::try_from(span.start.line).ok().filter(|line| *line > 0)
}

/// The line of the first expression without which the query can be planned; else of the first without which the message
/// is another one.
async fn to_blame(context: &SessionContext, query: &Query, message: &str, places: &[Place]) -> Option<usize> {
    let mut other_message = None;
    for place in places.iter().filter(|place| place.at.is_some()).take(TRIES_MAX) {
        let mut without = Box::new(query.clone());
        let _ = VisitMut::visit(&mut without, &mut ReplaceByNull { left: place.at.unwrap_or_default() });
        match plan_parsed(context, without).await {
            Ok(_) => return Some(place.line),
            Err(error) if error.message != message => other_message = other_message.or(Some(place.line)),
            Err(_) => {}
        }
    }
    other_message
}

/// Puts a NULL in the place of one expression.
struct ReplaceByNull {
    /// Expressions that are left before it.
    left: usize,
}

impl VisitorMut for ReplaceByNull {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.left == 0 {
            *expr = Expr::Value(Value::Null.with_empty_span());
            return ControlFlow::Break(());
        }
        self.left -= 1;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that are wrong are told from those that would be right; qualifiers and arguments are left out.
    #[test]
    fn names_of_messages() {
        let names = |message: &str| names_in(message).join(" ");
        assert_eq!(names("No field named o.amout. Valid fields are o.id, o.amount."), "amout");
        assert_eq!(names("No field named \"Amout\". Did you mean 'amount'?"), "amout amout");
        assert_eq!(names("Invalid function 'summ'.\nDid you mean 'sum'?"), "summ");
        assert_eq!(names("table 'sluice.gold.orderz' not found"), "orderz");
        assert_eq!(names("No function matches the given name and argument types 'sum(Utf8)'."), "sum");
        assert_eq!(names("Cannot infer common argument type for comparison operation Int64 > Boolean"), "");
    }
}
