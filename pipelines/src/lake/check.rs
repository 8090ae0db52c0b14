//! Whether the tables that are in the lake fit the project.

use sluice_engine::{Error, ErrorKind};
use sluice_operators::sink::delta::check_table;
use sluice_operators::store::Store;

use crate::compile::Pipeline;

/// The faults of the tables that are there: what a run would refuse. Stops at the first that says that the lake is away, as
/// all others would say the same.
pub async fn table_faults(pipeline: &Pipeline, store: &Store) -> Vec<Error> {
    let mut faults = Vec::new();
    for table in pipeline.delta_tables(store) {
        if let Err(fault) = check_table(&table).await {
            let away = fault.kind() == ErrorKind::Transient;
            faults.push(fault);
            if away {
                break;
            }
        }
    }
    faults
}
