//! Reads a table on the async runtime, as fast as the workers take its rows.

use std::time::Duration;

use futures::TryStreamExt;
use sluice_engine::{Batch, Error, ErrorKind, Result};
use tokio::sync::mpsc::Sender;

use super::MakeChanges;
use crate::store::{Store, open_table, read_rows};

/// Pause before a table is read again whose store was away, in milliseconds.
const PAUSE_MS: u64 = 1_000;

/// Sends all rows; the end is that nobody sends any more. When the store is away, the error is sent (the engine tells
/// people), and the table is read again: nobody else writes to it meanwhile, so what has been sent is left out.
pub(super) async fn read_into(store: Store, path: String, make: MakeChanges, send: Sender<Result<Batch>>) {
    let mut sent = 0;
    while let Err(error) = read_from(&store, &path, &make, &send, &mut sent).await {
        let passes = error.kind() == ErrorKind::Transient;
        if send.send(Err(error)).await.is_err() || !passes {
            return;
        }
        tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
    }
}

async fn read_from(
    store: &Store,
    path: &str,
    make: &MakeChanges,
    send: &Sender<Result<Batch>>,
    sent: &mut usize,
) -> Result<()> {
    if open_table(store, path).await?.is_none() {
        return Ok(());
    }
    let (_, mut rows) = read_rows(store, path).await?;
    let mut seen = 0;
    while let Some(rows) = rows.try_next().await? {
        seen += 1;
        if seen <= *sent {
            continue;
        }
        let batch = make(rows).map_err(|e: Error| e.at(format!("delta table {path}")))?;
        // Nobody listens any more when the run has ended.
        if !batch.is_empty() && send.send(Ok(batch)).await.is_err() {
            return Ok(());
        }
        *sent = seen;
    }
    Ok(())
}
