//! Lists: sorted, searched, counted out.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, cast as arrow_cast, concat, sort_to_indices, take};
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::cast::converted;
use super::rows::{Any, Arguments, Bool, Int, first_of, function, lists_of, same_type};

/// Elements of one list that is made from a start and an end.
const ELEMENTS_MAX: i64 = 1_000_000;
/// Nulls that are put between a list's end and an element that is put in beyond it.
const PADDING_MAX: i32 = 1_000;

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
        same_type("reverse", &[Any], 1, reversed),
        first_of("flatten", &[Any], 1, flattened),
        same_type("array_append", &[Any, Any], 2, |a| {
            let lists = lists(a, 0)?.clone();
            inserted(a, 1, |row| Some(lists.value_length(row) + 1))
        }),
        concat_lists(),
        same_type("array_prepend", &[Any, Any], 2, |a| inserted(a, 1, |_| Some(1))),
        same_type("array_insert", &[Any, Int, Any], 3, |a| inserted(a, 2, |row| a.int(1, row))),
        lists_of("sequence", &[Any, Any, Any], 2, sequence),
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

/// A text or a list, backwards.
fn reversed(a: &Arguments) -> Result<ArrayRef> {
    if let Some(texts) = a.array(0).as_string_opt::<i32>() {
        return a.map(|row| texts.is_valid(row).then(|| texts.value(row).chars().rev().collect::<String>()));
    }
    let lists = lists(a, 0)?;
    let places = (0..lists.len()).flat_map(|row| {
        let (start, end) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
        (start..end).rev().map(|at| at.unsigned_abs())
    });
    of_places(lists, places.map(Some).collect(), (0..lists.len()).map(|row| lists.value_length(row)))
}

/// `concat` of lists: nothing when one of them is null.
pub(in crate::sql) fn concat_lists() -> ScalarUDF {
    same_type("sluice_concat_lists", &[Any; 16], 1, |a| {
        let first = lists(a, 0)?;
        let DataType::List(field) = first.data_type() else { return plan_err!("concat() takes lists") };
        let all = (0..a.count()).map(|at| converted(a.array(at), first.data_type())).collect::<Result<Vec<_>>>()?;
        let all: Vec<&ListArray> = all.iter().map(|lists| lists.as_list::<i32>()).collect();
        let values = concat(&all.iter().map(|lists| lists.values().as_ref()).collect::<Vec<_>>())?;
        let (mut places, mut lengths, mut valid) = (Vec::<u64>::new(), Vec::new(), Vec::new());
        for row in 0..first.len() {
            let is_known = all.iter().all(|lists| lists.is_valid(row));
            let (before, mut start) = (places.len(), 0);
            for lists in all.iter().filter(|_| is_known) {
                let (from, to) =
                    (lists.value_offsets()[row].unsigned_abs(), lists.value_offsets()[row + 1].unsigned_abs());
                places.extend((from..to).map(|at| u64::from(at) + start));
                start += lists.values().len() as u64;
            }
            lengths.push(places.len() - before);
            valid.push(is_known);
        }
        let items = take(&values, &UInt64Array::from(places), None)?;
        Ok(Arc::new(ListArray::try_new(field.clone(), OffsetBuffer::from_lengths(lengths), items, Some(valid.into()))?))
    })
}

/// The elements of the lists of a list; nothing when one of them is null.
fn flattened(a: &Arguments) -> Result<ArrayRef> {
    let outer = lists(a, 0)?;
    let Some(inner) = outer.values().as_list_opt::<i32>() else { return plan_err!("flatten() takes a list of lists") };
    let DataType::List(field) = inner.data_type() else { return plan_err!("flatten() takes a list of lists") };
    let (mut places, mut lengths, mut valid) = (Vec::<u32>::new(), Vec::new(), Vec::new());
    for row in 0..outer.len() {
        let of = |at: usize| outer.value_offsets()[at].unsigned_abs() as usize;
        let is_known = outer.is_valid(row) && (of(row)..of(row + 1)).all(|at| inner.is_valid(at));
        let before = places.len();
        if is_known {
            for at in of(row)..of(row + 1) {
                places.extend(inner.value_offsets()[at].unsigned_abs()..inner.value_offsets()[at + 1].unsigned_abs());
            }
        }
        lengths.push(places.len() - before);
        valid.push(is_known);
    }
    let items = take(inner.values(), &UInt32Array::from(places), None)?;
    Ok(Arc::new(ListArray::try_new(field.clone(), OffsetBuffer::from_lengths(lengths), items, Some(valid.into()))?))
}

/// Lists of such lengths, of elements at these places; none for null.
fn of_places(lists: &ListArray, places: UInt32Array, lengths: impl Iterator<Item = i32>) -> Result<ArrayRef> {
    let DataType::List(field) = lists.data_type() else { return plan_err!("a list was expected") };
    let items = take(lists.values(), &places, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths.map(|l| usize::try_from(l).unwrap_or(0)));
    Ok(Arc::new(ListArray::try_new(field.clone(), offsets, items, lists.nulls().cloned())?))
}

