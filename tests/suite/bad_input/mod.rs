//! What can be wrong: the project, the servers, the records, the command line. Every fault names the object and the way
//! out; none is a panic, and none is waited for without an end.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod changed;
mod command;
mod expressions;
mod project;
mod records;
mod refreshed;
mod servers;
mod shop;

pub use command::sluice;
pub use shop::Shop;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Longest time for what should not take long, in seconds. It is generous: the machine may be busy.
const PATIENCE_S: u64 = 60;

/// What `work` gives; a test that waits for longer than `seconds` fails.
fn within<T: Send + 'static>(seconds: u64, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = channel();
    let worker = thread::spawn(move || {
        let _ = send.send(work());
    });
    match receive.recv_timeout(Duration::from_secs(seconds)) {
        Ok(done) => done,
        Err(RecvTimeoutError::Timeout) => panic!("not done after {seconds} s"),
        Err(RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().expect_err("a thread that sends nothing has panicked"))
        }
    }
}

/// Fails unless `text` has all the words, in this order.
#[track_caller]
fn says(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let Some(at) = rest.find(word) else { panic!("{word:?} is not (or not there) in: {text}") };
        rest = &rest[at + word.len()..];
    }
}
