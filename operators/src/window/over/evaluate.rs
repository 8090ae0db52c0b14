//! The functions over the rows near changes, all partitions at once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat, take};
use sluice_engine::{Error, Result};

use super::other;
use super::running::Running;
use super::spec::{Frame, Function, OverCall, OverSpec};
use super::view::View;

/// What running functions had come to before each slice of a view.
pub struct Carried {
    /// False for slices that begin at their partition's first row.
    pub is_there: Vec<bool>,
    /// A column for each of [`carried_calls`], after the number of rows before the slice.
    pub columns: Vec<ArrayRef>,
}

/// The calls that go on from the row before.
pub fn carried_calls(spec: &OverSpec) -> impl Iterator<Item = &OverCall> {
    spec.calls.iter().filter(|c| c.function.reach().is_none())
}

/// Results for the wanted rows of a view.
pub struct Evaluated {
    /// A column for each call.
    pub outputs: Vec<ArrayRef>,
    /// What running functions have come to at each row: how many rows there are up to it, then a column for each of
    /// [`carried_calls`].
    pub carried: Vec<ArrayRef>,
}

/// Evaluates all calls. `rows` is the batch that the view points into.
///
/// # Errors
/// `Data` when DataFusion cannot evaluate a function.
pub fn evaluate(spec: &OverSpec, rows: &RecordBatch, view: &View, before: &Carried) -> Result<Evaluated> {
    let running = Running { view, before };
    let counted = running.rows_so_far()?;
    let mut carried: Vec<ArrayRef> = vec![Arc::new(counted.clone())];
    let mut outputs = Vec::with_capacity(spec.calls.len());
    for call in &spec.calls {
        let argument = call.argument.map(|a| view.column(rows.column(a))).transpose()?;
        let carries = call.function.reach().is_none();
        let from = carries.then(|| before.columns[carried.len()].clone());
        let own = |argument: &Option<ArrayRef>| {
            argument.clone().ok_or_else(|| Error::bug("a window function without its argument"))
        };
        let mut exact = None;
        let output = match &call.function {
            Function::RowNumber => Arc::new(counted.clone()),
            Function::Rank => running.rank(&counted),
            Function::DenseRank => running.dense_rank(from)?,
            Function::Shift { by, default } => {
                let default = default.to_array().map_err(|e| Error::bug("a default that is no value").because(e))?;
                shifted(view, &own(&argument)?, *by, &default)?
            }
            Function::Last(frame) => last(view, &own(&argument)?, *frame)?,
            Function::First(_) => running.first(&own(&argument)?, from)?,
            Function::Count(_) => running.count(argument.as_ref(), from)?,
            Function::Sum(_) => {
                let (shown, carried) = running.sum(&own(&argument)?, from, &call.output_type)?;
                exact = Some(carried);
                shown
            }
            Function::Min(_) => running.extreme(&own(&argument)?, from, false)?,
            Function::Max(_) => running.extreme(&own(&argument)?, from, true)?,
            Function::Other { expr, .. } => other::evaluate(expr, rows, view)?,
        };
        let output = cast(&output, &call.output_type)?;
        if carries {
            carried.push(exact.unwrap_or_else(|| output.clone()));
        }
        outputs.push(framed(view, output, &call.function)?);
    }
    Ok(Evaluated { outputs, carried })
}

/// What a row shows of a function that runs from row to row: its own value, or that of the last row of its frame.
fn framed(view: &View, running: ArrayRef, function: &Function) -> Result<ArrayRef> {
    use Function as F;
    match function {
        F::Count(frame) | F::Sum(frame) | F::Min(frame) | F::Max(frame) if *frame != Frame::ToRow => {
            let mut ends: Vec<u32> = Vec::with_capacity(running.len());
            for slice in &view.slices {
                let first = ends.len();
                let at = |row: usize| (first + row - slice.wanted.start) as u32;
                let ends_of = frame_ends(view, slice.wanted.clone(), *frame);
                ends.extend(ends_of.into_iter().map(at));
            }
            Ok(take(&running, &UInt32Array::from(ends), None)?)
        }
        _ => Ok(running),
    }
}

/// For each of these rows of one partition the last row of its frame.
fn frame_ends(view: &View, rows: std::ops::Range<usize>, frame: Frame) -> Vec<usize> {
    let mut ends: Vec<usize> = rows.clone().collect();
    for i in (0..ends.len().saturating_sub(1)).rev() {
        let goes_on = match frame {
            Frame::ToRow => false,
            Frame::ToPeers => !view.begins_peers[rows.start + i + 1],
            Frame::All => true,
        };
        if goes_on {
            ends[i] = ends[i + 1];
        }
    }
    ends
}

/// `lag` and `lead`.
fn shifted(view: &View, argument: &ArrayRef, by: i64, default: &ArrayRef) -> Result<ArrayRef> {
    let with_default = concat(&[argument.as_ref(), cast(default, argument.data_type())?.as_ref()])?;
    let mut places = Vec::with_capacity(view.wanted());
    for slice in &view.slices {
        for row in slice.wanted.clone() {
            let place = (row as i64).checked_sub(by).and_then(|p| usize::try_from(p).ok());
            places.push(place.filter(|p| slice.rows.contains(p)).unwrap_or(argument.len()) as u32);
        }
    }
    Ok(take(&with_default, &UInt32Array::from(places), None)?)
}

/// `last_value`.
fn last(view: &View, argument: &ArrayRef, frame: Frame) -> Result<ArrayRef> {
    let ends = view.slices.iter().flat_map(|s| {
        // Peers may go on behind the rows that are wanted.
        frame_ends(view, s.wanted.start..s.rows.end, frame).into_iter().take(s.wanted.len())
    });
    Ok(take(argument, &ends.map(|e| e as u32).collect::<UInt32Array>(), None)?)
}

/// The number of rows before each slice.
pub fn rows_before(before: &Carried) -> Result<&Int64Array> {
    let column = before.columns.first().and_then(|c| c.as_any().downcast_ref::<Int64Array>());
    column.ok_or_else(|| Error::bug("a window function without the number of rows before"))
}
