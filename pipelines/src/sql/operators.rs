//! Operators that mean something else in Spark: `/` of integers is a double, what is divided by zero is NULL, texts beside
//! numbers are numbers, decimals have Spark's precision.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, Operator, binary_expr, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::coercion::{as_decimal, compared, constant_digits, folded};
use super::functions;
use super::functions::decimal::{self, Arithmetic};
use super::types::timestamp;

/// Plans operators as Spark does.
#[derive(Debug)]
pub struct SparkOperators;

impl ExprPlanner for SparkOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let (left, right) = (folded(expr.left), folded(expr.right));
        let ((left, left_type), (right, right_type)) = (signed(left, schema)?, signed(right, schema)?);
        let types = (left_type, right_type);
        if let Some(comparison) = comparison(&expr.op) {
            let (left, right) = compared(left, &types.0, right, &types.1);
            return Ok(PlannerResult::Planned(binary_expr(left, comparison, right)));
        }
        if let Some(operator) = arithmetic(&expr.op)
            && let Some(planned) = planned(operator, &left, &right, &types)?
        {
            return Ok(PlannerResult::Planned(planned));
        }
        Ok(PlannerResult::Original(RawBinaryExpr { op: expr.op, left, right }))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let unit = match args.first() {
            Some(Expr::Literal(ScalarValue::Utf8(Some(unit)), _)) => unit.to_lowercase(),
            _ => String::new(),
        };
        Ok(match (functions::part_of_time(&unit), <[Expr; 2]>::try_from(args)) {
            (Some(part), Ok([_, time])) => PlannerResult::Planned(part.call(vec![time])),
            (_, Ok(args)) => PlannerResult::Original(args.into()),
            (_, Err(args)) => PlannerResult::Original(args),
        })
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(functions::substring().call(args)))
    }

    fn plan_field_access(
        &self,
        expr: datafusion::logical_expr::planner::RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<datafusion::logical_expr::planner::RawFieldAccessExpr>> {
        use datafusion::logical_expr::GetFieldAccess;
        let GetFieldAccess::ListIndex { key } = &expr.field_access else { return Ok(PlannerResult::Original(expr)) };
        let access = match expr.expr.get_type(schema)? {
            // Spark counts from 0, and has nothing before it.
            DataType::List(_) => functions::arrays::item(),
            DataType::Map(..) => functions::arrays::entry(),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let key = folded(key.as_ref().clone());
        Ok(PlannerResult::Planned(access.call(vec![expr.expr, key])))
    }
}

/// An operand and its type; what counts rows is an INT.
fn signed(expr: Expr, schema: &DFSchema) -> Result<(Expr, DataType)> {
    Ok(match expr.get_type(schema)? {
        DataType::UInt64 => (cast(expr, DataType::Int32), DataType::Int32),
        data_type => (expr, data_type),
    })
}

fn comparison(operator: &BinaryOperator) -> Option<Operator> {
    Some(match operator {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        BinaryOperator::Spaceship => Operator::IsNotDistinctFrom,
        _ => return None,
    })
}

fn arithmetic(operator: &BinaryOperator) -> Option<Arithmetic> {
    Some(match operator {
        BinaryOperator::Plus => Arithmetic::Add,
        BinaryOperator::Minus => Arithmetic::Subtract,
        BinaryOperator::Multiply => Arithmetic::Multiply,
        BinaryOperator::Divide => Arithmetic::Divide,
        BinaryOperator::Modulo => Arithmetic::Remainder,
        BinaryOperator::MyIntegerDivide => Arithmetic::Whole,
        _ => return None,
    })
}

/// Arithmetic of numbers and of texts beside them; none for what DataFusion does as Spark.
fn planned(operator: Arithmetic, left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Result<Option<Expr>> {
    let is_text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let is_number = |t: &DataType| t.is_numeric() || t.is_null() || is_text(t);
    if !is_number(&types.0) || !is_number(&types.1) {
        let is_time = |t: &DataType| matches!(t, DataType::Date32 | DataType::Timestamp(..));
        if types.0 == DataType::Date32 && has_hours(right) && operator == Arithmetic::Add {
            return Ok(Some(binary_expr(cast(left.clone(), timestamp()), Operator::Plus, right.clone())));
        }
        if types.0 == DataType::Date32 && has_hours(right) && operator == Arithmetic::Subtract {
            return Ok(Some(binary_expr(cast(left.clone(), timestamp()), Operator::Minus, right.clone())));
        }
        if operator == Arithmetic::Subtract && is_time(&types.0) && is_time(&types.1) {
            return plan_err!(
                "the difference of two times is an interval, which no table can hold; use datediff(), or subtract \
                 unix_timestamp()s"
            );
        }
        return Ok(None);
    }
    let double = |value: &Expr, t: &DataType| {
        if *t == DataType::Float64 { value.clone() } else { cast(value.clone(), DataType::Float64) }
    };
    let whole = |t: &DataType| t.is_integer() || t.is_null();
    let has_decimal = types.0.is_decimal() || types.1.is_decimal();
    let has_double = types.0.is_floating() || types.1.is_floating() || is_text(&types.0) || is_text(&types.1);
    if has_decimal && !has_double && !types.0.is_null() && !types.1.is_null() {
        return decimals(operator, left, right, types).map(Some);
    }
    let planned = match operator {
        Arithmetic::Whole if whole(&types.0) && whole(&types.1) => {
            let long = |value: &Expr| cast(value.clone(), DataType::Int64);
            binary_expr(long(left), Operator::Divide, divisor(long(right)))
        }
        Arithmetic::Whole => return plan_err!("div takes whole numbers or decimals; cast what is none of them"),
        Arithmetic::Divide => binary_expr(double(left, &types.0), Operator::Divide, divisor(double(right, &types.1))),
        _ => {
            let (mut left, mut right) = (left.clone(), right.clone());
            if is_text(&types.0) || is_text(&types.1) || has_decimal && has_double {
                (left, right) = (double(&left, &types.0), double(&right, &types.1));
            }
            match operator {
                Arithmetic::Remainder => binary_expr(left, Operator::Modulo, divisor(right)),
                Arithmetic::Add => binary_expr(left, Operator::Plus, right),
                Arithmetic::Subtract => binary_expr(left, Operator::Minus, right),
                _ => binary_expr(left, Operator::Multiply, right),
            }
        }
    };
    Ok(Some(planned))
}

/// Whether an interval is not of whole days, so that a date becomes a timestamp with it.
fn has_hours(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) if interval.nanoseconds != 0)
}

