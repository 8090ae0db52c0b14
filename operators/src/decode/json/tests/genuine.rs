//! Genuine records of an event simulator.

use arrow::array::Array;
use arrow::datatypes::DataType;
use arrow::datatypes::DataType::*;
use expect_test::expect;

use super::*;

pub(super) const PAGE_VIEWS: &str = include_str!("data/page_view_events.jsonl");
const LISTENS: &str = include_str!("data/listen_events.jsonl");
const AUTHS: &str = include_str!("data/auth_events.jsonl");

/// The columns of all streams, in the order of page views.
pub(super) fn fields() -> Vec<(&'static str, DataType)> {
    vec![
        ("ts", Int64),
        ("sessionId", Int64),
        ("page", Utf8),
        ("auth", Utf8),
        ("method", Utf8),
        ("status", Int32),
        ("level", Utf8),
        ("itemInSession", Int32),
        ("city", Utf8),
        ("zip", Utf8),
        ("state", Utf8),
        ("userAgent", Utf8),
        ("lon", Float64),
        ("lat", Float64),
        ("userId", Int32),
        ("lastName", Utf8),
        ("firstName", Utf8),
        ("gender", Utf8),
        ("registration", Int64),
        ("tag", Utf8),
        ("artist", Utf8),
        ("song", Utf8),
        ("duration", Float64),
        ("success", Boolean),
    ]
}

/// Shows that all of them are decoded, and that each column holds what serde_json reads.
#[test]
fn nothing_is_refused_or_rescued() {
    for text in [PAGE_VIEWS, LISTENS, AUTHS] {
        let mut decoder = decoder(&fields());
        for line in text.split_inclusive('\n') {
            decoder.decode(Some(line.as_bytes())).unwrap();
        }
        let batch = take(&mut decoder);
        let rescued = batch.column(batch.num_columns() - 1);
        assert_eq!(rescued.null_count(), batch.num_rows());
        for (row, line) in text.lines().enumerate() {
            let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            for (column, (name, _)) in fields().into_iter().enumerate() {
                let shown = arrow::util::display::array_value_to_string(batch.column(column), row).unwrap();
                let expected = match members.get(name) {
                    None => String::new(),
                    Some(serde_json::Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                };
                assert_eq!(shown, expected, "{name} in {line}");
                assert_eq!(batch.column(column).is_valid(row), members.contains_key(name));
            }
        }
    }
}

/// Shows one record in full, so that a reader sees what comes out.
#[test]
fn one_record() {
    let mut decoder = decoder(&fields()[..8]);
    let line = AUTHS.lines().next().unwrap();
    expect![[r#"
        +---------------+-----------+------+------+--------+--------+-------+---------------+-------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------+
        | ts            | sessionId | page | auth | method | status | level | itemInSession | _rescued                                                                                                                                                                                                                      |
        +---------------+-----------+------+------+--------+--------+-------+---------------+-------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------+
        | 1703438540902 | 53        | null | null | null   | null   | free  | 2             | {"city":"Miami","zip":"85539","state":"AZ","userAgent":"\"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.125 Safari/537.36\"","lon":-110.894685,"lat":33.339679,"success":false} |
        +---------------+-----------+------+------+--------+--------+-------+---------------+-------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------+"#]].assert_eq(&row(&mut decoder, line.as_bytes()));
}
