//! A worker: one thread that steps its stages until the last barrier has passed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::utils::Backoff;
use tokio::sync::mpsc;

use super::control::{Control, Event};
use super::steps::Steps;
use crate::error::{Error, Result};

/// How long an idle worker sleeps before it looks again, in microseconds: shortest and longest.
const IDLE_MIN_US: u64 = 50;
const IDLE_MAX_US: u64 = 2_000;

pub(super) struct Worker {
    pub steps: Steps,
    pub control: Arc<Control>,
    pub events: mpsc::Sender<Event>,
}

impl Worker {
    /// Steps until the end; whatever goes wrong, a panic included, is reported.
    pub fn run(mut self) {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.drive()));
        let error = match caught {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(panic) => Error::bug(format!("a worker panicked: {}", panic_text(panic.as_ref()))),
        };
        self.control.abort();
        // The coordinator may be gone already; then nobody is left to tell.
        let _ = self.events.blocking_send(Event::Failed(error));
    }

    fn drive(&mut self) -> Result<()> {
        let backoff = Backoff::new();
        let mut idle_us = IDLE_MIN_US;
        while !self.control.is_aborted() {
            let mut advanced = false;
            // The last stage first, until it has nothing to do: what was read is worked off while it is in the caches, and
            // before more is read.
            for stage in (0..self.steps.len()).rev() {
                while self.step(stage)? {
                    advanced = true;
                    if self.steps.takes_turns(stage) {
                        break;
                    }
                }
            }
            self.steps.ended().map_or(Ok(()), |event| send(&self.events, event))?;
            if self.steps.are_finished() {
                return Ok(());
            }
            if advanced {
                backoff.reset();
                idle_us = IDLE_MIN_US;
            } else if backoff.is_completed() {
                std::thread::park_timeout(Duration::from_micros(idle_us));
                idle_us = (idle_us * 2).min(IDLE_MAX_US);
            } else {
                backoff.snooze();
            }
        }
        Ok(())
    }

    /// One unit of work of a stage; true when something moved.
    fn step(&mut self, stage: usize) -> Result<bool> {
        let (moved, passed) = self.steps.step(stage, Instant::now())?;
        passed.map_or(Ok(()), |event| send(&self.events, event))?;
        Ok(moved)
    }
}

fn send(events: &mpsc::Sender<Event>, event: Event) -> Result<()> {
    events.blocking_send(event).map_err(|_| Error::transient("the coordinator has stopped"))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".into())
}
