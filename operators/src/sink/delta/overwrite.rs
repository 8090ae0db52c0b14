//! Replaces a table's whole content in one commit: for models that are computed anew.

use std::sync::Arc;

use arrow::array::RecordBatch;
use sluice_engine::{Error, Result};

use super::committer::DeltaCommitter;
use super::config::{DeltaConfig, WriteMode};
use super::files::Files;
use super::partition::empty_as_null;
use super::rewrite::remove_file;
use super::token::{CommitToken, RowCounts};
use super::upload::put_files;

/// Makes the table hold exactly these rows, as version `version` of the config's application: once. A second call with the
/// same version (or an older one) changes nothing. The table is made when it is not there. The config's mode does not matter.
///
/// # Errors
/// `Config` when the table that is there does not fit the rows, `Transient` when the lake is away.
pub async fn overwrite(
    config: &DeltaConfig,
    version: u64,
    rows: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<()> {
    let label = config.label();
    replace(config, version, rows).await.map_err(|e| e.at(label))
}

/// The newest version that the config's application has committed to the table; none when there is no table or it has not.
///
/// # Errors
/// `Transient` when the lake is away.
pub async fn committed_version(config: &DeltaConfig) -> Result<Option<u64>> {
    let mut committer = committer(config)?;
    committer.log.refresh().await.map_err(|e| e.at(config.label()))?;
    Ok(committer.log.state().and_then(|s| s.epoch).and_then(|e| u64::try_from(e).ok()))
}

/// Follows the table's files, which an appending one would not.
fn committer(config: &DeltaConfig) -> Result<DeltaCommitter> {
    let config = DeltaConfig { mode: WriteMode::Changes, ..config.clone() };
    let schema = Arc::new(config.table_schema()?);
    DeltaCommitter::new(Arc::new(config), schema, 0)
}

async fn replace(
    config: &DeltaConfig,
    version: u64,
    rows: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<()> {
    let mut committer = committer(config)?;
    committer.make_or_check().await?;
    let state = committer.log.state().ok_or_else(|| Error::bug("a table that was made is not there"))?;
    let epoch = i64::try_from(version).map_err(|_| Error::bug("the version is above 63 bits"))?;
    if state.has_epoch(epoch) {
        return Ok(());
    }
    let removes = state.files.iter().map(|(path, file)| remove_file(path, file)).collect();
    let objects = committer.log.log_store().object_store(None);
    let schema = committer.schema.clone();
    let mut files =
        Files::new(schema.clone(), config.target_file_bytes, config.row_group_rows, format!("whole-{version}"));
    for batch in rows {
        files.write(&empty_as_null(&schema, schema.conform(&batch?)?)?)?;
        put_files(&objects, files.take_full()).await?;
    }
    let made = files.finish()?;
    put_files(&objects, files.take_full()).await?;
    let token = CommitToken::new(made.adds, removes, RowCounts { added: made.rows, removed: 0 });
    committer.commit_token(version, &token).await?;
    committer.maintain_replaced().await;
    Ok(())
}
