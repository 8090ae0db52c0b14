//! What a run waits for outside of itself: shown to people, so that they know what to mend.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What waits. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    begun: u64,
    waiting: BTreeMap<u64, (Instant, String)>,
    told: Option<Instant>,
}

/// Something waits as long as this lives.
#[derive(Debug)]
pub struct Waiting {
    all: Waits,
    number: u64,
}

impl Waits {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has waited since `since`: for `what`, as in "clickhouse table a.b: it does not answer".
    pub fn begin(&self, since: Instant, what: impl Into<String>) -> Waiting {
        let mut inner = self.inner();
        inner.begun += 1;
        let number = inner.begun;
        inner.waiting.insert(number, (since, what.into()));
        Waiting { all: self.clone(), number }
    }

    /// True when it is time to tell of what waits again: `every` has passed since the last time that this was true. Many
    /// wait for one and the same thing, and one line says so.
    pub fn tell_now(&self, every: Duration) -> bool {
        let mut inner = self.inner();
        let is_due = inner.told.is_none_or(|told| told.elapsed() >= every);
        if is_due {
            inner.told = Some(Instant::now());
        }
        is_due
    }

    /// What has waited for longest, and how long; none when nothing waits.
    pub fn longest(&self) -> Option<(Duration, String)> {
        let inner = self.inner();
        inner.waiting.values().min_by_key(|(since, _)| *since).map(|(since, what)| (since.elapsed(), what.clone()))
    }
}

impl Waiting {
    /// It waits for something else now, or knows more of it.
    pub fn because(&self, what: impl Into<String>) {
        if let Some((_, text)) = self.all.inner().waiting.get_mut(&self.number) {
            *text = what.into();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.all.inner().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oldest wait is shown, in its latest words, until it ends.
    #[test]
    fn the_longest_wait_is_shown() {
        let waits = Waits::default();
        assert_eq!(waits.longest(), None);
        let now = Instant::now();
        let first = waits.begin(now, "a");
        let second = waits.begin(now + Duration::from_millis(1), "b");
        first.because("a: it is frozen");
        assert_eq!(waits.longest().map(|w| w.1), Some("a: it is frozen".into()));
        drop(first);
        assert_eq!(waits.longest().map(|w| w.1), Some("b".into()));
        drop(second);
        assert_eq!(waits.longest(), None);
        assert!(waits.tell_now(Duration::from_secs(60)) && !waits.clone().tell_now(Duration::from_secs(60)));
        assert!(waits.tell_now(Duration::ZERO));
    }
}
