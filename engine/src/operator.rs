//! What happens to rows between source and sink.

use crate::error::Result;
use crate::frame::{BarrierKind, Batch};
use crate::state::{Cold, Frozen, NothingCold, Restored, Snapshot, SnapshotMode};

/// Takes what an operator makes, and gives back what it has frozen. It can send data and nothing else: watermarks,
/// barriers and the end belong to the engine.
pub struct Emitter<'a> {
    sent: &'a mut Vec<(usize, Batch)>,
    cold: &'a dyn Cold,
}

impl<'a> Emitter<'a> {
    /// An emitter that puts into `sent` pairs of output port and batch.
    pub fn new(sent: &'a mut Vec<(usize, Batch)>) -> Self {
        Self { sent, cold: &NothingCold }
    }

    /// The same, for an operator whose frozen groups are in `cold`.
    pub fn with_cold(sent: &'a mut Vec<(usize, Batch)>, cold: &'a dyn Cold) -> Self {
        Self { sent, cold }
    }

    /// What the operator has frozen of these times (sorted), and perhaps of others; what was frozen last comes last.
    ///
    /// # Errors
    /// `Transient` when the store is away for longer than a run waits, `Data` when what it holds is damaged.
    pub fn thaw(&self, times: &[i64]) -> Result<Restored> {
        self.cold.thaw(times)
    }

    /// Sends rows to the operator's first output. Empty batches are dropped.
    pub fn emit(&mut self, batch: Batch) {
        self.emit_to(0, batch);
    }

    /// Sends rows to output `port`. Empty batches are dropped.
    pub fn emit_to(&mut self, port: usize, batch: Batch) {
        if !batch.is_empty() {
            self.sent.push((port, batch));
        }
    }
}

/// A step of the computation: synchronous; without clock, randomness, I/O or locks, so that the same input always
/// gives the same output.
///
/// Life: `restore` at most once, first; then `on_batch` for each batch; `on_barrier` at each cut (all inputs are at the
/// same cut by then), followed by `snapshot` when the cut ends an epoch.
pub trait Operator: Send {
    /// Called before the first batch of each epoch with the epoch's number, for operators that write it into rows.
    fn begin_epoch(&mut self, epoch: u64) {
        let _ = epoch;
    }

    /// Called with each batch of input `input` (from 0). May emit.
    ///
    /// # Errors
    /// An error ends the run; bad rows are not errors.
    fn on_batch(&mut self, input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()>;

    /// Called at each barrier before it goes on: emit what was held back. `watermark` is the event time (microseconds)
    /// below which no more rows are expected.
    ///
    /// # Errors
    /// As `on_batch`.
    fn on_barrier(&mut self, watermark: Option<i64>, out: &mut Emitter<'_>) -> Result<()> {
        let _ = (watermark, out);
        Ok(())
    }

    /// For an operator that knows event times: none is expected any more below this one, in microseconds; `i64::MAX` when it
    /// waits for no row at all. Called at each barrier after `on_barrier`, whether or not an epoch ends. Others keep the
    /// default: theirs is that of their inputs.
    fn own_watermark(&mut self, barrier: BarrierKind) -> Option<i64> {
        let _ = barrier;
        None
    }

    /// Gives away the groups whose times are over at `watermark`, if they are worth it. Called right before `snapshot`
    /// with `SnapshotMode::Full`, which must not hold them. When a row of such a time comes later, the operator asks for
    /// them back ([`Emitter::thaw`]).
    ///
    /// # Errors
    /// Only for bugs.
    fn freeze(&mut self, watermark: i64) -> Result<Option<Frozen>> {
        let _ = watermark;
        Ok(None)
    }

    /// The state, or what has changed in it since the last call. Called after `on_barrier` when an epoch ends.
    /// Stateless operators keep the default.
    ///
    /// # Errors
    /// Only for bugs.
    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        let _ = mode;
        Ok(Snapshot::default())
    }

    /// True when the state only grows by appending, so that its snapshots are always deltas and never need to be
    /// replaced by a full one. `snapshot` is then only called with `SnapshotMode::Delta`.
    fn state_only_grows(&self) -> bool {
        false
    }

    /// The state of all instances of this operator at the last durable epoch, oldest piece first; each instance keeps
    /// the keys that are its own (`Restored::share`).
    ///
    /// # Errors
    /// `Config` when the pieces were written by another form of the operator.
    fn restore(&mut self, state: Restored) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// Bytes of memory that the state holds, for metrics and for the memory budget.
    fn state_bytes(&self) -> usize {
        0
    }
}
