//! Faults of a project: each has its file, its line where it has one, the object and the way out.

use super::says;
use super::shop::{DBT, SOURCES, SPEND, Shop};

fn with_model(sql: &str) -> String {
    Shop::new().with("models/spend.sql", sql).faults()
}

/// SQL that does not parse has the file and the line where the parser stopped.
#[test]
fn sql_that_does_not_parse() {
    let faults = with_model(&SPEND.replace("group by id", "group bye id"));
    says(&faults, &["models/spend.sql:4: ", "does not parse", "found: group; correct the model's SQL"]);
}

/// A line of the file is found also where templates before it took or gave lines.
#[test]
fn sql_that_does_not_parse_after_a_template() {
    let sql =
        "{% set names = ['a', 'b'] %}\nselect\n{% for n in names %}\n  1 as {{ n }},\n{% endfor %}\n  id\nfrm x\n";
    says(&with_model(sql), &["models/spend.sql:7: ", "does not parse", "found: x"]);
    let sql = SPEND.replace("group by id", "{{ 'group bye' }} id");
    says(&with_model(&sql), &["models/spend.sql: ", "does not parse", "in `group bye id` (as it was rendered)"]);
}

/// More than one statement, none, and one that is no query are told apart.
#[test]
fn sql_that_is_no_query() {
    says(&with_model("select 1; select 2"), &["models/spend.sql", "more than one statement", "one SELECT"]);
    says(&with_model("-- nothing"), &["models/spend.sql", "the SQL is empty", "one SELECT"]);
    says(&with_model("drop table x"), &["models/spend.sql", "one SELECT", "DROP TABLE"]);
}

/// A ref to nothing proposes the nearest name, at its line.
#[test]
fn ref_to_nothing() {
    let faults = Shop::new().with("models/big.sql", "select *\nfrom {{ ref('spent') }}").faults();
    says(&faults, &["models/big.sql:2: ", "\"spent\"", "no model and no seed", "did you mean \"spend\"?"]);
}

/// A cycle is printed.
#[test]
fn cycle() {
    let shop = Shop::new().with("models/a.sql", "select * from {{ ref('b') }}");
    let faults = shop.with("models/b.sql", "select * from {{ ref('a') }}").faults();
    says(&faults, &["models/a.sql:1: ", "cycle", "a -> b -> a", "remove one of these refs"]);
}

/// An unknown column has its line, with the columns that there are: that of the place where it is not known, also when
/// another query in the file knows it, and the first when it is wrong twice.
#[test]
fn unknown_column() {
    let faults = with_model(&SPEND.replace("sum(amount)", "sum(amout)"));
    says(&faults, &["models/spend.sql:2: ", "amout", "amount"]);
    let inner = "with o as (\n  select id as amount_id, amount\n  from {{ source('shop', 'orders') }}\n)\nselect\n  ";
    says(&with_model(&format!("{inner}amount_id,\n  id\nfrom o")), &["models/spend.sql:7: ", "id"]);
    says(&with_model(&format!("{inner}idd\nfrom o\ngroup by idd")), &["models/spend.sql:6: ", "idd"]);
}

/// An unknown column in a line that a template made has the line of the file in which it is written.
#[test]
fn unknown_column_after_a_template() {
    let sql = "{% set f = 'sum' %}\n-- no amout here\nselect id,\n  {{ f }}(amout) as spent\nfrom {{ source('shop', 'orders') }}\ngroup by id";
    says(&with_model(sql), &["models/spend.sql:4: ", "amout"]);
}

/// An unknown function has its line, with the one that may be meant.
#[test]
fn unknown_function() {
    let sql = SPEND.replace("sum(amount)", "\n  summ(amount)");
    says(&with_model(&sql), &["models/spend.sql:3: ", "summ", "sum"]);
}

/// A comparison of what cannot be compared has its line, though the message has no name: in a filter, in a column and in
/// a join.
#[test]
fn wrong_type_in_a_comparison() {
    let from = "from {{ source('shop', 'orders') }} o";
    let filter = format!("select id,\n  note\n{from}\nwhere id > 1\n  and amount > date '2024-01-01'\n");
    says(&with_model(&filter), &["models/spend.sql:5: ", "Float64", "Date32"]);
    let column = format!("select id,\n  amount,\n  amount >= date '2024-01-01' as late\n{from}\n");
    says(&with_model(&column), &["models/spend.sql:3: ", "Float64", "Date32"]);
    let join = format!(
        "select o.id\n{from}\njoin {{{{ source('shop', 'orders') }}}} p\n  on o.id = p.id\n  and o.amount = date '2024-01-01'\n"
    );
    says(&with_model(&join), &["models/spend.sql:5: ", "Float64", "Date32"]);
}

/// A table that is written without ref or source has its line.
#[test]
fn unknown_table() {
    says(&with_model("select *\nfrom orderz"), &["models/spend.sql:2: ", "orderz"]);
}

