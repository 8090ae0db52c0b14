//! Plans every model of a project and chooses how it is kept up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;

use super::placed::placed;
use super::streams::{SeedTable, Stream};
use crate::project::{Model, Project, ProjectError, ProjectErrors, select};
use crate::sql::lower::{Table, Tables, lower};
use crate::sql::model::{lower_case, plain};
use crate::sql::op::{Op, Retractions, Strategy};
use crate::sql::session::spark_session;
use crate::sql::{PlannedModel, plan_query, times};

/// How a model is kept up to date.
#[derive(Debug, Clone)]
pub enum How {
    /// By operators, as rows come.
    Stream(Op),
    /// By a full query on a timer.
    Refresh {
        /// What made it so.
        reason: String,
    },
}

/// A model, ready to run.
#[derive(Debug, Clone)]
pub struct ModelPlan {
    /// The model's name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its table, `layer.name`, in lower case.
    pub table: String,
    /// Its folder below the lake.
    pub path: String,
    /// Its columns.
    pub schema: SchemaRef,
    /// The columns that tell its rows apart; may be empty.
    pub key: Vec<String>,
    /// The columns that its files are divided by.
    pub partition_by: Vec<String>,
    /// How it is kept up to date.
    pub how: How,
    /// How often its rows are taken back.
    pub retractions: Retractions,
    /// True when it goes to ClickHouse too.
    pub clickhouse: bool,
    /// The rendered SQL.
    pub sql: String,
    /// What it is.
    pub description: String,
    /// What its columns are, by name.
    pub column_descriptions: BTreeMap<String, String>,
}

impl ModelPlan {
    /// Its strategy.
    pub fn strategy(&self) -> Strategy {
        match &self.how {
            How::Stream(op) => op.strategy(),
            How::Refresh { .. } => Strategy::Refresh,
        }
    }
}

/// A whole project, ready to run.
pub struct Pipeline {
    /// The project.
    pub project: Project,
    /// Its streams.
    pub streams: Vec<Stream>,
    /// Its seeds.
    pub seeds: Vec<SeedTable>,
    /// Its stored models by name, each after those that it reads.
    pub models: IndexMap<String, ModelPlan>,
    /// What a user should know, and that stops nothing.
    pub warnings: Vec<String>,
}

impl Pipeline {
    /// The models that are refreshed, in order.
    pub fn refreshed(&self) -> impl Iterator<Item = &ModelPlan> {
        self.models.values().filter(|m| matches!(m.how, How::Refresh { .. }))
    }

    /// All tables: name in SQL and folder below the lake.
    pub fn tables(&self) -> Vec<(String, String)> {
        let streams = self.streams.iter().map(|s| (s.table.clone(), s.path.clone()));
        let seeds = self.seeds.iter().map(|s| (s.table.clone(), s.path.clone()));
        let models = self.models.values().map(|m| (m.table.clone(), m.path.clone()));
        streams.chain(seeds).chain(models).collect()
    }

    /// The names of the layers (schemas).
    pub fn layers(&self) -> BTreeSet<String> {
        self.tables().iter().filter_map(|(t, _)| t.split_once('.').map(|(l, _)| l.to_owned())).collect()
    }
}

/// Plans a project.
///
/// # Errors
/// All faults that can be known without looking at brokers or tables.
pub async fn plan_project(project: Project) -> Result<Pipeline, ProjectErrors> {
    let mut faults = Vec::new();
    let mut streams = Vec::new();
    for table in &project.sources {
        match Stream::of(table).await {
            Ok(stream) => streams.extend(stream),
            Err(errors) => faults.extend(errors),
        }
    }
    let mut seeds = Vec::new();
    for seed in &project.seeds {
        match SeedTable::of(seed) {
            Ok(seed) => seeds.push(seed),
            Err(error) => faults.push(error),
        }
    }
    if !faults.is_empty() {
        return Err(ProjectErrors(faults));
    }
    let mut pipeline = Pipeline { project, streams, seeds, models: IndexMap::new(), warnings: Vec::new() };
    let faults = plan_models(&mut pipeline).await;
    if faults.is_empty() { Ok(pipeline) } else { Err(ProjectErrors(faults)) }
}

async fn plan_models(pipeline: &mut Pipeline) -> Vec<ProjectError> {
    let project = &pipeline.project;
    let mut layers: BTreeSet<String> = project.models.values().map(|m| m.schema.to_lowercase()).collect();
    layers.extend(pipeline.layers());
    let context = spark_session(layers.iter().map(String::as_str));
    let mut faults = Vec::new();
    let mut known = Known { context, tables: Tables::new(), retractions: BTreeMap::new() };
    for stream in &pipeline.streams {
        let times = times::of_stream(&stream.schema, stream.event_time.as_ref());
        let table = Table { append_only: true, times };
        known.add(&stream.table, &stream.schema, Some(table), Retractions::None);
    }
    for seed in &pipeline.seeds {
        let table = Table { append_only: true, times: vec![None; seed.rows.num_columns()] };
        known.add(&seed.table, &seed.rows.schema(), Some(table), Retractions::None);
    }
    let early = match clickhouse_models(project) {
        Ok(names) => names,
        Err(fault) => {
            faults.push(fault);
            BTreeSet::new()
        }
    };
    let mut failed: BTreeSet<String> = BTreeSet::new();
    for model in project.models.values().filter(|m| m.has_table()) {
        // What reads a faulty model cannot be planned, and its error would say nothing new.
        if model.depends_on.iter().any(|d| failed.contains(&d.to_string())) {
            failed.insert(model.name.clone());
            continue;
        }
        match plan_model(model, &mut known, early.contains(&model.name)).await {
            Ok((plan, warning)) => {
                pipeline.warnings.extend(warning);
                pipeline.models.insert(model.name.clone(), plan);
            }
            Err(fault) => {
                failed.insert(model.name.clone());
                faults.push(fault);
            }
        }
    }
    faults
}