/// Lists with an argument put in at a place, which is counted from 1, and from -1 backwards.
fn inserted(a: &Arguments, value: usize, place: impl Fn(usize) -> Option<i32>) -> Result<ArrayRef> {
    let lists = lists(a, 0)?;
    let DataType::List(field) = lists.data_type() else { return plan_err!("a list was expected") };
    let added = converted(a.array(value), field.data_type())?;
    let both = concat(&[lists.values().as_ref(), added.as_ref()])?;
    let (mut places, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..lists.len() {
        let place = place(row).filter(|_| lists.is_valid(row));
        let (start, count) = (i64::from(lists.value_offsets()[row]), i64::from(lists.value_length(row)));
        let Some(place) = place else {
            lengths.push(0);
            valid.push(false);
            continue;
        };
        let at = match i64::from(place) {
            0 => return plan_err!("array_insert(): places are counted from 1"),
            at @ 1.. => at - 1,
            at => count + at + 1,
        };
        if at < 0 || at > count + i64::from(PADDING_MAX) {
            return plan_err!("array_insert(): {place} is too far from a list of {count} elements");
        }
        let item = |at: i64| u64::try_from(start + at).ok();
        let own = u64::try_from(lists.values().len() + row).ok();
        let before = (0..at).map(|i| if i < count { item(i) } else { None });
        places.extend(before.chain([own]).chain((at..count).map(item)));
        lengths.push(usize::try_from(count.max(at) + 1).unwrap_or(0));
        valid.push(true);
    }
    let items = take(&both, &UInt64Array::from(places), None)?;
    Ok(Arc::new(ListArray::try_new(field.clone(), OffsetBuffer::from_lengths(lengths), items, Some(valid.into()))?))
}

/// From a start to an end by a step: whole numbers, or days by an interval.
fn sequence(a: &Arguments) -> Result<ArrayRef> {
    let of = a.array(0).data_type().clone();
    let longs = |at: usize| -> Result<Int64Array> {
        let days =
            if of == DataType::Date32 { arrow_cast(a.array(at), &DataType::Int32)? } else { a.array(at).clone() };
        Ok(arrow_cast(&days, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    };
    if !of.is_integer() && of != DataType::Date32 || a.array(1).data_type() != &of {
        return plan_err!("sequence() takes two whole numbers of one type or two dates");
    }
    let (from, to) = (longs(0)?, longs(1)?);
    let steps = match (a.count() > 2).then(|| a.array(2).data_type()) {
        None => None,
        Some(step) if step.is_integer() && of != DataType::Date32 => Some(Steps::Whole(longs(2)?)),
        Some(DataType::Interval(IntervalUnit::MonthDayNano)) if of == DataType::Date32 => {
            Some(Steps::Interval(a.array(2).as_primitive::<IntervalMonthDayNanoType>().clone()))
        }
        Some(step) => return plan_err!("sequence() of {of} takes no step of {step}"),
    };
    let (mut items, mut lengths, mut valid) = (Vec::<i64>::new(), Vec::new(), Vec::new());
    for row in 0..from.len() {
        let known = from.is_valid(row) && to.is_valid(row) && steps.as_ref().is_none_or(|s| s.is_valid(row));
        valid.push(known);
        let before = items.len();
        if known {
            let (from, to) = (from.value(row), to.value(row));
            let down = if from > to { -1 } else { 1 };
            let at = |i: i64| match &steps {
                None => from.checked_add(i * down),
                Some(steps) => steps.at(row, from, i),
            };
            let forward = at(1).is_none_or(|next| next > from);
            if at(1) == Some(from) && from != to || (forward && from > to) || (!forward && from < to) {
                return plan_err!("sequence(): the step never leads from {from} to {to}");
            }
            for i in 0.. {
                let Some(item) = at(i).filter(|v| if forward { *v <= to } else { *v >= to }) else { break };
                if i >= ELEMENTS_MAX {
                    return plan_err!("sequence() makes at most {ELEMENTS_MAX} elements");
                }
                items.push(item);
                if from == to {
                    break;
                }
            }
        }
        lengths.push(items.len() - before);
    }
    let items: ArrayRef = Arc::new(Int64Array::from(items));
    let items = match of {
        DataType::Date32 => arrow_cast(&arrow_cast(&items, &DataType::Int32)?, &DataType::Date32)?,
        _ => arrow_cast(&items, &of)?,
    };
    let field = Arc::new(Field::new("element", of, true));
    Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, Some(valid.into()))?))
}

/// Steps of sequences, a row each.
enum Steps {
    Whole(Int64Array),
    Interval(IntervalMonthDayNanoArray),
}

impl Steps {
    fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::Whole(steps) => steps.is_valid(row),
            Self::Interval(steps) => steps.is_valid(row),
        }
    }

    /// A start so many steps on.
    fn at(&self, row: usize, from: i64, count: i64) -> Option<i64> {
        match self {
            Self::Whole(steps) => from.checked_add(steps.value(row).checked_mul(count)?),
            Self::Interval(steps) => {
                let step = steps.value(row);
                let months = step.months.checked_mul(i32::try_from(count).ok()?)?;
                let day = super::dates::months_later(super::parse::day(i32::try_from(from).ok()?)?, months)?;
                i64::from(super::parse::days(day)).checked_add(i64::from(step.days).checked_mul(count)?)
            }
        }
    }
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
