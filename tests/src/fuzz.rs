//! What must hold for any bytes: the bodies of the fuzz targets in `tests/fuzz`, which the test command runs over the kept
//! corpus and seeded changes of it.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field as ArrowField, Fields, TimeUnit};
use bytes::Bytes;
use futures::executor::block_on;
use serde_json::Value;
use sluice_engine::ErrorKind;
use sluice_engine::checkpoint::{
    CheckpointStore, MemoryStore, Segment, newest, newest_holder, read_segment, segment_checksum,
};
use sluice_engine::state::Snapshot;
use sluice_operators::decode::json::{Field, JsonDecoder, RejectReason};

/// A target: a name (its corpus lies in a folder of that name), and what takes the bytes. It panics when something does not
/// hold.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 3] = [("json", json), ("manifest", manifest), ("snapshot", snapshot)];

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let utc = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let inner = Fields::from(vec![
        ArrowField::new("a", DataType::Int64, true),
        ArrowField::new("b", DataType::new_list(DataType::Utf8, true), true),
    ]);
    let types = [
        ("id", DataType::Int64),
        ("narrow", DataType::Int8),
        ("ratio", DataType::Float64),
        ("text", DataType::Utf8),
        ("ok", DataType::Boolean),
        ("at", utc()),
        ("day", DataType::Date32),
        ("price", DataType::Decimal128(10, 2)),
        ("bytes", DataType::Binary),
        ("list", DataType::new_list(DataType::Int64, true)),
        ("nested", DataType::Struct(inner)),
    ];
    types.into_iter().map(|(name, data_type)| Field { name: name.into(), data_type }).collect()
});

/// What a pack begins with.
const PACK_BEGIN: &[u8] = b"SLUICE\x00\x01";

/// A record that is right, and stands before and after the one that is tried.
const GOOD: &[u8] = br#"{"id":7,"text":"good","nested":{"a":1,"b":["x"]}}"#;

/// A record of any bytes is decoded or refused with a reason, its neighbours are untouched, and what serde_json takes for no
/// object is never decoded.
pub fn json(data: &[u8]) {
    let mut decoder = JsonDecoder::new(FIELDS.clone(), None).expect("the fields are right");
    decoder.decode(Some(GOOD)).expect("a good record");
    let verdict = decoder.decode(Some(data));
    decoder.decode(Some(GOOD)).expect("a good record after another");
    let columns = decoder.finish();
    let rows = 2 + usize::from(verdict.is_ok());
    assert!(columns.iter().all(|column| column.len() == rows), "a column has not {rows} rows");
    let good =
        |column: &Arc<dyn arrow::array::Array>| column.slice(0, 1).to_data() == column.slice(rows - 1, 1).to_data();
    assert!(columns.iter().all(good), "the neighbours differ");
    let parsed = serde_json::from_slice::<Value>(data);
    match verdict {
        Ok(()) => assert!(parsed.is_ok_and(|value| value.is_object()), "decoded, though it is no object"),
        Err(reason) => {
            assert!(!reason.to_string().is_empty());
            let is_structural = matches!(reason, RejectReason::NotAnObject { .. } | RejectReason::Truncated { .. });
            assert!(!is_structural || !parsed.is_ok_and(|value| value.is_object()), "refused an object: {reason}");
        }
    }
}

/// A manifest, and the claim of a run, of any bytes are read or refused: as damaged, or as too new. What is read names
/// segments, which are cut out of any pack or refused.
pub fn manifest(data: &[u8]) {
    let store = MemoryStore::default();
    let put = |path: &str| block_on(store.put_new(path, vec![Bytes::copy_from_slice(data)])).expect("put");
    put("p/manifests/00000000000000000007.json");
    put("p/generations/00000000000000000003.json");
    let pack = [PACK_BEGIN, data].concat();
    match block_on(newest(&store, "p")) {
        Ok(None) => panic!("the manifest is there"),
        Ok(Some(manifest)) => {
            for segment in
                manifest.operators.values().flat_map(|o| o.segments.iter().chain(o.cold.iter().map(|c| &c.segment)))
            {
                for pack in [Bytes::copy_from_slice(data), Bytes::from(pack.clone())] {
                    match read_segment(&pack, segment) {
                        Ok(cut) => assert_eq!(cut.len() as u64, segment.length),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Data, "{error}"),
                    }
                }
            }
        }
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Config), "{error}"),
    }
    if let Err(error) = block_on(newest_holder(&store, "p")) {
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    }
}

/// A piece of state of any bytes, after the checksum that it should have (8 bytes, the lowest first), is refused as damaged
/// unless the two fit; what fits is read, and can be written again.
pub fn snapshot(data: &[u8]) {
    let Some((checksum, content)) = data.split_first_chunk::<8>() else { return };
    let checksum = u64::from_le_bytes(*checksum);
    let pack = Bytes::from([PACK_BEGIN, content].concat());
    let (offset, length) = (PACK_BEGIN.len() as u64, content.len() as u64);
    let segment = Segment { pack: "p".into(), offset, length, epoch: 1, full: true, checksum: Some(checksum) };
    let bytes = match read_segment(&pack, &segment) {
        Ok(bytes) => bytes,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
            return assert_ne!(checksum, segment_checksum(content), "what is whole is refused");
        }
    };
    assert_eq!(checksum, segment_checksum(content), "damage is not noticed");
    match Snapshot::decode(&bytes) {
        Ok(read) => {
            let written = read.encode().expect("what was read can be written");
            let again = Snapshot::decode(&written.concat()).expect("what was written can be read");
            let rows = |s: &Snapshot| s.batches.iter().map(|b| b.num_rows()).sum::<usize>();
            assert_eq!(rows(&read), rows(&again));
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Data, "{error}"),
    }
}
