//! `sum` and `avg` of doubles that do not depend on the order of the rows: the batch form of what the stream keeps.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type};
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
        if let Some(average) = self.of_decimals(args.expr_fields, args.is_distinct) {
            return Ok(Box::new(average));
        }
        self.inner.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let is_own = self.of_decimals(args.expr_fields, args.is_distinct).is_some();
        if is_own || (takes_double(args.expr_fields) && !args.is_distinct) {
            return self.accumulator(args);
        }
        self.inner.create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if takes_double(args.input_fields) && !args.is_distinct {
            let field = |name: &str, t| Arc::new(Field::new(format!("{}[{name}]", args.name), t, true));
            return Ok(vec![field("exact", DataType::Binary), field("count", DataType::Int64)]);
        }
        if self.of_decimals(args.input_fields, args.is_distinct).is_some() {
            let field = |name: &str, t| Arc::new(Field::new(format!("{}[{name}]", args.name), t, true));
            return Ok(vec![field("sum", DataType::Decimal128(38, 0)), field("count", DataType::Int64)]);
        }
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        let is_own = takes_double(args.expr_fields) || self.of_decimals(args.expr_fields, args.is_distinct).is_some();
        !is_own && self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }
}

impl Exact {
    /// `avg` of decimals: DataFusion cuts off what Spark rounds.
    fn of_decimals(&self, fields: &[FieldRef], is_distinct: bool) -> Option<DecimalAverage> {
        let types = fields.first().filter(|_| self.average && !is_distinct)?;
        let of = types.data_type();
        let DataType::Decimal128(_, scale) = of else { return None };
        let result = self.inner.return_type(std::slice::from_ref(of)).ok()?;
        Some(DecimalAverage { scale: *scale, result, sum: Some(0), count: 0 })
    }
}

/// A sum that is none once it has overflowed, and how many there were.
#[derive(Debug)]
struct DecimalAverage {
    scale: i8,
    result: DataType,
    sum: Option<i128>,
    count: i64,
}

impl Accumulator for DecimalAverage {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            self.sum = self.sum.and_then(|sum| sum.checked_add(value));
            self.count += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            self.sum = self.sum.and_then(|sum| sum.checked_sub(value));
            self.count -= 1;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let DataType::Decimal128(precision, scale) = self.result else {
            return Err(DataFusionError::Internal(format!("an average of decimals is no {}", self.result)));
        };
        let sum = self.sum.filter(|_| self.count > 0);
        let value = sum.and_then(|sum| super::decimal::average(sum, self.count, scale - self.scale));
        Ok(ScalarValue::Decimal128(value, precision, scale))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Decimal128(self.sum, 38, 0), ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_primitive::<Decimal128Type>();
        let counts = states[1].as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        for (sum, count) in sums.iter().zip(counts.iter()) {
            self.sum = self.sum.zip(sum).and_then(|(all, sum)| all.checked_add(sum));
            self.count += count.unwrap_or(0);
        }
        Ok(())
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
