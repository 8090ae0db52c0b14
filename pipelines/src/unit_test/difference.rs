//! Two sets of rows side by side, in any order, each row as often as it is there.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use sluice_engine::{Error, Result};

/// Rows that a message shows on each side, at most.
const ROWS_SHOWN_MAX: usize = 10;

/// A row's values as text; none is NULL.
type Line = Vec<Option<String>>;

/// What is expected and not found (`-`) and found and not expected (`+`), a line for each row under one of the columns'
/// names; none when both are the same. Only the columns that are expected count.
pub(super) fn difference(expected: &RecordBatch, found: &[RecordBatch]) -> Result<Option<String>> {
    let names: Vec<String> = expected.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut counts: BTreeMap<Line, i64> = BTreeMap::new();
    for line in lines(expected, &names)? {
        *counts.entry(line).or_default() += 1;
    }
    for batch in found {
        for line in lines(batch, &names)? {
            *counts.entry(line).or_default() -= 1;
        }
    }
    let side = |sign: i64| -> Vec<&Line> {
        let rows = counts.iter().filter(move |(_, count)| count.signum() == sign);
        rows.flat_map(|(line, count)| std::iter::repeat_n(line, count.unsigned_abs() as usize)).collect()
    };
    let (missing, surplus) = (side(1), side(-1));
    if missing.is_empty() && surplus.is_empty() {
        return Ok(None);
    }
    let sum = format!("rows missing (-): {}, not expected (+): {}", missing.len(), surplus.len());
    Ok(Some(format!("{sum}\n{}", shown(&names, &missing, &surplus))))
}

fn lines(batch: &RecordBatch, names: &[String]) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = vec![Vec::new(); batch.num_rows()];
    for name in names {
        let schema = batch.schema();
        let at = schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case(name));
        let column = batch.column(at.ok_or_else(|| Error::bug(format!("a result lost its column {name:?}")))?);
        let options = FormatOptions::default();
        let formatter = ArrayFormatter::try_new(column, &options)?;
        for (row, line) in lines.iter_mut().enumerate() {
            line.push(column.is_valid(row).then(|| formatter.value(row).to_string()));
        }
    }
    Ok(lines)
}

/// The rows as a table with aligned columns.
fn shown(names: &[String], missing: &[&Line], surplus: &[&Line]) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".into());
    let mut table: Vec<(&str, Vec<String>)> = vec![(" ", names.to_vec())];
    for (sign, rows) in [("-", missing), ("+", surplus)] {
        table.extend(rows.iter().take(ROWS_SHOWN_MAX).map(|row| (sign, row.iter().map(text).collect())));
    }
    let width = |i: usize| table.iter().map(|(_, values)| values[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |(sign, values): &(&str, Vec<String>)| {
        let cells = values.iter().zip(&widths).map(|(value, width)| format!("{value:<width$}"));
        format!("  {sign} {}", cells.collect::<Vec<_>>().join(" | ")).trim_end().to_owned()
    };
    let mut text: Vec<String> = table.iter().map(line).collect();
    let more = missing.len().saturating_sub(ROWS_SHOWN_MAX) + surplus.len().saturating_sub(ROWS_SHOWN_MAX);
    if more > 0 {
        text.push(format!("    and {more} more"));
    }
    text.join("\n")
}
