//! What the rows of a node depend on, as text. A run goes on from a manifest only when all nodes have the texts that they
//! had: otherwise rows that are there were made in another way than those to come.
//!
//! Only what changes rows is in it, so comments, white space and descriptions are not.

use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use sluice_operators::window::aggregate::AggregateCall;
use sluice_operators::window::over::{Function, OverCall};
use xxhash_rust::xxh3::xxh3_128;

use super::op::Op;

/// Longest fingerprint that is kept in full, in bytes: each manifest holds those of all nodes.
const TEXT_BYTES_MAX: usize = 240;
/// How much of a longer one is kept before its hash, in bytes.
const TEXT_BYTES_KEPT: usize = 160;

impl Op {
    /// What the operator's rows and state depend on beside its inputs.
    pub fn fingerprint(&self) -> String {
        let text = match self {
            Op::Scan { table, .. } => format!("scan v1 {table}"),
            Op::Constant { rows } => return of_rows(rows),
            Op::Map { predicate, columns, schema, .. } => format!(
                "map v1 [{}] if {} to [{}]",
                columns.iter().map(of_expression).collect::<Vec<_>>().join("; "),
                predicate.as_ref().map_or_else(|| "true".into(), of_expression),
                of_schema(schema)
            ),
            Op::Union { inputs, schema } => format!("union v1 of {} to [{}]", inputs.len(), of_schema(schema)),
            Op::Explode { sources, list, schema, .. } => {
                format!("explode v1 {list} of {sources:?} to [{}]", of_schema(schema))
            }
            Op::Aggregate { spec, .. } => format!(
                "aggregate v1 [{}] append_only={} to [{}]",
                spec.calls.iter().map(of_call).collect::<Vec<_>>().join(", "),
                spec.append_only,
                of_schema(&spec.schema)
            ),
            Op::Dedupe { spec, .. } => {
                format!("dedupe v1 keys={:?} order={:?} of [{}]", spec.keys, spec.order, of_schema(&spec.schema))
            }
            Op::Over { spec, .. } => format!(
                "over v1 keys={:?} order={:?} first={:?} [{}] of [{}]",
                spec.keys,
                spec.order,
                spec.first_rows,
                spec.calls.iter().map(of_over).collect::<Vec<_>>().join(", "),
                of_schema(&spec.input)
            ),
            Op::Join { spec, .. } => format!(
                "join v1 {:?}{} {:?}={:?} if {} of [{}] and [{}]",
                spec.kind,
                if spec.nulls_match { " with NULLs" } else { "" },
                spec.left_keys,
                spec.right_keys,
                spec.residual.as_ref().map_or_else(|| "true".into(), of_expression),
                of_schema(&spec.left),
                of_schema(&spec.right)
            ),
        };
        short(text)
    }
}

fn of_call(call: &AggregateCall) -> String {
    let text = |e: &Option<Arc<dyn PhysicalExpr>>| e.as_ref().map_or_else(String::new, of_expression);
    format!("{:?}({}) filter ({})", call.kind, text(&call.argument), text(&call.filter))
}

fn of_over(call: &OverCall) -> String {
    let function = match &call.function {
        Function::Other { expr, .. } => {
            let arguments = expr.expressions();
            let arguments = arguments.iter().map(of_expression).collect::<Vec<_>>();
            format!("{} {arguments:?} {:?}", expr.name(), expr.get_window_frame())
        }
        function => format!("{function:?}"),
    };
    format!("{function}({:?}) {}", call.argument, call.output_type)
}

/// Names and types of columns.
pub fn of_schema(schema: &Schema) -> String {
    schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect::<Vec<_>>().join(", ")
}

/// An expression, and its constants once more with their types: as text 1 and '1' are the same.
pub fn of_expression(expr: &Arc<dyn PhysicalExpr>) -> String {
    fn constants(expr: &Arc<dyn PhysicalExpr>, found: &mut Vec<String>) {
        if let Some(literal) = expr.downcast_ref::<Literal>() {
            found.push(format!("{:?}", literal.value()));
        }
        expr.children().into_iter().for_each(|child| constants(child, found));
    }
    let mut found = Vec::new();
    constants(expr, &mut found);
    format!("{expr} {found:?}")
}

/// Rows that are known when the graph is built.
pub fn of_rows(rows: &RecordBatch) -> String {
    // A byte that no text holds separates values, another one stands for NULL.
    let mut text = Vec::new();
    for column in rows.columns() {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default());
        for row in 0..rows.num_rows() {
            match &formatter {
                Ok(formatter) if column.is_valid(row) => text.extend(formatter.value(row).to_string().into_bytes()),
                _ => text.push(0xfe),
            }
            text.push(0xff);
        }
    }
    let schema = of_schema(&rows.schema());
    short(format!("rows v1 {} {:032x} of [{schema}]", rows.num_rows(), xxh3_128(&text)))
}

/// The text, or its beginning and its hash.
pub fn short(text: String) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let kept: String = text.char_indices().take_while(|(at, _)| *at < TEXT_BYTES_KEPT).map(|(_, c)| c).collect();
    format!("{kept}... {:032x}", xxh3_128(text.as_bytes()))
}
