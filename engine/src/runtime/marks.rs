//! Watermarks within a stage: what each node may still expect.

use super::stage::{Entry, EntryKind, Slot, Target};

/// The mark of what no more rows come from.
pub(super) const NO_MORE: i64 = i64::MAX;

/// For each node of a stage and each edge out of it the event time (microseconds) below which no more rows are
/// expected; none when nobody knows.
pub(super) struct Marks {
    slots: Vec<Option<i64>>,
    edges: Vec<Option<i64>>,
}

fn meet(mark: &mut Option<i64>, other: Option<i64>) {
    *mark = mark.zip(other).map(|(a, b)| a.min(b));
}

impl Marks {
    /// What comes into the stage says.
    pub fn of(entries: &[Entry], slots: usize, edges: usize) -> Self {
        let mut marks = Self { slots: vec![Some(NO_MORE); slots], edges: vec![Some(NO_MORE); edges] };
        for entry in entries {
            let (slot, own) = match &entry.kind {
                EntryKind::Source { slot, .. } if entry.ended => (*slot, Some(NO_MORE)),
                EntryKind::Source { slot, .. } | EntryKind::Ring { slot, .. } => (*slot, entry.watermark),
            };
            meet(&mut marks.slots[slot], own);
        }
        marks
    }

    /// What a node may expect; none when nobody knows, or when nothing comes at all.
    pub fn at(&self, slot: usize) -> Option<i64> {
        self.slots[slot].filter(|mark| *mark != NO_MORE)
    }

    /// Hands a node's mark, or what it says itself, on to whom it sends.
    pub fn pass_on(&mut self, index: usize, slot: &Slot, own: Option<i64>) {
        let mark = own.or(self.slots[index]);
        for target in slot.outputs.iter().flatten() {
            match target {
                Target::Local { slot, .. } => meet(&mut self.slots[*slot], mark),
                Target::Edge(edge) => meet(&mut self.edges[*edge], mark),
            }
        }
    }

    /// The mark of an edge out of the stage.
    pub fn of_edge(&self, edge: usize) -> Option<i64> {
        self.edges[edge]
    }
}
