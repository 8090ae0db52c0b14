//! Forms of Spark SQL that the planner does not take, in forms that it takes.

use datafusion::sql::sqlparser::ast::*;

use super::rewrite::function as call;

/// Functions that are casts to the type of their name.
const CASTS: &[&str] = &[
    "bigint",
    "binary",
    "boolean",
    "date",
    "decimal",
    "double",
    "float",
    "int",
    "smallint",
    "string",
    "timestamp",
    "tinyint",
];
/// Parts of a time that the planner takes from `extract` only.
const OWN_PARTS: &[&str] = &["second", "seconds", "sec", "secs", "s", "yearofweek", "dayofweek_iso", "dow_iso"];
/// Functions that count units of time.
const UNITS_BETWEEN: &[&str] = &["datediff", "date_diff", "timestampdiff"];
/// Functions that add units of time.
const UNITS_LATER: &[&str] = &["dateadd", "date_add", "timestampadd"];

/// Rewrites an expression, whose parts were rewritten.
///
/// # Errors
/// A message for a form that is not supported.
pub(super) fn rewrite(expr: &mut Expr) -> Result<(), String> {
    let rewritten = match expr {
        Expr::UnaryOp { op: UnaryOperator::BangNot, expr } => {
            Expr::UnaryOp { op: UnaryOperator::Not, expr: expr.clone() }
        }
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr } => call("bitwise_not", vec![*expr.clone()]),
        Expr::Ceil { expr, field: CeilFloorKind::Scale(places) } => {
            call("sluice_ceil", vec![*expr.clone(), Expr::Value(places.clone())])
        }
        Expr::Floor { expr, field: CeilFloorKind::Scale(places) } => {
            call("sluice_floor", vec![*expr.clone(), Expr::Value(places.clone())])
        }
        Expr::Like { negated, any, expr, pattern, escape_char } => {
            match like(*negated, *any, expr, pattern, escape_char.as_ref())? {
                Some(rewritten) => rewritten,
                None => return Ok(()),
            }
        }
        Expr::Struct { values, fields } if fields.is_empty() => named_struct(values),
        Expr::CompoundFieldAccess { access_chain, .. } => {
            for access in access_chain {
                if let AccessExpr::Dot(field) = access
                    && let Expr::Identifier(name) = field
                {
                    *field = text(&name.value.to_lowercase());
                }
            }
            return Ok(());
        }
        Expr::Function(function) => match of_function(function) {
            Some(rewritten) => rewritten,
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    *expr = rewritten;
    Ok(())
}

/// Rewrites the operators between SELECTs.
///
/// # Errors
/// For those that keep duplicates, which are not supported.
pub(super) fn set_operations(body: &mut SetExpr) -> Result<(), String> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    if *op == SetOperator::Minus {
        *op = SetOperator::Except;
    }
    if *op != SetOperator::Union && *set_quantifier == SetQuantifier::All {
        return Err(format!("{op} ALL is not supported; {op} is"));
    }
    set_operations(left)?;
    set_operations(right)
}

/// Rewrites a join: `SEMI JOIN` is `LEFT SEMI JOIN`.
///
/// # Errors
/// For joins that keep rows of the right side whose column stands on the left.
pub(super) fn join(operator: &mut JoinOperator) -> Result<(), String> {
    let rewritten = match operator {
        JoinOperator::Semi(constraint) => JoinOperator::LeftSemi(constraint.clone()),
        JoinOperator::Anti(constraint) => JoinOperator::LeftAnti(constraint.clone()),
        JoinOperator::FullOuter(JoinConstraint::Using(_) | JoinConstraint::Natural)
        | JoinOperator::Right(JoinConstraint::Using(_) | JoinConstraint::Natural)
        | JoinOperator::RightOuter(JoinConstraint::Using(_) | JoinConstraint::Natural) => {
            return Err(
                "RIGHT and FULL JOIN ... USING are not supported; join ON the columns, and name the side whose \
                 column is meant"
                    .into(),
            );
        }
        _ => return Ok(()),
    };
    *operator = rewritten;
    Ok(())
}

