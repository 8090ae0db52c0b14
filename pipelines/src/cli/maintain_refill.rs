//! `sluice maintain --refill`: ClickHouse filled again from the lake.

use std::time::Instant;

use sluice_engine::checkpoint::Manifest;
use sluice_engine::{Error, Result};
use sluice_operators::sink::clickhouse::fill;

use super::maintain::Maintenance;
use super::output;
use crate::compile::clickhouse_config;
use crate::lake::settled::DeltaSettled;

/// Fills the tables of all models that go to ClickHouse with what the lake's tables hold: those stand at the manifest's
/// epoch, as nobody else writes them now.
///
/// # Errors
/// `Config` when nothing goes to ClickHouse or a table there does not fit, `Transient` when ClickHouse is away.
pub(super) async fn refill(work: &Maintenance, last: Option<&Manifest>) -> Result<()> {
    let epoch = last.map_or(0, |manifest| manifest.epoch);
    let mut filled = 0;
    for model in work.pipeline.models.values().filter(|m| m.clickhouse && work.is_chosen(&m.table)) {
        let Some(config) = clickhouse_config(&work.pipeline, model) else { continue };
        work.still_alone().await?;
        let started = Instant::now();
        let shown = format!("{}.{}", config.database, config.table);
        let mut settled = DeltaSettled::new(work.store.clone(), &model.path, model.key.clone());
        let written = fill(config, work.generation, epoch, &mut settled).await?;
        output::say(&format!(
            "{:<40} clickhouse {shown}: {} rows of epoch {epoch}, {:.1} s",
            model.table,
            written.rows,
            started.elapsed().as_secs_f64()
        ));
        filled += 1;
    }
    if filled == 0 {
        return Err(Error::config(
            "none of these models goes to clickhouse, so there is nothing to fill; see clickhouse.models in sluice.yml",
        ));
    }
    Ok(())
}
