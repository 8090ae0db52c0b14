//! Which type values of different types get when they meet, as in Spark with `spark.sql.ansi.enabled=false`.
//!
//! The rule runs before DataFusion brings types together, so that nothing is left for DataFusion to decide.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, Case, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF, Union, binary_expr, cast, not,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

use super::functions;
use super::types::timestamp;

/// Digits that Spark's decimals have at most.
pub const DIGITS_MAX: u8 = 38;

/// Functions whose arguments, from the given one on, get one type.
const ONE_TYPE: &[(&str, usize)] = &[
    ("coalesce", 0),
    ("nvl", 0),
    ("ifnull", 0),
    ("array", 0),
    ("make_array", 0),
    ("if", 1),
    ("nvl2", 1),
    ("greatest", 0),
    ("least", 0),
    ("mod", 0),
    ("pmod", 0),
    ("sluice_try_add", 0),
    ("sluice_try_multiply", 0),
    ("sluice_try_subtract", 0),
];

/// Brings values to one type as Spark does.
#[derive(Debug)]
pub struct TypesOfSpark;

impl AnalyzerRule for TypesOfSpark {
    // Errors name the rule, and what is shown to people leaves out this name.
    fn name(&self) -> &str {
        "type_coercion"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let of_plan = |plan: LogicalPlan| {
            let plan = match plan {
                LogicalPlan::Union(union) => return widened_union(union).map(Transformed::yes),
                other => other,
            };
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
            }
            let names = NamePreserver::new(&plan);
            let mapped = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|e| of_expression(e, &schema))?;
                Ok(expr.update_data(|e| name.restore(e)))
            })?;
            mapped.map_data(LogicalPlan::recompute_schema)
        };
        Ok(plan.transform_up_with_subqueries(of_plan)?.data)
    }
}

fn of_expression(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Cast(_) => {
            let folded = folded(expr.clone());
            Transformed::new_transformed(folded.clone(), folded != expr)
        }
        Expr::Case(case) => Transformed::yes(Expr::Case(of_case(case, schema)?)),
        Expr::InList(InList { expr, list, negated }) => {
            let all: Vec<Expr> = std::iter::once(*expr).chain(list).collect();
            let mut all = as_common(all, schema)?;
            let expr = Box::new(all.remove(0));
            Transformed::yes(Expr::InList(InList { expr, list: all, negated }))
        }
        Expr::Between(between) => of_between(between, schema)?,
        Expr::ScalarFunction(ScalarFunction { func, mut args }) => {
            if let Some(of_lists) = of_lists(func.name(), &args, schema)? {
                return Ok(Transformed::yes(of_lists.call(args)));
            }
            match ONE_TYPE.iter().find(|(name, _)| *name == func.name()) {
                Some((name, from)) if args.len() > *from => {
                    if ["mod", "pmod"].contains(name) {
                        args = with_few_digits(args, schema)?;
                    }
                    let common = as_common(args.split_off(*from), schema)?;
                    args.extend(common);
                    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
                }
                _ => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
            }
        }
        other => Transformed::no(other),
    })
}

/// The function for lists of those that are for texts too.
fn of_lists(name: &str, args: &[Expr], schema: &DFSchema) -> Result<Option<ScalarUDF>> {
    let Some(first) = args.first().filter(|_| name == "concat") else { return Ok(None) };
    let is_list = matches!(first.get_type(schema)?, DataType::List(_));
    Ok(is_list.then(functions::lists::concat_lists))
}

fn of_case(case: Case, schema: &DFSchema) -> Result<Case> {
    let Case { expr, when_then_expr, else_expr } = case;
    let (mut whens, mut results): (Vec<Expr>, Vec<Expr>) = when_then_expr.into_iter().map(|(w, t)| (*w, *t)).unzip();
    let has_else = else_expr.is_some();
    results.extend(else_expr.map(|e| *e));
    let mut results = as_common(results, schema)?;
    let else_expr = if has_else { results.pop().map(Box::new) } else { None };
    let mut operand = expr;
    if let Some(value) = &operand {
        // CASE x WHEN y means x = y; comparisons that need other types for x are spelled out.
        let of = value.get_type(schema)?;
        let types = whens.iter().map(|w| w.get_type(schema)).collect::<Result<Vec<_>>>()?;
        if types.iter().any(|t| !t.is_null() && *t != of) {
            let value = value.as_ref().clone();
            whens = whens.into_iter().zip(&types).map(|(w, t)| equal(value.clone(), &of, w, t)).collect();
            operand = None;
        }
    }
    let when_then_expr = whens.into_iter().zip(results).map(|(w, t)| (Box::new(w), Box::new(t))).collect();
    Ok(Case { expr: operand, when_then_expr, else_expr })
}

