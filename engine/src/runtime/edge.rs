//! The sending end of an edge between stages: rows are shared out among the workers and wait here when a ring is full.

use std::collections::VecDeque;

use arrow::array::UInt32Array;

use crate::channel::Ring;
use crate::error::Result;
use crate::frame::{Batch, Frame};
use crate::state::key_hashes;

/// How the sending end shares rows out.
pub(super) enum Route {
    /// To the one ring there is (the same worker, or the one that gathers).
    Single,
    /// By the hash of these columns.
    Hash(Vec<usize>),
}

/// One edge's sending end on one worker.
pub(super) struct OutEdge {
    route: Route,
    rings: Vec<Ring>,
    waiting: Vec<VecDeque<Frame>>,
}

impl OutEdge {
    pub fn new(route: Route, rings: Vec<Ring>) -> Self {
        let waiting = rings.iter().map(|_| VecDeque::new()).collect();
        Self { route, rings, waiting }
    }

    /// Sends rows. What does not fit waits; the stage must not take new input until `drain` is true.
    pub fn send(&mut self, batch: Batch) -> Result<()> {
        let columns = match &self.route {
            Route::Hash(columns) if self.rings.len() > 1 => columns,
            _ => {
                self.put(0, Frame::Data(batch));
                return Ok(());
            }
        };
        let workers = self.rings.len() as u64;
        let mut indices: Vec<Vec<u32>> = vec![Vec::with_capacity(batch.len()); self.rings.len()];
        for (row, hash) in key_hashes(batch.rows().columns(), columns)?.into_iter().enumerate() {
            indices[(hash % workers) as usize].push(row as u32);
        }
        for (worker, rows) in indices.into_iter().enumerate() {
            if rows.len() == batch.len() {
                self.put(worker, Frame::Data(batch.clone()));
            } else if !rows.is_empty() {
                self.put(worker, Frame::Data(batch.take(&UInt32Array::from(rows))?));
            }
        }
        Ok(())
    }

    /// Sends a frame to every worker.
    pub fn broadcast(&mut self, frame: Frame) {
        for worker in 0..self.rings.len() {
            self.put(worker, frame.clone());
        }
    }

    /// Moves what waits into the rings; true when nothing waits any more.
    pub fn drain(&mut self) -> bool {
        for (ring, waiting) in self.rings.iter().zip(&mut self.waiting) {
            while let Some(frame) = waiting.pop_front() {
                if let Err(frame) = ring.push(frame) {
                    waiting.push_front(*frame);
                    break;
                }
            }
        }
        self.waiting.iter().all(VecDeque::is_empty)
    }

    fn put(&mut self, worker: usize, frame: Frame) {
        if !self.waiting[worker].is_empty() {
            self.waiting[worker].push_back(frame);
        } else if let Err(frame) = self.rings[worker].push(frame) {
            self.waiting[worker].push_back(*frame);
        }
    }
}
