//! JSON in texts: looked into, read by a schema, written.

mod read;
mod value;
mod write;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::rows::{Any, Text, function, texts};
use value::Json;

pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![
        function("get_json_object", &[Text, Text], 2, DataType::Utf8, |a| {
            a.map(|row| {
                let steps = value::steps(a.text(1, row)?)?;
                value::found(&Json::read(a.text(0, row)?)?, &steps)?.text()
            })
        }),
        function("json_array_length", &[Text], 1, DataType::Int32, |a| {
            a.map(|row| match Json::read(a.text(0, row)?)? {
                Json::List(items) => i32::try_from(items.len()).ok(),
                _ => None,
            })
        }),
        function("json_object_keys", &[Text], 1, texts(), |a| {
            a.map(|row| match Json::read(a.text(0, row)?)? {
                Json::Object(fields) => Some(fields.into_iter().map(|(name, _)| name).collect::<Vec<_>>()),
                _ => None,
            })
        }),
        function("to_json", &[Any], 1, DataType::Utf8, |a| a.each(|row| write::json(a.array(0), row))),
        read::from_json(),
    ]
}
