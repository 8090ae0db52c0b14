//! Functions of Spark SQL that neither DataFusion nor its Spark crate has, or has otherwise.

pub(super) mod cast;
mod concat;
mod exact;
mod md5;
pub(super) mod time;
mod window;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// Scalar functions; they replace others of the same name.
pub fn scalar() -> Vec<Arc<ScalarUDF>> {
    let own = time::functions().into_iter().chain(window::functions()).chain([
        concat::function(),
        md5::function(),
        cast::divisor(),
        cast::text_to_bigint(),
    ]);
    own.map(Arc::new).collect()
}

/// Aggregate functions; they replace others of the same name.
pub fn aggregate() -> Vec<Arc<AggregateUDF>> {
    exact::functions()
}
