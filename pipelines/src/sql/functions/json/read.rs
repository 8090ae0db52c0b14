//! `from_json`: a text by a schema; what does not fit it is NULL.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::*;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::super::parse;
use super::value::Json;
use crate::sql::types::{self, timestamp};

pub(super) fn from_json() -> ScalarUDF {
    ScalarUDF::from(FromJson { signature: Signature::string(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FromJson {
    signature: Signature,
}

impl ScalarUDFImpl for FromJson {
    fn name(&self) -> &str {
        "from_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        plan_err!("from_json(): the schema must be a constant")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let Some(Some(ScalarValue::Utf8(Some(schema)))) = args.scalar_arguments.get(1) else {
            return plan_err!("from_json(): the schema must be a text such as 'a INT, b STRING'");
        };
        match types::parse(schema).or_else(|| types::parse(&format!("struct<{schema}>"))) {
            Some(data_type) => Ok(Arc::new(Field::new(self.name(), data_type, true))),
            None => plan_err!("from_json(): {schema:?} is no schema; write for instance 'a INT, b ARRAY<STRING>'"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let wanted = args.return_field.data_type();
        let Some(text) = args.args.first() else { return plan_err!("from_json() takes a text and a schema") };
        let is_constant = matches!(text, ColumnarValue::Scalar(_));
        let array = text.to_array(1)?;
        let is_struct = matches!(wanted, DataType::Struct(_));
        let texts = array.as_string::<i32>().iter();
        let values: Vec<Option<Json>> = texts
            .map(|text| {
                let json = Json::read(text?);
                let fits = matches!(
                    (&json, wanted),
                    (Some(Json::Object(_)), DataType::Struct(_) | DataType::Map(..))
                        | (Some(Json::List(_)), DataType::List(_))
                );
                // A struct of nothing, where there is a text that is none.
                if fits { json } else { is_struct.then(|| Json::Object(vec![])) }
            })
            .collect();
        let array = column(&values.iter().map(Option::as_ref).collect::<Vec<_>>(), wanted)?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

fn column(values: &[Option<&Json>], wanted: &DataType) -> Result<ArrayRef> {
    let text = |v: &Json| match v {
        Json::Text(text) => Some(text.clone()),
        _ => None,
    };
    let number = |v: &Json| match v {
        Json::Number(number) => Some(number.clone()),
        _ => None,
    };
    macro_rules! of {
        ($array:ty, $f:expr) => {
            Arc::new(values.iter().map(|v| v.and_then($f)).collect::<$array>())
        };
    }
    Ok(match wanted {
        DataType::Utf8 => of!(StringArray, Json::text),
        DataType::Boolean => of!(BooleanArray, |v| if let Json::Bool(b) = v { Some(*b) } else { None }),
        DataType::Int8 => of!(Int8Array, |v| number(v)?.parse::<i8>().ok()),
        DataType::Int16 => of!(Int16Array, |v| number(v)?.parse::<i16>().ok()),
        DataType::Int32 => of!(Int32Array, |v| number(v)?.parse::<i32>().ok()),
        DataType::Int64 => of!(Int64Array, |v| number(v)?.parse::<i64>().ok()),
        DataType::Float32 => of!(Float32Array, |v| number(v)?.parse::<f32>().ok()),
        DataType::Float64 => of!(Float64Array, |v| number(v)?.parse::<f64>().ok()),
        DataType::Decimal128(p, s) => {
            let decimals = of!(Decimal128Array, |v| parse::decimal(&number(v)?, *p, *s));
            Arc::new(Arc::unwrap_or_clone(decimals).with_precision_and_scale(*p, *s)?)
        }
        DataType::Date32 => of!(Date32Array, |v| parse::date(&text(v)?)),
        t if *t == timestamp() => {
            let times = of!(TimestampMicrosecondArray, |v| parse::time(&text(v)?));
            Arc::new(Arc::unwrap_or_clone(times).with_timezone("UTC"))
        }
        DataType::Struct(fields) => {
            let of_field = |field: &FieldRef| {
                let find = |v: &Option<&'_ Json>| -> Option<Json> {
                    let Some(Json::Object(found)) = v else { return None };
                    found.iter().rev().find(|(name, _)| name == field.name()).map(|(_, v)| v.clone())
                };
                let found: Vec<Option<Json>> = values.iter().map(find).collect();
                column(&found.iter().map(Option::as_ref).collect::<Vec<_>>(), field.data_type())
            };
            let columns = fields.iter().map(of_field).collect::<Result<Vec<_>>>()?;
            let valid = NullBuffer::from_iter(values.iter().map(|v| matches!(v, Some(Json::Object(_)))));
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, Some(valid), values.len())?)
        }
        DataType::List(field) => {
            let (mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
            for value in values {
                let list = if let Some(Json::List(list)) = value { list.as_slice() } else { &[] };
                items.extend(list.iter().map(Some));
                lengths.push(list.len());
                valid.push(matches!(value, Some(Json::List(_))));
            }
            let items = column(&items, field.data_type())?;
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(ListArray::try_new(field.clone(), offsets, items, Some(NullBuffer::from(valid)))?)
        }
        DataType::Map(entries, _) => map(values, entries)?,
        other => return plan_err!("from_json() reads no {other}"),
    })
}

fn map(values: &[Option<&Json>], entries: &FieldRef) -> Result<ArrayRef> {
    let DataType::Struct(fields) = entries.data_type() else { return plan_err!("a map of {}", entries.data_type()) };
    let (mut keys, mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for value in values {
        let object = if let Some(Json::Object(object)) = value { object.as_slice() } else { &[] };
        keys.extend(object.iter().map(|(key, _)| Some(key.as_str())));
        items.extend(object.iter().map(|(_, item)| Some(item)));
        lengths.push(object.len());
        valid.push(matches!(value, Some(Json::Object(_))));
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(keys)), column(&items, fields[1].data_type())?];
    let structs = StructArray::try_new(fields.clone(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, structs, Some(NullBuffer::from(valid)), false)?))
}
