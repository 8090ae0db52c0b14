//! Bad records are data: each is kept once, with its position, its bytes and the reason, and its neighbours are intact.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use sluice_tests::services::Kafka;

use super::shop::Shop;

/// Large enough for the largest record here, in bytes; a topic's default is 1 MB.
const MESSAGE_BYTES_MAX: &str = "20971520";
const MB: usize = 1 << 20;

/// What becomes of a record.
enum Fate {
    /// A row of bronze: `id`, `note` and `_rescued`.
    Row(Value, Value, Value),
    /// A reject; its reason has these words.
    Reject(&'static str),
}

struct Case {
    payload: Option<Vec<u8>>,
    fate: Fate,
}

fn good(id: usize) -> Case {
    let text = format!("{{\"id\":{id},\"ts\":{},\"amount\":1.5,\"note\":\"good\"}}", 1_700_000_000_000_u64 + id as u64);
    Case { payload: Some(text.into_bytes()), fate: Fate::Row(json!(id), json!("good"), Value::Null) }
}

fn reject(payload: impl Into<Vec<u8>>, reason: &'static str) -> Case {
    Case { payload: Some(payload.into()), fate: Fate::Reject(reason) }
}

fn row(payload: impl Into<Vec<u8>>, id: i64, note: Value, rescued: Value) -> Case {
    Case { payload: Some(payload.into()), fate: Fate::Row(json!(id), note, rescued) }
}

/// Everything that a topic may hold and that is not as it should be.
fn strange() -> Vec<Case> {
    let deep = |levels: usize| format!("{{\"id\":1,\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let long = "z".repeat(5 * MB);
    vec![
        Case { payload: None, fate: Fate::Reject("tombstone: the record has no payload") },
        reject("", "the message is empty"),
        reject(" \n", "the message is empty"),
        reject(b"{\"id\":1,\"note\":\"a\xffb\"}", "invalid UTF-8 at byte 17"),
        reject(b"\xef\xbb\xbf{\"id\":1}", "expected a JSON object, got something that is not JSON at byte 0"),
        reject("{\"id\":99999999999999999999}", "field `id`: number out of range for bigint at byte 6"),
        reject("{\"id\":1,\"amount\":1e999}", "field `amount`: number out of range for double at byte 17"),
        reject("{\"id\":1.5}", "field `id`: expected bigint, got a number with a fraction at byte 6"),
        reject("{\"id\":\"seven\"}", "field `id`: expected bigint, got string at byte 6"),
        reject("{\"id\":1,\"amount\":{\"eur\":1}}", "field `amount`: expected double, got object at byte 17"),
        reject(deep(200), "nested deeper than 128 levels at byte"),
        reject("[".repeat(100_000), "expected a JSON object, got array at byte 0"),
        reject("{\"id\":".repeat(50_000), "expected bigint, got object"),
        reject("[1,2]", "expected a JSON object, got array at byte 0"),
        reject("null", "expected a JSON object, got null at byte 0"),
        reject("{\"id\":1,", "truncated: the object is not closed at the end, byte 8"),
        reject("{\"id\":1}{\"id\":2}", "trailing bytes after the object, at byte 8"),
        reject("{\"id\":NaN}", "syntax error at byte 6"),
        reject("{'id':1}", "syntax error at byte 1"),
        reject("{\"id\":1,\"note\":\"\\ud800\"}", "a surrogate without its partner"),
        reject("{\"id\":1,\"ts\":9223372036854775807}", "no event time: timestamp_millis(9223372036854775807)"),
        reject("{\"id\":1,\"ts\":9223372036854775}", "outside of the years 1 to 9999"),
        reject("{\"id\":1,\"ts\":-99999999999999}", "outside of the years 1 to 9999"),
        reject(long.as_str(), "expected a JSON object, got something that is not JSON at byte 0"),
        reject(format!("{{\"note\":\"{}\"}}", "z".repeat(17 * MB)), "more than the 16777216 that are decoded"),
        row("{}", 0, Value::Null, Value::Null).without_id(),
        row(" \t{\"id\" : 21 }\r\n", 21, Value::Null, Value::Null),
        row("{\"id\":22,\"id\":23,\"note\":\"a\",\"note\":null}", 23, Value::Null, Value::Null),
        row(
            "{\"id\":24,\"coupon\":{\"code\":[1,2]},\"vip\":null}",
            24,
            Value::Null,
            json!("{\"coupon\":{\"code\":[1,2]},\"vip\":null}"),
        ),
        row("{\"ID\":1,\"id\":25,\"_offset\":7}", 25, Value::Null, json!("{\"ID\":1,\"_offset\":7}")),
        row("{\"id\":26,\"note\":\"\\u0000\u{1f600}\"}", 26, json!("\0\u{1f600}"), Value::Null),
        row("{\"id\":27,\"note\":{\"a\":1}}", 27, json!("{\"a\":1}"), Value::Null),
        row("{\"id\":28,\"ts\":null,\"note\":\"timeless\"}", 28, json!("timeless"), Value::Null),
        row(format!("{{\"id\":29,\"ts\":0,\"note\":\"{long}\"}}"), 29, json!(long), Value::Null),
    ]
}

impl Case {
    fn without_id(mut self) -> Case {
        if let Fate::Row(id, ..) = &mut self.fate {
            *id = Value::Null;
        }
        self
    }
}

/// Appends the records to a partition, in order. (The services' own producer takes no large ones.)
fn produce(kafka: &Kafka, topic: &str, partition: i32, cases: &[Case]) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers()).set("message.max.bytes", MESSAGE_BYTES_MAX);
    let producer: BaseProducer = config.set("enable.idempotence", "true").create()?;
    for case in cases {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition).key(b"the key");
        record.payload = case.payload.as_deref();
        producer.send(record).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(Duration::from_secs(30))?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of every record, good and bad, bronze and rejects hold exactly one row; a second run adds nothing.
#[test]
fn each_record_is_kept_once() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    kafka.create_topic_with("bad-orders", 2, &[("max.message.bytes", MESSAGE_BYTES_MAX)])?;
    // A good record before, between and after; a second partition in which all is well.
    let mut mixed = vec![good(1_000)];
    for (i, case) in strange().into_iter().enumerate() {
        mixed.extend([case, good(1_001 + i)]);
    }
    let clean: Vec<Case> = (2_000..2_100).map(good).collect();
    produce(kafka, "bad-orders", 0, &mixed)?;
    produce(kafka, "bad-orders", 1, &clean)?;
    let sent = mixed.len() + clean.len();
    assert_eq!(kafka.read_all("bad-orders")?.len(), sent, "all of them are in the topic");

