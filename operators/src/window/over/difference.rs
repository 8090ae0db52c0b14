//! What has changed in the results of window functions.

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat, take, take_record_batch};
use sluice_engine::{Batch, Result};

use super::evaluate::Evaluated;
use super::partition::Region;
use super::spec::OverSpec;
use crate::distinct::distinct;

/// A row of the batch, and its result among those evaluated.
type Shown = (u32, u32);

/// The rows whose results differ, those that are gone and those that have come.
pub fn difference(
    spec: &OverSpec,
    rows: &RecordBatch,
    regions: &[(&[u8], Region<'_>)],
    old: &Evaluated,
    new: &Evaluated,
) -> Result<Option<Batch>> {
    let (mut gone, mut come): (Vec<Shown>, Vec<Shown>) = Default::default();
    let mut both: Vec<(u32, u32, u32)> = Vec::new();
    let (mut first, mut at_old, mut at_new) = (0u32, 0u32, 0u32);
    for (_, region) in regions {
        for i in region.changing.clone() {
            let (entry, row) = (&region.entries[i], first + i as u32);
            let (before, after) = (entry.old as u32, entry.new as u32);
            let same = before.min(after);
            both.extend((0..same).map(|copy| (row, at_old + copy, at_new + copy)));
            gone.extend((same..before).map(|copy| (row, at_old + copy)));
            come.extend((same..after).map(|copy| (row, at_new + copy)));
            (at_old, at_new) = (at_old + before, at_new + after);
        }
        first += region.entries.len() as u32;
    }
    let mut differs = vec![false; both.len()];
    let (olds, news): (UInt32Array, UInt32Array) =
        (both.iter().map(|b| Some(b.1)).collect(), both.iter().map(|b| Some(b.2)).collect());
    for (before, after) in old.outputs.iter().zip(&new.outputs) {
        let distinct = distinct(&take(before, &olds, None)?, &take(after, &news, None)?)?;
        differs.iter_mut().zip(distinct.values()).for_each(|(all, one)| *all |= one);
    }
    for ((row, before, after), _) in both.into_iter().zip(differs).filter(|(_, differs)| *differs) {
        gone.push((row, before));
        come.push((row, after));
    }
    if gone.is_empty() && come.is_empty() {
        return Ok(None);
    }
    let of_rows: UInt32Array = gone.iter().chain(&come).map(|(row, _)| Some(*row)).collect();
    let mut columns = take_record_batch(rows, &of_rows)?.columns().to_vec();
    let results = |places: &[Shown]| places.iter().map(|(_, result)| Some(*result)).collect::<UInt32Array>();
    let (of_gone, of_come) = (results(&gone), results(&come));
    for (before, after) in old.outputs.iter().zip(&new.outputs) {
        let (before, after) = (take(before, &of_gone, None)?, take(after, &of_come, None)?);
        columns.push(concat(&[before.as_ref(), after.as_ref()])?);
    }
    let batch = RecordBatch::try_new(spec.schema.clone(), columns)?;
    let weights: Int64Array = gone.iter().map(|_| -1i64).chain(come.iter().map(|_| 1)).collect::<Vec<_>>().into();
    Ok(Some(if gone.is_empty() { Batch::insert(batch) } else { Batch::weighted(batch, weights) }))
}