/// Arithmetic of two decimals, or of one and a whole number.
fn decimals(operator: Arithmetic, left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Result<Expr> {
    let digits = |value: &Expr, t: &DataType| constant_digits(value).or_else(|| as_decimal(t));
    let (Some((p1, s1)), Some((p2, s2))) = (digits(left, &types.0), digits(right, &types.1)) else {
        return plan_err!("no arithmetic of {} and {}", types.0, types.1);
    };
    let of = |value: &Expr, from: &DataType, (p, s)| match DataType::Decimal128(p, s) {
        to if *from == to => value.clone(),
        to => cast(value.clone(), to),
    };
    let (left, right) = (of(left, &types.0, (p1, s1)), of(right, &types.1, (p2, s2)));
    if operator.is_plain((p1, s1), (p2, s2)) {
        let plain = match operator {
            Arithmetic::Add => Operator::Plus,
            Arithmetic::Subtract => Operator::Minus,
            _ => Operator::Multiply,
        };
        return Ok(binary_expr(left, plain, right));
    }
    Ok(decimal::function(operator).call(vec![left, right]))
}

/// NULL in place of zero; a constant that is not zero stays as it is.
fn divisor(expr: Expr) -> Expr {
    let mut inner = &expr;
    while let Expr::Cast(Cast { expr, .. }) = inner {
        inner = expr;
    }
    let is_constant = matches!(inner, Expr::Literal(value, _) if !value.is_null()
        && value.cast_to(&DataType::Float64).is_ok_and(|v| !matches!(v, ScalarValue::Float64(Some(0.0)))));
    if is_constant { expr } else { functions::cast::divisor().call(vec![expr]) }
}
