//! The rows as a snapshot: the input's columns, then the weight.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use bytes::Bytes;
use sluice_engine::state::{Restored, Snapshot, SnapshotMode, key_hashes};
use sluice_engine::{Batch, Result};

use super::operator::{Over, ROWS_AT_A_TIME_MAX, foreign};
use super::partition::{RowKey, row_of};

impl Over {
    pub(super) fn save(&mut self, mode: SnapshotMode) -> Result<Snapshot> {
        self.pack_unsaved()?;
        let encoded = std::mem::take(&mut self.saved);
        match mode {
            SnapshotMode::Delta => Ok(Snapshot { batches: vec![], encoded }),
            SnapshotMode::Full => self.all(),
        }
    }

    /// Makes the changes that are kept as they came part of the next snapshot.
    pub(super) fn pack_unsaved(&mut self) -> Result<()> {
        let unsaved = std::mem::take(&mut self.unsaved);
        self.unsaved_rows = 0;
        if !unsaved.is_empty() {
            let piece = piece(&Batch::concat(&self.spec.input, &unsaved)?)?;
            self.saved.extend(Snapshot::of(vec![piece]).encode()?);
        }
        Ok(())
    }

    /// All rows, written a part at a time, so that no more than that of them is in memory twice.
    fn all(&self) -> Result<Snapshot> {
        let mut encoded = Vec::new();
        let (mut keys, mut weights): (Vec<RowKey>, Vec<i64>) = Default::default();
        for partition in self.partitions.values() {
            partition.each_row(|key, weight| {
                keys.push(key.into());
                weights.push(weight);
            })?;
            if keys.len() >= ROWS_AT_A_TIME_MAX {
                encoded.extend(self.encoded_rows(std::mem::take(&mut keys), std::mem::take(&mut weights))?);
            }
        }
        encoded.extend(self.encoded_rows(keys, weights)?);
        Ok(Snapshot { batches: vec![], encoded })
    }

    fn encoded_rows(&self, keys: Vec<RowKey>, weights: Vec<i64>) -> Result<Vec<Bytes>> {
        let parser = self.rows.parser();
        let columns = self.rows.convert_rows(keys.iter().map(|key| parser.parse(row_of(key))))?;
        let rows = RecordBatch::try_new(self.spec.input.clone(), columns)?;
        Snapshot::of(vec![piece(&Batch::weighted(rows, Int64Array::from(weights)))?]).encode()
    }

    pub(super) fn load(&mut self, state: Restored) -> Result<()> {
        for saved in state.pieces.iter().flat_map(|p| &p.batches) {
            let Some((weights, columns)) = saved.columns().split_last() else { return Err(foreign()) };
            let weights = weights.as_primitive_opt::<Int64Type>().ok_or_else(foreign)?;
            let rows = RecordBatch::try_new(self.spec.input.clone(), columns.to_vec()).map_err(|_| foreign())?;
            let hashes = key_hashes(rows.columns(), &self.spec.keys)?;
            let own: UInt32Array =
                (0..hashes.len() as u32).filter(|n| state.share.owns(hashes[*n as usize])).map(Some).collect();
            let changes = Batch::weighted(rows, weights.clone()).take(&own)?;
            self.each_row(&changes, |partition, key, weight| {
                partition.restore(key, weight);
                false
            })?;
        }
        for partition in self.partitions.values_mut() {
            partition.restored()?;
            self.bytes += partition.memory_bytes();
        }
        self.partitions.retain(|_, partition| !partition.is_empty());
        Ok(())
    }
}

/// The rows, then their weights.
fn piece(batch: &Batch) -> Result<RecordBatch> {
    let fields = batch.rows().columns().iter().enumerate();
    let mut fields: Vec<Field> =
        fields.map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true)).collect();
    fields.push(Field::new("weight", DataType::Int64, false));
    let weights: ArrayRef = Arc::new(batch.weights_or_ones());
    let columns = batch.rows().columns().iter().cloned().chain([weights]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
