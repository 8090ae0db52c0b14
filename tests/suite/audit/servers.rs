//! The audit over real servers: gaps of Kafka's log itself, and rows of ClickHouse.

use sluice_tests::services::{ClickHouse, Kafka};

use crate::bad_input::{Shop, sluice};

fn order(id: usize) -> Vec<u8> {
    format!("{{\"id\":{id},\"ts\":1700000000000,\"amount\":1.5}}").into_bytes()
}

fn verify(shop: &Shop) -> (Option<i32>, String) {
    let (code, out, err) = sluice(&["verify", "--deep", "--project", &shop.dir()]);
    (code, format!("{out}{err}"))
}

/// Marks of transactions and aborted records are no loss, deleted records cannot be judged and are said to be so, and a
/// row that is missing in bronze is found though the log has gaps of its own.
#[test]
fn gaps_of_the_log() {
    let kafka = Kafka::shared().unwrap();
    kafka.create_topic("audited", 2).unwrap();
    let put = |partition: i32, ids: std::ops::Range<usize>| {
        let orders: Vec<_> = ids.map(order).collect();
        let records: Vec<_> = orders.iter().map(|o| (None, Some(o.as_slice()))).collect();
        kafka.produce("audited", partition, &records).unwrap();
    };
    let transact = |ids: std::ops::Range<usize>, commit: bool| {
        let orders: Vec<_> = ids.map(order).collect();
        kafka.produce_in_transaction("audited", 0, &orders, commit).unwrap();
    };
    put(0, 0..3);
    transact(3..6, true);
    transact(6..9, false);
    put(1, 9..20);
    transact(20..22, true);
    let shop = Shop::new().kafka(&kafka.brokers(), "audited");
    shop.run().unwrap();
    let (code, text) = verify(&shop);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("everything adds up") && !text.contains("note:"), "{text}");

    kafka.delete_records("audited", 0, 5).unwrap();
    let (code, text) = verify(&shop);
    assert_eq!(code, Some(0), "the rows are there: {text}");

    let table = shop.path("lake/bronze/orders");
    let log = table.join("_delta_log");
    let last = (0..).take_while(|v| log.join(format!("{v:020}.json")).exists()).last().unwrap();
    let text = std::fs::read_to_string(log.join(format!("{last:020}.json"))).unwrap();
    let add = text.lines().find_map(|l| Some(l.split_once("\"add\":{\"path\":\"")?.1.split_once('"')?.0)).unwrap();
    let remove = format!("{{\"remove\":{{\"path\":\"{add}\",\"dataChange\":true,\"deletionTimestamp\":0}}}}");
    std::fs::write(log.join(format!("{:020}.json", last + 1)), remove).unwrap();
    let (code, text) = verify(&shop);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("bronze.orders: its log says "), "{text}");
    assert!(
        text.contains("WRONG: bronze.orders: partition ") && text.contains("records are lost, of offsets"),
        "{text}"
    );
}

/// A row that was deleted in ClickHouse, and one that was added there, are found.
#[test]
fn rows_of_clickhouse() {
    let clickhouse = ClickHouse::shared().unwrap();
    let settings = format!(
        "url: \"{}\", database: audited, user: {}, password: {}",
        clickhouse.url(),
        clickhouse.user(),
        clickhouse.password()
    );
    let orders: String = (0..9).map(|i| String::from_utf8(order(i)).unwrap() + "\n").collect();
    let shop = Shop::new().orders(&orders).clickhouse(&settings);
    shop.run().unwrap();
    let (code, text) = verify(&shop);
    assert_eq!(code, Some(0), "{text}");
    let alter = |sql: &str| clickhouse.query(sql).unwrap();
    alter("ALTER TABLE audited.spend__rows DELETE WHERE id = 4 SETTINGS mutations_sync = 2");
    let (code, text) = verify(&shop);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("gold.spend in clickhouse: held against the lake's table, 1 rows are missing and 0 are too many"),
        "{text}"
    );
    assert!(text.contains("missing: id=4"), "{text}");
    alter("ALTER TABLE audited.spend__rows UPDATE spent = 7 WHERE id = 5 SETTINGS mutations_sync = 2");
    let (_, text) = verify(&shop);
    assert!(text.contains("2 rows are missing and 1 are too many") && text.contains("too many: id=5"), "{text}");
}
