//! A project that was changed after it has run: refused where a stream's rows would be others than those that are there, and
//! noticed only where rows are made in another way. What is not refused: `suite/changed`.

use sluice_engine::ErrorKind;

use super::says;
use super::shop::{SOURCES, Shop};

const CHEAP: &str = "select id, amount * 2 as twice from {{ source('shop', 'orders') }} where amount < 5";
const COPY: &str = "select * from {{ ref('cheap') }}";
const ALIKE: &str = "select id, amount * 2 as twice from {{ source('shop', 'orders') }} where amount < 6";
/// A full query: what it holds is made anew each time, so nothing of it is old.
const BEST: &str =
    "select id from {{ source('shop', 'orders') }} where now() > timestamp '2000-01-01' order by amount desc limit 1";

/// A project with every kind of node that keeps no state, after a first run.
fn ran() -> Shop {
    let shop = Shop::new()
        .with("models/cheap.sql", CHEAP)
        .with("models/alike.sql", ALIKE)
        .with("models/copy.sql", COPY)
        .with("models/best.sql", BEST)
        .with("seeds/kinds.csv", "kind,label\n1,one\n2,two\n")
        .orders("{\"id\":1,\"ts\":0,\"amount\":2.5}\n");
    assert_eq!(shop.run().unwrap().rows, 3);
    shop
}

/// The start is refused, and the message has the names of what has changed and what can be done.
#[track_caller]
fn refused(shop: Shop, file: &str, changed: &str, words: &[&str]) -> Shop {
    let before = std::fs::read_to_string(shop.path(file)).unwrap();
    let shop = shop.with(file, changed);
    let error = shop.run().expect_err(file);
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let text = error.to_string();
    says(&text, &["the project has changed since epoch", "\"shop\""]);
    says(&text, words);
    says(&text, &["take the change back", "another folder as `lake`", "delete everything in this one"]);
    assert!(!text.contains("sluice "), "no command can mend it: {text}");
    shop.with(file, &before)
}

/// Each change of what a stream's rows are is refused, by the name of its table; taken back, the run goes on.
#[test]
fn changes_of_streams() {
    let shop = ran();
    let less = SOURCES.replace("          - { name: note, data_type: string }\n", "");
    let shop = refused(shop, "models/sources.yml", &less, &["decode/bronze.orders"]);
    let integer = SOURCES.replace("amount, data_type: double", "amount, data_type: bigint");
    let shop = refused(shop, "models/sources.yml", &integer, &["decode/bronze.orders"]);
    let seconds = SOURCES.replace("timestamp_millis", "timestamp_seconds");
    let shop = refused(shop, "models/sources.yml", &seconds, &["(changed: decode/bronze.orders)"]);
    let shop = shop.orders("{\"id\":1,\"ts\":0,\"amount\":2.5}\n{\"id\":2,\"ts\":0,\"amount\":1}\n");
    assert_eq!(shop.run().unwrap().rows, 1);
    assert_eq!(shop.rows("gold/copy", &["id"]).len(), 2);
}

/// What makes no other rows may change: comments, white space, descriptions, a full query.
#[test]
fn changes_that_are_none() {
    let shop = ran()
        .with("models/cheap.sql", &format!("-- only these\n{}", CHEAP.replace(" where", "\n  where")))
        .with("models/sources.yml", &SOURCES.replace("name: id,", "name: id, description: \"the order's\","))
        .with("models/schema.yml", "models: [ { name: cheap, description: cheap ones } ]\n")
        .with("models/best.sql", &BEST.replace("limit 1", "limit 2"))
        .orders("{\"id\":1,\"ts\":0,\"amount\":2.5}\n{\"id\":2,\"ts\":0,\"amount\":1}\n");
    assert_eq!(shop.run().unwrap().rows, 1);
    assert_eq!(shop.rows("gold/cheap", &["id"]).len(), 2);
    assert_eq!(shop.rows("gold/best", &["id"]).len(), 2);
}

/// What the message advises works: another lake, and the same folder when everything in it is deleted.
#[test]
fn beginning_anew() {
    let shop =
        ran().with("models/sources.yml", &SOURCES.replace("amount, data_type: double", "amount, data_type: float"));
    shop.run().expect_err("changed");
    std::fs::remove_dir_all(shop.path("lake")).unwrap();
    shop.run().unwrap();
    assert_eq!(shop.rows("gold/cheap", &["twice"])[0]["twice"], 5.0);
    let other = shop.path("other").display().to_string();
    let shop = shop.with("models/sources.yml", SOURCES).lake(&other);
    shop.run().unwrap();
    assert_eq!(shop.rows("gold/cheap", &["twice"])[0]["twice"], 5.0);
}
