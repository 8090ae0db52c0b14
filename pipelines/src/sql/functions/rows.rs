//! Functions that are computed a row at a time: what they take, and their results as columns.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::builder::{ListBuilder, StringBuilder};
use datafusion::arrow::array::*;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::sql::types::timestamp;

/// What an argument becomes before a function gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Binary,
    Int,
    Long,
    Double,
    Bool,
    Date,
    Time,
    /// What it is; a decimal stays one.
    Any,
}
pub(super) use Takes::*;

impl Takes {
    fn data_type(self) -> Option<DataType> {
        Some(match self {
            Text => DataType::Utf8,
            Binary => DataType::Binary,
            Int => DataType::Int32,
            Long => DataType::Int64,
            Double => DataType::Float64,
            Bool => DataType::Boolean,
            Date => DataType::Date32,
            Time => timestamp(),
            Any => return None,
        })
    }
}

/// The arguments of a call, as columns of one length.
pub(super) struct Arguments {
    arrays: Vec<ArrayRef>,
    rows: usize,
}

impl Arguments {
    /// How many arguments there are.
    pub(super) fn count(&self) -> usize {
        self.arrays.len()
    }

    /// An argument as a column.
    pub(super) fn array(&self, at: usize) -> &ArrayRef {
        &self.arrays[at]
    }

    fn valid(&self, at: usize, row: usize) -> bool {
        self.arrays.get(at).is_some_and(|a| a.is_valid(row))
    }

    /// A text; none when it is null or not given.
    pub(super) fn text(&self, at: usize, row: usize) -> Option<&str> {
        self.valid(at, row).then(|| self.arrays[at].as_string::<i32>().value(row))
    }

    pub(super) fn bytes(&self, at: usize, row: usize) -> Option<&[u8]> {
        self.valid(at, row).then(|| self.arrays[at].as_binary::<i32>().value(row))
    }

    pub(super) fn int(&self, at: usize, row: usize) -> Option<i32> {
        self.valid(at, row).then(|| self.arrays[at].as_primitive::<Int32Type>().value(row))
    }

    pub(super) fn long(&self, at: usize, row: usize) -> Option<i64> {
        self.valid(at, row).then(|| self.arrays[at].as_primitive::<Int64Type>().value(row))
    }

    pub(super) fn double(&self, at: usize, row: usize) -> Option<f64> {
        self.valid(at, row).then(|| self.arrays[at].as_primitive::<Float64Type>().value(row))
    }

    pub(super) fn boolean(&self, at: usize, row: usize) -> Option<bool> {
        self.valid(at, row).then(|| self.arrays[at].as_boolean().value(row))
    }

    /// Days since 1970.
    pub(super) fn date(&self, at: usize, row: usize) -> Option<i32> {
        self.valid(at, row).then(|| self.arrays[at].as_primitive::<Date32Type>().value(row))
    }

    /// Microseconds since 1970.
    pub(super) fn time(&self, at: usize, row: usize) -> Option<i64> {
        self.valid(at, row).then(|| self.arrays[at].as_primitive::<TimestampMicrosecondType>().value(row))
    }

    /// A column of what `f` gives for each row.
    pub(super) fn each<T: Cell>(&self, f: impl FnMut(usize) -> Result<Option<T>>) -> Result<ArrayRef> {
        T::column((0..self.rows).map(f).collect::<Result<Vec<_>>>()?)
    }

    /// As [`Self::each`], for what cannot fail.
    pub(super) fn map<T: Cell>(&self, f: impl FnMut(usize) -> Option<T>) -> Result<ArrayRef> {
        T::column((0..self.rows).map(f).collect())
    }
}

/// A value that a column can be made of.
pub(super) trait Cell: Sized {
    fn column(values: Vec<Option<Self>>) -> Result<ArrayRef>;
}

macro_rules! cells {
    ($($value:ty => $array:ty),*) => { $(
        impl Cell for $value {
            fn column(values: Vec<Option<Self>>) -> Result<ArrayRef> {
                Ok(Arc::new(<$array>::from_iter(values)))
            }
        }
    )* };
}
cells!(bool => BooleanArray, i32 => Int32Array, i64 => Int64Array, f64 => Float64Array, String => StringArray, Vec<u8> => BinaryArray);

/// Days since 1970.
pub(super) struct Day(pub(super) i32);

