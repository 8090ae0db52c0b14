//! `sluice demo`: simulated events through the whole pipeline, with nothing else installed.

use std::path::PathBuf;

use clap::Args;
use sluice_engine::Error;

use super::run::run_here;
use super::watch::{AdminPort, TOP_VAR};
use super::{Outcome, init, output};
use crate::compile::{Pipeline, plan_project};
use crate::daemon::RunOptions;
use crate::project::{Project, Simulator, SourceSettings};

/// Simulated events through the whole pipeline into a local folder; needs nothing else.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the demo's project and its tables go; made if missing, gone on with if there.
    #[arg(long, value_name = "DIR", default_value = "sluice-demo")]
    dir: PathBuf,
    /// End by itself when so many events are in the tables.
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// Events a second; as fast as it can when --events is given, else 2000.
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// The simulator's seed: the same seed gives the same events.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Events a second when the demo has no end.
const RATE: u64 = 2_000;

pub async fn demo(args: DemoArgs) -> Outcome {
    if !args.dir.join("sluice.yml").exists() {
        init::write_project(&args.dir)?;
    }
    let mut project = Project::load(&args.dir, |name| std::env::var(name).ok())?;
    let rate = args.rate.or(if args.events.is_some() { None } else { Some(RATE) });
    for settings in project.settings.sources.values_mut() {
        let usual = match settings {
            SourceSettings::Simulator(simulator) => simulator.clone(),
            _ => Simulator::default(),
        };
        let simulator = Simulator { rate, events: args.events, seed: args.seed.or(usual.seed), ..usual };
        *settings = SourceSettings::Simulator(simulator);
    }
    let lake = std::path::absolute(args.dir.join("lake"))
        .map_err(|e| Error::config(format!("the folder {} cannot be used: {e}", args.dir.display())))?;
    project.settings.lake = lake.to_string_lossy().into_owned();
    project.settings.clickhouse = None;
    let pipeline = std::sync::Arc::new(plan_project(project).await?);
    let question = first_question(&pipeline);
    let options = RunOptions { until_idle: args.events.is_some(), ..RunOptions::default() };
    run_here(pipeline, options, AdminPort::Any).await?;
    let dir = args.dir.display();
    output::note(&format!("The tables are in {dir}/lake. Ask them:\n  sluice query --project {dir} \"{question}\""));
    Ok(())
}

/// A question that the project's tables answer: the one that the live view asks, or what lies in the last model.
fn first_question(pipeline: &Pipeline) -> String {
    let live = pipeline.project.vars.get(TOP_VAR).and_then(|v| v.get("sql")).and_then(|s| s.as_str());
    let last = || pipeline.models.values().last().map(|m| format!("select * from {} limit 10", m.table));
    live.map(str::to_owned).or_else(last).unwrap_or_else(|| "select 1".into())
}
