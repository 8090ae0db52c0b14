//! Polls a future once, on this thread.
//!
//! A simulated wait ends a poll: its owner decides when to poll again. Any other wait is for a thread that computes and
//! decides nothing (the runtime encodes state on one): it is waited for, so that it takes no part in the order of events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::world::World;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until the future is ready or waits for something simulated. `poll` is the future's own.
pub fn poll_once<T>(world: &World, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        world.forget_waits();
        match poll(&mut cx) {
            Poll::Ready(done) => return Poll::Ready(done),
            Poll::Pending if world.has_waited() => return Poll::Pending,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// As [`poll_once`], for a boxed future.
pub fn poll_future<T>(world: &World, future: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> Poll<T> {
    poll_once(world, |cx| future.as_mut().poll(cx))
}
