//! Elements of lists, as Spark counts them.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// `list[i]`: counted from 0; NULL when there is no such element.
pub(in crate::sql) fn item() -> ScalarUDF {
    element("sluice_item", From::Zero)
}

/// `map[key]`: NULL when there is no such key.
pub(in crate::sql) fn entry() -> ScalarUDF {
    element("sluice_entry", From::One)
}

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![element("get", From::Zero), element("element_at", From::One), element("try_element_at", From::One)]
}

/// From where elements are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum From {
    Zero,
    /// From 1, and from -1 backwards.
    One,
}

fn element(name: &'static str, from: From) -> ScalarUDF {
    ScalarUDF::from(Element { name, from, signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Element {
    name: &'static str,
    from: From,
    signature: Signature,
}

impl ScalarUDFImpl for Element {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [DataType::List(field), index] if index.is_integer() => Ok(field.data_type().clone()),
            [DataType::Map(entries, _), _] if self.from == From::One => match entries.data_type() {
                DataType::Struct(fields) => Ok(fields[1].data_type().clone()),
                other => plan_err!("a map of {other}"),
            },
            [list, index] => plan_err!("{}() takes a list and a whole number, not {list} and {index}", self.name),
            _ => plan_err!("{}() takes two arguments", self.name),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let taken = match arrays[0].data_type() {
            DataType::Map(..) => of_map(&arrays[0], &arrays[1])?,
            _ => self.of_list(&arrays[0], &arrays[1])?,
        };
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&taken, 0)?));
        }
        Ok(ColumnarValue::Array(taken))
    }
}

impl Element {
    fn of_list(&self, lists: &ArrayRef, indices: &ArrayRef) -> Result<ArrayRef> {
        let (lists, indices) = (lists.as_list::<i32>(), cast(indices, &DataType::Int32)?);
        let indices = indices.as_primitive::<Int32Type>();
        let mut places = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let (start, count) = (lists.value_offsets()[row], lists.value_length(row));
            let place = (lists.is_valid(row) && indices.is_valid(row)).then(|| indices.value(row));
            let place = place.and_then(|at| match self.from {
                From::Zero => Some(at),
                From::One if at > 0 => Some(at - 1),
                From::One if at < 0 => count.checked_add(at),
                From::One => None,
            });
            if place.is_none() && self.from == From::One && indices.is_valid(row) && indices.value(row) == 0 {
                return plan_err!("{}(): elements are counted from 1", self.name);
            }
            places.push(place.filter(|at| (0..count).contains(at)).and_then(|at| u32::try_from(start + at).ok()));
        }
        Ok(take(lists.values(), &UInt32Array::from(places), None)?)
    }
}

fn of_map(maps: &ArrayRef, keys: &ArrayRef) -> Result<ArrayRef> {
    let maps = maps.as_map();
    let keys = &super::cast::converted(keys, maps.keys().data_type())?;
    let mut places = Vec::with_capacity(maps.len());
    for row in 0..maps.len() {
        let wanted = ScalarValue::try_from_array(keys, row)?;
        let (start, end) = (maps.value_offsets()[row] as usize, maps.value_offsets()[row + 1] as usize);
        let mut found = None;
        for at in start..end {
            if maps.is_valid(row) && wanted.eq_array(maps.keys(), at)? {
                found = u32::try_from(at).ok();
            }
        }
        places.push(found);
    }
    Ok(take(maps.values(), &UInt32Array::from(places), None)?)
}