fn equal(left: Expr, left_type: &DataType, right: Expr, right_type: &DataType) -> Expr {
    let (left, right) = compared(left, left_type, right, right_type);
    binary_expr(left, Operator::Eq, right)
}

fn of_between(between: Between, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Between { expr, negated, low, high } = between;
    let types = [expr.get_type(schema)?, low.get_type(schema)?, high.get_type(schema)?];
    let (value, low_limit) = compared(expr.as_ref().clone(), &types[0], low.as_ref().clone(), &types[1]);
    let (other, high_limit) = compared(expr.as_ref().clone(), &types[0], high.as_ref().clone(), &types[2]);
    if value == other {
        let (expr, low, high) = (Box::new(value), Box::new(low_limit), Box::new(high_limit));
        return Ok(Transformed::yes(Expr::Between(Between { expr, negated, low, high })));
    }
    let (from, to) = (binary_expr(value, Operator::GtEq, low_limit), binary_expr(other, Operator::LtEq, high_limit));
    let both = binary_expr(from, Operator::And, to);
    Ok(Transformed::yes(if negated { not(both) } else { both }))
}

/// Values as their common type; as they are when they have none.
fn as_common(values: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = values.iter().map(|v| v.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let Some(common) = common(&types) else { return Ok(values) };
    let values = values.into_iter().zip(&types);
    Ok(values.map(|(v, t)| if *t == common || t.is_null() { v } else { cast(v, common.clone()) }).collect())
}

/// Constants beside a decimal as decimals of no more digits than they have.
fn with_few_digits(values: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
    let types = values.iter().map(|v| v.get_type(schema)).collect::<Result<Vec<_>>>()?;
    if !types.iter().any(DataType::is_decimal) {
        return Ok(values);
    }
    let few = |value: Expr| match constant_digits(&value) {
        Some((p, s)) => cast(value, DataType::Decimal128(p, s)),
        None => value,
    };
    Ok(values.into_iter().map(few).collect())
}

/// The inputs of a union get the columns' common types.
fn widened_union(union: Union) -> Result<LogicalPlan> {
    let Union { inputs, .. } = union;
    let columns = inputs.first().map_or(0, |input| input.schema().fields().len());
    let wanted: Vec<Option<DataType>> = (0..columns)
        .map(|at| common(&inputs.iter().map(|i| i.schema().field(at).data_type().clone()).collect::<Vec<_>>()))
        .collect();
    let mut widened = Vec::new();
    for input in inputs {
        let fields: Vec<_> = input.schema().iter().map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
        let fits = |(at, (_, f)): (usize, &(_, Arc<Field>))| {
            wanted.get(at).and_then(Option::as_ref).is_none_or(|w| w == f.data_type())
        };
        let untyped = fields.iter().enumerate().find(|(at, (_, f))| f.data_type().is_null() && wanted[*at].is_some());
        if let Some((_, (_, field))) = untyped.filter(|_| widened.is_empty()) {
            return plan_err!("cast the NULL of column {:?} in the first SELECT of the UNION to a type", field.name());
        }
        if fields.iter().enumerate().all(fits) {
            widened.push(input);
            continue;
        }
        let columns = fields.iter().enumerate().map(|(at, (qualifier, field))| {
            let column = Expr::Column((qualifier.as_ref(), field).into());
            match wanted.get(at).and_then(Option::as_ref) {
                Some(wanted) if wanted != field.data_type() => {
                    cast(column, wanted.clone()).alias_qualified(qualifier.clone(), field.name())
                }
                _ => column,
            }
        });
        let input = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns.collect::<Vec<_>>())?;
        widened.push(Arc::new(input.build()?));
    }
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(widened)?))
}

/// A constant below a cast, as a constant of the type: what [`super::dialect`] has made of a number.
pub fn folded(expr: Expr) -> Expr {
    let Expr::Cast(Cast { expr: inner, field }) = &expr else { return expr };
    let Expr::Literal(value, metadata) = inner.as_ref() else { return expr };
    let (from, to) = (value.data_type(), field.data_type());
    let is_number = matches!(to, DataType::Int32) && from == DataType::Int64;
    if !is_number || value.is_null() {
        return expr;
    }
    match value.cast_to(to) {
        Ok(number) if !number.is_null() => Expr::Literal(number, metadata.clone()),
        _ => expr,
    }
}

