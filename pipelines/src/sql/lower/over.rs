//! Window functions.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, Operator, SortExpr, Window, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, when,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr};
use datafusion::physical_planner::create_window_expr;
use sluice_operators::order::OrderColumn;
use sluice_operators::window::over::{Frame, Function, Over, OverCall, OverSpec, Reach};

use super::{Lowered, Lowering, Op, Unsupported, arrow_schema, column, physical, type_of, unsupported};

/// The input of window functions: its own columns, then those that keys, orders and arguments need beside them.
pub(super) struct Extended<'a> {
    below: Arc<Schema>,
    from: &'a DFSchema,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<Field>,
}

impl<'a> Extended<'a> {
    pub(super) fn new(input: &Op, from: &'a DFSchema) -> Self {
        let below = input.schema();
        let columns = (0..below.fields().len()).map(|i| column(&below, i)).collect();
        let fields = below.fields().iter().map(|f| f.as_ref().clone()).collect();
        Self { below, from, columns, fields }
    }

    /// The index of an expression's column, added if it is not there.
    pub(super) fn place(&mut self, expr: &Expr) -> Lowered<usize> {
        let expr = physical(expr, self.from)?;
        if let Some(i) = self.columns.iter().position(|c| c.eq(&expr)) {
            return Ok(i);
        }
        let data_type = type_of(&self.below, &expr)?;
        self.fields.push(Field::new(format!("k{}", self.columns.len()), data_type, true));
        self.columns.push(expr);
        Ok(self.columns.len() - 1)
    }

    pub(super) fn order(&mut self, by: &[SortExpr]) -> Lowered<Vec<OrderColumn>> {
        let mut order = Vec::new();
        for sort in by {
            let column = self.place(&sort.expr)?;
            order.push(OrderColumn { column, descending: !sort.asc, nulls_first: sort.nulls_first });
        }
        Ok(order)
    }

    pub(super) fn keys(&mut self, params: &WindowFunctionParams) -> Lowered<Vec<usize>> {
        params.partition_by.iter().map(|e| self.place(e)).collect()
    }

    /// The input with these columns.
    pub(super) fn over(self, input: Op) -> Op {
        if self.columns.len() == self.below.fields().len() {
            return input;
        }
        let schema = Arc::new(Schema::new(self.fields));
        Op::Map { input: Box::new(input), predicate: None, columns: self.columns, schema }
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::new(self.fields.clone()))
    }
}

/// How a function's result comes from those of calls.
enum Result {
    /// The call's.
    Call(usize),
    /// One call's divided by another's.
    Ratio(usize, usize),
}

/// Calls as they are collected.
#[derive(Default)]
struct Calls {
    calls: Vec<OverCall>,
    results: Vec<Result>,
}

impl Calls {
    fn add(&mut self, function: Function, argument: Option<usize>, output_type: DataType) -> usize {
        self.calls.push(OverCall { function, argument, output_type });
        self.calls.len() - 1
    }
}

