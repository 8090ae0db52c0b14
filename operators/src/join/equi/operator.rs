//! The equi-join as an operator of the engine. Input 0 is the left side, input 1 the right.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take_record_batch;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sluice_engine::state::{Restored, RowId, Snapshot, SnapshotMode, key_hashes};
use sluice_engine::{Batch, Emitter, Error, Operator, Result};

use super::saved::{decode_sides, encode_sides};
use super::side::{Key, Side};
use super::spec::{Alone, EquiJoinSpec};

/// Pairs that are looked at a time: a row may match any number of rows.
const PAIRS_AT_A_TIME_MAX: usize = 1 << 16;

/// Changes of a side since the last snapshot.
type Unsaved = Vec<Batch>;

/// An equi-join over two streams of changes.
pub struct EquiJoin {
    spec: EquiJoinSpec,
    sides: [Side; 2],
    unsaved: [Unsaved; 2],
    touched: [Vec<Box<[u8]>>; 2],
}

/// A row of a batch beside a row that the other side holds.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// Row of the batch.
    own: u32,
    /// Which of the rows that the other side holds of the same key.
    held: u32,
    other: RowId,
    weight: i64,
}

/// What a batch's pairs come to.
struct Matches {
    /// For each row of the batch how many rows it matches, with their weights.
    own: Vec<i64>,
    /// By how much that changes for rows of the other side: a row of the batch with the same key, which of the rows held,
    /// and the change.
    other: HashMap<u64, (u32, u32, i64), FixedState>,
}

impl EquiJoin {
    /// A join without rows.
    ///
    /// # Errors
    /// `Config` when a column's type has no order.
    pub fn new(spec: EquiJoinSpec) -> Result<Self> {
        let left = Side::new(spec.left.clone(), spec.left_keys.clone(), spec.nulls_match)?;
        let right = Side::new(spec.right.clone(), spec.right_keys.clone(), spec.nulls_match)?;
        Ok(Self { spec, sides: [left, right], unsaved: Default::default(), touched: Default::default() })
    }

    /// Takes changes of a side in. Without `out` nothing is shown: the state comes back.
    fn take_in(&mut self, input: usize, batch: &Batch, out: &mut Option<&mut Emitter<'_>>) -> Result<Vec<Option<Key>>> {
        let keys = self.sides[input].keys_of(batch.rows())?;
        let counts = [0, 1].map(|side| self.spec.kind.alone(side) != Alone::Never);
        let mut matches = Matches { own: vec![0; batch.len()], other: HashMap::default() };
        if out.is_some() || counts.contains(&true) {
            self.pairs(input, batch, &keys, &mut matches, out)?;
        }
        if let Some(out) = out.as_deref_mut() {
            self.alone(input, batch, &matches.own, out)?;
        }
        self.sides[input].apply(batch, &keys, &matches.own)?;
        if counts[1 - input] {
            self.rematch(1 - input, &keys, matches.other, out)?;
        }
        Ok(keys)
    }

    /// Finds the pairs of a batch (side `input`) with the other side as it stands, and shows them.
    fn pairs(
        &self,
        input: usize,
        batch: &Batch,
        keys: &[Option<Key>],
        matches: &mut Matches,
        out: &mut Option<&mut Emitter<'_>>,
    ) -> Result<()> {
        let mut pairs = Vec::new();
        for (row, key) in keys.iter().enumerate() {
            for (n, held) in key.as_ref().map_or(&[][..], |k| self.sides[1 - input].held(k)).iter().enumerate() {
                let (own, weight) = (row as u32, held.weight);
                pairs.push(Pair { own, held: n as u32, other: held.row, weight });
                if pairs.len() == PAIRS_AT_A_TIME_MAX {
                    self.match_pairs(input, batch, std::mem::take(&mut pairs), matches, out)?;
                }
            }
        }
        self.match_pairs(input, batch, pairs, matches, out)
    }

