//! A worker's stages, stepped one after the other: what a worker's thread does, and whoever steps a graph by hand.

use std::time::Instant;

use super::control::Event;
use super::stage::{Stage, Step};
use crate::error::Result;

/// The stages of one worker, and how far each has come.
pub(super) struct Steps {
    stages: Vec<Stage>,
    finished: Vec<bool>,
    told_ended: bool,
}

impl Steps {
    pub fn new(stages: Vec<Stage>) -> Self {
        let finished = vec![false; stages.len()];
        Self { stages, finished, told_ended: false }
    }

    /// How many stages there are.
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// True when a stage may go on by itself without end: it reads, or only waits for room.
    pub fn takes_turns(&self, stage: usize) -> bool {
        self.finished[stage] || self.stages[stage].has_sources()
    }

    /// One unit of work of a stage. True when something moved; and what the coordinator must hear.
    pub fn step(&mut self, stage: usize, now: Instant) -> Result<(bool, Option<Event>)> {
        if self.finished[stage] {
            return Ok((!self.stages[stage].drained(), None));
        }
        let (step, passed) = self.stages[stage].step(now)?;
        self.finished[stage] = step == Step::Finished;
        let event = passed.map(|(barrier, reports)| Event::StageDone { barrier, reports });
        Ok((step != Step::Blocked, event))
    }

    /// Says once that the worker's sources are at their end.
    pub fn ended(&mut self) -> Option<Event> {
        let ended = !self.told_ended && self.stages.iter().any(Stage::sources_ended);
        self.told_ended |= ended;
        ended.then_some(Event::SourcesEnded)
    }

    /// True when the last barrier has passed all stages and has found room in the rings.
    pub fn are_finished(&mut self) -> bool {
        self.finished.iter().all(|f| *f) && self.stages.iter_mut().all(Stage::drained)
    }
}
