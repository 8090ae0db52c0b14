//! Whether a run would take the table that is there; nothing is written.

use std::sync::Arc;

use sluice_engine::Result;

use super::committer::DeltaCommitter;
use super::config::DeltaConfig;
use super::schema::SchemaChange;

/// True when the table that is there is divided into files by other columns than the config says.
///
/// # Errors
/// `Transient` when the lake is away.
pub async fn is_partitioned_otherwise(config: &DeltaConfig) -> Result<bool> {
    let look = async {
        let schema = Arc::new(config.table_schema()?);
        let mut committer = DeltaCommitter::new(Arc::new(config.clone()), schema, 0)?;
        if !committer.log.refresh().await? {
            return Ok(false);
        }
        let there = committer.log.state().map(|state| state.metadata.partition_columns().to_vec());
        Ok(there.is_some_and(|there| there.as_slice() != config.partition_by.as_slice()))
    };
    look.await.map_err(|e: sluice_engine::Error| e.at(config.label()))
}

/// Looks at the table as the start of a run would. A table that is not there yet is no fault, nor are columns that a run
/// would add.
///
/// # Errors
/// `Config` when the model cannot be a table or the table does not fit it, `Transient` when the lake is away.
pub async fn check_table(config: &DeltaConfig) -> Result<()> {
    let schema = Arc::new(config.table_schema()?);
    let check = async {
        let mut committer = DeltaCommitter::new(Arc::new(config.clone()), schema, 0)?;
        if !committer.log.refresh().await? {
            return Ok(());
        }
        if let Some(newest) = config.begins_after {
            return committer.check_may_begin(newest);
        }
        match committer.schema_change()? {
            SchemaChange::Added(_) => Ok(()),
            SchemaChange::None | SchemaChange::Misfit(_) => committer.check_table(),
        }
    };
    check.await.map_err(|e| e.at(config.label()))
}
