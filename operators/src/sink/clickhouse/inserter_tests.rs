use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;

use super::*;

/// Short pauses, so that tests are quick.
pub(in super::super) const QUICK: Pauses = Pauses { first_ms: 1, longest_ms: 2 };

/// A ClickHouse that answers as it is told, and takes rows when it has been told nothing.
#[derive(Default)]
pub(in super::super) struct Pretended {
    /// What the next tries meet.
    pub faults: Mutex<VecDeque<Fault>>,
    /// Every block that was tried.
    pub tried: Mutex<Vec<Block>>,
    /// True: tries meet `Fault::Away` until it is false again.
    pub away: std::sync::atomic::AtomicBool,
}

impl Pretended {
    pub fn insert(self: &Arc<Self>) -> InsertOnce {
        let me = self.clone();
        Arc::new(move |block| {
            let me = me.clone();
            Box::pin(async move { me.answer(block) })
        })
    }

    fn answer(&self, block: Block) -> Result<(), Failure> {
        self.tried.lock().unwrap().push(block);
        let away = self.away.load(Ordering::SeqCst).then_some(Fault::Away);
        match away.or_else(|| self.faults.lock().unwrap().pop_front()) {
            None => Ok(()),
            Some(fault) => {
                let kind = if fault == Fault::Away { ErrorKind::Transient } else { ErrorKind::Config };
                Err(Failure { fault, error: Error::new(kind, format!("{fault:?}")) })
            }
        }
    }
}

fn block(n: u8) -> Block {
    Block { bytes: Bytes::from(vec![n; 10]), token: format!("block {n}"), upserts: 1, tombstones: 0 }
}

fn start(server: &Arc<Pretended>) -> Inserter {
    Inserter::start(&tokio::runtime::Handle::current(), "d.t__rows".into(), server.insert(), QUICK, Default::default())
}

async fn send(inserter: &Inserter, block: Block) -> Result<()> {
    inserter.hold(&block);
    inserter.place().await?.fill(block);
    Ok(())
}

/// Shows that a block is sent again with the same bytes and token until it is in, that the next waits for it, and that
/// the fence waits for both.
#[tokio::test]
async fn a_block_is_sent_again_unchanged() {
    let server = Arc::new(Pretended::default());
    server.faults.lock().unwrap().extend([Fault::Away, Fault::Unclear, Fault::Away]);
    let inserter = start(&server);
    send(&inserter, block(1)).await.unwrap();
    send(&inserter, block(2)).await.unwrap();
    inserter.fence().await.unwrap();
    let tried = server.tried.lock().unwrap();
    assert_eq!(
        tried.iter().map(|b| b.token.as_str()).collect::<Vec<_>>(),
        ["block 1", "block 1", "block 1", "block 1", "block 2"]
    );
    assert!(tried[..4].iter().all(|b| b.bytes == tried[0].bytes));
    assert_eq!(inserter.held_bytes(), 0);
}

/// Shows that what cannot become better ends the task at once, and that everyone who asks is told why.
#[tokio::test]
async fn a_refusal_ends_the_run() {
    let server = Arc::new(Pretended::default());
    server.faults.lock().unwrap().push_back(Fault::Refused);
    let inserter = start(&server);
    send(&inserter, block(1)).await.unwrap();
    let error = inserter.fence().await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Config, "clickhouse table d.t__rows: Refused"));
    assert_eq!(inserter.try_place().err().unwrap().kind(), ErrorKind::Config);
    assert_eq!(server.tried.lock().unwrap().len(), 1);
}

/// Shows that an error that nobody knows is tried a bounded number of times.
#[tokio::test]
async fn unknown_errors_are_tried_a_bounded_number_of_times() {
    let server = Arc::new(Pretended::default());
    server.faults.lock().unwrap().extend([Fault::Unclear; 100]);
    let inserter = start(&server);
    send(&inserter, block(1)).await.unwrap();
    assert_eq!(inserter.fence().await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(server.tried.lock().unwrap().len(), UNCLEAR_TRIES_MAX as usize);
}

/// Shows that the queue is bounded: with ClickHouse away it takes its blocks and the one that is tried, then no more.
#[tokio::test]
async fn the_queue_is_bounded() {
    let server = Arc::new(Pretended::default());
    server.away.store(true, Ordering::SeqCst);
    let inserter = start(&server);
    let mut taken = 0;
    for n in 0..100 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(place) = inserter.try_place().unwrap() {
            inserter.hold(&block(n));
            place.fill(block(n));
            taken += 1;
        }
    }
    assert_eq!(taken, QUEUE_BLOCKS_MAX + 1);
    assert_eq!(inserter.held_bytes(), 10 * taken);
    server.away.store(false, Ordering::SeqCst);
    inserter.fence().await.unwrap();
    assert_eq!(inserter.held_bytes(), 0);
}

/// Shows that pauses double from the first to the longest and stay there.
#[test]
fn pauses_double_up_to_the_longest() {
    let pauses: Vec<u128> = [1, 2, 3, 6, 7, 100, u32::MAX].map(|n| Pauses::default().after(n).as_millis()).into();
    assert_eq!(pauses, [100, 200, 400, 2_000, 2_000, 2_000, 2_000]);
}
