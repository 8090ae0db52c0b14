//! `concat_ws` that stands constants.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use datafusion_spark::function::string::concat_ws::SparkConcatWs;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(ConcatWs(SparkConcatWs::new()))
}

/// Spark's `concat_ws` of `datafusion-spark`, which panics for a batch of more than one row when all its arguments are
/// constants *in that batch*: `concat_ws('-', coalesce(c, ''))` where `c` is null in each row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ConcatWs(SparkConcatWs);

impl ScalarUDFImpl for ConcatWs {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.0.return_type(arg_types)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.0.coerce_types(arg_types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
            return self.0.invoke_with_args(args);
        }
        let one = self.0.invoke_with_args(ScalarFunctionArgs { number_rows: 1, ..args })?;
        Ok(ColumnarValue::Scalar(match one {
            ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
            ColumnarValue::Scalar(scalar) => scalar,
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::session::spark_session;

    /// Arguments that are null in all rows become constants; the result has a value for each row all the same.
    #[tokio::test]
    async fn all_arguments_are_null() {
        let context = spark_session([]);
        let sql = "select concat_ws('-', coalesce(nullif(a, a), 'none'), coalesce(nullif(a, a), '')) as c
                   from (values ('x'), ('y'), ('z')) as t(a)";
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        assert_eq!(text.matches("| none- |").count(), 3, "{text}");
    }
}
