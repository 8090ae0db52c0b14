//! UNION ALL: the rows of all inputs, under one schema. No state.

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use sluice_engine::{Batch, Emitter, Operator, Result};

/// Passes the rows of every input on.
pub struct Union {
    schema: SchemaRef,
}

impl Union {
    /// A union whose inputs have the columns of `schema` in this order, by other names perhaps.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }
}

impl Operator for Union {
    fn on_batch(&mut self, _input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let typed = self.schema.fields().iter().zip(batch.rows().columns());
        let columns = typed
            .map(|(f, c)| if f.data_type() == c.data_type() { Ok(c.clone()) } else { cast(c, f.data_type()) })
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let rows = RecordBatch::try_new(self.schema.clone(), columns)?;
        out.emit(Batch::with_weights_of(rows, batch.weights().cloned()).with_bounds(batch.bounds()));
        Ok(())
    }
}