/// The tables that models may read, and what is known of them.
struct Known {
    context: SessionContext,
    tables: Tables,
    retractions: BTreeMap<String, Retractions>,
}

impl Known {
    fn add(&mut self, table: &str, schema: &SchemaRef, streamed: Option<Table>, retractions: Retractions) {
        let empty = Arc::new(EmptyTable::new(lower_case(schema)));
        let (layer, name) = table.split_once('.').unwrap_or(("default", table));
        let reference = datafusion::common::TableReference::partial(layer, name);
        // The layers were registered, so this cannot fail but for a table of the same name, which the project refuses.
        let _ = self.context.register_table(reference, empty);
        if let Some(streamed) = streamed {
            self.tables.insert(table.to_owned(), streamed);
        }
        self.retractions.insert(table.to_owned(), retractions);
    }
}

/// The model's plan, and a warning when its author may not expect it.
async fn plan_model(
    model: &Model,
    known: &mut Known,
    clickhouse: bool,
) -> Result<(ModelPlan, Option<String>), ProjectError> {
    let fault = |what: String, way_out: &str| ProjectError {
        file: model.path.clone(),
        line: None,
        what,
        way_out: way_out.into(),
    };
    let planned = plan_query(&known.context, &model.sql).await.map_err(|e| {
        let (what, line) = placed(&model.raw_sql, &model.sql, &e);
        ProjectError { file: model.path.clone(), line, what, way_out: "correct the model's SQL".into() }
    })?;
    let schema = planned.schema.clone();
    if let Some(breach) = super::contract::breach(model, &schema) {
        return Err(breach);
    }
    let column = |config: &str, name: &String| {
        let found = schema.fields().iter().find(|f| f.name().eq_ignore_ascii_case(name));
        found.map(|f| f.name().clone()).ok_or_else(|| {
            let has: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            fault(
                format!(
                    "{config} names the column {name:?}, which model {:?} does not have (it has {})",
                    model.name,
                    has.join(", ")
                ),
                "correct the config, or select the column",
            )
        })
    };
    let key = model.unique_key().iter().map(|k| column("unique_key", k)).collect::<Result<Vec<_>, _>>()?;
    let partition_by = model.partition_by().iter().map(|k| column("partition_by", k)).collect::<Result<Vec<_>, _>>()?;
    if clickhouse && key.is_empty() {
        return Err(fault(
            format!("model {:?} goes to ClickHouse and has no unique_key", model.name),
            "add config(unique_key=[...]) to it, or leave it out of clickhouse.models in sluice.yml",
        ));
    }
    let of_table = |t: &str| known.retractions.get(t).copied().unwrap_or(Retractions::Frequent);
    let how = how(&planned, known).await.map_err(|e| {
        fault(format!("model {:?} cannot be run: {e}", model.name), "write what is named in another way")
    })?;
    let retractions = match &how {
        How::Stream(op) => op.retractions(&of_table),
        How::Refresh { .. } => Retractions::Frequent,
    };
    let warning = planned.changing.as_ref().map(|function| {
        format!(
            "{}: model {:?} is refreshed by a full query on a timer, because {function}() has another value each time",
            model.path, model.name
        )
    });
    let table = format!("{}.{}", model.schema, model.alias).to_lowercase();
    let streamed = match &how {
        How::Stream(op) => Some(Table { append_only: op.append_only(), times: op.times() }),
        How::Refresh { .. } => None,
    };
    known.add(&table, &schema, streamed, retractions);
    let plan = ModelPlan {
        name: model.name.clone(),
        file: model.path.clone(),
        path: format!("{}/{}", model.schema, model.alias),
        table,
        schema,
        key,
        partition_by,
        how,
        retractions,
        clickhouse,
        sql: model.sql.clone(),
        description: model.description.clone(),
        column_descriptions: model.columns.iter().map(|c| (c.name.clone(), c.description.clone())).collect(),
    };
    Ok((plan, warning))
}

/// As a stream when that can be, or else by full queries.
///
/// # Errors
/// In words, when neither can be.
async fn how(planned: &PlannedModel, known: &Known) -> Result<How, String> {
    let reason = match &planned.changing {
        Some(function) => format!("{function}(), which has another value each time"),
        None => match lower(&planned.plan, &known.tables) {
            Ok(op) => return Ok(How::Stream(op)),
            Err(reason) => reason.to_string(),
        },
    };
    // A plan that cannot be executed would fail at the first refresh, after everything else has run.
    let executable = known.context.state().create_physical_plan(&planned.plan).await;
    executable.map(|_| How::Refresh { reason }).map_err(|e| plain(&e))
}

fn clickhouse_models(project: &Project) -> Result<BTreeSet<String>, ProjectError> {
    let Some(clickhouse) = &project.settings.clickhouse else { return Ok(BTreeSet::new()) };
    let selector = clickhouse.models.clone().unwrap_or_else(|| "tag:gold".into());
    let names = select(project, &selector).map_err(|e| ProjectError {
        file: "sluice.yml".into(),
        line: None,
        what: format!("clickhouse.models: {e}"),
        way_out: "write a dbt selector such as \"tag:gold\"".into(),
    })?;
    Ok(names.into_iter().map(str::to_owned).collect())
}
