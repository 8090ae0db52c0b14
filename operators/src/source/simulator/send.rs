//! Driving a run at its pace: the loop that the file and the Kafka writer share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::error::SimulatorError;
use super::pace::Pace;
use super::records::Records;
use super::run::{Filled, Simulator};

/// Records in a batch, about.
const BATCH_RECORDS: u64 = 1_024;

/// Set it to end a run early, after the batch at hand and what faults hold back. `None`: it goes on to its end.
pub type Stop<'a> = Option<&'a AtomicBool>;

/// Sends batches as they are due, until the run is over or is told to stop.
pub(super) fn pump(
    simulator: &mut Simulator,
    pace: &Pace,
    stop: Stop<'_>,
    mut send: impl FnMut(&Simulator, &Records) -> Result<(), SimulatorError>,
) -> Result<(), SimulatorError> {
    let began = Instant::now();
    let mut records = Records::new();
    let mut sent = 0u64;
    loop {
        let is_stopped = stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        if is_stopped {
            simulator.stop();
        }
        let elapsed = began.elapsed();
        let due = if is_stopped { Pace::Unlimited.due(elapsed, sent) } else { pace.due(elapsed, sent) };
        let filled = if due.records == 0 {
            Filled::Waiting
        } else {
            simulator.next_records_until(due.records.min(BATCH_RECORDS) as usize, due.until_ms, &mut records)
        };
        match filled {
            Filled::Records => {
                sent += records.len() as u64;
                send(simulator, &records)?;
            }
            Filled::Waiting => std::thread::sleep(pace.wait(elapsed, sent)),
            Filled::End => return Ok(()),
        }
    }
}