/// What reads a faulty model adds nothing: one fault, one line.
#[test]
fn one_fault_is_one_line() {
    let shop = Shop::new().with("models/spend.sql", "select nothing from {{ source('shop', 'orders') }}");
    let faults = shop.with("models/big.sql", "select * from {{ ref('spend') }}").faults();
    assert_eq!(faults.matches("models/").count(), 1, "{faults}");
}

/// A column of a stream with a type that nobody knows has its line.
#[test]
fn unknown_type_of_a_stream_column() {
    let sources = SOURCES.replace("name: amount, data_type: double", "name: amount, data_type: money");
    let faults = Shop::new().with("models/sources.yml", &sources).faults();
    says(&faults, &["models/sources.yml:10: ", "amount", "shop.orders", "\"money\"", "use a Spark SQL type", "double"]);
}

/// An event time over a column that is not there names the stream and the column.
#[test]
fn event_time_of_nothing() {
    let faults = Shop::new().with("models/sources.yml", &SOURCES.replace("timestamp_millis(ts)", "tss")).faults();
    says(&faults, &["models/sources.yml:5: ", "event_time", "shop.orders", "tss", "gives a timestamp"]);
}

/// An unknown key of `sluice.yml` proposes the nearest.
#[test]
fn unknown_key_in_sluice_yml() {
    let text = "version: 1\nsources:\n  shop: { files: { path: ./events } }\nlake: ./lake\nrun:\n  worker: 2\n";
    let faults = Shop::new().with("sluice.yml", text).faults();
    says(&faults, &["sluice.yml:6: run.worker is not a known key", "did you mean \"workers\"?"]);
}

/// A duration without a unit is refused, in each file that has durations.
#[test]
fn duration_without_a_unit() {
    let text = "version: 1\nsources:\n  shop: { files: { path: ./events } }\nlake: ./lake\nrun:\n  epoch: 10\n";
    let faults = Shop::new().with("sluice.yml", text).faults();
    says(&faults, &["sluice.yml:6: run.epoch", "\"10\" has no unit", "\"10 seconds\""]);
    let sources = SOURCES.replace("10 minutes", "10");
    let faults = Shop::new().with("models/sources.yml", &sources).faults();
    says(&faults, &["models/sources.yml:6: ", "shop.orders", "watermark", "\"10\" has no unit"]);
}

/// A key that names a column that the model lacks is shown those that it has.
#[test]
fn unique_key_of_nothing() {
    let faults = with_model(&SPEND.replace("unique_key='id'", "unique_key=['id', 'day']"));
    says(
        &faults,
        &["models/spend.sql", "unique_key", "\"day\"", "\"spend\"", "id, orders, spent", "select the column"],
    );
    let faults = with_model(&SPEND.replace("unique_key='id'", "unique_key='id', partition_by=['day']"));
    says(&faults, &["models/spend.sql", "partition_by", "\"day\"", "id, orders, spent"]);
}

/// A model for ClickHouse needs a key.
#[test]
fn clickhouse_without_a_key() {
    let sql = SPEND.replace("{{ config(unique_key='id') }}\n", "");
    let shop = Shop::new().clickhouse("url: \"http://127.0.0.1:1\", database: shop");
    let faults = shop.with("models/spend.sql", &sql).faults();
    says(&faults, &["models/spend.sql", "\"spend\"", "ClickHouse", "no unique_key", "config(unique_key=[...])"]);
}

/// Two models of one name name each other.
#[test]
fn two_models_of_one_name() {
    let faults = Shop::new().with("models/more/spend.sql", SPEND).faults();
    says(&faults, &["\"spend\"", "models/", "spend.sql", "unique", "rename one"]);
    assert!(faults.contains("models/spend.sql") && faults.contains("models/more/spend.sql"), "{faults}");
}

/// Two columns of one name are refused with the way out.
#[test]
fn two_columns_of_one_name() {
    let faults = with_model("select id, amount as id from {{ source('shop', 'orders') }}");
    says(&faults, &["models/spend.sql", "two columns", "\"id\"", "AS"]);
}

/// All faults come at once, each with its own file.
#[test]
fn all_faults_at_once() {
    let shop = Shop::new().with("dbt_project.yml", &DBT.replace("name: shop\n", "name: shop\nseed-path: [x]\n"));
    let shop = shop.with("models/a.sql", "{{ ref('nobody_at_all') }}").with("models/b.sql", "{{ var('none') }}");
    let faults = shop.faults();
    for file in ["models/a.sql:1: ", "models/b.sql:1: "] {
        assert!(faults.contains(file), "{faults}");
    }
}

/// A folder without a project says what is missing.
#[test]
fn no_project() {
    let shop = Shop::new();
    std::fs::remove_file(shop.path("dbt_project.yml")).unwrap();
    std::fs::remove_file(shop.path("sluice.yml")).unwrap();
    let faults = shop.faults();
    assert!(faults.contains("dbt_project.yml: ") && faults.contains("sluice.yml: "), "{faults}");
    says(&faults, &["sluice init"]);
}
