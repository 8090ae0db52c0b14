//! Random records of a known shape: whatever the order, white space and spelling, and whatever bytes stand between them.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType::*, Float64Type, Int32Type, Int64Type};
use proptest::prelude::*;

use super::*;

/// What a column should hold.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Whole(i64),
    Narrow(i32),
    Double(f64),
    Text(String),
    Bool(bool),
}

/// A member of a record: its column, the JSON text of its value, and what that means.
type Member = (usize, String, Option<Cell>);

const NAMES: [&str; 5] = ["id", "a_name_longer_than_a_head", "ratio", "text", "ok"];

fn fields() -> Vec<(&'static str, arrow::datatypes::DataType)> {
    NAMES.into_iter().zip([Int64, Int32, Float64, Utf8, Boolean]).collect()
}

/// A string's JSON text, some of its characters written as escapes.
fn spelling(text: &str, escaped: u64) -> String {
    let mut json = String::from("\"");
    for (at, character) in text.chars().enumerate() {
        if escaped >> (at % 64) & 1 == 1 || character < ' ' || character == '"' || character == '\\' {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| json += &format!("\\u{unit:04x}"));
        } else {
            json.push(character);
        }
    }
    json + "\""
}

fn member() -> impl Strategy<Value = Member> {
    prop_oneof![
        any::<i64>().prop_map(|value| (0, value.to_string(), Some(Cell::Whole(value)))),
        any::<i32>().prop_map(|value| (1, value.to_string(), Some(Cell::Narrow(value)))),
        (-1e9_f64..1e9).prop_map(|value| (2, format!("{value:?}"), Some(Cell::Double(value)))),
        (".{0,40}", prop_oneof![Just(0), any::<u64>()]).prop_map(|(text, escaped)| (
            3,
            spelling(&text, escaped),
            Some(Cell::Text(text))
        )),
        any::<bool>().prop_map(|value| (4, value.to_string(), Some(Cell::Bool(value)))),
        (0_usize..5).prop_map(|column| (column, "null".to_owned(), None)),
    ]
}

/// A record's text and what its columns should hold: the last member of each column counts.
fn record() -> impl Strategy<Value = (String, Vec<Option<Cell>>)> {
    let space = || prop::sample::select(vec!["", "", "", " ", "\n", " \t\r\n "]);
    let key = (any::<bool>(), space(), space(), space(), space());
    prop::collection::vec((member(), key), 0..9).prop_map(|members| {
        let mut cells = vec![None; NAMES.len()];
        let mut texts = Vec::new();
        for ((column, json, cell), (escaped, before, after, early, late)) in members {
            let key = spelling(NAMES[column], if escaped { 0b10 } else { 0 });
            texts.push(format!("{before}{key}{after}:{early}{json}{late}"));
            cells[column] = cell;
        }
        (format!("{{{}}}", texts.join(",")), cells)
    })
}

/// What the columns hold in a row.
fn cells(batch: &RecordBatch, row: usize) -> Vec<Option<Cell>> {
    let valid = |column: usize| batch.column(column).is_valid(row);
    vec![
        valid(0).then(|| Cell::Whole(batch.column(0).as_primitive::<Int64Type>().value(row))),
        valid(1).then(|| Cell::Narrow(batch.column(1).as_primitive::<Int32Type>().value(row))),
        valid(2).then(|| Cell::Double(batch.column(2).as_primitive::<Float64Type>().value(row))),
        valid(3).then(|| Cell::Text(batch.column(3).as_string::<i32>().value(row).to_owned())),
        valid(4).then(|| Cell::Bool(batch.column(4).as_boolean().value(row))),
    ]
}

/// A valid record, and how its bytes are spoiled: at which place, how, and with what.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    (record(), prop::collection::vec((any::<prop::sample::Index>(), 0..5, any::<u8>()), 1..4)).prop_map(
        |(record, spoil)| {
            let mut bytes = record.0.into_bytes();
            for (place, how, byte) in spoil {
                let at = place.index(bytes.len().max(1));
                match how {
                    _ if bytes.is_empty() => bytes.push(byte),
                    0 => bytes.truncate(at),
                    1 => bytes[at] = byte,
                    2 => bytes[at] ^= 1 << (byte % 8),
                    3 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Shows that each value arrives in its row and column, whatever the spelling, over several records in one decoder.
    #[test]
    fn values_arrive(records in prop::collection::vec(record(), 1..12)) {
        let mut decoder = decoder(&fields());
        for (text, _) in &records {
            prop_assert_eq!(decoder.decode(Some(text.as_bytes())), Ok(()), "{}", text);
        }
        let batch = take(&mut decoder);
        for (row, (text, expected)) in records.iter().enumerate() {
            prop_assert_eq!(&cells(&batch, row), expected, "{}", text);
        }
        prop_assert_eq!(batch.column(NAMES.len()).null_count(), records.len());
    }

    /// Shows that spoiled bytes neither panic nor change their neighbours, and are accepted only if they still are JSON.
    #[test]
    fn valid_invalid_valid(before in record(), spoiled in spoiled(), after in record()) {
        let mut decoder = decoder(&fields());
        decoder.decode(Some(before.0.as_bytes())).unwrap();
        let verdict = decoder.decode(Some(&spoiled));
        decoder.decode(Some(after.0.as_bytes())).unwrap();
        let batch = take(&mut decoder);
        prop_assert_eq!(batch.num_rows(), 2 + usize::from(verdict.is_ok()));
        prop_assert_eq!(cells(&batch, 0), before.1);
        prop_assert_eq!(cells(&batch, batch.num_rows() - 1), after.1);
        let parsed = serde_json::from_slice::<serde_json::Value>(&spoiled);
        match verdict {
            Ok(()) => prop_assert!(parsed.is_ok_and(|value| value.is_object()), "accepted {:?}", spoiled),
            Err(RejectReason::WrongType { .. } | RejectReason::OutOfRange { .. } | RejectReason::Fraction { .. }) => {}
            Err(_) => prop_assert!(!parsed.is_ok_and(|value| value.is_object()), "refused {:?}", spoiled),
        }
    }

    /// Shows that arbitrary bytes are refused or decoded, never more.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut decoder = decoder(&fields());
        let verdict = decoder.decode(Some(&bytes));
        prop_assert_eq!(take(&mut decoder).num_rows(), usize::from(verdict.is_ok()));
    }
}
