//! Plans and lowered operators of SQL as people write it.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::empty::EmptyTable;
use sluice_operators::window::aggregate::FollowsTime;

use super::op::Op;
use super::session::spark_session;
use super::{lower, plan_query};

fn block<T>(f: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(f)
}

/// `b.t (id bigint, at timestamp, name string, price double)`, rows only come.
fn lowered(sql: &str) -> Result<String, String> {
    lowered_op(sql).map(|op| op.strategy().name().to_owned())
}

fn lowered_op(sql: &str) -> Result<Op, String> {
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
    let follows = FollowsTime::new(|time_us| Some(super::times::timestamp(time_us)));
    let table = lower::Table { append_only: true, times: vec![None, Some(follows), None, None] };
    let tables = [("b.t".to_owned(), table)].into();
    lower::lower(&planned.plan, &tables).map_err(|e| format!("{e}\n{}", planned.plan.display_indent()))
}

/// Which strategy a query gets.
#[test]
fn strategies() {
    let cases = [
        ("select id, upper(name) as n from b.t where price > 1", "append"),
        ("select id from b.t union all select 1 as id", "append"),
        ("select name, count(*) as n, sum(price) as s from b.t group by name having count(*) > 1", "aggregate"),
        ("select distinct name from b.t", "aggregate"),
        (
            "select name, count_if(id > 1) as n, count_if(id > 2) filter (where price > 0) as m from b.t group by name",
            "aggregate",
        ),
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

/// Whether rows are looked for by `find` anywhere in a query's operators.
fn has(sql: &str, find: fn(&Op) -> bool) -> bool {
    fn any(op: &Op, find: fn(&Op) -> bool) -> bool {
        find(op) || op.inputs().into_iter().any(|input| any(input, find))
    }
    any(&lowered_op(sql).unwrap_or_else(|error| panic!("{sql}: {error}")), find)
}

/// The first row of each key is kept alone, and of the first n no more are shown, however the number is compared.
#[test]
fn first_rows_of_keys() {
    let numbered =
        "select id, rn from (select id, row_number() over (partition by name order by at) as rn from b.t) as x";
    for first in ["rn = 1", "rn <= 1", "1 = rn", "rn < 2", "cast(rn as bigint) = 1", "rn = 1 and id > 3"] {
        assert!(has(&format!("{numbered} where {first}"), |op| matches!(op, Op::Dedupe { .. })), "{first}");
    }
    for three in ["rn <= 3", "rn < 4", "3 >= rn", "rn = 3"] {
        let is_three = |op: &Op| matches!(op, Op::Over { spec, .. } if spec.first_rows == Some(3));
        assert!(has(&format!("{numbered} where {three}"), is_three), "{three}");
    }
    let all = |op: &Op| matches!(op, Op::Over { spec, .. } if spec.first_rows.is_none());
    assert!(has(&format!("{numbered} where rn > 3"), all));
}

/// The one value of a query without a table, as text.
fn value(expression: &str) -> String {
    use datafusion::arrow::util::display::array_value_to_string;
    // Two rows and a filter that nobody can see through, so that the expression is computed and not folded.
    let sql = format!(
        "select {expression} as v from (values (1, 0, 2.5, 'abc'), (7, 3, -0.0, ' 12 ')) as t(one, zero, d, s)"
    );
    let context = spark_session([]);
    let shown: Result<String, String> = block(async {
        let planned = plan_query(&context, &sql).await.map_err(|e| e.message)?;
        let frame = datafusion::prelude::DataFrame::new(context.state(), planned.plan);
        let rows = frame.collect().await.map_err(|e| e.to_string())?;
        let rows = datafusion::arrow::compute::concat_batches(&rows[0].schema(), &rows).map_err(|e| e.to_string())?;
        let text =
            |i| if rows.column(0).is_null(i) { Ok("NULL".into()) } else { array_value_to_string(rows.column(0), i) };
        let texts: Result<Vec<String>, _> = (0..rows.num_rows()).map(text).collect();
        texts.map(|t| t.join(" ")).map_err(|e| e.to_string())
    });
    shown.unwrap_or_else(|error| format!("error: {error}"))
}

/// Casts and divisions have Spark's results with ANSI off, above all NULL where there is none.
#[test]
fn casts_and_divisions() {
    let cases = [
        ("one / zero", "NULL 2.3333333333333335"),
        ("one % zero", "NULL 1"),
        ("one / d", "0.400000 NULL"),
        ("one % d", "1.0 NULL"),
        ("one div zero", "NULL 2"),
        ("one / 2", "0.5 3.5"),
        ("one / 0", "NULL NULL"),
        ("one / null", "NULL NULL"),
        ("mod(one, zero)", "NULL 1"),
        ("pmod(-one, zero)", "NULL 2"),
        ("cast(d as decimal(5,2)) / cast(zero as decimal(5,2))", "NULL 0.000000"),
        ("cast(s as int)", "NULL 12"),
        ("s::bigint", "NULL 12"),
        ("try_cast(s as int)", "NULL 12"),
        ("cast(s as double)", "NULL 12.0"),
        ("cast(s as date)", "NULL NULL"),
        ("cast(concat(s, '.7') as int)", "NULL NULL"),
        ("cast(concat(trim(s), '.7') as smallint)", "NULL 12"),
        ("cast(one * 100 as tinyint)", "100 -68"),
        ("cast(d * cast('1e30' as double) as int)", "2147483647 0"),
        ("cast(d * 1000 as decimal(4,1))", "NULL 0.0"),
        ("cast(one as timestamp)", "1970-01-01T00:00:01Z 1970-01-01T00:00:07Z"),
        ("cast(d as timestamp)", "1970-01-01T00:00:02.500Z 1970-01-01T00:00:00Z"),
        ("cast(one * 9000000000000000 as timestamp)", "NULL NULL"),
        ("cast(timestamp_millis(one * -1500) as bigint)", "-2 -11"),
        ("cast(timestamp_millis(one * 1500) as double)", "1.5 10.5"),
        ("cast(cast('2024-02-03 04:05:06' as timestamp) as date)", "2024-02-03 2024-02-03"),
        ("cast('2024-13-01' as timestamp)", "NULL NULL"),
        ("zero = s", "NULL false"),
        ("count_if(one > 1) over ()", "1 1"),
        ("count_if(one > 1) filter (where zero > 0) + count_if(one > 1 or zero > 0)", "2"),
        ("count_if(one > 1 or one < 7) filter (where zero > 0 or d > 2)", "2"),
        ("first(nullif(one, 1), true)", "7"),
        ("first(one)", "1"),
        ("last(one) ignore nulls", "7"),
        ("any_value(one) + last(zero)", "4"),
        ("first(one) over (order by one desc)", "7 7"),
        ("every(one > 0)", "true"),
        ("count_if(distinct one > 1)", "error: count_if(distinct"),
        ("no_such_function(one)", "error: Invalid function 'no_such_function'"),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .map(|(sql, expected)| (sql, expected, value(sql)))
        .filter(|(_, expected, found)| !found.starts_with(*expected))
        .map(|(sql, expected, found)| format!("{sql}: expected {expected}, found {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Functions whose value does not follow from their arguments are seen, wherever they stand.
#[test]
fn changing_functions() {
    let context = spark_session([]);
    let changing = |sql: &str| block(plan_query(&context, sql)).map(|p| p.changing).map_err(|e| e.message);
    let cases = [
        ("select now() as t", Some("now")),
        ("select current_timestamp() as t", Some("now")),
        ("select current_timestamp as t", Some("now")),
        ("select 1 as one where current_date() > date '2024-01-01'", Some("current_date")),
        ("select count(*) as n from (select uuid() as u) as x group by u", Some("uuid")),
        ("select 1 as one where exists (select 1 as two where curdate() > date '2024-01-01')", Some("current_date")),
        (
            "with x as (select 1 as one) select a.one from x a join x b on a.one = b.one and now() > timestamp '2024-01-01'",
            Some("now"),
        ),
        ("select date_trunc('day', timestamp '2024-01-01') as d, md5('x') as m, upper('a') as u", None),
    ];
    for (sql, expected) in cases {
        assert_eq!(changing(sql), Ok(expected.map(str::to_owned)), "{sql}");
    }
}