    fn match_pairs(
        &self,
        input: usize,
        batch: &Batch,
        mut pairs: Vec<Pair>,
        matches: &mut Matches,
        out: &mut Option<&mut Emitter<'_>>,
    ) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let shows = out.is_some() && self.spec.kind.has_pairs();
        let mut rows = None;
        if shows || self.spec.residual.is_some() {
            let beside = self.beside(input, batch, &pairs)?;
            rows = Some(match self.passing(&beside)? {
                Some(passing) => {
                    pairs = passing.iter().map(|i| pairs[*i as usize]).collect();
                    take_record_batch(&beside, &UInt32Array::from(passing))?
                }
                None => beside,
            });
        }
        for pair in &pairs {
            matches.own[pair.own as usize] += pair.weight;
        }
        let is_counted = self.spec.kind.alone(1 - input) != Alone::Never;
        for pair in pairs.iter().filter(|_| is_counted) {
            let change = matches.other.entry(pair.other.number()).or_insert((pair.own, pair.held, 0));
            change.2 += batch.weight(pair.own as usize);
        }
        if let (Some(rows), Some(out), true) = (rows, out.as_deref_mut(), shows) {
            let rows = RecordBatch::try_new(self.spec.schema.clone(), rows.columns().to_vec())?;
            let weights = pairs.iter().map(|p| batch.weight(p.own as usize) * p.weight).collect::<Vec<_>>();
            out.emit(Batch::weighted(rows, weights.into()));
        }
        Ok(())
    }

    /// Left columns, then right ones.
    fn beside(&self, input: usize, batch: &Batch, pairs: &[Pair]) -> Result<RecordBatch> {
        let own = take_record_batch(batch.rows(), &pairs.iter().map(|p| Some(p.own)).collect::<UInt32Array>())?;
        let others = self.sides[1 - input].fetch(&pairs.iter().map(|p| p.other).collect::<Vec<_>>())?;
        let (left, right) = if input == 0 { (&own, &others) } else { (&others, &own) };
        let columns: Vec<ArrayRef> = left.columns().iter().chain(right.columns()).cloned().collect();
        Ok(RecordBatch::try_new(self.sides[0].beside(&self.sides[1]), columns)?)
    }

    /// Which of the pairs the further condition lets through; none when there is no such condition.
    fn passing(&self, pairs: &RecordBatch) -> Result<Option<Vec<u32>>> {
        let Some(condition) = &self.spec.residual else { return Ok(None) };
        let passes = condition.evaluate(pairs).and_then(|v| v.into_array(pairs.num_rows()));
        let passes = passes.map_err(|e| Error::data(format!("{condition} failed")).because(e))?;
        let passes: &BooleanArray = passes.as_boolean();
        let passing = (0..pairs.num_rows()).filter(|i| passes.is_valid(*i) && passes.value(*i));
        Ok(Some(passing.map(|i| i as u32).collect()))
    }

    /// What the batch's rows show by themselves.
    fn alone(&self, input: usize, batch: &Batch, matched: &[i64], out: &mut Emitter<'_>) -> Result<()> {
        let shown: Vec<u32> = match self.spec.kind.alone(input) {
            Alone::Never => return Ok(()),
            Alone::Marked => (0..batch.len() as u32).collect(),
            Alone::When { matched: wanted, .. } => {
                (0..batch.len() as u32).filter(|i| (matched[*i as usize] != 0) == wanted).collect()
            }
        };
        if shown.is_empty() {
            return Ok(());
        }
        let marks = shown.iter().map(|i| matched[*i as usize] != 0).collect();
        let rows = batch.take(&UInt32Array::from(shown))?;
        out.emit(self.shown_alone(input, rows.rows(), rows.weights_or_ones(), marks)?);
        Ok(())
    }

    /// Rows of one side as the output has them.
    fn shown_alone(&self, input: usize, rows: &RecordBatch, weights: Int64Array, marks: Vec<bool>) -> Result<Batch> {
        let mut columns = rows.columns().to_vec();
        match self.spec.kind.alone(input) {
            Alone::Marked => columns.push(Arc::new(BooleanArray::from(marks))),
            Alone::When { padded: true, .. } => {
                let other = if input == 0 { &self.spec.right } else { &self.spec.left };
                let mut nulls: Vec<ArrayRef> =
                    other.fields().iter().map(|f| new_null_array(f.data_type(), rows.num_rows())).collect();
                if input == 1 {
                    std::mem::swap(&mut columns, &mut nulls);
                }
                columns.append(&mut nulls);
            }
            Alone::When { padded: false, .. } | Alone::Never => {}
        }
        Ok(Batch::weighted(RecordBatch::try_new(self.spec.schema.clone(), columns)?, weights))
    }

    /// Counts the matches of rows that a side holds; those that got their first or lost their last are shown anew.
    fn rematch(
        &mut self,
        input: usize,
        keys: &[Option<Key>],
        changes: HashMap<u64, (u32, u32, i64), FixedState>,
        out: &mut Option<&mut Emitter<'_>>,
    ) -> Result<()> {
        let (mut rows, mut weights, mut marks): (Vec<RowId>, Vec<i64>, Vec<bool>) = Default::default();
        let how = self.spec.kind.alone(input);
        for (row, held, change) in changes.into_values() {
            let Some(held) = keys[row as usize].as_ref().and_then(|k| self.sides[input].held_mut(k, held as usize))
            else {
                return Err(Error::bug("a join lost a row while it was counting its matches"));
            };
            let (before, after) = (held.matched != 0, held.matched + change != 0);
            held.matched += change;
            if before == after || out.is_none() {
                continue;
            }
            let mut show = |weight, mark| {
                rows.push(held.row);
                weights.push(weight);
                marks.push(mark);
            };
            match how {
                Alone::Never => {}
                Alone::When { matched, .. } => show(if after == matched { held.weight } else { -held.weight }, after),
                Alone::Marked => {
                    show(-held.weight, before);
                    show(held.weight, after);
                }
            }
        }
        if let (Some(out), false) = (out.as_deref_mut(), rows.is_empty()) {
            let fetched = self.sides[input].fetch(&rows)?;
            out.emit(self.shown_alone(input, &fetched, Int64Array::from(weights), marks)?);
        }
        Ok(())
    }
}

