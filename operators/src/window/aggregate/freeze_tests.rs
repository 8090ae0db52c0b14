//! Groups that leave memory and come back: the result is that of an aggregate that forgets nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use proptest::prelude::*;
use sluice_engine::state::{Cold, Frozen, Restored, Share, Snapshot, SnapshotMode};
use sluice_engine::{Batch, Emitter, Operator, Result};

use super::{Aggregate, AggregateCall, AggregateKind, AggregateSpec, FollowsTime, TimeKey};

/// time, name, value, weight.
type Row = (i64, i64, i32, i64);

fn spec(frozen: bool, append_only: bool) -> AggregateSpec {
    let column = |name: &str, index| Arc::new(Column::new(name, index)) as Arc<dyn PhysicalExpr>;
    let call = |kind, output_type| AggregateCall {
        kind,
        argument: Some(column("value", 2)),
        argument_type: DataType::Int32,
        filter: None,
        output_type,
    };
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let follows = FollowsTime::new(|time_us| Some(Arc::new(Int64Array::from(vec![time_us]))));
    AggregateSpec {
        keys: vec![column("name", 1), column("time", 0)],
        calls: vec![
            call(AggregateKind::Count, DataType::Int64),
            call(AggregateKind::CountDistinct, DataType::Int64),
            call(AggregateKind::Max, DataType::Int32),
        ],
        schema: Arc::new(Schema::new(vec![
            field("name", DataType::Int64),
            field("time", DataType::Int64),
            field("n", DataType::Int64),
            field("values", DataType::Int64),
            field("largest", DataType::Int32),
        ])),
        append_only,
        time: frozen.then_some(TimeKey { key: 1, follows }),
    }
}

fn batch(rows: &[Row]) -> Batch {
    let longs = |pick: fn(&Row) -> i64| Arc::new(rows.iter().map(pick).collect::<Int64Array>()) as ArrayRef;
    let values: ArrayRef = Arc::new(rows.iter().map(|r| r.2).collect::<Int32Array>());
    let columns = [("time", longs(|r| r.0)), ("name", longs(|r| r.1)), ("value", values)];
    let weights = rows.iter().map(|r| r.3).collect::<Int64Array>();
    Batch::weighted(RecordBatch::try_from_iter(columns).expect("three columns"), weights)
}

/// Keeps what is frozen, encoded as it lies in the lake.
#[derive(Default)]
struct Kept {
    pieces: Vec<(i64, i64, Vec<u8>)>,
    thaws: Mutex<usize>,
}

impl Kept {
    fn put(&mut self, frozen: Frozen) {
        let bytes = frozen.state.encode().expect("encoded").concat();
        self.pieces.push((frozen.first, frozen.last, bytes));
    }

    fn until(&self) -> Option<i64> {
        self.pieces.iter().map(|p| p.1).max()
    }
}

impl Cold for Kept {
    fn thaw(&self, times: &[i64]) -> Result<Restored> {
        *self.thaws.lock().expect("one thread") += 1;
        let holds = |p: &&(i64, i64, Vec<u8>)| times.iter().any(|t| p.0 <= *t && *t <= p.1);
        let pieces = self.pieces.iter().filter(holds).map(|p| Snapshot::decode(&p.2)).collect::<Result<Vec<_>>>()?;
        Ok(Restored { pieces, share: Share { worker: 0, workers: 1 }, cold_until: None })
    }
}

/// What a table holds after all changes, by row.
#[derive(Default)]
struct Table(BTreeMap<Vec<u8>, i64>);

impl Table {
    fn take(&mut self, sent: Vec<(usize, Batch)>) {
        for (_, batch) in sent {
            let fields = batch.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
            let rows = RowConverter::new(fields).and_then(|c| c.convert_columns(batch.rows().columns()));
            for (i, row) in rows.expect("rows have an order").iter().enumerate() {
                *self.0.entry(row.as_ref().to_vec()).or_insert(0) += batch.weight(i);
            }
        }
        self.0.retain(|_, n| *n != 0);
    }
}

/// An aggregate, the table it keeps and the chain of its snapshots.
struct Run {
    aggregate: Aggregate,
    table: Table,
    cold: Kept,
    chain: Vec<Vec<u8>>,
    spec: AggregateSpec,
}

impl Run {
    fn new(spec: AggregateSpec) -> Self {
        let aggregate = Aggregate::new(spec.clone()).expect("an aggregate");
        Self { aggregate, table: Table::default(), cold: Kept::default(), chain: vec![], spec }
    }

