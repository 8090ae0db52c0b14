//! Free ports for servers.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

/// Ports are taken from this range, not from those that binding port 0 gives: the kernel hands the latter to outgoing
/// connections too, so that a killed server's port might be gone at its restart, or a client that redials it might
/// reach itself.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// The port that this process tries next; starts anywhere, so that two test processes seldom meet.
static NEXT: Mutex<Option<u16>> = Mutex::new(None);

/// A port on 127.0.0.1 that nobody listens on, and that this process has not handed out lately.
///
/// # Errors
/// When all of them are taken.
pub fn free() -> anyhow::Result<u16> {
    let mut next = NEXT.lock().expect("nothing panics under this lock");
    for _ in FIRST..=LAST {
        let port = next.unwrap_or_else(anywhere);
        *next = Some(if port == LAST { FIRST } else { port + 1 });
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port between {FIRST} and {LAST}")
}

fn anywhere() -> u16 {
    let random = RandomState::new().build_hasher().finish();
    FIRST + u16::try_from(random % u64::from(LAST - FIRST)).expect("less than the range's length")
}
