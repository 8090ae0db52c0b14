//! What results look like in each format.

use std::io;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use expect_test::{Expect, expect};
use sluice_engine::ErrorKind;

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

fn scalars() -> RecordBatch {
    let moments =
        || TimestampMicrosecondArray::from(vec![Some(1_772_366_400_000_000), None, Some(1_772_366_400_250_000)]);
    batch(vec![
        ("name", Arc::new(StringArray::from(vec![Some("plain"), None, Some("a,\"b\"\nc")]))),
        ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(-1_234_567)]))),
        ("x", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::NAN)]))),
        (
            "price",
            Arc::new(Decimal128Array::from(vec![Some(1_999), None, Some(-5)]).with_precision_and_scale(10, 2).unwrap()),
        ),
        ("at", Arc::new(moments().with_timezone("UTC"))),
        ("local", Arc::new(moments())),
        ("day", Arc::new(Date32Array::from(vec![Some(20_513), None, Some(0)]))),
        ("raw", Arc::new(BinaryArray::from_opt_vec(vec![Some(&[0xde, 0xad, 0x00]), None, Some(&[])]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
    ])
}

fn nested() -> RecordBatch {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let pair = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int64, true)), Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef),
        (Arc::new(Field::new("b", DataType::Utf8, true)), Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef),
    ]);
    batch(vec![("list", Arc::new(list)), ("pair", Arc::new(pair))])
}

fn text(batch: &RecordBatch, format: Format, column_chars_max: Option<usize>) -> String {
    let mut out = Vec::new();
    let mut writer = BatchWriter::new(&mut out, batch.schema(), format, column_chars_max).unwrap();
    assert!(writer.write(batch).unwrap().is_continue());
    assert!(writer.finish().unwrap().is_continue());
    String::from_utf8(out).unwrap()
}

fn check(batch: &RecordBatch, format: Format, expected: Expect) {
    expected.assert_eq(&text(batch, format, None));
}