    let shop = Shop::new().kafka(&kafka.brokers(), "bad-orders");
    assert_eq!(shop.run()?.rows as usize, sent);
    check(&shop, &mixed, &clean);
    assert_eq!(shop.run()?.rows, 0);
    check(&shop, &mixed, &clean);
    Ok(())
}

fn check(shop: &Shop, mixed: &[Case], clean: &[Case]) {
    let columns = ["_partition", "_offset", "id", "note", "_rescued", "_topic", "_key"];
    let mut rows = by_place(shop.rows("bronze/orders", &columns));
    let columns = ["_partition", "_offset", "payload", "reason", "stream", "_topic", "_key"];
    let mut rejects = by_place(shop.rows("_sluice/rejects", &columns));
    let cases =
        [(0, mixed), (1, clean)].into_iter().flat_map(|(p, cases)| cases.iter().enumerate().map(move |c| (p, c)));
    for (partition, (offset, case)) in cases {
        let place = (partition, offset as i64);
        let row = match &case.fate {
            Fate::Row(id, note, rescued) => {
                let row = rows.remove(&place).unwrap_or_else(|| panic!("bronze lacks {place:?}"));
                let found = (&row["id"], &row["note"], &row["_rescued"]);
                assert!(found == (id, note, rescued), "{place:?}: {id} became {:?}", found.0);
                row
            }
            Fate::Reject(reason) => {
                let row = rejects.remove(&place).unwrap_or_else(|| panic!("rejects lack {place:?} ({reason})"));
                let said = row["reason"].as_str().unwrap_or_default();
                assert!(said.contains(reason), "{place:?}: {reason:?} is not in {said:?}");
                let kept = case.payload.as_deref().map(hex);
                assert!(row["payload"].as_str() == kept.as_deref(), "{place:?}: the bytes are not those that came");
                assert_eq!(row["stream"], "orders", "{place:?}");
                row
            }
        };
        assert_eq!((&row["_topic"], &row["_key"]), (&json!("bad-orders"), &json!(hex(b"the key"))), "{place:?}");
    }
    assert!(rows.is_empty(), "bronze holds what nobody sent: {:?}", rows.keys());
    assert!(rejects.is_empty(), "rejects hold what nobody sent: {:?}", rejects.keys());

    // The model has heard of every row once: duplicates would show in its counts.
    let expected = |case: &&Case| matches!(&case.fate, Fate::Row(..));
    let orders: i64 = shop.rows("gold/spend", &["orders"]).iter().filter_map(|r| r["orders"].as_i64()).sum();
    assert_eq!(orders as usize, mixed.iter().chain(clean).filter(expected).count());
}

