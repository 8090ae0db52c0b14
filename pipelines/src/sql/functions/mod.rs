//! Functions of Spark SQL that neither DataFusion nor its Spark crate has, or has otherwise.

pub(super) mod arrays;
pub(super) mod cast;
mod concat;
mod dates;
pub(super) mod decimal;
mod exact;
mod hashes;
mod json;
pub(super) mod lists;
mod maps;
mod md5;
mod numbers;
mod parse;
mod pattern;
mod percentile;
mod regexes;
mod rows;
mod texts;
pub(super) mod time;
mod window;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// Scalar functions; they replace others of the same name.
pub fn scalar() -> Vec<Arc<ScalarUDF>> {
    let own = [
        time::functions(),
        window::functions(),
        arrays::functions(),
        lists::functions(),
        maps::functions(),
        dates::functions(),
        json::functions(),
    ];
    let own = own.into_iter().chain([numbers::functions(), regexes::functions(), texts::functions()]).flatten();
    let own = own.chain([concat::function(), hashes::function(), md5::function(), cast::divisor()]);
    own.map(Arc::new).collect()
}

/// `substring`.
pub(super) fn substring() -> ScalarUDF {
    texts::substring_function()
}

/// Parts of a time that `extract` knows under names of their own.
pub(super) fn part_of_time(unit: &str) -> Option<ScalarUDF> {
    dates::part_of_time(unit)
}

/// Aggregate functions; they replace others of the same name.
pub fn aggregate() -> Vec<Arc<AggregateUDF>> {
    exact::functions().into_iter().chain(percentile::functions()).collect()
}
