//! What is accepted, against serde_json on the same bytes.

use arrow::datatypes::DataType::*;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Pieces of JSON and of what looks like it.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"\"",
        "\"s\":",
        "\"x\":",
        "{}",
        "[]",
        "true",
        "false",
        "null",
        "tru",
        "0",
        "-",
        "1",
        "12",
        "-7.5",
        "1e5",
        "1E-2",
        ".",
        "e",
        "+",
        " ",
        "\n",
        "\t",
        "\\",
        "\\u",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\ud83d",
        "\\n",
        "\\q",
        "é",
        "😀",
        "\u{0}",
        "\u{1f}",
        "\u{7f}",
        "/",
        "x",
        "NaN",
        "1234567890123456789012",
        "[1,2]",
        "{\"k\":1}",
    ];
    prop_oneof![9 => prop::sample::select(fixed.to_vec()).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)]
}

/// Whether the two agree: an undeclared field and a string column take exactly what is JSON.
fn agree(record: &str) -> Result<(), TestCaseError> {
    let mut decoder = decoder(&[("s", Utf8)]);
    let decoded = decoder.decode(Some(record.as_bytes()));
    let members = match serde_json::from_str(record) {
        Ok(Value::Object(members)) => members,
        // The decoder keeps a number's text, so it need not be a double. serde_json tells nothing about the rest of the record.
        Err(error) if error.to_string().contains("number out of range") => return Ok(()),
        _ => {
            prop_assert!(decoded.is_err(), "accepted {record:?}");
            return Ok(());
        }
    };
    prop_assert_eq!(decoded, Ok(()), "refused {:?}", record);
    let batch = take(&mut decoder);
    let column = |at: usize| {
        let strings = batch.column(at).as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
        strings.iter().next().flatten().map(str::to_owned)
    };
    let expected = match members.get("s") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => {
            let text = column(0).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), other);
            Some(text)
        }
    };
    prop_assert_eq!(column(0), expected, "{:?}", record);
    let rescued = column(1).map(|text| serde_json::from_str::<Value>(&text).unwrap());
    let mut undeclared = members;
    undeclared.shift_remove("s");
    prop_assert_eq!(rescued, (!undeclared.is_empty()).then_some(Value::Object(undeclared)), "{:?}", record);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Shows that as a value exactly those texts are accepted that are JSON.
    #[test]
    fn any_pieces_as_a_value(name in "[sx]", pieces in prop::collection::vec(piece(), 0..6)) {
        agree(&format!("{{\"{name}\":{}}}", pieces.concat()))?;
    }

    /// Shows the same for the text of a string.
    #[test]
    fn any_pieces_as_text(name in "[sx]", pieces in prop::collection::vec(piece(), 0..12)) {
        agree(&format!("{{\"{name}\":\"{}\"}}", pieces.concat()))?;
    }

    /// Shows the same for whole records.
    #[test]
    fn any_pieces_as_a_record(pieces in prop::collection::vec(piece(), 0..8)) {
        agree(&pieces.concat())?;
        agree(&format!("{{{}}}", pieces.concat()))?;
    }
}
