//! ORDER BY with LIMIT: the first rows of all, kept up to date.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{FetchType, Limit, LogicalPlan, Operator, SkipType, Sort, SortExpr};
use datafusion::physical_expr::expressions::{BinaryExpr, Literal};
use sluice_operators::window::over::{Function, Over, OverCall, OverSpec};

use super::over::Extended;
use super::rows::keep_if;
use super::{Lowered, Lowering, Op, Unsupported, column, unsupported};

impl Lowering<'_> {
    pub(super) fn sort(&self, sort: &Sort) -> Lowered {
        match sort.fetch {
            // A table has no order.
            None => self.plan(&sort.input),
            Some(fetch) => self.first_of_all(&sort.input, &sort.expr, 0, fetch),
        }
    }

    pub(super) fn limit(&self, limit: &Limit) -> Lowered {
        let known = |e| Unsupported(format!("a LIMIT that is no number: {e}"));
        let skip = match limit.get_skip_type().map_err(known)? {
            SkipType::Literal(skip) => skip,
            SkipType::UnsupportedExpr => return unsupported("an OFFSET that is no number"),
        };
        let fetch = match limit.get_fetch_type().map_err(known)? {
            FetchType::Literal(fetch) => fetch,
            FetchType::UnsupportedExpr => return unsupported("a LIMIT that is no number"),
        };
        let Some(fetch) = fetch else { return unsupported("OFFSET without LIMIT") };
        match limit.input.as_ref() {
            LogicalPlan::Sort(sort) => self.first_of_all(&sort.input, &sort.expr, skip, fetch),
            // Any rows will do: those that come first by what is in them.
            other => self.first_of_all(other, &[], skip, fetch),
        }
    }

    /// The rows behind the first `skip`, `fetch` of them.
    fn first_of_all(&self, input: &LogicalPlan, order: &[SortExpr], skip: usize, fetch: usize) -> Lowered {
        let op = self.plan(input)?;
        let width = op.schema().fields().len();
        let mut extended = Extended::new(&op, input.schema());
        let order = extended.order(order)?;
        let schema = extended.schema();
        let fields = schema.fields().iter().map(|f| f.as_ref().clone());
        let wide = Arc::new(Schema::new(fields.chain([Field::new("n", DataType::Int64, true)]).collect::<Vec<_>>()));
        let number = OverCall { function: Function::RowNumber, argument: None, output_type: DataType::Int64 };
        let spec = OverSpec {
            input: schema.clone(),
            keys: vec![],
            order,
            calls: vec![number],
            first_rows: Some((skip + fetch) as u64),
            schema: wide.clone(),
        };
        // It says which types have no order.
        Over::new(spec.clone()).map_err(|e| Unsupported(e.to_string()))?;
        let mut rows = Op::Over { input: Box::new(extended.over(op)), spec };
        if skip > 0 {
            let skipped = Arc::new(Literal::new(ScalarValue::Int64(Some(skip as i64))));
            let number = column(&wide, wide.fields().len() - 1);
            rows = keep_if(rows, Arc::new(BinaryExpr::new(number, Operator::Gt, skipped)));
        }
        let columns = (0..width).map(|i| column(&wide, i)).collect();
        Ok(Op::Map { input: Box::new(rows), predicate: None, columns, schema: super::arrow_schema(input.schema()) })
    }
}
