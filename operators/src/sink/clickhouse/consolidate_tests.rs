use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Int64Type, Schema};
use proptest::prelude::*;

use super::super::target::tests::config;
use super::*;

/// A change of a model of three columns: key k (null or text), value v, and weight.
type Change = (Option<&'static str>, i64, i64);

fn target() -> Arc<Target> {
    let fields = vec![Field::new("k", DataType::Utf8, true), Field::new("v", DataType::Int64, true)];
    let mut config = config();
    (config.schema, config.key) = (Arc::new(Schema::new(fields)), vec!["k".into()]);
    Arc::new(Target::new(config).unwrap())
}

fn batch(changes: &[Change]) -> Batch {
    let keys: StringArray = changes.iter().map(|c| c.0).collect();
    let values: Int64Array = changes.iter().map(|c| Some(c.1)).collect();
    let rows = RecordBatch::try_new(target().config.schema.clone(), vec![Arc::new(keys), Arc::new(values)]).unwrap();
    Batch::weighted(rows, changes.iter().map(|c| Some(c.2)).collect())
}

/// What is written: key -> new value, or none for a key that is gone.
type Written = BTreeMap<Option<String>, Option<i64>>;

fn consolidated(batches: &[Batch], keys_max: usize) -> Result<Written> {
    let mut staged = Staged::new(target()).unwrap();
    for batch in batches {
        staged.add(batch).unwrap();
    }
    let before = staged.memory_bytes();
    let pieces = staged.take_pieces(keys_max, usize::MAX);
    assert_eq!(pieces.iter().map(|p| p.bytes).sum::<usize>(), before, "bytes are counted as they are given back");
    let mut written = Written::new();
    for piece in &pieces {
        assert!(piece.slots.len() <= keys_max);
        let net = staged.net(piece)?;
        let (keys, values) = (net.columns[0].as_string::<i32>(), net.columns[1].as_primitive::<Int64Type>());
        for i in 0..net.upserts + net.tombstones {
            let key = (!keys.is_null(i)).then(|| keys.value(i).to_owned());
            assert_eq!(values.is_null(i), i >= net.upserts, "the gone come last and have nulls");
            let old = written.insert(key, (i < net.upserts).then(|| values.value(i)));
            assert!(old.is_none(), "each key is written once");
        }
    }
    Ok(written)
}

/// The same by adding up every (key, value) on its own; none when a key has more than one row.
fn brute_force(changes: &[Change]) -> Option<Written> {
    let keys: BTreeSet<_> = changes.iter().map(|c| c.0).collect();
    let mut written = Written::new();
    for key in keys {
        let values: BTreeSet<i64> = changes.iter().filter(|c| c.0 == key).map(|c| c.1).collect();
        let weight = |v: i64| changes.iter().filter(|c| c.0 == key && c.1 == v).map(|c| c.2).sum::<i64>();
        let sums: Vec<(i64, i64)> = values.iter().map(|v| (*v, weight(*v))).filter(|(_, w)| *w != 0).collect();
        let positive: Vec<_> = sums.iter().filter(|(_, w)| *w > 0).collect();
        match positive[..] {
            [] if sums.is_empty() => {}
            [] => drop(written.insert(key.map(str::to_owned), None)),
            [(value, 1)] => drop(written.insert(key.map(str::to_owned), Some(*value))),
            _ => return None,
        }
    }
    Some(written)
}

proptest! {
    /// Shows that, however changes are ordered and cut into batches and pieces, what is written is what adding up by
    /// hand gives, and that a key with two rows is an error exactly when it has them.
    #[test]
    fn net_changes_are_those_of_brute_force(
        changes in prop::collection::vec((prop::sample::select(vec![None, Some(""), Some("a"), Some("b"), Some("ü")]), 0..3i64, -2..=2i64), 0..24),
        cuts in prop::collection::vec(1..6usize, 24),
        keys_max in 1..4usize,
        seed in any::<prop::sample::Index>(),
    ) {
        let mut shuffled = changes.clone();
        if !shuffled.is_empty() {
            let at = seed.index(shuffled.len());
            shuffled.rotate_left(at);
        }
        let mut batches = Vec::new();
        let mut rest = &shuffled[..];
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            batches.push(batch(now));
            rest = later;
        }
        match (consolidated(&batches, keys_max), brute_force(&changes)) {
            (Ok(written), Some(expected)) => prop_assert_eq!(written, expected),
            (Err(e), None) => prop_assert_eq!(e.kind(), sluice_engine::ErrorKind::Data),
            (got, expected) => prop_assert!(false, "{:?} instead of {:?}", got, expected),
        }
    }
}

/// Shows the message for a key that is not unique.
#[test]
fn a_key_that_is_not_unique() {
    let changes = [
        (None, 1, 1),
        (None, 2, 1),
        (Some("a"), 1, 2),
        (Some("b"), 1, 1),
        (Some("b"), 2, -1),
        (Some("c"), 7, 3),
        (Some("d"), 7, 2),
    ];
    let error = consolidated(&[batch(&changes)], 100).unwrap_err().to_string();
    expect_test::expect!["clickhouse table music.top_songs__rows: (k) does not identify a row of model top_songs: (null) has 2 rows, (a) has 2 rows, (c) has 3 rows, and 1 more; add the missing column to config(unique_key=...), or group the model so that a key has one row"].assert_eq(&error);
}

/// Shows that a marked key is written as gone unless a row comes for it, also when that row is taken back.
#[test]
fn marked_keys_are_gone_or_have_a_row() {
    let mut staged = Staged::new(target()).unwrap();
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    staged.touch(&[keys]).unwrap();
    staged.add(&batch(&[(Some("b"), 5, 1), (Some("c"), 5, 1), (Some("c"), 5, -1)])).unwrap();
    let pieces = staged.take_pieces(100, usize::MAX);
    let net = staged.net(&pieces[0]).unwrap();
    assert_eq!((net.upserts, net.tombstones), (1, 2));
    assert_eq!(net.columns[0].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("b"), Some("a"), Some("c")]);
}

/// Shows that what is put back goes on being added up.
#[test]
fn pieces_that_are_put_back_add_up() {
    let mut staged = Staged::new(target()).unwrap();
    staged.add(&batch(&[(Some("a"), 1, 1), (Some("b"), 1, 1)])).unwrap();
    let before = staged.memory_bytes();
    let pieces = staged.take_pieces(1, usize::MAX);
    assert_eq!((pieces.len(), staged.memory_bytes()), (2, 0));
    staged.put_back(pieces);
    assert_eq!(staged.memory_bytes(), before);
    staged.add(&batch(&[(Some("a"), 1, -1), (Some("b"), 1, -1)])).unwrap();
    assert!(staged.is_empty());
    assert_eq!(staged.memory_bytes(), 0);
}
