//! Maps: looked into and put together.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::cast::converted;
use super::rows::{Any, Arguments, function, same_type};

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        function("map_contains_key", &[Any, Any], 2, DataType::Boolean, |a| {
            let maps = maps(a, 0)?;
            let wanted = converted(a.array(1), maps.keys().data_type())?;
            a.each(|row| {
                if maps.is_null(row) || wanted.is_null(row) {
                    return Ok(None);
                }
                let (keys, wanted) = (maps.value(row).column(0).clone(), ScalarValue::try_from_array(&wanted, row)?);
                for at in 0..keys.len() {
                    if wanted.eq_array(&keys, at)? {
                        return Ok(Some(true));
                    }
                }
                Ok(Some(false))
            })
        }),
        same_type("map_concat", &[Any, Any], 2, joined),
    ]
}

fn maps(a: &Arguments, at: usize) -> Result<&MapArray> {
    match a.array(at).as_map_opt() {
        Some(maps) => Ok(maps),
        None => plan_err!("a map was expected, not {}", a.array(at).data_type()),
    }
}

/// Two maps as one; a key that is in both is an error, as it is in Spark.
fn joined(a: &Arguments) -> Result<ArrayRef> {
    let (left, right) = (maps(a, 0)?, converted(a.array(1), a.array(0).data_type())?);
    let right = right.as_map();
    let DataType::Map(field, is_sorted) = left.data_type() else { return plan_err!("a map was expected") };
    let both = concat(&[left.entries() as &dyn Array, right.entries() as &dyn Array])?;
    let (mut places, mut lengths, mut valid) = (Vec::<u64>::new(), Vec::new(), Vec::new());
    for row in 0..left.len() {
        let known = left.is_valid(row) && right.is_valid(row);
        valid.push(known);
        if !known {
            lengths.push(0);
            continue;
        }
        let keys = right.value(row).column(0).clone();
        for at in 0..left.value_length(row) {
            let at = (left.value_offsets()[row] + at).unsigned_abs() as usize;
            let key = ScalarValue::try_from_array(left.keys(), at)?;
            for other in 0..keys.len() {
                if key.eq_array(&keys, other)? {
                    return plan_err!("map_concat(): the key {key} is in both maps");
                }
            }
        }
        let of = |map: &MapArray, from: usize| {
            let (start, end) = (map.value_offsets()[row].unsigned_abs(), map.value_offsets()[row + 1].unsigned_abs());
            (start..end).map(move |at| u64::from(at) + from as u64)
        };
        let before = places.len();
        places.extend(of(left, 0).chain(of(right, left.entries().len())));
        lengths.push(places.len() - before);
    }
    let entries = take(&both, &UInt64Array::from(places), None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let map = MapArray::try_new(field.clone(), offsets, entries.as_struct().clone(), Some(valid.into()), *is_sorted)?;
    Ok(Arc::new(map))
}
