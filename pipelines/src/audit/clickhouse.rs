//! Whether ClickHouse shows what the lake's tables hold.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use futures::TryStreamExt;
use sluice_engine::Result;
use sluice_operators::sink::clickhouse::shown_rows;
use sluice_operators::store::TableAtEpoch;

use super::bag::Bag;
use super::batch::{Compared, difference};
use super::report::Check;
use crate::compile::{ModelPlan, Pipeline, clickhouse_config};

/// Holds what ClickHouse shows of a model against its table at `epoch`.
pub(super) async fn compare(
    pipeline: &Pipeline,
    model: &ModelPlan,
    table: Option<&TableAtEpoch>,
    epoch: u64,
) -> Result<Compared> {
    let mut compared = Compared { check: Check::No, faults: vec![], notes: vec![] };
    let Some(config) = clickhouse_config(pipeline, model) else { return Ok(compared) };
    let shown = shown_rows(config).await?;
    if shown.epoch > epoch {
        compared.check = Check::Unjudged;
        compared.notes.push(format!(
            "{}: clickhouse shows rows that are newer than epoch {epoch}; verify again while no run goes on",
            model.table
        ));
        return Ok(compared);
    }
    let mut bag = Bag::new(&model.schema)?;
    let mut held = Vec::new();
    for (table, file) in table.iter().flat_map(|t| t.files.iter().map(move |f| (t, f))) {
        let mut rows = table.rows(file, model.schema.clone()).await?;
        while let Some(rows) = rows.try_next().await? {
            bag.add(&rows, 1)?;
            held.push(rows);
        }
    }
    let shown = shown.rows.iter().map(|rows| {
        let columns = rows.columns().iter().zip(model.schema.fields()).map(|(c, f)| cast(c, f.data_type()));
        Ok(RecordBatch::try_new(model.schema.clone(), columns.collect::<std::result::Result<Vec<_>, _>>()?)?)
    });
    let shown = shown.collect::<Result<Vec<_>>>()?;
    shown.iter().try_for_each(|rows| bag.add(rows, -1))?;
    compared.check = Check::Ok;
    if let Some(difference) = difference(&bag, &held, &shown, "the lake's table")? {
        compared.check = Check::Wrong;
        compared.faults.push(format!("{} in clickhouse: {difference}", model.table));
    }
    Ok(compared)
}
