//! Lists: sorted, searched, counted out.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, concat, sort_to_indices, take};
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::cast::converted;
use super::rows::{Any, Arguments, Bool, function, same_type};

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        same_type("array_sort", &[Any], 1, |a| {
            sorted(a, |_| Some(SortOptions { descending: false, nulls_first: false }))
        }),
        same_type("sort_array", &[Any, Bool], 1, |a| {
            sorted(a, |row| {
                let ascending = if a.count() > 1 { a.boolean(1, row)? } else { true };
                Some(SortOptions { descending: !ascending, nulls_first: ascending })
            })
        }),
        function("array_size", &[Any], 1, DataType::Int32, |a| {
            let lists = lists(a, 0)?;
            a.map(|row| lists.is_valid(row).then(|| lists.value_length(row)))
        }),
        function("array_position", &[Any, Any], 2, DataType::Int64, |a| {
            let (lists, wanted) = (lists(a, 0)?.clone(), as_element(a)?);
            a.each(|row| {
                if lists.is_null(row) || wanted.is_null(row) {
                    return Ok(None);
                }
                let (items, wanted) = (lists.value(row), ScalarValue::try_from_array(&wanted, row)?);
                for at in 0..items.len() {
                    if items.is_valid(at) && wanted.eq_array(&items, at)? {
                        return Ok(i64::try_from(at + 1).ok());
                    }
                }
                Ok(Some(0))
            })
        }),
        function("arrays_overlap", &[Any, Any], 2, DataType::Boolean, |a| {
            let (left, right) = (lists(a, 0)?.clone(), converted(a.array(1), a.array(0).data_type())?);
            let right = right.as_list::<i32>().clone();
            a.each(|row| {
                if left.is_null(row) || right.is_null(row) {
                    return Ok(None);
                }
                overlap(&left.value(row), &right.value(row))
            })
        }),
    ]
}

fn lists(a: &Arguments, at: usize) -> Result<&ListArray> {
    match a.array(at).as_list_opt::<i32>() {
        Some(lists) => Ok(lists),
        None => plan_err!("a list was expected, not {}", a.array(at).data_type()),
    }
}

/// The second argument as an element of the first.
fn as_element(a: &Arguments) -> Result<ArrayRef> {
    converted(a.array(1), lists(a, 0)?.values().data_type())
}

fn sorted(a: &Arguments, options: impl Fn(usize) -> Option<SortOptions>) -> Result<ArrayRef> {
    let lists = lists(a, 0)?;
    let DataType::List(field) = lists.data_type() else { return plan_err!("a list was expected") };
    let (mut parts, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..lists.len() {
        let options = options(row).filter(|_| lists.is_valid(row));
        let items = lists.value(row);
        match options {
            Some(options) => {
                let order = sort_to_indices(&items, Some(options), None)?;
                parts.push(take(&items, &order, None)?);
                lengths.push(items.len());
            }
            None => lengths.push(0),
        }
        valid.push(options.is_some());
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let items = if parts.is_empty() { new_empty_array(field.data_type()) } else { concat(&parts)? };
    Ok(Arc::new(ListArray::try_new(field.clone(), OffsetBuffer::from_lengths(lengths), items, Some(valid.into()))?))
}

/// Whether two lists share an element; nobody knows when they do not and one has a null.
fn overlap(left: &ArrayRef, right: &ArrayRef) -> Result<Option<bool>> {
    for at in 0..left.len() {
        let wanted = ScalarValue::try_from_array(left, at)?;
        if wanted.is_null() {
            continue;
        }
        for other in 0..right.len() {
            if right.is_valid(other) && wanted.eq_array(right, other)? {
                return Ok(Some(true));
            }
        }
    }
    let is_unknown = !left.is_empty() && !right.is_empty() && (left.null_count() > 0 || right.null_count() > 0);
    Ok((!is_unknown).then_some(false))
}
