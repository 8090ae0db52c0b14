//! `sluice status`: what the newest manifest says, which tables are older than it, and the daemon, if it has an address.

use std::time::Duration;

use clap::Args;
use sluice_engine::checkpoint::newest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Outcome, ProjectDir, opened, output};
use crate::lake::{RefreshFailure, read_failures};
use crate::node_names;

/// How long the daemon has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// The newest epoch, how far each stream was read (`partition:offset` or `file:byte` of what comes next), and which models
/// could not be refreshed.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    project: ProjectDir,
}

pub async fn status(args: StatusArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    let store = opened::lake(&pipeline)?;
    let Some(manifest) = newest(&store, &pipeline.project.name).await? else {
        output::say(&format!("pipeline {:?} has not committed anything yet in {}", pipeline.project.name, store.url()));
        return Ok(());
    };
    output::say(&format!(
        "pipeline {:?}: epoch {}, generation {}, in {}",
        manifest.pipeline,
        manifest.epoch,
        manifest.generation,
        store.url()
    ));
    if let Some(admin) = &pipeline.project.settings.admin {
        output::say(&format!("daemon: {}", daemon_says(&admin.listen).await));
    }
    let streams = manifest.positions.iter().filter_map(|(node, at)| Some((node_names::stream_of(node)?, at)));
    for (stream, position) in streams {
        let splits: Vec<String> = position.0.iter().map(|(split, p)| format!("{split}:{}", p.next)).collect();
        output::say(&format!("{stream:<40} {}", splits.join(" ")));
    }
    for (model, failure) in read_failures(&store, &pipeline.project.name).await? {
        if pipeline.models.contains_key(&model) {
            let RefreshFailure { epoch, error } = failure;
            output::say(&format!("{model:<40} is old: its refresh at epoch {epoch} failed: {error}"));
        }
    }
    Ok(())
}

/// What the daemon says of itself, if one answers at its address.
async fn daemon_says(listen: &str) -> String {
    let asked = async {
        let mut connection = TcpStream::connect(listen).await?;
        let head = format!("GET /readyz HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        connection.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(answer)) => match answer.split_once("\r\n\r\n") {
            Some((_, body)) if !body.trim().is_empty() => body.trim().to_owned(),
            _ => "ready".to_owned(),
        },
        _ => format!("none answers at {listen}"),
    }
}
