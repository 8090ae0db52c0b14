//! Whether a run would take the table that is there; nothing is written.

use std::sync::Arc;

use sluice_engine::Result;

use super::committer::DeltaCommitter;
use super::config::DeltaConfig;
use super::schema::SchemaChange;

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
        match committer.schema_change()? {
            SchemaChange::Added(_) => Ok(()),
            SchemaChange::None | SchemaChange::Misfit(_) => committer.check_table(),
        }
    };
    check.await.map_err(|e| e.at(config.label()))
}