/// Two values that are compared, as Spark compares them: a text becomes what it is compared with.
pub fn compared(left: Expr, left_type: &DataType, right: Expr, right_type: &DataType) -> (Expr, Expr) {
    let Some(common) = comparison(left_type, right_type) else { return (left, right) };
    let of =
        |value, from: &DataType| if *from == common || from.is_null() { value } else { cast(value, common.clone()) };
    (of(left, left_type), of(right, right_type))
}

/// The type in which two values are compared; none when they are left as they are.
fn comparison(left: &DataType, right: &DataType) -> Option<DataType> {
    match (left, right) {
        (l, r) if l == r || l.is_null() || r.is_null() => None,
        (l, r) if is_text(l) && is_text(r) => None,
        (l, r) if is_text(l) && r.is_decimal() || l.is_decimal() && is_text(r) => Some(DataType::Float64),
        (l, r) if is_text(l) && is_single(r) => Some(r.clone()),
        (l, r) if is_single(l) && is_text(r) => Some(l.clone()),
        (DataType::Boolean, r) if r.is_numeric() => Some(r.clone()),
        (l, DataType::Boolean) if l.is_numeric() => Some(l.clone()),
        (l, r) => wider(l, r),
    }
}

/// The type that all of some values can have: numbers widen, and beside a text all is text. None when there is none.
pub fn common(types: &[DataType]) -> Option<DataType> {
    let mut known = types.iter().filter(|t| !t.is_null());
    let first = known.next()?.clone();
    known.try_fold(first, |common, next| {
        let text = |text: &DataType, other: &DataType| is_text(text) && (is_text(other) || is_single(other));
        if common == *next {
            return Some(common);
        }
        if text(&common, next) || text(next, &common) {
            return (![&common, next].iter().any(|t| matches!(t, DataType::Boolean | DataType::Binary)))
                .then_some(DataType::Utf8);
        }
        wider(&common, next)
    })
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_single(data_type: &DataType) -> bool {
    let is_time = matches!(data_type, DataType::Date32 | DataType::Timestamp(..) | DataType::Boolean);
    is_time || data_type.is_numeric()
}

/// The wider one of two types that are not texts.
fn wider(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::*;
    let rank = |t: &DataType| [Int8, Int16, Int32, Int64, Float32, Float64].iter().position(|known| known == t);
    match (left, right) {
        (l, r) if l == r => Some(l.clone()),
        (Date32, Timestamp(..)) | (Timestamp(..), Date32 | Timestamp(..)) => Some(timestamp()),
        (Decimal128(..), Float32 | Float64) | (Float32 | Float64, Decimal128(..)) => Some(Float64),
        (l, r) if l.is_decimal() || r.is_decimal() => {
            let ((p1, s1), (p2, s2)) = (as_decimal(l)?, as_decimal(r)?);
            let scale = s1.max(s2);
            let whole = (p1 as i8 - s1).max(p2 as i8 - s2);
            Some(bounded(whole, scale))
        }
        (List(l), List(r)) => {
            let element = if l.data_type().is_null() {
                r.data_type().clone()
            } else {
                common(&[l.data_type().clone(), r.data_type().clone()])?
            };
            Some(List(Arc::new(Field::new(l.name(), element, true))))
        }
        (l, r) => Some(if rank(l)? > rank(r)? { l.clone() } else { r.clone() }),
    }
}

/// Precision and scale of a decimal, or of a whole number as a decimal.
pub fn as_decimal(data_type: &DataType) -> Option<(u8, i8)> {
    Some(match data_type {
        DataType::Decimal128(p, s) => (*p, *s),
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (20, 0),
        _ => return None,
    })
}

/// A decimal with so many digits before and after the point, or with as many as there can be.
fn bounded(whole: i8, scale: i8) -> DataType {
    let precision = (i16::from(whole) + i16::from(scale)).clamp(1, i16::from(DIGITS_MAX));
    DataType::Decimal128(precision as u8, scale)
}

/// Precision and scale of a constant beside a decimal: Spark takes no more digits than it has.
pub fn constant_digits(expr: &Expr) -> Option<(u8, i8)> {
    let Expr::Literal(value, _) = expr else { return None };
    let number = match value {
        ScalarValue::Int8(Some(v)) => i64::from(*v),
        ScalarValue::Int16(Some(v)) => i64::from(*v),
        ScalarValue::Int32(Some(v)) => i64::from(*v),
        ScalarValue::Int64(Some(v)) => *v,
        _ => return None,
    };
    Some((number.unsigned_abs().checked_ilog10().map_or(1, |digits| digits as u8 + 1), 0))
}
