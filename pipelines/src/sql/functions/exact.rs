//! `sum` and `avg` of doubles that do not depend on the order of the rows: the batch form of what the stream keeps.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature};
use sluice_operators::window::aggregate::ExactSum;

pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let exact = |inner: Arc<AggregateUDF>, average| Arc::new(AggregateUDF::new_from_impl(Exact { inner, average }));
    vec![exact(sum_udaf(), false), exact(avg_udaf(), true)]
}

/// DataFusion's function, but for doubles.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    inner: Arc<AggregateUDF>,
    average: bool,
}

fn takes_double(fields: &[FieldRef]) -> bool {
    fields.first().is_some_and(|f| *f.data_type() == DataType::Float64)
}

impl AggregateUDFImpl for Exact {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if takes_double(args.expr_fields) && !args.is_distinct {
            return Ok(Box::new(ExactAccumulator { average: self.average, ..Default::default() }));
        }
        self.inner.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if takes_double(args.expr_fields) && !args.is_distinct {
            return self.accumulator(args);
        }
        self.inner.create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if takes_double(args.input_fields) && !args.is_distinct {
            let field = |name: &str, t| Arc::new(Field::new(format!("{}[{name}]", args.name), t, true));
            return Ok(vec![field("exact", DataType::Binary), field("count", DataType::Int64)]);
        }
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !takes_double(args.expr_fields) && self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }
}

#[derive(Debug, Default)]
struct ExactAccumulator {
    average: bool,
    sum: ExactSum,
    count: i64,
}

impl ExactAccumulator {
    fn add(&mut self, values: &[ArrayRef], weight: i64) {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            self.sum.add(value, weight);
            self.count += weight;
        }
    }
}

impl Accumulator for ExactAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values, 1);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values, -1);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = (self.count > 0).then(|| match self.average {
            true => self.sum.value() / self.count as f64,
            false => self.sum.value(),
        });
        Ok(ScalarValue::Float64(value))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sum.heap_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.sum.to_bytes())), ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums: &BinaryArray = states[0].as_binary();
        let counts = states[1].as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        for (sum, count) in sums.iter().zip(counts.iter()) {
            let (Some(sum), Some(count)) = (sum, count) else { continue };
            let sum = ExactSum::from_bytes(sum)
                .ok_or_else(|| DataFusionError::Internal("the state of an exact sum is damaged".into()))?;
            self.sum.merge(&sum);
            self.count += count;
        }
        Ok(())
    }
}