impl Cell for Day {
    fn column(values: Vec<Option<Self>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.into_iter().map(|v| v.map(|Day(day)| day)).collect::<Date32Array>()))
    }
}

/// Microseconds since 1970.
pub(super) struct Moment(pub(super) i64);

impl Cell for Moment {
    fn column(values: Vec<Option<Self>>) -> Result<ArrayRef> {
        let times = values.into_iter().map(|v| v.map(|Moment(us)| us)).collect::<TimestampMicrosecondArray>();
        Ok(Arc::new(times.with_timezone("UTC")))
    }
}

impl Cell for Vec<String> {
    fn column(values: Vec<Option<Self>>) -> Result<ArrayRef> {
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
        for value in values {
            lists.append_option(value.map(|texts| texts.into_iter().map(Some)));
        }
        Ok(Arc::new(lists.finish()))
    }
}

/// A list of texts.
pub(super) fn texts() -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)))
}

/// A function by name. It takes `takes`, of which the first `required` must be given.
pub(super) fn function(
    name: &'static str,
    takes: &'static [Takes],
    required: usize,
    result: DataType,
    f: fn(&Arguments) -> Result<ArrayRef>,
) -> ScalarUDF {
    of_rows(name, takes, required, Of::Type(result), f)
}

/// A function whose result has the type of its first argument.
pub(super) fn same_type(
    name: &'static str,
    takes: &'static [Takes],
    required: usize,
    f: fn(&Arguments) -> Result<ArrayRef>,
) -> ScalarUDF {
    of_rows(name, takes, required, Of::First, f)
}

/// A function whose result is a list of values like its first argument.
pub(super) fn lists_of(
    name: &'static str,
    takes: &'static [Takes],
    required: usize,
    f: fn(&Arguments) -> Result<ArrayRef>,
) -> ScalarUDF {
    of_rows(name, takes, required, Of::ListOfFirst, f)
}

/// A function whose result has the type of its first argument's elements.
pub(super) fn first_of(
    name: &'static str,
    takes: &'static [Takes],
    required: usize,
    f: fn(&Arguments) -> Result<ArrayRef>,
) -> ScalarUDF {
    of_rows(name, takes, required, Of::ElementOfFirst, f)
}

fn of_rows(
    name: &'static str,
    takes: &'static [Takes],
    required: usize,
    result: Of,
    f: fn(&Arguments) -> Result<ArrayRef>,
) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::from(OfRows { name, takes, required, result, f, signature })
}

/// What a function gives.
#[derive(Debug)]
enum Of {
    ElementOfFirst,
    Type(DataType),
    First,
    ListOfFirst,
}

#[derive(Debug)]
struct OfRows {
    name: &'static str,
    takes: &'static [Takes],
    required: usize,
    result: Of,
    f: fn(&Arguments) -> Result<ArrayRef>,
    signature: Signature,
}

impl PartialEq for OfRows {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OfRows {}

impl Hash for OfRows {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for OfRows {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let given = arg_types.len();
        if given < self.required || given > self.takes.len() {
            let (least, most) = (self.required, self.takes.len());
            return plan_err!("{}() takes {least} to {most} arguments, not {given}", self.name);
        }
        let typed = self.takes.iter().zip(arg_types).map(|(takes, given)| match takes.data_type() {
            Some(wanted) if *given != wanted && given.is_nested() => {
                plan_err!("{}() takes {wanted}, not {given}", self.name)
            }
            Some(wanted) => Ok(wanted),
            None => Ok(given.clone()),
        });
        typed.collect()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let first = || arg_types.first().cloned().unwrap_or(DataType::Null);
        Ok(match &self.result {
            Of::Type(data_type) => data_type.clone(),
            Of::First => first(),
            Of::ElementOfFirst => match first() {
                DataType::List(field) => field.data_type().clone(),
                other => return plan_err!("{}() takes a list, not {other}", self.name),
            },
            Of::ListOfFirst => DataType::List(Arc::new(Field::new("element", first(), true))),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = !args.args.is_empty() && args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let typed = arrays.into_iter().zip(self.takes).map(|(array, takes)| match takes.data_type() {
            Some(wanted) if *array.data_type() != wanted => Ok(cast(&array, &wanted)?),
            _ => Ok(array),
        });
        let arrays = typed.collect::<Result<Vec<_>>>()?;
        let rows = arrays.first().map_or(args.number_rows, |a| a.len());
        let array = (self.f)(&Arguments { arrays, rows })?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}