impl Operator for EquiJoin {
    fn on_batch(&mut self, input: usize, batch: Batch, out: &mut Emitter<'_>) -> Result<()> {
        let keys = self.take_in(input, &batch, &mut Some(out))?;
        self.touched[input].extend(keys.into_iter().flatten());
        self.unsaved[input].push(batch);
        Ok(())
    }

    fn on_barrier(&mut self, _watermark: Option<i64>, _out: &mut Emitter<'_>) -> Result<()> {
        for (side, touched) in self.sides.iter().zip(&mut self.touched) {
            for key in touched.drain(..) {
                side.check(&key)?;
            }
        }
        Ok(())
    }

    /// One batch for each side; its columns are the side's, then the weight, then which side it is.
    fn snapshot(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        let unsaved = std::mem::take(&mut self.unsaved);
        let mut pieces = Vec::new();
        for (i, unsaved) in unsaved.into_iter().enumerate() {
            let schema = if i == 0 { &self.spec.left } else { &self.spec.right };
            let (rows, weights) = match mode {
                SnapshotMode::Full => self.sides[i].all()?,
                SnapshotMode::Delta => {
                    let batch = Batch::concat(schema, &unsaved)?;
                    (batch.rows().clone(), batch.weights_or_ones().values().to_vec())
                }
            };
            pieces.push((rows, weights));
        }
        Ok(Snapshot::of(vec![encode_sides(&self.spec, pieces)?]))
    }

    fn restore(&mut self, state: Restored) -> Result<()> {
        for batch in state.pieces.iter().flat_map(|p| &p.batches) {
            for (i, changes) in decode_sides(&self.spec, batch)?.into_iter().enumerate() {
                let columns = if i == 0 { &self.spec.left_keys } else { &self.spec.right_keys };
                let hashes = key_hashes(changes.rows().columns(), columns)?;
                let own: Vec<u32> =
                    (0..hashes.len() as u32).filter(|n| state.share.owns(hashes[*n as usize])).collect();
                self.take_in(i, &changes.take(&UInt32Array::from(own))?, &mut None)?;
            }
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        let unsaved: usize = self.unsaved.iter().flatten().map(Batch::memory_bytes).sum();
        self.sides.iter().map(Side::bytes).sum::<usize>() + unsaved
    }
}
