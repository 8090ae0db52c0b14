//! What operators hand over at the end of an epoch, as files: snapshots and what leaves memory.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::checkpoint::{CheckpointStore, ColdSegment, OperatorState, PackKind, PackWriter, checked_segment};
use crate::error::{Error, Result};
use crate::graph::NodeId;
use crate::state::{Frozen, Snapshot};

/// A chain of deltas is replaced by a full snapshot once it is larger than the last full one and than this, in bytes.
const DELTA_BYTES_MIN: u64 = 4 << 20;
/// The same for an operator whose old groups leave memory with a full snapshot.
const DELTA_BYTES_MIN_FREEZING: u64 = 64 << 10;
/// ... or has this many pieces.
const CHAIN_SEGMENTS_MAX: usize = 200;

/// So many neighbouring cold segments of about one size become one ...
const COLD_MERGE: usize = 16;
/// ... unless it is larger than this, in bytes: a late row reads a whole one.
const COLD_BYTES_MAX: u64 = 32 << 20;

/// True when an operator's next snapshot shall be full, given its chain and the newest epoch.
pub(super) fn wants_full(chain: &OperatorState, newest: u64) -> bool {
    let length = |full: bool| chain.segments.iter().filter(|s| s.full == full).map(|s| s.length).sum::<u64>();
    // What left memory in the last epoch would have been a delta of that size.
    let left: u64 = chain.cold.iter().map(|c| &c.segment).filter(|s| s.epoch == newest).map(|s| s.length).sum();
    let least = if chain.cold.is_empty() { DELTA_BYTES_MIN } else { DELTA_BYTES_MIN_FREEZING };
    let never = chain.segments.is_empty() && chain.cold.is_empty();
    never || length(false) + left > length(true).max(least) || chain.segments.len() > CHAIN_SEGMENTS_MAX
}

/// What the instances of an operator have handed over.
#[derive(Default)]
pub(super) struct Reported {
    full: bool,
    snapshots: Vec<Snapshot>,
    frozen: Vec<Frozen>,
}

impl Reported {
    pub fn add(&mut self, full: bool, snapshot: Snapshot, frozen: Option<Frozen>) {
        self.full = full;
        self.snapshots.push(snapshot);
        self.frozen.extend(frozen);
    }

    fn encode(self) -> Result<Encoded> {
        let snapshots = self.snapshots.iter().map(Snapshot::encode).collect::<Result<Vec<_>>>()?;
        let frozen = self.frozen.into_iter().map(|f| Ok((f.first, f.last, f.state.encode()?)));
        Ok(Encoded { full: self.full, snapshots, frozen: frozen.collect::<Result<Vec<_>>>()? })
    }
}

#[derive(Default)]
struct Encoded {
    full: bool,
    snapshots: Vec<Vec<Bytes>>,
    frozen: Vec<(i64, i64, Vec<Bytes>)>,
}

/// An operator and the state that the newest manifest names.
pub(super) struct Named {
    pub id: NodeId,
    pub name: String,
    pub fingerprint: String,
    pub before: OperatorState,
}

/// Writes the packs of an epoch.
pub(super) struct StateWriter<'a> {
    store: &'a dyn CheckpointStore,
    epoch: u64,
    state: PackWriter,
    cold: PackWriter,
}

impl<'a> StateWriter<'a> {
    pub fn new(store: &'a dyn CheckpointStore, pipeline: &str, generation: u64, epoch: u64) -> Self {
        let pack = |kind| PackWriter::new(pipeline, kind, generation, epoch);
        Self { store, epoch, state: pack(PackKind::State), cold: pack(PackKind::Cold) }
    }

    /// Writes what was handed over; gives the operators' states, and the bytes written.
    pub async fn write(
        mut self,
        operators: Vec<Named>,
        reported: BTreeMap<NodeId, Reported>,
    ) -> Result<(BTreeMap<String, OperatorState>, u64)> {
        let encode = move || {
            let encoded = reported.into_iter().map(|(id, reported)| Ok((id, reported.encode()?)));
            encoded.collect::<Result<BTreeMap<NodeId, Encoded>>>()
        };
        let encoded = tokio::task::spawn_blocking(encode).await;
        let mut encoded = encoded.map_err(|e| Error::bug("encoding state panicked").because(e))??;
        let mut states = BTreeMap::new();
        let mut bytes = 0;
        for Named { id, name, fingerprint, before } in operators {
            let encoded = encoded.remove(&id).unwrap_or_default();
            let mut state = OperatorState { fingerprint, ..before };
            if encoded.full {
                state.segments.clear();
            }
            for piece in encoded.snapshots.into_iter().filter(|p| !p.is_empty()) {
                state.segments.push(self.state.add(piece, encoded.full));
                bytes += state.segments.last().map_or(0, |s| s.length);
            }
            self.merge(&mut state.cold).await?;
            for (first, last, piece) in encoded.frozen.into_iter().filter(|f| !f.2.is_empty()) {
                let segment = self.cold.add(piece, false);
                bytes += segment.length;
                state.cold.push(ColdSegment { segment, first, last });
            }
            states.insert(name, state);
        }
        self.state.write(self.store).await?;
        self.cold.write(self.store).await?;
        Ok((states, bytes))
    }

