//! Edges between stages: bounded, lock-free rings of frames.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::frame::Frame;

/// How many frames a ring holds: the most that waits between two stages of one pair of workers, in batches. A graph has
/// a ring for each edge and pair of workers, and a worker that reads faster than it computes fills them all.
pub const RING_FRAMES: usize = 8;

/// A bounded queue of frames from one stage instance to another: one thread pushes, one pops, in order.
#[derive(Debug, Clone)]
pub struct Ring {
    queue: Arc<ArrayQueue<Frame>>,
}

impl Default for Ring {
    fn default() -> Self {
        Self::with_capacity(RING_FRAMES)
    }
}

impl Ring {
    /// A ring that holds `frames` frames.
    pub fn with_capacity(frames: usize) -> Self {
        Self { queue: Arc::new(ArrayQueue::new(frames)) }
    }

    /// Puts a frame in; gives it back when the ring is full.
    pub fn push(&self, frame: Frame) -> Result<(), Box<Frame>> {
        self.queue.push(frame).map_err(Box::new)
    }

    /// Takes the oldest frame.
    pub fn pop(&self) -> Option<Frame> {
        self.queue.pop()
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
