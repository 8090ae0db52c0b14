//! The simulated world: chance, faults, who is alive, and the trace of all that happens.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use sluice_engine::{Error, Result};

use super::fault::{Fate, Fault, Faults};
use super::random::Random;

/// A process, counted from 0 in the order of the starts.
pub type Pid = usize;

/// What everything simulated shares. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct World(Arc<Mutex<Inner>>);

struct Inner {
    random: Random,
    faults: Faults,
    /// What each step was.
    steps: Vec<String>,
    crashed: BTreeSet<Pid>,
    waited: bool,
    trace: Vec<String>,
    hash: u64,
    violations: Vec<String>,
}

impl World {
    /// A world of this seed with no faults yet.
    pub fn of(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            random: Random::of(seed),
            faults: Faults::NONE,
            steps: vec![],
            crashed: BTreeSet::new(),
            waited: false,
            trace: vec![],
            hash: 0xcbf2_9ce4_8422_2325,
            violations: vec![],
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nobody panics while holding the world")
    }

    /// Chance, for whoever decides something.
    pub fn random<T>(&self, decide: impl FnOnce(&mut Random) -> T) -> T {
        decide(&mut self.inner().random)
    }

    pub fn set_faults(&self, faults: Faults) {
        self.inner().faults = faults;
    }

    /// The steps that there have been, in order.
    pub fn steps(&self) -> Vec<String> {
        self.inner().steps.clone()
    }

    /// Adds a line to the trace.
    pub fn note(&self, line: impl Into<String>) {
        let mut inner = self.inner();
        let line = line.into();
        for byte in line.bytes().chain([b'\n']) {
            inner.hash = (inner.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        inner.trace.push(line);
    }

    /// The trace so far and its hash (FNV-1a).
    pub fn trace(&self) -> (Vec<String>, u64) {
        let inner = self.inner();
        (inner.trace.clone(), inner.hash)
    }

    /// Something that must never be.
    pub fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(format!("VIOLATION: {what}"));
        self.inner().violations.push(what);
    }

    pub fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    pub fn crash(&self, pid: Pid) {
        self.inner().crashed.insert(pid);
    }

    pub fn has_crashed(&self, pid: Pid) -> bool {
        self.inner().crashed.contains(&pid)
    }

    pub fn forget_waits(&self) {
        self.inner().waited = false;
    }

    pub fn has_waited(&self) -> bool {
        self.inner().waited
    }

    fn fate(&self, pid: Pid, what: &str) -> Fate {
        let fate = {
            let inner = &mut *self.inner();
            let fate = inner.faults.draw(&mut inner.random, inner.steps.len() as u64);
            inner.steps.push(what.to_owned());
            fate
        };
        match fate.fault {
            Fault::Nothing => self.note(format!("{pid} {what}")),
            fault => self.note(format!("{pid} {what}: {fault:?}")),
        }
        fate
    }

    /// A step that happens at once: `effect`, unless something goes wrong.
    pub fn now<T>(&self, pid: Pid, what: &str, effect: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.has_crashed(pid) {
            return Err(gone());
        }
        match self.fate(pid, what).fault {
            Fault::Nothing => effect(),
            Fault::Refused => Err(Error::transient(format!("simulated: {what} is refused"))),
            Fault::AnswerLost => {
                effect()?;
                Err(Error::transient(format!("simulated: the answer to {what} is lost")))
            }
            Fault::CrashBefore => {
                self.crash(pid);
                Err(gone())
            }
            Fault::CrashAfter => {
                effect()?;
                self.crash(pid);
                Err(gone())
            }
        }
    }

    /// A step that is waited for: `effect`, unless something goes wrong. It happens at one moment, between the waits.
    pub async fn later<T>(&self, pid: Pid, what: String, effect: impl FnOnce() -> Result<T>) -> Result<T> {
        let fate = self.fate(pid, &what);
        self.wait(pid, fate.polls_before).await;
        match fate.fault {
            Fault::CrashBefore => self.end(pid).await,
            Fault::Refused => return Err(Error::transient(format!("simulated: {what} is refused"))),
            _ => {}
        }
        if fate.polls_before > 0 {
            self.note(format!("{pid} {what} happens"));
        }
        let done = effect();
        if fate.fault == Fault::CrashAfter {
            self.end(pid).await;
        }
        self.wait(pid, fate.polls_after).await;
        match fate.fault {
            Fault::AnswerLost => Err(Error::transient(format!("simulated: the answer to {what} is lost"))),
            _ => done,
        }
    }

    /// Is not ready for so many polls; never, once the process is gone.
    async fn wait(&self, pid: Pid, polls: u64) {
        let mut left = polls;
        poll_fn(|cx| {
            if left == 0 && !self.has_crashed(pid) {
                return Poll::Ready(());
            }
            left = left.saturating_sub(1);
            self.inner().waited = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    async fn end(&self, pid: Pid) {
        self.crash(pid);
        self.wait(pid, 0).await;
    }
}

fn gone() -> Error {
    Error::transient("simulated: the process is gone")
}
