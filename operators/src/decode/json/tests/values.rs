//! What values of each type become.

use arrow::datatypes::DataType::*;
use arrow::datatypes::TimeUnit;
use expect_test::expect;

use super::*;

/// Shows that null and absent are the same, and that the order of fields and white space do not matter.
#[test]
fn presence_order_and_space() {
    check(
        &[("a", Int64), ("b", Utf8), ("c", Boolean)],
        &[
            r#"{"a":1,"b":"x","c":true}"#,
            r#"{"c":false,"b":"","a":-2}"#,
            r#"{"b":null,"c":null,"a":null}"#,
            "{}",
            " \r\n\t{ \"b\" : \"y\" , \"a\" :\t3 } \n\n",
            "{\"a\":4}\n",
        ],
        expect![[r#"
            +------+------+-------+----------+
            | a    | b    | c     | _rescued |
            +------+------+-------+----------+
            | 1    | x    | true  | null     |
            | -2   |      | false | null     |
            | null | null | null  | null     |
            | null | null | null  | null     |
            | 3    | y    | null  | null     |
            | 4    | null | null  | null     |
            +------+------+-------+----------+"#]],
    );
}

/// Shows that the last of several fields of one name counts, whatever came before: value, null or an escaped spelling.
#[test]
fn last_of_a_name_wins() {
    check(
        &[("a", Int64), ("b", Utf8)],
        &[
            r#"{"a":1,"b":"x","a":2,"b":"longer"}"#,
            r#"{"a":1,"a":null,"b":"x","b":null}"#,
            r#"{"a":null,"a":3}"#,
            r#"{"a":1,"\u0061":4,"b":"gone","\u0062":"\u00e9"}"#,
            r#"{"a":1,"a":"x"}"#,
            r#"{"a":5}"#,
        ],
        expect![[r#"
            {"a":1,"a":"x"}: field `a`: expected bigint, got string at byte 11
            +------+--------+----------+
            | a    | b      | _rescued |
            +------+--------+----------+
            | 2    | longer | null     |
            | null | null   | null     |
            | 3    | null   | null     |
            | 4    | é      | null     |
            | 5    | null   | null     |
            +------+--------+----------+"#]],
    );
}

/// Shows that undeclared fields are kept as they stand, in the order in which they came.
#[test]
fn undeclared_fields_are_rescued() {
    check(
        &[("a", Int64)],
        &[
            r#"{"x":1.50,"a":1,"y":{"a":[1, "}"],"n":null},"k\"":"\u00e9"}"#,
            r#"{"a":2}"#,
            r#"{"A":3,"":null,"x":1,"x":2}"#,
            r#"{"x":[1,2,,3]}"#,
            r#"{"_rescued":"no"}"#,
        ],
        expect![[r#"
            {"x":[1,2,,3]}: syntax error at byte 10: expected a value
            +------+-------------------------------------------------------+
            | a    | _rescued                                              |
            +------+-------------------------------------------------------+
            | 1    | {"x":1.50,"y":{"a":[1, "}"],"n":null},"k\"":"\u00e9"} |
            | 2    | null                                                  |
            | null | {"A":3,"":null,"x":1,"x":2}                           |
            | null | {"_rescued":"no"}                                     |
            +------+-------------------------------------------------------+"#]],
    );
}

/// Shows whole numbers: floats that are whole are taken, fractions and what is out of range are not.
#[test]
fn whole_numbers() {
    check(
        &[("b", Int8), ("s", Int16), ("i", Int32), ("l", Int64)],
        &[
            r#"{"b":127,"s":32767,"i":2147483647,"l":9223372036854775807}"#,
            r#"{"b":-128,"s":-32768,"i":-2147483648,"l":-9223372036854775808}"#,
            r#"{"b":1e2,"s":1.5e3,"i":123.0,"l":1.703420928902E12}"#,
            r#"{"b":0,"s":-0,"i":-0.0,"l":0e99999999999999999999}"#,
            r#"{"l":100e-2,"i":1000000000000000000000e-20,"s":0.00001e5}"#,
            r#"{"b":128}"#,
            r#"{"s":-32769}"#,
            r#"{"i":2147483648}"#,
            r#"{"l":9223372036854775808}"#,
            r#"{"l":-9223372036854775809}"#,
            r#"{"l":1e19}"#,
            r#"{"l":1e99999999999999999999}"#,
            r#"{"l":123456789012345678901234567890123456789012345678901234567890}"#,
            r#"{"l":1.5}"#,
            r#"{"l":1e-1}"#,
            r#"{"l":1.0000000000000000000000000000000000000000000000001}"#,
            r#"{"l":"1"}"#,
            r#"{"l":true}"#,
            r#"{"l":{}}"#,
            r#"{"l":[1]}"#,
        ],
        expect![[r#"
            {"b":128}: field `b`: number out of range for tinyint at byte 5
            {"s":-32769}: field `s`: number out of range for smallint at byte 5
            {"i":2147483648}: field `i`: number out of range for int at byte 5
            {"l":9223372036854775808}: field `l`: number out of range for bigint at byte 5
            {"l":-9223372036854775809}: field `l`: number out of range for bigint at byte 5
            {"l":1e19}: field `l`: number out of range for bigint at byte 5
            {"l":1e99999999999999999999}: field `l`: number out of range for bigint at byte 5
            {"l":123456789012345678901234567890123456789012345678901234567890}: field `l`: number out of range for bigint at byte 5
            {"l":1.5}: field `l`: expected bigint, got a number with a fraction at byte 5
            {"l":1e-1}: field `l`: expected bigint, got a number with a fraction at byte 5
            {"l":1.0000000000000000000000000000000000000000000000001}: field `l`: expected bigint, got a number with a fraction at byte 5
            {"l":"1"}: field `l`: expected bigint, got string at byte 5
            {"l":true}: field `l`: expected bigint, got boolean at byte 5
            {"l":{}}: field `l`: expected bigint, got object at byte 5
            {"l":[1]}: field `l`: expected bigint, got array at byte 5
            +------+--------+-------------+----------------------+----------+
            | b    | s      | i           | l                    | _rescued |
            +------+--------+-------------+----------------------+----------+
            | 127  | 32767  | 2147483647  | 9223372036854775807  | null     |
            | -128 | -32768 | -2147483648 | -9223372036854775808 | null     |
            | 100  | 1500   | 123         | 1703420928902        | null     |
            | 0    | 0      | 0           | 0                    | null     |
            | null | 1      | 10          | 1                    | null     |
            +------+--------+-------------+----------------------+----------+"#]],
    );
}

/// Shows doubles and floats: any number is taken but those beyond the type; there is no NaN.
#[test]
fn floating_numbers() {
    check(
        &[("d", Float64), ("f", Float32)],
        &[
            r#"{"d":1,"f":1}"#,
            r#"{"d":-117.870494,"f":-117.870494}"#,
            r#"{"d":-0.0,"f":-0}"#,
            r#"{"d":1.7976931348623157e308,"f":3.4028235e38}"#,
            r#"{"d":5e-324,"f":1e-45}"#,
            r#"{"d":1e-400,"f":16777217}"#,
            r#"{"d":123456789012345678901234567890,"f":0.1}"#,
            r#"{"d":9007199254740993}"#,
            r#"{"d":1e309}"#,
            r#"{"f":3.5e38}"#,
            r#"{"d":NaN}"#,
            r#"{"d":Infinity}"#,
            r#"{"d":-Infinity}"#,
            r#"{"d":"1.5"}"#,
            r#"{"d":"NaN"}"#,
        ],
        expect![[r#"
            {"d":1e309}: field `d`: number out of range for double at byte 5
            {"f":3.5e38}: field `f`: number out of range for float at byte 5
            {"d":NaN}: syntax error at byte 5: expected a value
            {"d":Infinity}: syntax error at byte 5: expected a value
            {"d":-Infinity}: syntax error at byte 6: a number ends or goes on wrongly
            {"d":"1.5"}: field `d`: expected double, got string at byte 5
            {"d":"NaN"}: field `d`: expected double, got string at byte 5
            +------------------------+--------------+----------+
            | d                      | f            | _rescued |
            +------------------------+--------------+----------+
            | 1.0                    | 1.0          | null     |
            | -117.870494            | -117.87049   | null     |
            | -0.0                   | -0.0         | null     |
            | 1.7976931348623157e308 | 3.4028235e38 | null     |
            | 5e-324                 | 1e-45        | null     |
            | 0.0                    | 16777216.0   | null     |
            | 1.2345678901234568e29  | 0.1          | null     |
            | 9007199254740992.0     | null         | null     |
            +------------------------+--------------+----------+"#]],
    );
}

/// Shows that a string column takes any value, those that are no strings as their JSON text.
#[test]
fn strings_take_anything() {
    check(
        &[("s", Utf8)],
        &[
            r#"{"s":12.50}"#,
            r#"{"s":true}"#,
            r#"{"s":{"a" : [1,"\u00e9"]} }"#,
            r#"{"s":[ ]}"#,
            r#"{"s":1e999}"#,
            r#"{"s":tru}"#,
            r#"{"s":{"a":}}"#,
        ],
        expect![[r#"
            {"s":tru}: syntax error at byte 5: expected true, false or null
            {"s":{"a":}}: syntax error at byte 10: expected a value
            +----------------------+----------+
            | s                    | _rescued |
            +----------------------+----------+
            | 12.50                | null     |
            | true                 | null     |
            | {"a" : [1,"\u00e9"]} | null     |
            | [ ]                  | null     |
            | 1e999                | null     |
            +----------------------+----------+"#]],
    );
}

/// Shows escapes in values and keys, characters of every length, and that surrogates count only in pairs.
#[test]
fn escapes() {
    check(
        &[("s", Utf8), ("q\"", Utf8), ("é", Utf8)],
        &[
            r#"{"s":"\"\\\/ \u0041\u00e9\u20ac\ud83d\ude00 end","q\"":"quoted key","\u00e9":"escaped key"}"#,
            r#"{"é":"plain key","s":"é€😀 and some more text, longer than a word or two"}"#,
            r#"{"s":"\ud83d"}"#,
            r#"{"s":"\ude00"}"#,
            r#"{"s":"\ud83d\ud83d"}"#,
            r#"{"s":"\ud83dx"}"#,
            r#"{"s":"\x"}"#,
            r#"{"s":"\u12g4"}"#,
        ],
        expect![[r#"
            {"s":"\ud83d"}: syntax error at byte 12: a surrogate without its partner
            {"s":"\ude00"}: syntax error at byte 6: a surrogate without its partner
            {"s":"\ud83d\ud83d"}: syntax error at byte 12: a surrogate without its partner
            {"s":"\ud83dx"}: syntax error at byte 12: a surrogate without its partner
            {"s":"\x"}: syntax error at byte 7: no such escape
            {"s":"\u12g4"}: syntax error at byte 10: no such escape
            +----------------------------------------------------+------------+-------------+----------+
            | s                                                  | q"         | é           | _rescued |
            +----------------------------------------------------+------------+-------------+----------+
            | "\/ Aé€😀 end                                      | quoted key | escaped key | null     |
            | é€😀 and some more text, longer than a word or two | null       | plain key   | null     |
            +----------------------------------------------------+------------+-------------+----------+"#]],
    );
    let mut decoder = decoder(&[("s", Utf8)]);
    decoder.decode(Some(br#"{"s":"\b\f\n\r\t\u0000\uFFFF"}"#)).unwrap();
    let batch = take(&mut decoder);
    let strings = batch.column(0).as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
    assert_eq!(strings.value(0), "\u{8}\u{c}\n\r\t\0\u{ffff}");
}

/// Shows dates, timestamps and binary: strings of one form each.
#[test]
fn texts_of_other_types() {
    check(
        &[("d", Date32), ("t", Timestamp(TimeUnit::Microsecond, Some("UTC".into()))), ("b", Binary)],
        &[
            r#"{"d":"2023-12-24","t":"2023-12-24T17:18:39.902Z","b":"AP8="}"#,
            r#"{"d":"1969-12-31","t":"2023-12-24 19:18:39+02:00","b":""}"#,
            r#"{"d":"2023\u002d12-24"}"#,
            r#"{"d":"2023-02-29"}"#,
            r#"{"t":"yesterday"}"#,
            r#"{"t":1703438319902}"#,
            r#"{"d":null,"t":null,"b":null}"#,
            r#"{"b":"AP8"}"#,
            r#"{"b":[0,255]}"#,
        ],
        expect![[r#"
            {"d":"2023-02-29"}: field `d`: the string at byte 5 is no date
            {"t":"yesterday"}: field `t`: the string at byte 5 is no timestamp
            {"t":1703438319902}: field `t`: expected timestamp, got number at byte 5
            {"b":"AP8"}: field `b`: the string at byte 5 is no binary
            {"b":[0,255]}: field `b`: expected binary, got array at byte 5
            +------------+--------------------------+------+----------+
            | d          | t                        | b    | _rescued |
            +------------+--------------------------+------+----------+
            | 2023-12-24 | 2023-12-24T17:18:39.902Z | 00ff | null     |
            | 1969-12-31 | 2023-12-24T17:18:39Z     |      | null     |
            | 2023-12-24 | null                     | null | null     |
            | null       | null                     | null | null     |
            +------------+--------------------------+------+----------+"#]],
    );
}

/// Shows decimals: exact, rounded half up beyond the scale, from numbers and strings.
#[test]
fn decimals() {
    check(
        &[("d", Decimal128(5, 2)), ("w", Decimal128(38, 0))],
        &[
            r#"{"d":1.5,"w":99999999999999999999999999999999999999}"#,
            r#"{"d":"-123.45","w":-1e37}"#,
            r#"{"d":1.005,"w":0.5}"#,
            r#"{"d":-1.0049999,"w":1.4999999999999999999999999999999999999999999999}"#,
            r#"{"d":999.99,"w":12345678901234567890123456789012345678.4}"#,
            r#"{"d":0.00000000000000000000000000000000000000000001,"w":12345678901234567890123456789012345678.5}"#,
            r#"{"d":1e-99999999999,"w":0e99999999999}"#,
            r#"{"d":999.995}"#,
            r#"{"d":1000}"#,
            r#"{"w":100000000000000000000000000000000000000}"#,
            r#"{"d":"1.5 "}"#,
            r#"{"d":""}"#,
            r#"{"d":"1000"}"#,
            r#"{"d":true}"#,
        ],
        expect![[r#"
            {"d":999.995}: field `d`: number out of range for decimal(5,2) at byte 5
            {"d":1000}: field `d`: number out of range for decimal(5,2) at byte 5
            {"w":100000000000000000000000000000000000000}: field `w`: number out of range for decimal(38,0) at byte 5
            {"d":"1.5 "}: field `d`: the string at byte 5 is no decimal(5,2)
            {"d":""}: field `d`: the string at byte 5 is no decimal(5,2)
            {"d":"1000"}: field `d`: number out of range for decimal(5,2) at byte 5
            {"d":true}: field `d`: expected decimal(5,2), got boolean at byte 5
            +---------+-----------------------------------------+----------+
            | d       | w                                       | _rescued |
            +---------+-----------------------------------------+----------+
            | 1.50    | 99999999999999999999999999999999999999  | null     |
            | -123.45 | -10000000000000000000000000000000000000 | null     |
            | 1.01    | 1                                       | null     |
            | -1.00   | 1                                       | null     |
            | 999.99  | 12345678901234567890123456789012345678  | null     |
            | 0.00    | 12345678901234567890123456789012345679  | null     |
            | 0.00    | 0                                       | null     |
            +---------+-----------------------------------------+----------+"#]],
    );
}

/// Shows that fields that are not projected are read over, whatever their type, but must be JSON.
#[test]
fn projection() {
    let fields = ["a", "b", "c"].map(|name| Field { name: name.into(), data_type: Int64 }).to_vec();
    let mut decoder = JsonDecoder::new(fields, Some(vec![false, true, false])).unwrap();
    let names: Vec<String> = decoder.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["b", "_rescued"]);
    for record in [r#"{"a":1,"b":2,"c":3}"#, r#"{"a":"x","b":3,"c":[1,{"d":"\n"}],"e":1}"#, r#"{"c":1,"c":2,"a":null}"#]
    {
        decoder.decode(Some(record.as_bytes())).unwrap();
    }
    for (record, reason) in [
        (&br#"{"a":01,"b":2}"#[..], "syntax error at byte 6: a number ends or goes on wrongly"),
        (b"{\"a\":\"\xff\",\"b\":2}", "invalid UTF-8 at byte 6"),
        (br#"{"a":[1,{"x"}],"b":2}"#, "syntax error at byte 12: expected `:`"),
    ] {
        assert_eq!(decoder.decode(Some(record)).unwrap_err().to_string(), reason);
    }
    expect![[r#"
        +------+----------+
        | b    | _rescued |
        +------+----------+
        | 2    | null     |
        | 3    | {"e":1}  |
        | null | null     |
        +------+----------+"#]]
    .assert_eq(&table(take(&mut decoder)));
}
