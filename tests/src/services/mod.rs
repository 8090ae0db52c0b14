//! Real Kafka, HDFS and ClickHouse, started by the test that wants them.
//!
//! Each is the real server with a data folder and ports of its own, on 127.0.0.1, installed by `tests/setup`. All calls block.
//! A server ends, and its data goes, when its value is dropped, and also when the test process dies in any other way.
//! `SLUICE_TEST_KEEP=1` keeps data and logs.

pub mod clickhouse;
pub mod hdfs;
mod home;
pub mod http;
pub mod kafka;
pub mod ports;
mod process;

pub use clickhouse::ClickHouse;
pub use hdfs::Hdfs;
pub use kafka::Kafka;

use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer. Kafka has been seen to take 22 s on a busy machine with cold disks.
pub const STARTUP_DEADLINE_S: u64 = 120;

/// How often a start is tried when another program took one of the chosen ports meanwhile.
const START_TRIES_MAX: u32 = 3;

/// How long to sleep between two looks at a starting server.
const POLL_MS: u64 = 50;

/// Waits until `ready`, while `process` lives.
///
/// # Errors
/// When the process ends or the deadline passes; with the tail of its log.
fn wait_until(process: &process::Process, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(STARTUP_DEADLINE_S);
    while !ready() {
        if process.ended() {
            anyhow::bail!("{} ended while it started; its log ends with:\n{}", process.name(), process.log_tail());
        }
        if Instant::now() > deadline {
            let (name, tail) = (process.name(), process.log_tail());
            anyhow::bail!("{name} does not answer after {STARTUP_DEADLINE_S} s; its log ends with:\n{tail}");
        }
        thread::sleep(Duration::from_millis(POLL_MS));
    }
    Ok(())
}

/// Starts a server with `start`, and again with other ports when one of them was taken meanwhile.
fn start_with_free_ports<S>(start: impl Fn() -> anyhow::Result<S>) -> anyhow::Result<S> {
    let mut tries = 1;
    loop {
        match start() {
            Err(error) if tries < START_TRIES_MAX && is_port_taken(&error) => tries += 1,
            result => return result,
        }
    }
}

fn is_port_taken(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    ["Address already in use", "BindException", "port is already in use"].iter().any(|sign| text.contains(sign))
}
