//! A project with each kind of table, small enough that its start takes no time: a stream of orders, the first of each
//! order's records, sums by customer and by minute, and a full query.

use std::fs;
use std::path::Path;

const DBT: &str = "name: soak\nversion: '1.0'\nmodels:\n  +materialized: table\n  +schema: gold\n  +tags: [gold]\n";

const SOURCES: &str = "sources:
  - name: shop
    schema: bronze
    tables:
      - name: orders
        meta: { stream: { topic: orders, event_time: \"timestamp_millis(ts)\" } }
        columns:
          - { name: id, data_type: bigint }
          - { name: customer, data_type: bigint }
          - { name: ts, data_type: bigint }
          - { name: amount, data_type: double }
";

const MODELS: [(&str, &str); 4] = [
    (
        "first_orders",
        "{{ config(unique_key='id', tags=['silver']) }}
select id, customer, ts, amount from (
  select *, row_number() over (partition by id order by _offset, _partition) as n from {{ source('shop', 'orders') }}
) where n = 1
",
    ),
    (
        "spend",
        "{{ config(unique_key='customer') }}
select customer, count(*) as orders, sum(amount) as spent, max(ts) as last from {{ ref('first_orders') }} group by customer
",
    ),
    (
        "per_minute",
        "{{ config(unique_key='minute') }}
select window.start as minute, count(*) as orders, count(distinct customer) as customers
from {{ source('shop', 'orders') }} group by window(timestamp_millis(ts), '1 minute')
",
    ),
    ("best", "{{ config(unique_key='customer') }}\nselect customer, spent from {{ ref('spend') }} order by spent desc, customer limit 10\n"),
];

/// Writes the project into a folder.
pub fn write(folder: &Path, settings: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("models"))?;
    fs::write(folder.join("dbt_project.yml"), DBT)?;
    fs::write(folder.join("models/sources.yml"), SOURCES)?;
    for (name, sql) in MODELS {
        fs::write(folder.join("models").join(format!("{name}.sql")), sql)?;
    }
    Ok(fs::write(folder.join("sluice.yml"), settings)?)
}

/// The `n`th record: some orders come twice, some records are malformed.
pub fn record(n: u64) -> Vec<u8> {
    let id = if n % 50 == 7 { n - 7 } else { n };
    let text = format!(
        "{{\"id\":{id},\"customer\":{},\"ts\":{},\"amount\":{}.25}}",
        (id * 7_919) % 101,
        1_700_000_000_000 + id * 250,
        id % 97
    );
    let end = if n % 200 == 11 { text.len() / 2 } else { text.len() };
    text.as_bytes()[..end].to_vec()
}