/// Rows by partition and offset; two rows of one record are a failure.
fn by_place(rows: Vec<Value>) -> BTreeMap<(i64, i64), Value> {
    let count = rows.len();
    let place = |row: &Value| (row["_partition"].as_i64().unwrap(), row["_offset"].as_i64().unwrap());
    let map: BTreeMap<_, _> = rows.into_iter().map(|row| (place(&row), row)).collect();
    assert_eq!(map.len(), count, "a record is there twice");
    map
}

/// An empty topic gives empty tables, that are there.
#[test]
fn empty_topic() -> anyhow::Result<()> {
    let kafka = Kafka::shared()?;
    kafka.create_topic("bad-empty", 3)?;
    let shop = Shop::new().kafka(&kafka.brokers(), "bad-empty");
    assert_eq!(shop.run()?.rows, 0);
    for table in ["bronze/orders", "gold/spend", "_sluice/rejects"] {
        assert!(shop.rows(table, &[]).is_empty(), "{table}");
    }
    Ok(())
}

/// An empty file gives empty tables; empty lines, and a last line without its end, are records.
#[test]
fn empty_file() -> anyhow::Result<()> {
    let shop = Shop::new().orders("");
    assert_eq!(shop.run()?.rows, 0);
    assert!(shop.rows("bronze/orders", &[]).is_empty() && shop.rows("gold/spend", &[]).is_empty());
    let shop = shop.orders("\n{\"id\":1}\r\n\n{\"id\":2}");
    assert_eq!(shop.run()?.rows, 4);
    assert_eq!(
        shop.rows("bronze/orders", &["id", "_offset"]),
        [json!({"id":1,"_offset":1}), json!({"id":2,"_offset":12})]
    );
    let empty = |at: i64| json!({"_offset": at, "reason": "the message is empty", "payload": ""});
    assert_eq!(shop.rows("_sluice/rejects", &["_offset", "reason", "payload"]), [empty(0), empty(11)]);
    Ok(())
}

/// A topic with nothing but bad records is read to its end.
#[test]
fn nothing_but_bad_records() -> anyhow::Result<()> {
    let shop = Shop::new().orders(&"{\"id\":\n".repeat(20_000));
    assert_eq!(shop.run()?.rows, 20_000);
    assert!(shop.rows("bronze/orders", &[]).is_empty());
    assert_eq!(shop.rows("_sluice/rejects", &["_offset"]).len(), 20_000);
    Ok(())
}