    /// Makes one of many small neighbours, so that the manifest does not grow with history. What comes later in a segment
    /// holds against what comes before, as among segments, so they are put one after the other as they are.
    async fn merge(&mut self, cold: &mut Vec<ColdSegment>) -> Result<()> {
        let Some(run) = neighbours(cold) else { return Ok(()) };
        let mut pieces = Vec::new();
        for ColdSegment { segment, .. } in &cold[run.clone()] {
            let range = segment.offset..segment.offset + segment.length;
            let bytes = self.store.get_range(&segment.pack, range).await?;
            let bytes = bytes.ok_or_else(|| {
                Error::data(format!("state pack {} of epoch {} is missing", segment.pack, segment.epoch))
            })?;
            pieces.push(checked_segment(bytes, segment)?);
        }
        let segment = self.cold.add(pieces, false);
        let first = cold[run.clone()].iter().map(|c| c.first).min().unwrap_or_default();
        let last = cold[run.clone()].iter().map(|c| c.last).max().unwrap_or_default();
        // It holds nothing of this epoch, and `wants_full` must not take it for that.
        let segment =
            crate::checkpoint::Segment { epoch: cold[run.end - 1].segment.epoch.min(self.epoch - 1), ..segment };
        cold.splice(run, [ColdSegment { segment, first, last }]);
        Ok(())
    }
}

/// The first run of neighbours of about one size (within a factor of 16) that are to be one.
fn neighbours(cold: &[ColdSegment]) -> Option<Range<usize>> {
    let size = |c: &ColdSegment| c.segment.length.max(1).ilog2() / 4;
    (0..(cold.len() + 1).saturating_sub(COLD_MERGE)).map(|start| start..start + COLD_MERGE).find(|run| {
        let run = &cold[run.clone()];
        let bytes: u64 = run.iter().map(|c| c.segment.length).sum();
        bytes <= COLD_BYTES_MAX && run.iter().all(|c| size(c) == size(&run[0]))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::checkpoint::{MemoryStore, Segment};

    fn frozen(epoch: i64, size: usize) -> Frozen {
        let times: ArrayRef = Arc::new(Int64Array::from(vec![epoch; size]));
        let rows = RecordBatch::try_from_iter([("time", times)]).expect("a column");
        Frozen { first: epoch, last: epoch, state: Snapshot::of(vec![rows]) }
    }

    /// However many epochs freeze something, the list of cold segments stays short, and every time that was frozen is
    /// found again within the bounds of its segment, in the order in which it was frozen.
    #[tokio::test]
    async fn cold_segments_are_merged() {
        let store = MemoryStore::default();
        let mut state = OperatorState::default();
        const EPOCHS: u64 = 600;
        for epoch in 1..=EPOCHS {
            let mut reported = Reported::default();
            reported.add(true, Snapshot::default(), Some(frozen(epoch as i64, 3)));
            let named = Named { id: NodeId(0), name: "n".into(), fingerprint: "f".into(), before: state };
            let writer = StateWriter::new(&store, "p", 1, epoch);
            let (mut states, _) = writer.write(vec![named], [(NodeId(0), reported)].into()).await.expect("written");
            state = states.remove("n").expect("the operator");
            assert!(state.cold.len() < 3 * COLD_MERGE, "{} segments", state.cold.len());
        }
        let mut seen = Vec::new();
        for ColdSegment { segment: Segment { pack, offset, length, .. }, first, last } in &state.cold {
            let bytes = store.get_range(pack, *offset..offset + length).await.expect("read").expect("there");
            for batch in Snapshot::decode(&bytes).expect("decoded").batches {
                let times = batch.column(0).as_primitive::<Int64Type>();
                assert!(times.values().iter().all(|t| first <= t && t <= last));
                seen.push(times.value(0));
            }
        }
        assert_eq!(seen, (1..=EPOCHS as i64).collect::<Vec<_>>());
    }
}
