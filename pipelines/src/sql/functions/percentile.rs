//! `percentile_approx(x, p)`: the value at a rank. Spark's sketch is exact for as many values as its accuracy (10,000) and
//! close beyond; this is exact always, so it depends on no order.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, new_empty_array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, concat, sort_to_indices, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let signature = Signature::user_defined(Volatility::Immutable);
    vec![Arc::new(AggregateUDF::new_from_impl(PercentileApprox {
        signature,
        aliases: vec!["approx_percentile".into()],
    }))]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PercentileApprox {
    signature: Signature,
    aliases: Vec<String>,
}

impl AggregateUDFImpl for PercentileApprox {
    fn name(&self) -> &str {
        "percentile_approx"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let fits = (2..=3).contains(&arg_types.len()) && !arg_types[0].is_nested() && arg_types[0] != DataType::Utf8;
        if fits {
            Ok(arg_types.to_vec())
        } else {
            Err(wrong("takes a number or a time, a share between 0 and 1, and perhaps an accuracy"))
        }
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let value = arg_types[0].clone();
        Ok(if arg_types[1].is_nested() { DataType::List(Arc::new(Field::new_list_field(value, true))) } else { value })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let share = args.exprs.get(1).and_then(|e| e.downcast_ref::<Literal>()).map(Literal::value);
        let share = share.ok_or_else(|| wrong("takes a constant as its share, such as 0.5"))?;
        let (shares, is_list) = shares_of(share)?;
        let value_type = args.expr_fields[0].data_type().clone();
        Ok(Box::new(Values { value_type, shares, is_list, values: vec![] }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(args.input_fields[0].data_type().clone(), true);
        Ok(vec![Arc::new(Field::new(format!("{}[values]", args.name), DataType::List(Arc::new(item)), true))])
    }
}

fn wrong(what: &str) -> DataFusionError {
    DataFusionError::Plan(format!("percentile_approx() {what}"))
}

/// One share or several, and whether they came as a list.
fn shares_of(value: &ScalarValue) -> Result<(Vec<f64>, bool)> {
    let list = match value {
        ScalarValue::List(list) => Some(list.value(0)),
        _ => None,
    };
    let shares = match &list {
        Some(list) => list.clone(),
        None => value.to_array()?,
    };
    let shares = datafusion::arrow::compute::cast(&shares, &DataType::Float64)?;
    let shares: Vec<f64> = shares.as_primitive::<Float64Type>().iter().flatten().collect();
    if shares.is_empty() || shares.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return Err(wrong("takes shares between 0 and 1"));
    }
    Ok((shares, list.is_some()))
}

/// All values of a group.
#[derive(Debug)]
struct Values {
    value_type: DataType,
    shares: Vec<f64>,
    is_list: bool,
    values: Vec<ArrayRef>,
}

impl Values {
    fn all(&self) -> Result<ArrayRef> {
        if self.values.is_empty() {
            return Ok(new_empty_array(&self.value_type));
        }
        Ok(concat(&self.values.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.push(values[0].clone());
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let all = self.all()?;
        let count = all.len() - all.logical_null_count();
        let none = ScalarValue::try_from(&self.value_type)?;
        let options = SortOptions { descending: false, nulls_first: false };
        let order = sort_to_indices(&all, Some(options), None)?;
        let at = |share: &f64| ((share * count as f64).ceil() as usize).clamp(1, count.max(1)) - 1;
        if !self.is_list {
            let first = self.shares.first().map_or(0, at);
            return if count == 0 { Ok(none) } else { ScalarValue::try_from_array(&all, order.value(first) as usize) };
        }
        let item = Arc::new(Field::new_list_field(self.value_type.clone(), true));
        if count == 0 {
            return ScalarValue::try_from(&DataType::List(item));
        }
        let places: UInt32Array = self.shares.iter().map(|share| Some(order.value(at(share)))).collect();
        let values = take(&all, &places, None)?;
        let list = ListArray::new(item, OffsetBuffer::from_lengths([values.len()]), values, None);
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.iter().map(|v| v.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let all = self.all()?;
        let item = Arc::new(Field::new_list_field(self.value_type.clone(), true));
        let list = ListArray::new(item, OffsetBuffer::from_lengths([all.len()]), all, None);
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.extend(states[0].as_list::<i32>().iter().flatten());
        Ok(())
    }
}