/// NULLs, moments with and without a zone, decimals, binary and text that needs escapes, in a table.
#[test]
fn scalars_in_a_table() {
    check(
        &scalars(),
        Format::Table,
        expect![[r#"
         name     |        n |    x | price | at                       | local                   | day        | raw    | ok
        ----------+----------+------+-------+--------------------------+-------------------------+------------+--------+-------
         plain    |        1 |  0.5 | 19.99 | 2026-03-01T12:00:00Z     | 2026-03-01T12:00:00     | 2026-03-01 | dead00 | true
         NULL     |     NULL | NULL |  NULL | NULL                     | NULL                    | NULL       | NULL   | NULL
         a,"b"\nc | -1234567 |  NaN | -0.05 | 2026-03-01T12:00:00.250Z | 2026-03-01T12:00:00.250 | 1970-01-01 |        | false
        (3 rows)
    "#]],
    );
}

/// The same as JSON: every line an object with all columns.
#[test]
fn scalars_as_json() {
    let json = text(&scalars(), Format::Json, None);
    for line in json.lines() {
        assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap().as_object().unwrap().len(), 9, "{line}");
    }
    expect![[r#"
        {"name":"plain","n":1,"x":0.5,"price":19.99,"at":"2026-03-01T12:00:00Z","local":"2026-03-01T12:00:00","day":"2026-03-01","raw":"dead00","ok":true}
        {"name":null,"n":null,"x":null,"price":null,"at":null,"local":null,"day":null,"raw":null,"ok":null}
        {"name":"a,\"b\"\nc","n":-1234567,"x":null,"price":-0.05,"at":"2026-03-01T12:00:00.250Z","local":"2026-03-01T12:00:00.250","day":"1970-01-01","raw":"","ok":false}
    "#]].assert_eq(&json);
}

/// The same as CSV.
#[test]
fn scalars_as_csv() {
    check(
        &scalars(),
        Format::Csv,
        expect![[r#"
        name,n,x,price,at,local,day,raw,ok
        plain,1,0.5,19.99,2026-03-01T12:00:00Z,2026-03-01T12:00:00,2026-03-01,dead00,true
        ,,,,,,,,
        "a,""b""
        c",-1234567,NaN,-0.05,2026-03-01T12:00:00.250Z,2026-03-01T12:00:00.250,1970-01-01,,false
    "#]],
    );
}

/// Lists and structs in each text format; in CSV they are JSON.
#[test]
fn nested_values() {
    check(
        &nested(),
        Format::Table,
        expect![[r#"
         list      | pair
        -----------+-----------------
         [1, NULL] | {a: 1, b: x}
         NULL      | {a: NULL, b: y}
        (2 rows)
    "#]],
    );
    check(
        &nested(),
        Format::Json,
        expect![[r#"
        {"list":[1,null],"pair":{"a":1,"b":"x"}}
        {"list":null,"pair":{"a":null,"b":"y"}}
    "#]],
    );
    check(
        &nested(),
        Format::Csv,
        expect![[r#"
        list,pair
        "[1,null]","{""a"":1,""b"":""x""}"
        ,"{""a"":null,""b"":""y""}"
    "#]],
    );
}

/// A result without rows still says its columns.
#[test]
fn an_empty_result() {
    let empty = nested().slice(0, 0);
    check(
        &empty,
        Format::Table,
        expect![[r#"
         list | pair
        ------+------
        (0 rows)
    "#]],
    );
    check(&empty, Format::Json, expect![]);
    check(
        &empty,
        Format::Csv,
        expect![[r#"
        list,pair
    "#]],
    );
}

/// On a terminal long values are cut and wide characters keep the columns straight; elsewhere values stay whole.
#[test]
fn long_and_wide_values() {
    let long = "0123456789".repeat(10);
    let names = batch(vec![
        ("name", Arc::new(StringArray::from(vec!["日本", "ab", long.as_str()]))),
        ("n", Arc::new(Int64Array::from(vec![1, 20, 300]))),
    ]);
    expect![[r#"
         name                                                         |   n
        --------------------------------------------------------------+-----
         日本                                                         |   1
         ab                                                           |  20
         01234567890123456789012345678901234567890123456789012345678… | 300
        (3 rows)
    "#]]
    .assert_eq(&text(&names, Format::Table, Some(TERMINAL_COLUMN_CHARS_MAX)));
    assert!(text(&names, Format::Table, None).contains(&long));
}

/// A table longer than what is kept back has one head, one foot and every row.
#[test]
fn a_long_table_is_written_in_parts() {
    let n: Vec<i64> = (0..25_000).collect();
    let numbers = batch(vec![("n", Arc::new(Int64Array::from(n)))]);
    let table = text(&numbers, Format::Table, None);
    assert_eq!(table.lines().count(), 25_000 + 3);
    assert!(table.starts_with("    n\n------\n    0\n"), "{}", &table[..40]);
    assert!(table.ends_with(" 24999\n(25000 rows)\n"));
}

/// An IPC stream reads back as the same batch.
#[test]
fn arrow_reads_back() {
    let mut out = Vec::new();
    let mut writer = BatchWriter::new(&mut out, scalars().schema(), Format::Arrow, None).unwrap();
    assert!(writer.write(&scalars()).unwrap().is_continue());
    assert!(writer.finish().unwrap().is_continue());
    let read = arrow::ipc::reader::StreamReader::try_new(out.as_slice(), None).unwrap();
    let read: Vec<_> = read.collect::<Result<_, _>>().unwrap();
    // NaN is not equal to itself, so the texts are compared.
    assert_eq!(read.len(), 1);
    assert_eq!(text(&read[0], Format::Table, None), text(&scalars(), Format::Table, None));
}

/// An output that takes some bytes and then fails.
struct Failing {
    takes: usize,
    kind: io::ErrorKind,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.takes == 0 {
            return Err(self.kind.into());
        }
        let taken = bytes.len().min(self.takes);
        self.takes -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_until_break(format: Format, takes: usize, kind: io::ErrorKind) -> Result<ControlFlow<()>> {
    let out = Failing { takes, kind };
    let mut writer = BatchWriter::new(out, scalars().schema(), format, None)?;
    for _ in 0..20_000 {
        if writer.write(&scalars())?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    writer.finish()
}

/// A reader that goes away, before the first byte or in the middle, ends each format quietly and before the result is used up.
#[test]
fn a_closed_pipe_is_a_quiet_end() {
    for format in [Format::Table, Format::Json, Format::Csv, Format::Arrow] {
        for takes in [0, 1, 5000] {
            let ended = write_until_break(format, takes, io::ErrorKind::BrokenPipe);
            assert!(matches!(ended, Ok(ControlFlow::Break(()))), "{format:?} {takes}");
        }
    }
}

/// Any other failure of the output is an error that may be gone at the next try.
#[test]
fn a_full_disk_is_an_error() {
    for format in [Format::Table, Format::Json, Format::Csv, Format::Arrow] {
        let error = write_until_break(format, 5000, io::ErrorKind::StorageFull).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient, "{format:?} {error}");
    }
}
