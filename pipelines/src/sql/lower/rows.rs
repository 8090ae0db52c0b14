//! What looks at each row by itself: scan, projection, filter, union, explode, constants.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection, TableScan, Union, Unnest};

use super::{Lowered, Lowering, Op, Unsupported, arrow_schema, column, physical, unsupported};

impl Lowering<'_> {
    pub(super) fn scan(&self, scan: &TableScan) -> Lowered {
        let table = match (scan.table_name.schema(), scan.table_name.table()) {
            (Some(layer), name) => format!("{layer}.{name}"),
            (None, name) => format!("default.{name}"),
        };
        let Some(known) = self.tables.get(&table) else {
            return unsupported(format!("it reads {table}, which is refreshed"));
        };
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return unsupported(format!("a scan of {table} with a filter or limit of its own"));
        }
        let schema = scan.source.schema();
        let all =
            Op::Scan { table, schema: schema.clone(), append_only: known.append_only, times: known.times.clone() };
        let Some(picked) = &scan.projection else { return Ok(all) };
        let columns = picked.iter().map(|i| column(&schema, *i)).collect();
        let schema = arrow_schema(&scan.projected_schema);
        Ok(Op::Map { input: Box::new(all), predicate: None, columns, schema })
    }

    pub(super) fn projection(&self, projection: &Projection) -> Lowered {
        if let LogicalPlan::EmptyRelation(_) = projection.input.as_ref() {
            return constant(&LogicalPlan::Projection(projection.clone()));
        }
        let input = self.plan(&projection.input)?;
        let (input, from, exprs) = self.with_values(input, projection.input.schema(), &projection.expr)?;
        let columns = exprs.iter().map(|e| physical(e, &from)).collect::<Lowered<Vec<_>>>()?;
        let schema = arrow_schema(&projection.schema);
        // A filter below is one step with the projection: rows that fall out are not copied first.
        if let (LogicalPlan::Filter(_), Op::Map { input, predicate, columns: below, .. }) =
            (projection.input.as_ref(), &input)
            && below.iter().enumerate().all(|(i, c)| is_column(c, i))
        {
            return Ok(Op::Map { input: input.clone(), predicate: predicate.clone(), columns, schema });
        }
        Ok(Op::Map { input: Box::new(input), predicate: None, columns, schema })
    }

    pub(super) fn filter(&self, filter: &Filter) -> Lowered {
        if let LogicalPlan::Window(window) = filter.input.as_ref() {
            return self.filtered_window(window, &filter.predicate);
        }
        // The optimizer puts a projection of columns between them when the query needs few of the window's.
        if let LogicalPlan::Projection(projection) = filter.input.as_ref()
            && let LogicalPlan::Window(window) = projection.input.as_ref()
            && projection.expr.iter().all(|e| matches!(e, Expr::Column(_)))
        {
            let input = self.filtered_window(window, &filter.predicate)?;
            return project(projection, input);
        }
        let input = self.plan(&filter.input)?;
        let width = input.schema().fields().len();
        let predicate = std::slice::from_ref(&filter.predicate);
        let (input, from, predicate) = self.with_values(input, filter.input.schema(), predicate)?;
        let predicate = physical(&predicate[0], &from)?;
        let Op::Map { input, predicate, mut columns, .. } = keep_if(input, predicate) else {
            return unsupported("a filter that is none");
        };
        columns.truncate(width);
        Ok(Op::Map { input, predicate, columns, schema: arrow_schema(filter.input.schema()) })
    }

    pub(super) fn union(&self, union: &Union) -> Lowered {
        let inputs = union.inputs.iter().map(|i| self.plan(i)).collect::<Lowered<Vec<_>>>()?;
        Ok(Op::Union { inputs, schema: arrow_schema(&union.schema) })
    }

    pub(super) fn unnest(&self, unnest: &Unnest) -> Lowered {
        let [(list, how)] = unnest.list_type_columns.as_slice() else {
            return unsupported("unnesting several lists at once");
        };
        if how.depth != 1 || !unnest.struct_type_columns.is_empty() {
            return unsupported("unnesting a nested list or a struct");
        }
        let input = Box::new(self.plan(&unnest.input)?);
        let schema = arrow_schema(&unnest.schema);
        Ok(Op::Explode { input, sources: unnest.dependency_indices.clone(), list: *list, schema })
    }
}

/// A projection of rows that are lowered already.
fn project(projection: &Projection, input: Op) -> Lowered {
    let columns = projection.expr.iter().map(|e| physical(e, projection.input.schema())).collect::<Lowered<_>>()?;
    let schema = arrow_schema(&projection.schema);
    Ok(Op::Map { input: Box::new(input), predicate: None, columns, schema })
}

fn is_column(expr: &Arc<dyn datafusion::physical_expr::PhysicalExpr>, index: usize) -> bool {
    expr.downcast_ref::<datafusion::physical_expr::expressions::Column>().is_some_and(|c| c.index() == index)
}

/// The rows for which `predicate` is true, all columns.
pub(super) fn keep_if(input: Op, predicate: Arc<dyn datafusion::physical_expr::PhysicalExpr>) -> Op {
    let schema = input.schema();
    let columns = (0..schema.fields().len()).map(|i| column(&schema, i)).collect();
    Op::Map { input: Box::new(input), predicate: Some(predicate), columns, schema }
}

/// Rows that need no table: `select 1`, VALUES.
pub(super) fn constant(plan: &LogicalPlan) -> Lowered {
    let failed = |e: datafusion::error::DataFusionError| Unsupported(super::super::model::plain(&e));
    let schema = arrow_schema(plan.schema());
    let one = || {
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)
    };
    let rows = match plan {
        LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row => RecordBatch::new_empty(schema),
        LogicalPlan::Projection(projection) => {
            if let LogicalPlan::EmptyRelation(empty) = projection.input.as_ref()
                && !empty.produce_one_row
            {
                return Ok(Op::Constant { rows: RecordBatch::new_empty(schema) });
            }
            let one = one().map_err(|e| failed(e.into()))?;
            let evaluate = |e| {
                let expr = physical(e, projection.input.schema())?;
                expr.evaluate(&one).and_then(|v| v.into_array(1)).map_err(failed)
            };
            let columns = projection.expr.iter().map(evaluate).collect::<Lowered<Vec<_>>>()?;
            RecordBatch::try_new(schema, columns).map_err(|e| failed(e.into()))?
        }
        LogicalPlan::Values(values) => {
            let one = one().map_err(|e| failed(e.into()))?;
            let empty = datafusion::common::DFSchema::empty();
            let of_row = |row: &Vec<Expr>| {
                let evaluate = |(e, field): (&Expr, &Arc<Field>)| {
                    let value = physical(e, &empty)?.evaluate(&one).and_then(|v| v.into_array(1)).map_err(failed)?;
                    cast(&value, field.data_type()).map_err(|e| failed(e.into()))
                };
                let columns = row.iter().zip(schema.fields()).map(evaluate).collect::<Lowered<Vec<_>>>()?;
                RecordBatch::try_new(schema.clone(), columns).map_err(|e| failed(e.into()))
            };
            let rows = values.values.iter().map(of_row).collect::<Lowered<Vec<_>>>()?;
            concat_batches(&schema, &rows).map_err(|e| failed(e.into()))?
        }
        _ => return unsupported("rows that are neither of a table nor constants"),
    };
    Ok(Op::Constant { rows })
}
