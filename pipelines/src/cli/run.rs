//! `sluice run` and `sluice build`.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use sluice_engine::Error;
use sluice_engine::runtime::StopHandle;

use super::watch::{self, AdminPort, Watch};
use super::{Outcome, ProjectDir, SelectArgs, artifacts, opened, output, test, without_effect};
use crate::compile::Pipeline;
use crate::daemon::{RunOptions, run_pipeline};
use crate::project::selected;

/// Keep every table up to date.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// End once everything that was in the sources at the start is committed.
    #[arg(long)]
    until_idle: bool,
}

/// Bring every table up to date once, run the tests, and end.
#[derive(Debug, Args)]
pub struct BuildArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// What is tested. All tables are brought up to date in any case: they agree with each other.
    #[command(flatten)]
    tested: SelectArgs,
    /// Make the selected tables anew first, and all that reads them, though nothing has changed.
    #[arg(long)]
    full_refresh: bool,
}

pub async fn run(args: RunArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    without_effect::warn(&pipeline.project);
    if args.until_idle {
        artifacts::write_manifest(&pipeline);
    }
    let options = RunOptions { until_idle: args.until_idle, ..RunOptions::default() };
    run_here(pipeline, options, AdminPort::of_run(args.until_idle)).await
}

pub async fn build(args: BuildArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    without_effect::warn(&pipeline.project);
    let selection = args.tested.selection();
    // A selector that names nothing is told before the work begins.
    let picked = selected(&pipeline.project, &selection).map_err(Error::config)?.models;
    artifacts::write_manifest(&pipeline);
    let anew = pipeline.models.values().filter(|m| args.full_refresh && picked.contains(&m.name.as_str()));
    let full_refresh = anew.map(|m| m.table.clone()).collect();
    let options = RunOptions { until_idle: true, full_refresh, ..RunOptions::default() };
    run_here(pipeline.clone(), options, AdminPort::of_run(true)).await?;
    test::run_tests(&pipeline, "build", &selection).await
}

/// Runs a pipeline in this process until it ends or a signal comes, and shows how it goes. `port` says what becomes of the
/// HTTP server when its port is taken.
pub async fn run_here(pipeline: Arc<Pipeline>, mut options: RunOptions, port: AdminPort) -> Outcome {
    let store = opened::lake(&pipeline)?;
    let started = Instant::now();
    stop_on_signals(options.stop.clone());
    let until_idle = options.until_idle;
    options.health = watch::admin(&pipeline, &options, port)?;
    let watch = Watch::new(pipeline.clone(), store.clone(), options.metrics.clone());
    let shown = watch.show();
    let result = run_pipeline(pipeline, store, options, || {
        Box::new(|epoch| tracing::debug!(epoch = epoch.epoch, rows = epoch.rows, "committed"))
    })
    .await;
    watch.end(shown).await;
    let summary = result?;
    let seconds = started.elapsed().as_secs_f64();
    let on = if until_idle { "" } else { "; the next start goes on from here" };
    output::note(&format!("{} rows in {seconds:.1} s, committed as epoch {}{on}", watch.rows(), summary.epoch));
    Ok(())
}

/// Ctrl-C and SIGTERM commit what was read and end the run; a second one ends the process at once.
fn stop_on_signals(stop: StopHandle) {
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        for round in 0..2 {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            if round == 1 {
                std::process::exit(130);
            }
            output::note("stopping: committing what was read (once more to stop at once)");
            stop.stop();
        }
    });
}
