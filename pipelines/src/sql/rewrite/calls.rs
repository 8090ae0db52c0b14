//! Calls of functions that Spark has under another name or in another form.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::*;

/// Spark's names, and DataFusion's for the same function.
const RENAMED: &[(&str, &str)] = &[
    ("any", "bool_or"),
    ("any_value", "first_value"),
    ("array_remove", "array_remove_all"),
    ("cardinality", "size"),
    ("curdate", "current_date"),
    ("datepart", "date_part"),
    ("every", "bool_and"),
    ("first", "first_value"),
    ("last", "last_value"),
    ("listagg", "string_agg"),
    ("some", "bool_or"),
    ("std", "stddev"),
    ("try_avg", "avg"),
    ("variance", "var_samp"),
];

/// Rewrites a call in place; breaks with a message when it cannot be.
pub(super) fn spark_call(call: &mut Function) -> ControlFlow<String> {
    let name = call.name.to_string().to_lowercase();
    if let Some((_, renamed)) = RENAMED.iter().find(|(spark, _)| *spark == name) {
        call.name = ObjectName::from(vec![Ident::new(*renamed)]);
    }
    let done = match name.as_str() {
        "count" => count_of_several(call),
        "count_if" => count_if(call),
        "median" => of_doubles(call),
        "percentile" => percentile(call),
        "any_value" | "first" | "first_value" | "last" | "last_value" => ignore_nulls(call),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ControlFlow::Continue(()),
        Err(message) => ControlFlow::Break(message),
    }
}

/// `count_if(c)` is `count(*) filter (where c)`; over a window, which takes no filter, it counts what CASE leaves.
fn count_if(call: &mut Function) -> Result<(), String> {
    let FunctionArguments::List(list) = &mut call.args else { return Err("count_if() needs a condition".into()) };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(condition))] = list.args.as_slice() else {
        return Err("count_if() takes one condition".into());
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Err("count_if(distinct ...) is not supported; it is 1 or 0".into());
    }
    let condition = condition.clone();
    let counted = if call.over.is_none() {
        let both = |filter: Box<Expr>| {
            let nested = |e: Expr| Box::new(Expr::Nested(Box::new(e)));
            Expr::BinaryOp { left: nested(*filter), op: BinaryOperator::And, right: nested(condition.clone()) }
        };
        call.filter = Some(Box::new(call.filter.take().map_or_else(|| condition.clone(), both)));
        FunctionArgExpr::Wildcard
    } else {
        let one = Expr::Value(Value::Number("1".into(), false).with_empty_span());
        let when = CaseWhen { condition, result: one };
        FunctionArgExpr::Expr(Expr::Case {
            case_token: helpers::attached_token::AttachedToken::empty(),
            end_token: helpers::attached_token::AttachedToken::empty(),
            operand: None,
            conditions: vec![when],
            else_result: None,
        })
    };
    list.args = vec![FunctionArg::Unnamed(counted)];
    call.name = ObjectName::from(vec![Ident::new("count")]);
    Ok(())
}

/// `count(distinct a, b)` counts what is different, and null nowhere.
fn count_of_several(call: &mut Function) -> Result<(), String> {
    let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
    if list.duplicate_treatment != Some(DuplicateTreatment::Distinct) || list.args.len() < 2 {
        return Ok(());
    }
    let (mut fields, mut known) = (Vec::new(), None);
    for (at, arg) in list.args.iter().enumerate() {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = arg else { return Ok(()) };
        let name = Expr::Value(Value::SingleQuotedString(format!("c{at}")).with_empty_span());
        fields.extend([name, value.clone()]);
        let is_known = Expr::IsNotNull(Box::new(Expr::Nested(Box::new(value.clone()))));
        known = Some(match known {
            None => is_known,
            Some(others) => {
                Expr::BinaryOp { left: Box::new(others), op: BinaryOperator::And, right: Box::new(is_known) }
            }
        });
    }
    let Some(condition) = known else { return Ok(()) };
    let of_all = Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: super::function("named_struct", fields) }],
        else_result: None,
    };
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(of_all))];
    Ok(())
}

/// The median of any numbers is a double.
fn of_doubles(call: &mut Function) -> Result<(), String> {
    let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(value))) = list.args.first_mut() {
        *value = double(value);
    }
    Ok(())
}

fn double(value: &Expr) -> Expr {
    let data_type = DataType::Double(ExactNumberInfo::None);
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(value.clone()), data_type, array: false, format: None }
}

/// `percentile(x, 0.3)` is `percentile_cont(0.3) within group (order by x)`.
fn percentile(call: &mut Function) -> Result<(), String> {
    let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value)), _] = list.args.as_slice() else {
        return Err("percentile() takes a number and one share between 0 and 1".into());
    };
    let options = OrderByOptions { asc: None, nulls_first: None };
    call.within_group = vec![OrderByExpr { expr: double(value), options, with_fill: None }];
    list.args.remove(0);
    call.name = ObjectName::from(vec![Ident::new("percentile_cont")]);
    Ok(())
}

/// `first(x, true)` is `first(x) ignore nulls`.
fn ignore_nulls(call: &mut Function) -> Result<(), String> {
    let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
    let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_slice() else {
        return Ok(());
    };
    let Value::Boolean(ignore) = value.value else {
        return Err(format!("{}(): the second argument is true or false", call.name));
    };
    list.args.truncate(1);
    if ignore {
        call.null_treatment = Some(NullTreatment::IgnoreNulls);
    }
    Ok(())
}
