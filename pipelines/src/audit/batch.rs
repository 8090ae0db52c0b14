//! What each model's SQL says as a batch over bronze, and whether its table holds just that.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use sluice_engine::{Error, ErrorKind, Result};
use sluice_operators::store::TableAtEpoch;

use super::bag::Bag;
use super::report::Check;
use crate::compile::{ModelPlan, Pipeline};
use crate::lake::{batch_query, lower_case_view};
use crate::sql::model::{lower_case, plain};
use crate::sql::plan_query;
use crate::sql::session::spark_session;

/// Computes models, each over bronze, seeds and the results of those before it: no table of a model is read.
pub(super) struct Batches {
    context: SessionContext,
}

/// What came of holding a table against its batch.
pub(super) struct Compared {
    pub(super) check: Check,
    pub(super) faults: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Compared {
    /// Nothing could be compared.
    pub(super) fn failed(table: &str, error: &Error) -> Compared {
        Compared {
            check: Check::Wrong,
            faults: vec![format!("{table}: it could not be compared: {error}")],
            notes: vec![],
        }
    }
}

impl Batches {
    /// A session over bronze tables, one for each stream, and the seeds.
    pub(super) async fn over(pipeline: &Pipeline, bronze: &[Option<&TableAtEpoch>]) -> Result<Self> {
        let layers = pipeline.layers();
        let context = spark_session(layers.iter().map(String::as_str));
        let failed = |e: datafusion::error::DataFusionError| Error::bug(plain(&e));
        for (stream, table) in pipeline.streams.iter().zip(bronze) {
            match table {
                Some(table) => {
                    let view = lower_case_view(&context, table.provider().await?).map_err(failed)?;
                    context.register_table(reference(&stream.table), view).map_err(failed)?;
                }
                None => register(&context, &stream.table, &stream.schema, vec![])?,
            }
        }
        for seed in &pipeline.seeds {
            register(&context, &seed.table, &seed.rows.schema(), vec![seed.rows.clone()])?;
        }
        Ok(Self { context })
    }

    /// Computes a model and holds its table against it. `epoch` is the audited one.
    pub(super) async fn compare(
        &self,
        model: &ModelPlan,
        table: Option<&TableAtEpoch>,
        epoch: u64,
    ) -> Result<Compared> {
        let mut compared = Compared { check: Check::Ok, faults: vec![], notes: vec![] };
        let planned = plan_query(&self.context, &model.sql).await.map_err(|e| Error::config(e.message))?;
        let unjudged = match (&planned.changing, batch_query(&self.context, &model.sql, &model.schema).await) {
            (_, Err(e)) if e.kind() == ErrorKind::Transient => return Err(e),
            (_, Err(e)) => {
                register(&self.context, &model.table, &model.schema, vec![])?;
                Some(format!("its SQL fails as a batch: {e}"))
            }
            (changing, Ok(rows)) => {
                let found = compare_rows(model, &rows, table).await?;
                register(&self.context, &model.table, &model.schema, rows)?;
                let is_behind = matches!(model.how, crate::compile::How::Refresh { .. })
                    && table.and_then(|t| t.epoch).is_none_or(|e| e < epoch);
                match (changing, found) {
                    (_, None) => None,
                    (Some(function), Some(_)) => Some(format!("{function}() has another value each time")),
                    (None, Some(_)) if epoch <= 1 => {
                        Some("seeds and rows of the SQL may come after the first epoch".to_owned())
                    }
                    (None, Some(_)) if is_behind => Some("it was not refreshed since".to_owned()),
                    (None, Some(fault)) => {
                        compared.check = Check::Wrong;
                        compared.faults.push(format!("{}: {fault}", model.table));
                        None
                    }
                }
            }
        };
        if let Some(why) = unjudged {
            compared.check = Check::Unjudged;
            compared.notes.push(format!("{}: not held against the batch: {why}", model.table));
        }
        Ok(compared)
    }
}

/// What differs; none when nothing does.
async fn compare_rows(
    model: &ModelPlan,
    batch: &[RecordBatch],
    table: Option<&TableAtEpoch>,
) -> Result<Option<String>> {
    let mut bag = Bag::new(&model.schema)?;
    batch.iter().try_for_each(|rows| bag.add(rows, 1))?;
    let mut held = Vec::new();
    for file in table.iter().flat_map(|t| t.files.iter().map(move |f| (t, f))) {
        let (table, file) = file;
        let mut rows = table.rows(file, model.schema.clone()).await?;
        while let Some(rows) = rows.try_next().await? {
            bag.add(&rows, -1)?;
            held.push(rows);
        }
    }
    difference(&bag, batch, &held, "the batch")
}

/// The difference of two bags in words.
pub(super) fn difference(
    bag: &Bag,
    expected: &[RecordBatch],
    held: &[RecordBatch],
    against: &str,
) -> Result<Option<String>> {
    let (missing, surplus) = bag.differences();
    if missing == 0 && surplus == 0 {
        return Ok(None);
    }
    let mut text = format!("held against {against}, {missing} rows are missing and {surplus} are too many");
    for (what, rows) in [("missing", bag.shown(expected, 1)?), ("too many", bag.shown(held, -1)?)] {
        rows.iter().for_each(|row| text += &format!("\n      {what}: {row}"));
    }
    Ok(Some(text))
}

fn reference(table: &str) -> TableReference {
    let (layer, name) = table.split_once('.').unwrap_or(("default", table));
    TableReference::partial(layer, name)
}

fn register(context: &SessionContext, table: &str, schema: &SchemaRef, rows: Vec<RecordBatch>) -> Result<()> {
    let schema = lower_case(schema);
    let renamed = rows.into_iter().map(|rows| rows.with_schema(schema.clone()));
    let rows = MemTable::try_new(schema.clone(), vec![renamed.collect::<Result<Vec<_>, _>>()?]);
    let failed = |e: datafusion::error::DataFusionError| Error::bug(format!("table {table}: {}", plain(&e)));
    context.register_table(reference(table), Arc::new(rows.map_err(failed)?)).map_err(failed)?;
    Ok(())
}
