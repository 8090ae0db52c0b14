//! Sizes: nothing is read or kept without a bound.

use arrow::array::{Array, StringArray};
use arrow::datatypes::DataType::*;

use super::*;

fn strings(batch: &RecordBatch, column: usize) -> &StringArray {
    batch.column(column).as_any().downcast_ref().unwrap()
}

/// Shows that a message of 5 MB is decoded whole, plain and with escapes.
#[test]
fn large_messages() {
    let mut decoder = decoder(&[("s", Utf8)]);
    let plain = "x".repeat(5_000_000);
    let escaped = "\\n".repeat(2_500_000);
    decoder.decode(Some(format!("{{\"s\":\"{plain}\"}}").as_bytes())).unwrap();
    decoder.decode(Some(format!("{{\"s\":\"{escaped}\",\"u\":[\"{plain}\"]}}").as_bytes())).unwrap();
    let batch = take(&mut decoder);
    assert_eq!(strings(&batch, 0).value(0), plain);
    assert_eq!(strings(&batch, 0).value(1), "\n".repeat(2_500_000));
    assert_eq!(strings(&batch, 1).value(1).len(), 5_000_000 + r#"{"u":[""]}"#.len());
}

/// Shows that a record over the bound is refused by its size, and one at the bound is not.
#[test]
fn record_bytes_max() {
    let mut decoder = decoder(&[("s", Utf8)]).with_record_bytes_max(10);
    decoder.decode(Some(br#"{"s":"ab"}"#)).unwrap();
    let reason = decoder.decode(Some(br#"{"s":"abc"}"#)).unwrap_err();
    assert_eq!(reason.to_string(), "the record has 11 bytes, more than the 10 that are decoded");
}

/// Shows that a full batch refuses the next record for no fault of its own, and takes it after `finish`.
#[test]
fn batch_bytes_max() {
    let mut decoder = decoder(&[]).with_batch_bytes_max(6);
    let records = [&b"{ }"[..], b"[]", b"{ }", b"{}", b"{         }", b"{}"].map(Some);
    let mut rejected = Vec::new();
    assert_eq!(decoder.decode_all(records, |place, _| rejected.push(place)), 3);
    assert_eq!((decoder.bytes(), rejected), (6, vec![1]));
    assert_eq!(decoder.decode(records[3]), Err(RejectReason::BatchFull));
    assert_eq!(take(&mut decoder).num_rows(), 2);
    assert_eq!(decoder.decode(records[3]), Ok(()));
    assert_eq!(decoder.decode(records[4]), Err(RejectReason::BatchFull));
    assert_eq!(take(&mut decoder).num_rows(), 1);
    // A record that no batch has room for gets one of its own.
    assert_eq!(decoder.decode(records[4]), Ok(()));
    assert_eq!(decoder.decode(records[5]), Err(RejectReason::BatchFull));
    assert_eq!(take(&mut decoder).num_rows(), 1);
}

/// Shows that nesting is followed to its bound and no further, in undeclared, declared and skipped fields.
#[test]
fn nesting() {
    let nested = |levels: usize| format!("{{\"x\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    for name in ["x", "y"] {
        let mut decoder = decoder(&[(name, Utf8)]);
        decoder.decode(Some(nested(DEPTH_MAX - 1).as_bytes())).unwrap();
        let reason = decoder.decode(Some(nested(DEPTH_MAX).as_bytes())).unwrap_err();
        assert_eq!(reason, RejectReason::TooDeep { at: 5 + DEPTH_MAX - 1, depth_max: DEPTH_MAX });
    }
    let unclosed = format!("{{\"x\":{}", "{\"a\":[".repeat(1_000_000));
    assert!(matches!(decoder(&[]).decode(Some(unclosed.as_bytes())), Err(RejectReason::TooDeep { .. })));
}

/// Shows that a few bytes cannot ask for many places in a wide struct.
#[test]
fn nested_values() {
    use arrow::datatypes::{Field as ArrowField, Fields};
    let wide: Fields = (0..1000).map(|at| ArrowField::new(format!("f{at}"), Int64, true)).collect();
    let list = List(ArrowField::new("item", Struct(wide), true).into());
    let mut decoder = decoder(&[("l", list)]);
    for item in ["{}", "null", "{\"f7\":1}"] {
        let record = |items: usize| format!("{{\"l\":[{item}{}]}}", format!(",{item}").repeat(items));
        decoder.decode(Some(record(1000).as_bytes())).unwrap();
        let reason = decoder.decode(Some(record(10_000).as_bytes())).unwrap_err();
        assert_eq!(reason, RejectReason::TooManyValues { field: "l".into(), values_max: NESTED_VALUES_MAX });
        decoder.decode(Some(record(1000).as_bytes())).unwrap();
        assert_eq!(take(&mut decoder).num_rows(), 2);
    }
}

/// Shows that more than 64 columns, and names that are long or begin alike, are kept apart.
#[test]
fn many_columns() {
    let names: Vec<String> = (0..200).map(|at| format!("{}{at}", "a_name_of_some_length_".repeat(at % 3))).collect();
    let fields: Vec<(&str, arrow::datatypes::DataType)> = names.iter().map(|name| (name.as_str(), Utf8)).collect();
    let mut decoder = decoder(&fields);
    for row in 0..300 {
        // Each row leaves out others, and every second one is backwards.
        let mut members: Vec<String> = (0..200)
            .filter(|column| (column + row) % 7 != 0)
            .map(|column| format!("\"{}\":\"{row}/{column}\"", names[column]))
            .collect();
        if row % 2 == 1 {
            members.reverse();
        }
        decoder.decode(Some(format!("{{{}}}", members.join(",")).as_bytes())).unwrap();
    }
    let batch = take(&mut decoder);
    for column in 0..200 {
        let strings = strings(&batch, column);
        for row in 0..300 {
            let value = strings.is_valid(row).then(|| strings.value(row).to_owned());
            assert_eq!(
                value,
                ((column + row) % 7 != 0).then(|| format!("{row}/{column}")),
                "row {row}, column {column}"
            );
        }
    }
}
