//! Plans and lowered operators of SQL as people write it.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::empty::EmptyTable;

use super::session::spark_session;
use super::{lower, plan_query};

fn block<T>(f: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(f)
}

/// `b.t (id bigint, at timestamp, name string, price double)`, rows only come.
fn lowered(sql: &str) -> Result<String, String> {
    let context = spark_session(["b"]);
    let field = |n: &str, t| Field::new(n, t, true);
    let schema = Schema::new(vec![
        field("id", DataType::Int64),
        field("at", super::types::timestamp()),
        field("name", DataType::Utf8),
        field("price", DataType::Float64),
    ]);
    let table = datafusion::common::TableReference::partial("b", "t");
    context.register_table(table, Arc::new(EmptyTable::new(Arc::new(schema)))).expect("a new table");
    let planned = block(plan_query(&context, sql)).map_err(|e| e.message)?;
    let tables = [("b.t".to_owned(), true)].into();
    let op = lower::lower(&planned.plan, &tables).map_err(|e| format!("{e}\n{}", planned.plan.display_indent()))?;
    Ok(op.strategy().name().to_owned())
}

/// Which strategy a query gets.
#[test]
fn strategies() {
    let cases = [
        ("select id, upper(name) as n from b.t where price > 1", "append"),
        ("select id from b.t union all select 1 as id", "append"),
        ("select name, count(*) as n, sum(price) as s from b.t group by name having count(*) > 1", "aggregate"),
        ("select distinct name from b.t", "aggregate"),
        ("select window.start as s, count(*) as n from b.t group by window(at, '5 minutes')", "window"),
        (
            "select window.end as e, name, count(*) as n from b.t where id > 1 group by window(at, '5 minutes', '1 minute'), name",
            "window",
        ),
        ("select l.id, r.name from b.t l join b.t r on l.id = r.id", "join"),
        ("select l.id, r.name from b.t l left join b.t r on l.id + 1 = r.id", "join"),
        (
            "with x as (select id as k, name, at from b.t where id is not null), \
             y as (select k, name from (select k, name, row_number() over (partition by k order by at) as rn from x) as r where rn = 1), \
             z as (select k, case when name rlike 'x' then upper(name) else name end as name from y) \
             select k, md5(concat_ws('|', coalesce(cast(k as string), '-'), coalesce(name, '-'))) as h, md5(coalesce(name, '-')) as h2, name from z",
            "keyed",
        ),
    ];
    for (sql, expected) in cases {
        assert_eq!(lowered(sql).as_deref(), Ok(expected), "{sql}");
    }
}