impl Lowering<'_> {
    /// Window functions of one PARTITION BY and ORDER BY. `first_rows`: only so many rows of each partition are wanted.
    pub(super) fn over(&self, input: Op, window: &Window, first_rows: Option<u64>) -> Lowered {
        let mut extended = Extended::new(&input, window.input.schema());
        let width = input.schema().fields().len();
        let functions = window.window_expr.iter().map(call_of).collect::<Lowered<Vec<_>>>()?;
        let Some(first) = functions.first() else { return unsupported("a window without functions") };
        let (keys, order) = (extended.keys(&first.params)?, extended.order(&first.params.order_by)?);
        let mut calls = Calls::default();
        for (i, call) in functions.into_iter().enumerate() {
            let output_type = window.schema.field(width + i).data_type().clone();
            lower_call(window, i, call, output_type, &mut extended, &mut calls)?;
        }
        let schema = extended.schema();
        let outputs = calls.calls.iter().enumerate();
        let outputs = outputs.map(|(i, c)| Field::new(format!("o{i}"), c.output_type.clone(), true));
        let fields = schema.fields().iter().map(|f| f.as_ref().clone()).chain(outputs);
        let wide = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let spec =
            OverSpec { input: schema.clone(), keys, order, calls: calls.calls, first_rows, schema: wide.clone() };
        // It says which types have no order.
        Over::new(spec.clone()).map_err(|e| Unsupported(e.to_string()))?;
        let at = schema.fields().len();
        let own = (0..width).map(|i| Ok(column(&wide, i)));
        let results = calls.results.iter().enumerate().map(|(i, result)| {
            let wanted = window.schema.field(width + i).data_type();
            match result {
                Result::Call(call) => Ok(column(&wide, at + call)),
                Result::Ratio(sum, count) => ratio(column(&wide, at + sum), column(&wide, at + count), wanted),
            }
        });
        let columns = own.chain(results).collect::<Lowered<Vec<_>>>()?;
        let over = Op::Over { input: Box::new(extended.over(input)), spec };
        Ok(Op::Map { input: Box::new(over), predicate: None, columns, schema: arrow_schema(&window.schema) })
    }
}

pub(super) fn call_of(expr: &Expr) -> Lowered<&WindowFunction> {
    match expr {
        Expr::Alias(alias) => call_of(&alias.expr),
        Expr::WindowFunction(call) => Ok(call),
        other => unsupported(format!("the window function {other}")),
    }
}

fn ratio(
    sum: Arc<dyn PhysicalExpr>,
    count: Arc<dyn PhysicalExpr>,
    output: &DataType,
) -> Lowered<Arc<dyn PhysicalExpr>> {
    let count: Arc<dyn PhysicalExpr> = Arc::new(CastExpr::new(count, output.clone(), None));
    Ok(Arc::new(BinaryExpr::new(sum, Operator::Divide, count)))
}

fn lower_call(
    window: &Window,
    at: usize,
    call: &WindowFunction,
    output_type: DataType,
    extended: &mut Extended<'_>,
    calls: &mut Calls,
) -> Lowered<()> {
    let params = &call.params;
    if let Some((function, argument)) = own_function(call) {
        let argument = argument.map(|a| extended.place(&a)).transpose()?;
        let placed = calls.add(function, argument, output_type);
        calls.results.push(Result::Call(placed));
        return Ok(());
    }
    if let (Some(frame), "avg", DataType::Float64, false) =
        (frame_of(&params.window_frame), call.fun.name(), &output_type, params.distinct)
    {
        let argument = Some(extended.place(&filtered(params))?);
        let sum = calls.add(Function::Sum(frame), argument, DataType::Float64);
        let count = calls.add(Function::Count(frame), argument, DataType::Int64);
        calls.results.push(Result::Ratio(sum, count));
        return Ok(());
    }
    let expr =
        create_window_expr(&window.window_expr[at], window.input.schema(), &ExecutionProps::new(), &Default::default());
    let expr = expr.map_err(|e| Unsupported(format!("the window function {}: {e}", call.fun.name())))?;
    let placed = calls.add(Function::Other { expr, reach: reach_of(call) }, None, output_type);
    calls.results.push(Result::Call(placed));
    Ok(())
}

