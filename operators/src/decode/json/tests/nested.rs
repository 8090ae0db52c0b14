//! Lists, structs and maps.

use std::sync::Arc;

use arrow::datatypes::DataType::*;
use arrow::datatypes::{DataType, Field as ArrowField, Fields, Schema};
use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn item(data_type: DataType) -> DataType {
    List(ArrowField::new("item", data_type, true).into())
}

fn pair() -> DataType {
    Struct(Fields::from(vec![ArrowField::new("a", Int64, true), ArrowField::new("b", item(Utf8), true)]))
}

fn map(data_type: DataType) -> DataType {
    let fields = Fields::from(vec![ArrowField::new("key", Utf8, false), ArrowField::new("value", data_type, true)]);
    Map(ArrowField::new("entries", Struct(fields), false).into(), false)
}

/// Shows nested values with nulls at every level, and the reasons for those that do not fit.
#[test]
fn cases() {
    check(
        &[("l", item(Float64)), ("s", pair()), ("m", map(item(Boolean)))],
        &[
            r#"{"l":[1,null,2.5],"s":{"a":1,"b":["x",7]},"m":{"k":[true],"n":null}}"#,
            r#"{"l":[],"s":{},"m":{}}"#,
            r#"{"l":null,"s":null,"m":null}"#,
            r#"{"s":{"b":null,"a":2,"a":3},"l":[9],"l":[ ]}"#,
            r#"{"s":{"a":4,"c":[1, 2]},"m": { "k" : [ ] } }"#,
            r#"{"l":{}}"#,
            r#"{"l":[1,"2"]}"#,
            r#"{"s":[]}"#,
            r#"{"s":{"a":1.5}}"#,
            r#"{"m":{"k":[true],"k":[false]}}"#,
            r#"{"m":{"k":[true}}"#,
            r#"{"l":[5]}"#,
        ],
        expect![[r#"
            {"l":{}}: field `l`: expected array, got object at byte 5
            {"l":[1,"2"]}: field `l`: expected double, got string at byte 8
            {"s":[]}: field `s`: expected struct, got array at byte 5
            {"s":{"a":1.5}}: field `s`: expected bigint, got a number with a fraction at byte 10
            {"m":{"k":[true],"k":[false]}}: syntax error at byte 21: the key occurs twice in a map
            {"m":{"k":[true}}: syntax error at byte 15: expected `,` or `]`
            +------------------+--------------------+----------------------+--------------------------+
            | l                | s                  | m                    | _rescued                 |
            +------------------+--------------------+----------------------+--------------------------+
            | [1.0, null, 2.5] | {a: 1, b: [x, 7]}  | {k: [true], n: null} | null                     |
            | []               | {a: null, b: null} | {}                   | null                     |
            | null             | null               | null                 | null                     |
            | []               | {a: 3, b: null}    | null                 | null                     |
            | null             | {a: 4, b: null}    | {k: []}              | {"s":{"a":4,"c":[1, 2]}} |
            | [5.0]            | null               | null                 | null                     |
            +------------------+--------------------+----------------------+--------------------------+"#]],
    );
}

/// Shows that a type that is declared not nullable takes what JSON leaves out, and that odd maps are refused.
#[test]
fn declared_types() {
    let strict = Struct(Fields::from(vec![ArrowField::new("a", Int64, false)]));
    check(
        &[("s", strict)],
        &[r#"{"s":{}}"#],
        expect![[r#"
        +-----------+----------+
        | s         | _rescued |
        +-----------+----------+
        | {a: null} | null     |
        +-----------+----------+"#]],
    );
    let whole_keys = Fields::from(vec![ArrowField::new("key", Int64, false), ArrowField::new("value", Int64, true)]);
    for data_type in
        [Map(ArrowField::new("entries", Struct(whole_keys), false).into(), false), Struct(Fields::empty()), item(UInt8)]
    {
        let fields = vec![Field { name: "x".into(), data_type }];
        assert!(matches!(JsonDecoder::new(fields, None), Err(DecodeConfigError::UnsupportedType { .. })));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![Just(Value::Null), ".{0,5}".prop_map(Value::from)];
    let texts = prop_oneof![Just(Value::Null), prop::collection::vec(text(), 0..4).prop_map(Value::from)];
    let pair = prop_oneof![
        Just(Value::Null),
        (any::<i64>(), texts.clone()).prop_map(|(a, b)| json!({"b": b, "a": a})),
        texts.prop_map(|b| json!({"b": b})),
    ];
    prop::collection::btree_map("[a-z]{0,3}", prop::collection::vec(pair, 0..4), 0..3)
        .prop_map(|entries| Value::Object(entries.into_iter().map(|(key, value)| (key, value.into())).collect()))
}

proptest! {
    /// Shows that nested values are what arrow-json makes of the same text.
    #[test]
    fn as_arrow_json_reads_them(values in prop::collection::vec(prop::option::of(value()), 1..10)) {
        let data_type = map(item(pair()));
        let mut ours = decoder(&[("m", data_type.clone())]);
        let schema = Arc::new(Schema::new(vec![ArrowField::new("m", data_type, true)]));
        let mut theirs = arrow::json::ReaderBuilder::new(schema).build_decoder().unwrap();
        for value in values {
            let record = json!({ "m": value }).to_string();
            prop_assert_eq!(ours.decode(Some(record.as_bytes())), Ok(()));
            theirs.decode(record.as_bytes()).unwrap();
        }
        let theirs = theirs.flush().unwrap().unwrap();
        let ours = take(&mut ours);
        prop_assert_eq!(ours.column(0), theirs.column(0));
    }
}
