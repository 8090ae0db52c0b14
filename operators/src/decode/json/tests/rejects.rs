//! Why records are refused, and that refusing one leaves no trace.

use arrow::datatypes::DataType::*;
use expect_test::{Expect, expect};

use super::*;

fn reasons(records: &[&[u8]], expect: Expect) {
    let mut decoder = decoder(&[("a", Int64), ("s", Utf8)]);
    let reason = |record: &&[u8]| {
        let reason = decoder.decode(Some(record)).unwrap_err();
        format!("{}: {reason}\n", String::from_utf8_lossy(record).escape_debug())
    };
    let text: String = records.iter().map(reason).collect();
    assert_eq!(decoder.len(), 0);
    expect.assert_eq(&text);
}

/// Shows the reasons for what is no object at all.
#[test]
fn no_object() {
    assert_eq!(decoder(&[]).decode(None), Err(RejectReason::Tombstone));
    reasons(
        &[
            b"",
            b" \n",
            b"[]",
            b"null",
            b"\"x\"",
            b"12",
            b"true",
            b"x",
            b"\0",
            b"\xEF\xBB\xBF{}",
            b"{} x",
            b"{}{}",
            b"{}\0",
        ],
        expect![[r#"
            : the message is empty
             \n: the message is empty
            []: expected a JSON object, got array at byte 0
            null: expected a JSON object, got null at byte 0
            \"x\": expected a JSON object, got string at byte 0
            12: expected a JSON object, got number at byte 0
            true: expected a JSON object, got boolean at byte 0
            x: expected a JSON object, got something that is not JSON at byte 0
            \0: expected a JSON object, got something that is not JSON at byte 0
            \u{feff}{}: expected a JSON object, got something that is not JSON at byte 0
            {} x: trailing bytes after the object, at byte 3
            {}{}: trailing bytes after the object, at byte 2
            {}\0: trailing bytes after the object, at byte 2
        "#]],
    );
}

/// Shows the reasons for broken grammar, each at its byte.
#[test]
fn broken_grammar() {
    reasons(
        &[
            br#"{,}"#,
            br#"{"a":1,}"#,
            br#"{"a":1 "s":2}"#,
            br#"{"a" 1}"#,
            br#"{a:1}"#,
            br#"{"a":}"#,
            br#"{"a":1]"#,
            br#"{"a":01}"#,
            br#"{"a":+1}"#,
            br#"{"a":-}"#,
            br#"{"a":-x}"#,
            br#"{"a":.5}"#,
            br#"{"a":1.}"#,
            br#"{"a":1.e5}"#,
            br#"{"a":1e}"#,
            br#"{"a":1e+}"#,
            br#"{"a":0x10}"#,
            br#"{"a":1_000}"#,
            br#"{"a":nul}"#,
            br#"{"a":nullx}"#,
            br#"{"x":[1 2]}"#,
            br#"{"x":[1,]}"#,
            br#"{"x":[}"#,
            br#"{"x":{"y":1,}}"#,
            b"{\"s\":\"a\nb\"}",
            b"{\"s\":\"long enough for a word \x01\"}",
            b"{'a':1}",
            b"{\"a\":1//x\n}",
        ],
        expect![[r#"
            {,}: syntax error at byte 1: expected a key or `}`
            {\"a\":1,}: syntax error at byte 7: expected a key
            {\"a\":1 \"s\":2}: syntax error at byte 7: expected `,` or `}`
            {\"a\" 1}: syntax error at byte 5: expected `:`
            {a:1}: syntax error at byte 1: expected a key or `}`
            {\"a\":}: syntax error at byte 5: expected a value
            {\"a\":1]: syntax error at byte 6: expected `,` or `}`
            {\"a\":01}: syntax error at byte 6: a number ends or goes on wrongly
            {\"a\":+1}: syntax error at byte 5: expected a value
            {\"a\":-}: syntax error at byte 6: a number ends or goes on wrongly
            {\"a\":-x}: syntax error at byte 6: a number ends or goes on wrongly
            {\"a\":.5}: syntax error at byte 5: expected a value
            {\"a\":1.}: syntax error at byte 7: a number ends or goes on wrongly
            {\"a\":1.e5}: syntax error at byte 7: a number ends or goes on wrongly
            {\"a\":1e}: syntax error at byte 7: a number ends or goes on wrongly
            {\"a\":1e+}: syntax error at byte 8: a number ends or goes on wrongly
            {\"a\":0x10}: syntax error at byte 6: expected `,` or `}`
            {\"a\":1_000}: syntax error at byte 6: expected `,` or `}`
            {\"a\":nul}: syntax error at byte 5: expected true, false or null
            {\"a\":nullx}: syntax error at byte 9: expected `,` or `}`
            {\"x\":[1 2]}: syntax error at byte 8: expected `,` or `]`
            {\"x\":[1,]}: syntax error at byte 8: expected a value
            {\"x\":[}: syntax error at byte 6: expected a value
            {\"x\":{\"y\":1,}}: syntax error at byte 12: expected a key
            {\"s\":\"a\nb\"}: syntax error at byte 7: a control character inside a string
            {\"s\":\"long enough for a word \u{1}\"}: syntax error at byte 29: a control character inside a string
            {\'a\':1}: syntax error at byte 1: expected a key or `}`
            {\"a\":1//x\n}: syntax error at byte 6: expected `,` or `}`
        "#]],
    );
}

/// Shows that every prefix of a record is refused as truncated, wherever it ends.
#[test]
fn every_prefix_is_truncated() {
    let fields = [
        ("i", Int64),
        ("t", Boolean),
        ("s", Utf8),
        ("d", Float64),
        ("n", Int64),
        ("l", List(item(Int64))),
        ("z", Int64),
    ];
    let record = br#" {"i":-123,"t":true,"s":"a\u00e9\ud83d\ude00 \\","d":-1.5,"n":null,"l":[1,2],"u":{"x":[false,"\t"]},"z":7}"#;
    let mut decoder = decoder(&fields);
    decoder.decode(Some(record)).unwrap();
    for length in 2..record.len() {
        assert_eq!(decoder.decode(Some(&record[..length])), Err(RejectReason::Truncated { at: length }), "{length}");
    }
    assert_eq!(decoder.len(), 1);
}

fn item(data_type: arrow::datatypes::DataType) -> arrow::datatypes::FieldRef {
    arrow::datatypes::Field::new("item", data_type, true).into()
}

/// Shows that bytes that are no UTF-8 are found at their position, in values, keys, and what is skipped.
#[test]
fn invalid_utf8() {
    reasons(
        &[
            b"{\"s\":\"ab\xFFcd\"}",
            b"{\"s\":\"\xC3\"}",
            b"{\"s\":\"\\n\xED\xA0\x80\"}",
            b"{\"\xC0\x80\":1}",
            b"{\"x\":\"\xF5\x80\x80\x80\"}",
            b"{\"x\":[{\"\xE2\x82\":1}]}",
            b"{\"s\":\"a long text that goes over several words of the scanner \xFE and on\"}",
            b"{\xFF}",
        ],
        expect![[r#"
            {\"s\":\"ab�cd\"}: invalid UTF-8 at byte 8
            {\"s\":\"�\"}: invalid UTF-8 at byte 6
            {\"s\":\"\\n���\"}: invalid UTF-8 at byte 8
            {\"��\":1}: invalid UTF-8 at byte 2
            {\"x\":\"����\"}: invalid UTF-8 at byte 6
            {\"x\":[{\"�\":1}]}: invalid UTF-8 at byte 8
            {\"s\":\"a long text that goes over several words of the scanner � and on\"}: invalid UTF-8 at byte 62
            {�}: syntax error at byte 1: expected a key or `}`
        "#]],
    );
}

/// Shows that a refused record spoils neither the one before it nor the one after it, wherever in the record the fault lies.
#[test]
fn neighbours_of_a_refused_record() {
    check(
        &[("a", Int64), ("s", Utf8), ("l", List(item(Utf8)))],
        &[
            r#"{"a":1,"s":"before","l":["x"],"u":1}"#,
            r#"{"u":2,"l":["y","z"],"s":"part of","a":"wrong"}"#,
            r#"{"a":2,"l":["y","z",],"s":"part of"}"#,
            r#"{"u":2,"a":2,"s":"part of"#,
            r#"{"a":2,"s":"all of","l":null,"u":3} trailing"#,
            r#"{"s":"after"}"#,
        ],
        expect![[r#"
            {"u":2,"l":["y","z"],"s":"part of","a":"wrong"}: field `a`: expected bigint, got string at byte 39
            {"a":2,"l":["y","z",],"s":"part of"}: syntax error at byte 20: expected a value
            {"u":2,"a":2,"s":"part of: truncated: the object is not closed at the end, byte 25
            {"a":2,"s":"all of","l":null,"u":3} trailing: trailing bytes after the object, at byte 36
            +------+--------+------+----------+
            | a    | s      | l    | _rescued |
            +------+--------+------+----------+
            | 1    | before | [x]  | {"u":1}  |
            | null | after  | null | null     |
            +------+--------+------+----------+"#]],
    );
}

/// Shows that faulty declarations are told apart and named.
#[test]
fn faulty_declarations() {
    let field = |name: &str, data_type| Field { name: name.into(), data_type };
    let error = |fields: Vec<Field>, projected| JsonDecoder::new(fields, projected).err().unwrap().to_string();
    let text = [
        error(vec![field("a", Int64), field("a", Utf8)], None),
        error(vec![field("_rescued", Utf8)], None),
        error(vec![field("a", UInt64)], None),
        error(vec![field("a", UInt64)], Some(vec![false])),
        error(vec![field("a", Decimal128(10, 11))], None),
        error(vec![field("a", Int64)], Some(vec![])),
        error((0..=FIELDS_MAX).map(|at| field(&at.to_string(), Int64)).collect(), None),
    ]
    .join("\n");
    expect![[r#"
        field `a` is declared twice; remove one of the declarations
        field `_rescued` cannot be declared: the decoder keeps undeclared fields under this name; rename it
        field `a`: type UInt64 cannot be read from JSON; declare a simpler one, for instance string
        field `a`: type UInt64 cannot be read from JSON; declare a simpler one, for instance string
        field `a`: type Decimal128(10, 11) cannot be read from JSON; declare a simpler one, for instance string
        0 projection marks for 1 fields; give one for each field
        10001 fields are declared, more than FIELDS_MAX = 10000; declare a map for fields that are data"#]]
    .assert_eq(&text);
}
