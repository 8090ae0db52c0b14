//! The queries: what analysts write, each form of it once or more. `id` tells rows apart, so that orders can be whole.

/// What a query needs of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// Its doubles depend on the order of the rows in their last digits.
    Tolerance,
}

use Needs::{Nothing, Tolerance};

pub const QUERIES: &[(&str, Needs, &str)] = &[
    ("filter", Nothing, "select id, v + 1 as w from b.t where v > 0"),
    ("union", Nothing, "select id, v from b.t union all select id, v from b.u"),
    (
        "aggregate",
        Nothing,
        "select g, count(*) as n, sum(v) as s, min(v) as lo, max(v) as hi, avg(d) as a, count(distinct k) as c from b.t group by g having count(*) > 1",
    ),
    ("distinct", Nothing, "select distinct k, g from b.t"),
    ("over_row_number", Nothing, "select id, row_number() over (partition by k order by at, id) as rn from b.t"),
    (
        "over_row_number_desc",
        Nothing,
        "select id, row_number() over (partition by g order by v desc, id) as rn from b.t",
    ),
    (
        "over_rank",
        Nothing,
        "select id, rank() over (partition by k order by v) as r, dense_rank() over (partition by k order by v) as dr from b.t",
    ),
    (
        "over_lag_lead",
        Nothing,
        "select id, lag(v) over (partition by k order by at, id) as l, lead(at, 2) over (partition by k order by at, id) as n, lag(v, 3, -1) over (partition by k order by at, id) as l3 from b.t",
    ),
    (
        "over_running",
        Nothing,
        "select id, sum(v) over (partition by k order by at, id) as s, count(v) over (partition by k order by at, id rows between unbounded preceding and current row) as c, max(v) over (partition by k order by at, id) as m, min(g) over (partition by k order by at, id) as lo from b.t",
    ),
    (
        "over_peers",
        Nothing,
        "select id, sum(v) over (partition by k order by v) as s, count(*) over (partition by k order by v) as c, first_value(v) over (partition by k order by v) as f, last_value(v) over (partition by k order by v) as l, max(d) over (partition by k order by v) as hi from b.t",
    ),
    (
        "over_doubles",
        Nothing,
        "select id, sum(d) over (partition by k order by at, id) as s, avg(d) over (partition by k order by at, id) as a, avg(v) over (partition by k order by at, id) as av from b.t",
    ),
    (
        "over_all",
        Nothing,
        "select id, v, sum(v) over (partition by g) as s, count(*) over (partition by g) as c, max(at) over (partition by g) as last from b.t",
    ),
    (
        "over_no_partition",
        Nothing,
        "select id, row_number() over (order by at, id) as rn, sum(v) over (order by at, id) as s from b.t",
    ),
    (
        "over_frames",
        Nothing,
        "select id, sum(v) over (partition by k order by at, id rows between 2 preceding and current row) as s, avg(d) over (partition by k order by at, id rows between 1 preceding and 1 following) as a, max(v) over (partition by k order by at, id rows between current row and unbounded following) as m from b.t",
    ),
    (
        "over_other",
        Nothing,
        "select id, ntile(3) over (partition by k order by at, id) as n, percent_rank() over (partition by k order by v) as p, cume_dist() over (partition by k order by v) as c, nth_value(v, 2) over (partition by k order by at, id) as nv from b.t",
    ),
    (
        "over_filter",
        Nothing,
        "select id, count(*) filter (where v > 0) over (partition by k order by at, id) as c, count_if(v > 0) over (partition by k order by at, id) as ci from b.t",
    ),
    (
        "over_last_all",
        Nothing,
        "select id, last_value(v) over (partition by k order by at, id rows between unbounded preceding and unbounded following) as l, first_value(id) over (partition by k order by at, id) as f from b.t",
    ),
    (
        "over_several_orders",
        Nothing,
        "select id, lag(v) over (partition by k order by at, id) as a, lag(v) over (partition by g order by id) as b from b.t",
    ),
    (
        "first_of_key",
        Nothing,
        "select id, k from (select id, k, row_number() over (partition by k order by at, id) as rn from b.t) as x where rn = 1",
    ),
    (
        "top_of_key",
        Nothing,
        "select id, k, rn from (select id, k, row_number() over (partition by k order by v desc, id) as rn from b.t) as x where rn <= 3 and id > 2",
    ),
    (
        "qualify",
        Nothing,
        "select id, k, v from b.t qualify row_number() over (partition by k order by at desc, id) = 1",
    ),
    ("qualify_rank", Nothing, "select id, k, v from b.t qualify rank() over (partition by k order by v desc) <= 2"),
    (
        "scd2",
        Nothing,
        "with c as (select k, g, at, id, lag(g) over (partition by k order by at, id) as before from b.t where k is not null), v as (select k, g, at, id from c where before is null or before <> g) select k, g, at as valid_from, lead(at) over (partition by k order by at, id) as valid_to from v",
    ),
    (
        "sessions",
        Nothing,
        "with m as (select k, at, id, v, case when lag(at) over (partition by k order by at, id) >= at - interval '3' minute then 0 else 1 end as starts from b.t), n as (select k, at, v, sum(starts) over (partition by k order by at, id rows between unbounded preceding and current row) as s from m) select k, s, min(at) as a, max(at) as z, count(*) as n, sum(v) as v from n group by k, s",
    ),
    ("join", Nothing, "select t.id, u.id as uid, t.v, u.g from b.t join b.u on t.k = u.k"),
    ("join_residual", Nothing, "select t.id, u.id as uid from b.t join b.u on t.k = u.k and t.at >= u.at"),
    ("left", Nothing, "select t.id, u.id as uid, u.g from b.t left join b.u on t.k = u.k"),
    ("right", Nothing, "select t.id, u.id as uid, u.g from b.t right join b.u on t.k = u.k"),
    ("full", Nothing, "select t.id, u.id as uid, u.g, t.v from b.t full outer join b.u on t.k = u.k and t.g = u.g"),
    (
        "left_residual",
        Nothing,
        "select t.id, u.id as uid from b.t left join b.u on t.k = u.k and t.at >= u.at and u.v > 0",
    ),
    (
        "full_residual",
        Nothing,
        "select t.id, u.id as uid from b.t full join b.u on t.k = u.k and t.at >= u.at + interval '5' minute",
    ),
    ("join_using", Nothing, "select k, t.id, u.id as uid from b.t join b.u using (k)"),
    ("null_safe", Nothing, "select t.id, u.id as uid from b.t join b.u on t.k <=> u.k"),
    ("semi", Nothing, "select id, v from b.t left semi join b.u on t.k = u.k"),
    ("anti", Nothing, "select id, v from b.t left anti join b.u on t.k = u.k and t.v < u.v"),
    ("in", Nothing, "select id from b.t where k in (select k from b.u where v > 0)"),
    ("not_in", Nothing, "select id from b.t where k not in (select k from b.u where v > 2 and k is not null)"),
    ("not_in_nulls", Nothing, "select id from b.t where k not in (select k from b.u where v > 2)"),
    ("exists", Nothing, "select id from b.t where exists (select 1 from b.u where u.k = t.k and u.at > t.at)"),
    ("not_exists", Nothing, "select id from b.t where not exists (select 1 from b.u where u.k = t.k)"),
    ("exists_or", Nothing, "select id from b.t where v > 2 or exists (select 1 from b.u where u.k = t.k)"),
    ("scalar", Nothing, "select id, v - (select max(v) from b.u) as below from b.t"),
    ("scalar_correlated", Nothing, "select id, (select count(*) from b.u where u.k = t.k) as n from b.t"),
    ("cross", Nothing, "select t.id, u.id as uid from b.t cross join b.u where t.v = 1"),
    ("inequality", Nothing, "select t.id, u.id as uid from b.t join b.u on t.v > u.v"),
    ("except", Nothing, "select k, g from b.t except select k, g from b.u"),
    ("intersect", Nothing, "select k, g from b.t intersect select k, g from b.u"),
    ("union_distinct", Nothing, "select k, g from b.t union select k, g from b.u"),
    (
        "as_of",
        Nothing,
        "with d as (select k, g, at as valid_from, lead(at) over (partition by k order by at, id) as valid_to from b.u) select t.id, d.g, d.valid_from from b.t left join d on t.k = d.k and t.at >= d.valid_from and (d.valid_to is null or t.at < d.valid_to)",
    ),
    ("global", Nothing, "select count(*) as n, sum(v) as s, max(at) as last from b.t"),
    ("global_having", Nothing, "select count(*) as n from b.t having count(*) > 5"),
    ("rollup", Nothing, "select k, g, count(*) as n, sum(v) as s from b.t group by rollup(k, g) having count(*) > 0"),
    ("cube", Nothing, "select k, g, count(*) as n, grouping(k) as gk from b.t group by cube(k, g) having count(*) > 0"),
    (
        "grouping_sets",
        Nothing,
        "select k, g, max(v) as m from b.t group by k, g grouping sets ((k), (g), ()) having count(*) > 0",
    ),
    ("limit", Nothing, "select id, v from b.t order by v desc, id limit 5"),
    ("limit_offset", Nothing, "select id, v from b.t order by v nulls last, id desc limit 4 offset 2"),
    ("sum_distinct", Nothing, "select g, sum(distinct v) as s, avg(distinct v) as a from b.t group by g"),
    ("stddev", Tolerance, "select g, stddev(v) as s, var_pop(v) as p, stddev_pop(d) as sp from b.t group by g"),
    (
        "collect",
        Nothing,
        "select g, array_sort(collect_list(v)) as l, array_sort(collect_set(k)) as s from b.t group by g",
    ),
    ("percentile", Nothing, "select g, median(v) as m from b.t group by g"),
    (
        "first_in_order",
        Nothing,
        "select g, first_value(id order by at, id) as f, last_value(v order by id) as l from b.t group by g",
    ),
    ("bools", Nothing, "select g, bool_and(v > 0) as a, bool_or(v > 0) as o, bit_or(v) as bo from b.t group by g"),
    ("approx_distinct", Nothing, "select g, approx_distinct(k) as n from b.t group by g"),
    ("count_two", Nothing, "select g, count(distinct k, v) as n, count(k, v) as m from b.t group by g"),
    (
        "decimals",
        Nothing,
        "select g, sum(cast(v as decimal(10, 2))) as s, avg(cast(v as decimal(10, 2))) as a from b.t group by g",
    ),
    (
        "ints",
        Nothing,
        "select g, sum(cast(v as int)) as s, avg(cast(v as smallint)) as a, max(cast(v as tinyint)) as m from b.t group by g",
    ),
    ("floats", Nothing, "select g, sum(cast(d as float)) as s, avg(cast(d as float)) as a from b.t group by g"),
    (
        "session_window",
        Nothing,
        "select session_window.start as s, session_window.end as e, k, count(*) as n from b.t group by session_window(at, '3 minutes'), k",
    ),
    ("tumbling", Nothing, "select window.start as s, g, count(*) as n from b.t group by window(at, '5 minutes'), g"),
    (
        "hopping",
        Nothing,
        "select window.start as s, count(*) as n from b.t group by window(at, '10 minutes', '5 minutes')",
    ),
    ("lateral_view", Nothing, "select id, x from b.t lateral view explode(array(k, v)) e as x"),
    (
        "case_sum",
        Nothing,
        "select g, sum(case when v > 0 then 1 else 0 end) as p, max(g) filter (where v > 1) as m from b.t group by g",
    ),
    (
        "max_by",
        Nothing,
        "select g, max_by(id, v) as f, min_by(v, id) as l, approx_count_distinct(k) as n from b.t group by g",
    ),
    (
        "percentile_approx",
        Nothing,
        "select g, percentile_approx(v, 0.5) as p, percentile_approx(at, array(0.1, 0.9)) as q from b.t group by g",
    ),
    (
        "nested_aggregates",
        Nothing,
        "select n, count(*) as c from (select k, count(*) as n from b.t group by k) as x group by n",
    ),
    (
        "over_aggregate",
        Nothing,
        "select k, n, rank() over (order by n desc, k) as r from (select k, count(*) as n from b.t group by k) as x",
    ),
    ("over_of_group", Nothing, "select k, sum(v) as s, sum(sum(v)) over (order by k) as running from b.t group by k"),
    ("self_join", Nothing, "select a.id, b.id as other from b.t a join b.t b on a.k = b.k and a.id < b.id"),
    ("values", Nothing, "select t.id, x.name from b.t join (values (1, 'one'), (2, 'two')) as x(k, name) on t.k = x.k"),
    ("distinct_on_join", Nothing, "select distinct t.g, u.g as ug from b.t join b.u on t.k = u.k"),
    (
        "lateral_view_outer",
        Nothing,
        "select t.id, e.x from b.t lateral view outer explode(case when t.v > 0 then array(t.k, t.v) end) e as x where t.id > 1",
    ),
    ("explode", Nothing, "select id, explode(array(k, v)) as x from b.t"),
    (
        "session_by_number",
        Nothing,
        "select k as user, session_window(at, '2 minutes') as w, sum(v) as s from b.t group by 1, session_window(at, '2 minutes')",
    ),
    (
        "session_of_all",
        Nothing,
        "select session_window.start as s, max(v) as m from b.t as x group by session_window(x.at, '1 minute')",
    ),
];
