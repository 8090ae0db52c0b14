//! Aggregates that are others of a struct: `max_by`, `min_by`; and `approx_count_distinct`.

use datafusion::sql::sqlparser::ast::*;

use super::function;

/// The expression for a call of one of these; none for other calls.
pub(super) fn rewritten(call: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &call.args else { return None };
    let argument = |a: &FunctionArg| match a {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
        _ => None,
    };
    let args = list.args.iter().map(argument).collect::<Option<Vec<Expr>>>()?;
    match (call.name.to_string().to_lowercase().as_str(), args.as_slice()) {
        ("max_by", [value, by]) => Some(extreme(call, "max", value, by)),
        ("min_by", [value, by]) => Some(extreme(call, "min", value, by)),
        // How far it may be off is no matter: it counts exactly.
        ("approx_count_distinct", [value] | [value, _]) => Some(counted(call, value)),
        _ => None,
    }
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).with_empty_span())
}

fn nested(expr: &Expr) -> Box<Expr> {
    Box::new(Expr::Nested(Box::new(expr.clone())))
}

/// The greatest of pairs that are ordered by what the value is wanted for; of equals the one with the greatest value.
fn extreme(call: &Function, of: &str, value: &Expr, by: &Expr) -> Expr {
    let pair = function("named_struct", vec![text("by"), by.clone(), text("value"), value.clone()]);
    let known = Expr::IsNotNull(nested(by));
    let filter = match &call.filter {
        Some(filter) => Expr::BinaryOp { left: nested(filter), op: BinaryOperator::And, right: Box::new(known) },
        None => known,
    };
    let Expr::Function(mut aggregate) = function(of, vec![pair]) else { return Expr::Function(call.clone()) };
    aggregate.filter = Some(Box::new(filter));
    aggregate.over = call.over.clone();
    function("get_field", vec![Expr::Function(aggregate), text("value")])
}

fn counted(call: &Function, value: &Expr) -> Expr {
    let counted = function("approx_distinct", vec![value.clone()]);
    let Expr::Function(mut aggregate) = counted else { return Expr::Function(call.clone()) };
    (aggregate.filter, aggregate.over) = (call.filter.clone(), call.over.clone());
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Function(aggregate)),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    }
}
