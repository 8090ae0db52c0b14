//! `sluice replay`: rejects through the graph once more.

use std::sync::Arc;

use clap::Args;
use sluice_engine::checkpoint::newest;
use sluice_operators::store::Store;

use super::{Outcome, ProjectDir, opened, output};
use crate::compile::Pipeline;
use crate::daemon::{RunOptions, run_pipeline};
use crate::holder::refuse_running;
use crate::replay::{Replay, waiting};

pub const AFTER_HELP: &str = "\
A record that was rejected is replayed when it can be decoded now: after an update of sluice, or after its stream's
`record_max` was raised. It keeps its topic, partition and offset; its reject stays, marked in `replayed`. Records that
still cannot be decoded stay as they are. No record is replayed twice.

Not yet: a stream whose columns, topic or event time were changed, and a changed model, are refused as a run refuses them
(the rows that are there would have to be made anew); so rows that failed in a model cannot be replayed.";

/// Records that were rejected, and can be decoded now, through the graph once more. No run may go on meanwhile.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// Only this stream: `source.table`, or the table.
    #[arg(long, value_name = "STREAM")]
    select: Option<String>,
    /// Say what would be replayed, and why the rest would not.
    #[arg(long)]
    dry_run: bool,
    /// Go on although a run has not said that it ended: it was killed, on another machine.
    #[arg(long)]
    take_over: bool,
}

pub async fn replay(args: ReplayArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    let store = opened::lake(&pipeline)?;
    let replay = Replay::of(&pipeline, args.select.as_deref())?;
    if newest(&store, &pipeline.project.name).await?.is_none() {
        output::say("nothing was ever committed, so there is nothing to replay");
        return Ok(());
    }
    if args.dry_run {
        tell(&pipeline, &store, &replay).await?;
        return Ok(());
    }
    if !args.take_over {
        refuse_running(&store, &pipeline.project.name).await?;
    }
    let mut replayed = 0;
    loop {
        let options = RunOptions { until_idle: true, replay: Some(replay.clone()), ..RunOptions::default() };
        let summary = run_pipeline(pipeline.clone(), store.clone(), options, || Box::new(|_| {})).await?;
        replayed += summary.rows;
        if summary.rows == 0 {
            break;
        }
        output::note(&format!("{} records were replayed in epoch {}", summary.rows, summary.epoch));
    }
    output::say(&format!("{replayed} records were replayed"));
    tell(&pipeline, &store, &replay).await?;
    Ok(())
}

/// Says what waits.
async fn tell(pipeline: &Arc<Pipeline>, store: &Store, replay: &Replay) -> Outcome {
    for stream in pipeline.streams.iter().filter(|s| replay.wants(s)) {
        let found = waiting(store, stream).await?;
        let still: u64 = found.reasons.values().sum();
        let (name, ready, before) =
            (format!("{}.{}", stream.source, stream.name), found.decodable_rows, found.replayed);
        output::say(&format!(
            "{name}: {ready} rejects can be decoded now, {still} cannot, {before} were replayed before"
        ));
        found.reasons.iter().for_each(|(reason, count)| output::say(&format!("  {count}  {reason}")));
    }
    Ok(())
}