    fn epoch(&mut self, rows: &[Row], watermark: i64, full: bool) {
        let mut sent = Vec::new();
        for part in rows.chunks(7) {
            let mut out = Emitter::with_cold(&mut sent, &self.cold);
            self.aggregate.on_batch(0, batch(part), &mut out).expect("taken");
        }
        let mut out = Emitter::with_cold(&mut sent, &self.cold);
        self.aggregate.on_barrier(Some(watermark), &mut out).expect("shown");
        self.table.take(sent);
        let mode = if full { SnapshotMode::Full } else { SnapshotMode::Delta };
        if full {
            self.chain.clear();
            self.aggregate.freeze(watermark).expect("frozen").into_iter().for_each(|frozen| self.cold.put(frozen));
        }
        self.chain.push(self.aggregate.snapshot(mode).expect("saved").encode().expect("encoded").concat());
    }

    /// As after a crash: a new aggregate with what the store holds.
    fn restart(&mut self) {
        self.aggregate = Aggregate::new(self.spec.clone()).expect("an aggregate");
        let pieces = self.chain.iter().map(|bytes| Snapshot::decode(bytes).expect("decoded")).collect();
        let share = Share { worker: 0, workers: 1 };
        self.aggregate.restore(Restored { pieces, share, cold_until: self.cold.until() }).expect("restored");
    }
}

/// What happens in an epoch: rows, how far the watermark moves, and whether it ends in a full snapshot or a restart.
type Epoch = (Vec<(i64, i64, i32)>, i64, bool, bool);

fn epochs() -> impl Strategy<Value = Vec<Epoch>> {
    // Times around the watermark, and now and then far behind it.
    let row = (-6i64..3, 0i64..40, 0i32..4).prop_map(|(back, name, value)| (back * back.abs(), name, value));
    let epoch = (prop::collection::vec(row, 0..120), 0i64..5, any::<bool>(), prop::bool::weighted(0.2));
    prop::collection::vec(epoch, 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Rows that come late, rows that are taken back late, restarts: the table is that of an aggregate without times.
    #[test]
    fn nothing_is_forgotten(epochs in epochs(), append_only: bool) {
        let (mut freezing, mut plain) = (Run::new(spec(true, append_only)), Run::new(spec(false, append_only)));
        let (mut watermark, mut there) = (0, Vec::<Row>::new());
        for (n, (rows, step, full, restart)) in epochs.into_iter().enumerate() {
            let mut changes: Vec<Row> = rows.into_iter().map(|(back, name, value)| (watermark + back, name, value, 1)).collect();
            if !append_only {
                // Every third row of long ago goes again.
                let gone: Vec<Row> = there.iter().skip(n % 3).step_by(3).copied().collect();
                there.retain(|row| !gone.contains(row));
                changes.extend(gone.into_iter().map(|(time, name, value, _)| (time, name, value, -1)));
                let mut new: Vec<Row> = changes.iter().filter(|c| c.3 > 0).copied().collect();
                new.sort_unstable();
                new.dedup();
                changes.retain(|c| c.3 < 0);
                new.retain(|row| !there.contains(row));
                there.extend(&new);
                changes.extend(new);
            }
            watermark += step;
            for run in [&mut freezing, &mut plain] {
                run.epoch(&changes, watermark, full);
                if restart {
                    run.restart();
                }
            }
            prop_assert_eq!(&freezing.table.0, &plain.table.0);
        }
    }
}

/// Groups do leave memory, in the greater part at once, and a late row brings back those of its time and no others.
#[test]
fn groups_leave_and_come_back() {
    let mut run = Run::new(spec(true, true));
    let day = |day: i64| (0..1_000).map(|name| (day, name, 1, 1)).collect::<Vec<Row>>();
    run.epoch(&[day(1), day(2), day(3)].concat(), 3, true);
    assert_eq!(run.cold.pieces.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>(), [(1, 2)]);
    let bytes = run.aggregate.state_bytes();
    run.epoch(&[(2, 7, 9, 1)], 3, false);
    assert_eq!(*run.cold.thaws.lock().expect("one thread"), 1);
    assert!(run.aggregate.state_bytes() > bytes, "a thousand groups came back");
    run.epoch(&[(2, 8, 9, 1), (3, 5_000, 9, 1)], 3, false);
    assert_eq!(*run.cold.thaws.lock().expect("one thread"), 1, "they are there, and of day 3 nothing was ever cold");
    let shown: Vec<i64> = run.table.0.values().copied().collect();
    assert_eq!((shown.len(), shown.iter().all(|n| *n == 1)), (3_001, true));
    let state = run.aggregate.snapshot(SnapshotMode::Full).expect("saved");
    let counted: i64 = state.batches.iter().map(|b| b.num_rows() as i64).sum();
    assert_eq!(counted, 2_001);
}
