//! Replaces a table's whole content in one commit: for models that are computed anew.

use arrow::array::RecordBatch;
use sluice_engine::Result;

use super::config::DeltaConfig;
use super::sole_writer::SoleWriter;
use super::token::EpochChange;

/// Makes the table hold exactly these rows, as version `version` of the config's application: once. A second call with the
/// same version (or an older one) changes nothing. The table is made when it is not there. The config's mode does not matter.
///
/// Gives what was changed; its removed rows are not counted. None when there was nothing to do.
///
/// # Errors
/// `Config` when the table that is there does not fit the rows, `Transient` when the lake is away.
pub async fn overwrite(
    config: &DeltaConfig,
    version: u64,
    rows: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<Option<EpochChange>> {
    SoleWriter::new(config)?.replace(version, rows).await
}

/// The newest version that the config's application has committed to the table; none when there is no table or it has not.
///
/// # Errors
/// `Transient` when the lake is away.
pub async fn committed_version(config: &DeltaConfig) -> Result<Option<u64>> {
    SoleWriter::new(config)?.committed().await
}