fn of_function(function: &Function) -> Option<Expr> {
    let name = function.name.to_string().to_lowercase();
    let args = arguments(function)?;
    let is_unit = |arg: &Expr| match arg {
        Expr::Identifier(unit) => Some(text(&unit.value)),
        _ => None,
    };
    Some(match (name.as_str(), args.as_slice()) {
        (to, [value]) if CASTS.contains(&to) && function.over.is_none() => cast(value, to),
        ("isnull", [value]) => Expr::IsNull(Box::new(nested(value))),
        ("isnotnull", [value]) => Expr::IsNotNull(Box::new(nested(value))),
        ("if", [condition, then, other]) => if_else(condition.clone(), then.clone(), other.clone()),
        ("nullif", [value, other]) => null_if(value, other),
        ("nullifzero", [value]) => null_if(value, &zero()),
        ("zeroifnull", [value]) => call("coalesce", vec![value.clone(), zero()]),
        ("equal_null", [left, right]) => binary(left, BinaryOperator::Spaceship, right),
        ("try_divide", [left, right]) => Expr::Nested(Box::new(binary(left, BinaryOperator::Divide, right))),
        ("decode", [value, charset]) => call("sluice_decode", vec![value.clone(), charset.clone()]),
        ("decode", [value, rest @ ..]) if rest.len() >= 2 => decode(value, rest),
        ("ltrim" | "rtrim", [trimmed, value]) => call(&name, vec![value.clone(), trimmed.clone()]),
        (between, [unit, from, to]) if UNITS_BETWEEN.contains(&between) => {
            call("timestampdiff", vec![is_unit(unit)?, from.clone(), to.clone()])
        }
        (later, [unit, count, time]) if UNITS_LATER.contains(&later) => {
            call("timestampadd", vec![is_unit(unit)?, count.clone(), time.clone()])
        }
        (
            "date_part" | "datepart",
            [Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(unit), .. }), time],
        ) if OWN_PARTS.contains(&unit.to_lowercase().as_str()) => {
            let field = DateTimeField::Custom(Ident::new(unit.to_lowercase()));
            Expr::Extract { field, syntax: ExtractSyntax::From, expr: Box::new(time.clone()) }
        }
        ("struct", values) if !values.is_empty() => named_struct(values),
        ("try_add" | "try_subtract" | "try_multiply", [left, right]) => {
            call(&format!("sluice_{name}"), vec![left.clone(), right.clone()])
        }
        ("to_binary", [value]) => call("unhex", vec![value.clone()]),
        ("to_binary", [value, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(form), .. })]) => {
            match form.to_lowercase().as_str() {
                "hex" => call("unhex", vec![value.clone()]),
                "base64" => call("unbase64", vec![value.clone()]),
                "utf-8" | "utf8" => call("encode", vec![value.clone(), text("utf-8")]),
                _ => return None,
            }
        }
        ("forall", [list, Expr::Lambda(f)]) => {
            let body = Box::new(negated_if(true, *f.body.clone()));
            let none = Expr::Lambda(LambdaFunction { body, ..f.clone() });
            negated_if(true, call("array_any_match", vec![list.clone(), none]))
        }
        ("transform", [list, f @ Expr::Lambda(_)]) => call("array_transform", vec![list.clone(), f.clone()]),
        ("filter", [list, f @ Expr::Lambda(_)]) => call("array_filter", vec![list.clone(), f.clone()]),
        _ => return None,
    })
}

/// A call's arguments, when they are all plain ones.
fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let plain = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    list.args.iter().map(plain).collect()
}

/// LIKE of several patterns, or with an escape character of its own.
fn like(
    negated: bool,
    any: bool,
    expr: &Expr,
    pattern: &Expr,
    escape: Option<&ValueWithSpan>,
) -> Result<Option<Expr>, String> {
    let one = |pattern: Expr| Expr::Like {
        negated: false,
        any: false,
        expr: Box::new(expr.clone()),
        pattern: Box::new(pattern),
        escape_char: None,
    };
    let all = match pattern {
        Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("all") => arguments(f),
        _ => None,
    };
    let (patterns, op) = match (pattern, all) {
        (_, Some(patterns)) => (patterns, BinaryOperator::And),
        (Expr::Tuple(patterns), None) if any => (patterns.clone(), BinaryOperator::Or),
        (Expr::Nested(pattern), None) if any => (vec![*pattern.clone()], BinaryOperator::Or),
        _ => {
            let Some(escape) = escape else { return Ok(None) };
            return escaped(pattern, escape).map(|pattern| Some(negated_if(negated, one(pattern))));
        }
    };
    let joined = patterns.into_iter().map(one).reduce(|left, right| binary(&left, op.clone(), &right));
    Ok(joined.map(|joined| negated_if(negated, Expr::Nested(Box::new(joined)))))
}

