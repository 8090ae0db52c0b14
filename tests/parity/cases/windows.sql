select x, row_number() over (order by x) as r from (values (3), (1), (2)) as t(x) order by x
select k, x, row_number() over (partition by k order by x desc) as r from (values ('a', 1), ('a', 2), ('b', 3)) as t(k, x) order by k, x
select x, rank() over (order by x) as r, dense_rank() over (order by x) as d from (values (1), (1), (2)) as t(x) order by x, r
select x, percent_rank() over (order by x) as p, cume_dist() over (order by x) as c from (values (1), (2), (2), (3)) as t(x) order by x
select x, ntile(2) over (order by x) as n from (values (1), (2), (3)) as t(x) order by x
select x, lag(x) over (order by x) as l, lead(x) over (order by x) as n from (values (1), (2), (3)) as t(x) order by x
select x, lag(x, 2, 0) over (order by x) as l from (values (1), (2), (3)) as t(x) order by x
select x, lag(y) ignore nulls over (order by x) as l from (values (1, 5), (2, null), (3, 7)) as t(x, y) order by x
select x, first_value(x) over (order by x) as f, last_value(x) over (order by x) as l from (values (1), (2), (3)) as t(x) order by x
select x, last_value(x) over (order by x rows between unbounded preceding and unbounded following) as l from (values (1), (2), (3)) as t(x) order by x
select x, nth_value(x, 2) over (order by x) as n from (values (1), (2), (3)) as t(x) order by x
select x, sum(x) over (order by x) as s, sum(x) over () as a from (values (1), (2), (2), (3)) as t(x) order by x
select x, sum(x) over (order by x rows between 1 preceding and current row) as s from (values (1), (2), (3)) as t(x) order by x
select x, avg(x) over (order by x rows between 1 preceding and 1 following) as s from (values (1), (2), (3)) as t(x) order by x
select x, sum(x) over (order by x range between 1 preceding and current row) as s from (values (1), (2), (4)) as t(x) order by x
select x, count(*) over (partition by x) as n from (values ('a'), ('b'), ('a')) as t(x) order by x
select x, max(x) over (order by x desc) as m from (values (1), (2), (3)) as t(x) order by x
select x, sum(sum(y)) over (order by x) as s from (values ('a', 1), ('a', 2), ('b', 3)) as t(x, y) group by x order by x
select x, y / sum(y) over () as share from (values ('a', 1), ('b', 3)) as t(x, y) order by x
select x, row_number() over w as r, sum(y) over w as s from (values ('a', 1), ('b', 3)) as t(x, y) window w as (order by y) order by x
select x, y from (values ('a', 1), ('a', 3), ('b', 2)) as t(x, y) qualify row_number() over (partition by x order by y desc) = 1 order by x
select k, x, first(x, true) over (partition by k order by i) as f from (values ('a', null, 1), ('a', 5, 2)) as t(k, x, i) order by i
select x, collect_list(x) over (order by x) as l from (values (1), (2)) as t(x) order by x
select x, avg(x) over (order by x) as a from (values (1.5), (2.5)) as t(x) order by x
select x, lag(d) over (order by d) as l, datediff(d, lag(d) over (order by d)) as n from (values ('a', date '2024-01-01'), ('b', date '2024-01-05')) as t(x, d) order by d
select window.start as s, window.end as e, count(*) as n from (values (timestamp '2024-01-01 00:01:00'), (timestamp '2024-01-01 00:07:00')) as t(ts) group by window(ts, '5 minutes') order by s
select window.start as s, count(*) as n from (values (timestamp '2024-01-01 00:07:00')) as t(ts) group by window(ts, '10 minutes', '5 minutes') order by s