/// One of our functions and its argument; none when DataFusion evaluates the call.
fn own_function(call: &WindowFunction) -> Option<(Function, Option<Expr>)> {
    let params = &call.params;
    if params.distinct || params.null_treatment == Some(NullTreatment::IgnoreNulls) {
        return None;
    }
    let argument = params.args.first().cloned();
    let name = call.fun.name();
    match name {
        "row_number" => return Some((Function::RowNumber, None)),
        "rank" => return Some((Function::Rank, None)),
        "dense_rank" => return Some((Function::DenseRank, None)),
        "lag" | "lead" => return shift(name, params).map(|function| (function, argument)),
        _ => {}
    }
    let frame = frame_of(&params.window_frame)?;
    let is_count_of_all = name == "count" && argument.as_ref().is_none_or(is_value) && params.filter.is_none();
    match name {
        "count" if is_count_of_all => Some((Function::Count(frame), None)),
        "count" if params.args.len() == 1 => Some((Function::Count(frame), Some(filtered(params)))),
        "sum" => Some((Function::Sum(frame), Some(filtered(params)))).filter(|_| has_sum(call)),
        "min" => Some((Function::Min(frame), Some(filtered(params)))),
        "max" => Some((Function::Max(frame), Some(filtered(params)))),
        "first_value" if params.filter.is_none() => Some((Function::First(frame), argument)),
        "last_value" if params.filter.is_none() => Some((Function::Last(frame), argument)),
        _ => None,
    }
}

fn is_value(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if !value.is_null())
}

/// Sums of unsigned numbers are left to DataFusion.
fn has_sum(call: &WindowFunction) -> bool {
    matches!(&call.fun, WindowFunctionDefinition::AggregateUDF(_))
}

/// The argument where the filter lets a row through, NULL elsewhere: what these functions do not see.
fn filtered(params: &WindowFunctionParams) -> Expr {
    let one = || Expr::Literal(ScalarValue::Int64(Some(1)), None);
    let argument = params.args.first().cloned().unwrap_or_else(one);
    match &params.filter {
        Some(filter) => when((**filter).clone(), argument.clone()).end().unwrap_or(argument),
        None => argument,
    }
}

/// `lag(x [, n [, default]])` with constants.
fn shift(name: &str, params: &WindowFunctionParams) -> Option<Function> {
    let constant = |at: usize| match params.args.get(at) {
        Some(Expr::Literal(value, _)) => Some(value.clone()),
        _ => None,
    };
    let by = match params.args.len() {
        1 => 1,
        _ => match constant(1)?.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(by) => by?,
            _ => return None,
        },
    };
    let default = if params.args.len() > 2 { constant(2)? } else { ScalarValue::Null };
    Some(Function::Shift { by: if name == "lead" { by.checked_neg()? } else { by }, default })
}

/// The frame, when it begins at the partition's first row and ends at this row, its peers or the last row.
fn frame_of(frame: &WindowFrame) -> Option<Frame> {
    let from_start = matches!(&frame.start_bound, WindowFrameBound::Preceding(rows) if rows.is_null());
    let ends = match (&frame.end_bound, frame.units) {
        (WindowFrameBound::CurrentRow, WindowFrameUnits::Rows) => Frame::ToRow,
        (WindowFrameBound::CurrentRow, _) => Frame::ToPeers,
        (WindowFrameBound::Following(rows), _) if rows.is_null() => Frame::All,
        _ => return None,
    };
    from_start.then_some(ends)
}

/// How far a change reaches in a function that DataFusion evaluates.
fn reach_of(call: &WindowFunction) -> Reach {
    let frame = &call.params.window_frame;
    let rows = |bound: &WindowFrameBound, before: bool| {
        let (value, is_before) = match bound {
            WindowFrameBound::CurrentRow => return Some(0),
            WindowFrameBound::Preceding(value) => (value, true),
            WindowFrameBound::Following(value) => (value, false),
        };
        match value.cast_to(&DataType::UInt64) {
            Ok(ScalarValue::UInt64(Some(n))) => Some(if is_before == before { n as usize } else { 0 }),
            _ => None,
        }
    };
    let sees_frame = matches!(call.fun, WindowFunctionDefinition::AggregateUDF(_))
        || ["first_value", "last_value", "nth_value"].contains(&call.fun.name());
    match (rows(&frame.start_bound, true), rows(&frame.end_bound, false)) {
        (Some(before), Some(after)) if sees_frame && frame.units == WindowFrameUnits::Rows => {
            Reach::Rows { before, after }
        }
        _ => Reach::All,
    }
}