fn negated_if(negated: bool, expr: Expr) -> Expr {
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(&expr)) } } else { expr }
}

/// A pattern whose escape character is a backslash.
fn escaped(pattern: &Expr, escape: &ValueWithSpan) -> Result<Expr, String> {
    let (
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(pattern), .. }),
        Value::SingleQuotedString(escape),
    ) = (pattern, &escape.value)
    else {
        return Err("LIKE ... ESCAPE takes a constant pattern".into());
    };
    let mut escapes = escape.chars();
    let (Some(escape), None) = (escapes.next(), escapes.next()) else {
        return Err(format!("LIKE ... ESCAPE takes one character, not {escape:?}"));
    };
    let mut result = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == escape {
            result.push('\\');
            result.extend(chars.next());
        } else if c == '\\' {
            result.push_str("\\\\");
        } else {
            result.push(c);
        }
    }
    Ok(text(&result))
}

/// `decode(x, a, 1, b, 2, 3)` is a CASE in which NULL is equal to NULL.
fn decode(value: &Expr, rest: &[Expr]) -> Expr {
    let conditions = rest.chunks_exact(2).map(|pair| CaseWhen {
        condition: binary(value, BinaryOperator::Spaceship, &pair[0]),
        result: pair[1].clone(),
    });
    Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: conditions.collect(),
        else_result: rest.chunks_exact(2).remainder().first().map(|e| Box::new(e.clone())),
    }
}

/// `nullif(a, b)` has the type of a.
fn null_if(value: &Expr, other: &Expr) -> Expr {
    let null = Expr::Value(Value::Null.with_empty_span());
    if_else(binary(value, BinaryOperator::Eq, other), null, value.clone())
}

fn if_else(condition: Expr, then: Expr, other: Expr) -> Expr {
    Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: then }],
        else_result: Some(Box::new(other)),
    }
}

/// `struct(a, 1 as x, 2)` has the fields a, x and col3.
fn named_struct(values: &[Expr]) -> Expr {
    let mut args = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let (name, value) = match value {
            Expr::Named { expr, name } => (name.value.clone(), expr.as_ref()),
            Expr::Identifier(name) => (name.value.clone(), value),
            Expr::CompoundIdentifier(parts) => (parts.last().map_or_else(String::new, |p| p.value.clone()), value),
            _ => (format!("col{}", at + 1), value),
        };
        args.extend([text(&name), value.clone()]);
    }
    call("named_struct", args)
}

fn cast(value: &Expr, to: &str) -> Expr {
    let data_type = match to {
        "bigint" => DataType::BigInt(None),
        "binary" => DataType::Binary(None),
        "boolean" => DataType::Boolean,
        "date" => DataType::Date,
        "decimal" => DataType::Decimal(ExactNumberInfo::None),
        "double" => DataType::Double(ExactNumberInfo::None),
        "float" => DataType::Float(ExactNumberInfo::None),
        "int" => DataType::Int(None),
        "smallint" => DataType::SmallInt(None),
        "timestamp" => DataType::Timestamp(None, TimezoneInfo::None),
        "tinyint" => DataType::TinyInt(None),
        _ => DataType::String(None),
    };
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(value.clone()), data_type, array: false, format: None }
}

fn binary(left: &Expr, op: BinaryOperator, right: &Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(nested(left)), op, right: Box::new(nested(right)) }
}

fn nested(expr: &Expr) -> Expr {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::Function(_) | Expr::Nested(_) => {
            expr.clone()
        }
        other => Expr::Nested(Box::new(other.clone())),
    }
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).with_empty_span())
}

fn zero() -> Expr {
    let zero = Expr::Value(Value::Number("0".into(), true).with_empty_span());
    cast(&zero, "int")
}
