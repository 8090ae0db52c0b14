//! Looks at the topic from time to time, on a thread of its own: the source's polls must not wait for answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::context::Reader;
use super::offsets::Range;
use super::topic;

/// A topic counts as deleted after it was missing this many times in a row: a broker that starts does not know it yet.
const LOOKS_WITHOUT_TOPIC_MAX: u32 = 3;

/// What a look has shown.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The offsets of this worker's partitions, new ones included.
    pub(super) ranges: Vec<Range>,
    /// The topic is not there any more.
    pub(super) deleted: bool,
    /// How many looks had been asked for when this one began.
    pub(super) asked: u64,
}

/// Which partitions to look at.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) topic: String,
    pub(super) worker: usize,
    pub(super) workers: usize,
    pub(super) refresh: Duration,
}

/// The thread's other end. The thread ends after this is dropped, once its current look is over.
pub(super) struct Watch {
    ask: SyncSender<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    asked: AtomicU64,
    looks: AtomicU64,
    seen: Mutex<Option<Seen>>,
}

impl Watch {
    /// Starts looking.
    pub(super) fn start(reader: Arc<Reader>, watched: Watched) -> std::io::Result<Self> {
        let (ask, asked) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        std::thread::Builder::new()
            .name("kafka-watch".into())
            .spawn(move || look_on(&reader, &watched, &theirs, &asked))?;
        Ok(Self { ask, shared })
    }

    /// Asks for a look now; gives the number of the request.
    pub(super) fn look(&self) -> u64 {
        let number = self.shared.asked.fetch_add(1, Ordering::SeqCst) + 1;
        // A full channel means that a look is asked for already.
        let _ = self.ask.try_send(());
        number
    }

    /// What was seen since the last call, if anything.
    pub(super) fn take(&self) -> Option<Seen> {
        if self.shared.looks.swap(0, Ordering::Acquire) == 0 {
            return None;
        }
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn look_on(reader: &Reader, watched: &Watched, shared: &Shared, asked: &Receiver<()>) {
    let mut missing = 0;
    loop {
        match asked.recv_timeout(watched.refresh) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let asked = shared.asked.load(Ordering::SeqCst);
        let wait = Duration::from_millis(topic::ANSWER_MS);
        let ranges = match topic::look_up(reader, &watched.topic, wait) {
            Ok(Some(all)) => {
                missing = 0;
                // In a topic that nobody writes to, no record would ever show that the brokers are back.
                reader.context().status.heard();
                let own: Vec<i32> =
                    all.into_iter().filter(|p| *p as usize % watched.workers == watched.worker).collect();
                topic::ranges_now(reader, &watched.topic, &own, wait)
            }
            Ok(None) => {
                missing += 1;
                Ok(Vec::new())
            }
            Err(e) => Err(e),
        };
        match ranges {
            Ok(ranges) => {
                let seen = Seen { ranges, deleted: missing >= LOOKS_WITHOUT_TOPIC_MAX, asked };
                *shared.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
                shared.looks.fetch_add(1, Ordering::Release);
            }
            Err(error) => tracing::debug!(topic = %watched.topic, %error, "kafka: the topic could not be looked at"),
        }
    }
}
