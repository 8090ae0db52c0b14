//! `sluice plan`: how each model is kept up to date, and why.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use sluice_engine::{Error, ErrorKind};
use sluice_operators::window::aggregate::AggregateKind;
use sluice_operators::window::over::OverSpec;

use super::{Outcome, ProjectDir, SelectArgs, artifacts, opened, output};
use crate::compile::{Changes, How, ModelPlan, Pipeline};
use crate::lake::lake_changes;
use crate::project::selected;
use crate::rebuild::in_words;
use crate::sql::op::{Op, Retractions};

/// Show how each model is kept up to date.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    project: ProjectDir,
    #[command(flatten)]
    shown: SelectArgs,
    /// Do not look into the lake for what a run would rebuild.
    #[arg(long)]
    offline: bool,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

pub async fn plan(args: PlanArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    artifacts::write_manifest(&pipeline);
    let picked = selected(&pipeline.project, &args.shown.selection()).map_err(Error::config)?.models;
    let changes = if args.offline { Ok(None) } else { changes(&pipeline).await };
    let models = || pipeline.models.values().filter(|model| picked.contains(&model.name.as_str()));
    if args.json {
        let models: Vec<_> = models().map(as_json).collect();
        let streams: Vec<_> =
            pipeline.streams.iter().map(|s| json!({"table": s.table, "topic": s.topic, "source": s.source})).collect();
        let mut plan = json!({"pipeline": pipeline.project.name, "streams": streams, "models": models});
        if let Some(changes) = changes? {
            let tables = in_words(&pipeline, &changes).into_iter().map(|(table, text)| (table, text.into()));
            plan["lake"] = serde_json::Value::Object(tables.collect());
        }
        output::say(&plan.to_string());
        return Ok(());
    }
    for stream in &pipeline.streams {
        output::say(&format!("{:<34} {:<10} from {}", stream.table, "stream", stream.topic));
    }
    for seed in &pipeline.seeds {
        output::say(&format!("{:<34} {:<10} {} rows", seed.table, "seed", seed.rows.num_rows()));
    }
    for model in models() {
        let to = if model.clickhouse { "; to ClickHouse" } else { "" };
        output::say(&format!("{:<34} {:<10} {}{to}", model.table, model.strategy().name(), why(model)));
    }
    match changes? {
        None => {}
        Some(changes) if changes.are_none() => output::say("\nall tables of the lake keep their state"),
        Some(changes) => {
            output::say("\nthe project has changed since the lake's newest epoch; the next run goes on like this:");
            for (table, text) in in_words(&pipeline, &changes) {
                output::say(&format!("{table:<34} {text}"));
            }
        }
    }
    Ok(())
}

/// What a run would rebuild; none when nothing has run yet.
async fn changes(pipeline: &Pipeline) -> Result<Option<Changes>, Error> {
    match lake_changes(pipeline, &opened::lake(pipeline)?, &BTreeSet::new()).await {
        Err(away) if away.kind() == ErrorKind::Transient => {
            output::warning(&format!("what a run would rebuild is not known: {away}"));
            Ok(None)
        }
        looked => looked,
    }
}

fn as_json(model: &ModelPlan) -> serde_json::Value {
    json!({
        "name": model.name,
        "table": model.table,
        "file": model.file,
        "strategy": model.strategy().name(),
        "why": why(model),
        "key": model.key,
        "partition_by": model.partition_by,
        "clickhouse": model.clickhouse,
        "columns": model.schema.fields().iter().map(|f| json!({"name": f.name(), "type": f.data_type().to_string()})).collect::<Vec<_>>(),
    })
}

/// What a model keeps and why.
fn why(model: &ModelPlan) -> String {
    match &model.how {
        How::Refresh { reason } => format!("a full query on a timer, because of: {reason}"),
        How::Stream(op) => {
            let mut parts = Vec::new();
            describe(op, &mut parts);
            let taken_back = match model.retractions {
                Retractions::None => "rows only come",
                Retractions::Rare => "rows are seldom taken back",
                Retractions::Frequent => "rows are replaced as they change",
            };
            parts.push(taken_back.into());
            parts.join("; ")
        }
    }
}

fn describe(op: &Op, parts: &mut Vec<String>) {
    for input in op.inputs() {
        describe(input, parts);
    }
    match op {
        Op::Aggregate { spec, .. } if spec.calls.is_empty() => {
            parts.push(format!("state per {} (distinct rows)", if spec.time.is_some() { "window" } else { "group" }));
        }
        Op::Aggregate { spec, .. } => {
            let (calls, kept) = (spec.calls.len(), if spec.time.is_some() { "window" } else { "group" });
            let plural = if calls == 1 { "" } else { "s" };
            let keeps = spec.calls.iter().any(|c| matches!(c.kind, AggregateKind::Kept(_)));
            let values = if keeps { ", all values kept" } else { "" };
            parts.push(format!("state per {kept} ({calls} aggregate{plural}{values})"));
        }
        Op::Dedupe { spec, .. } => {
            let keys: Vec<&str> = spec.keys.iter().map(|k| spec.schema.field(*k).name().as_str()).collect();
            parts.push(format!("the first row per ({})", keys.join(", ")));
        }
        Op::Over { spec, .. } => parts.push(describe_over(spec)),
        Op::Join { spec, .. } if spec.left_keys.is_empty() => {
            parts.push(format!("{:?} join without an equality: every row meets every row", spec.kind).to_lowercase());
        }
        Op::Join { spec, .. } => parts.push(format!("{:?} join, both sides kept by key", spec.kind).to_lowercase()),
        _ => {}
    }
}

/// Window functions: which rows they keep, and what a row costs.
fn describe_over(spec: &OverSpec) -> String {
    let keys: Vec<&str> = spec.keys.iter().map(|k| spec.input.field(*k).name().as_str()).collect();
    let partition =
        if keys.is_empty() { "all rows as one".into() } else { format!("the rows of each ({})", keys.join(", ")) };
    match (spec.first_rows, spec.touches_the_tail_only()) {
        (Some(n), _) => format!("{partition} in order; the first {n} of them are shown"),
        (None, true) => format!("{partition} in order; a row in order touches the last ones"),
        (None, false) => format!("{partition} in order; a row costs as many as there are"),
    }
}
