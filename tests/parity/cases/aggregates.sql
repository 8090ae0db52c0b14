select count(*) as n, count(x) as c, count(distinct x) as d from (values (1), (1), (null), (2)) as t(x)
select sum(x) as s, avg(x) as a, min(x) as mi, max(x) as ma from (values (1), (1), (null), (2)) as t(x)
select sum(x) as s, avg(x) as a from (values (1L), (2L)) as t(x)
select sum(x) as s, avg(x) as a from (values (0.1D), (0.2D), (0.3D)) as t(x)
select sum(cast(x as float)) as s, avg(cast(x as float)) as a from (values (0.5), (0.25)) as t(x)
select sum(cast(x as tinyint)) as s, max(cast(x as tinyint)) as m from (values (100), (100)) as t(x)
select sum(x) as s from (values ('1'), ('2'), ('x')) as t(x)
select avg(x) as s from (values ('1'), ('2'), ('x')) as t(x)
select min(x) as mi, max(x) as ma from (values ('b'), ('a')) as t(x)
select min(x) as mi, max(x) as ma from (values (true), (false)) as t(x)
select max(x) as m from (values (date '2024-01-01'), (date '2024-02-01')) as t(x)
select mean(x) as m from (values (1), (2)) as t(x)
select sum(distinct x) as s, avg(distinct x) as a from (values (1), (1), (2)) as t(x)
select count(distinct x, y) as d from (values (1, 'a'), (1, 'a'), (1, null), (2, 'a')) as t(x, y)
select count(x, y) as c from (values (1, 'a'), (1, null), (null, 'b')) as t(x, y)
select count_if(x > 1) as c from (values (1), (2), (3), (null)) as t(x)
select bool_and(x) as a, bool_or(x) as o, every(x) as e, some(x) as s, any(x) as y from (values (true), (false), (null)) as t(x)
select first(x) as f, last(x) as l from (values (5)) as t(x)
select first(x, true) as f, last(x, true) as l from (values (null), (5), (null)) as t(x)
select any_value(x) as v from (values (5), (5)) as t(x)
select max_by(x, y) as ma, min_by(x, y) as mi from (values ('a', 10), ('b', 50), ('c', 20)) as t(x, y)
select max_by(x, y) as ma from (values ('a', 10), ('b', null)) as t(x, y)
select stddev(x) as a, stddev_samp(x) as b, stddev_pop(x) as c, std(x) as d from (values (1), (2), (4)) as t(x)
select variance(x) as a, var_samp(x) as b, var_pop(x) as c from (values (1), (2), (4)) as t(x)
select stddev(x) as a, variance(x) as b from (values (1)) as t(x)
select corr(x, y) as c, covar_pop(x, y) as p, covar_samp(x, y) as s from (values (3, 2), (3, 3), (6, 4)) as t(x, y)
select skewness(x) as s, kurtosis(x) as k from (values (-10), (-20), (100), (1000)) as t(x)
select median(x) as m from (values (0), (10), (15)) as t(x)
select median(x) as m from (values (0), (10)) as t(x)
select percentile(x, 0.3) as p from (values (0), (10), (20)) as t(x)
select percentile_cont(0.25) within group (order by x) as p from (values (0), (10)) as t(x)
select percentile_disc(0.25) within group (order by x) as p from (values (0), (10)) as t(x)
select percentile_approx(x, 0.5) as p from (values (0), (6), (7), (9), (10)) as t(x)
select approx_percentile(x, 0.5) as p from (values (0), (6), (7), (9), (10)) as t(x)
select approx_count_distinct(x) as n from (values (1), (1), (2), (3)) as t(x)
select mode(x) as m from (values (0), (10), (10)) as t(x)
select bit_and(x) as a, bit_or(x) as o, bit_xor(x) as x from (values (3), (5)) as t(x)
select collect_list(x) as l from (values (1), (2), (1)) as t(x)
select array_agg(x) as l from (values (1), (2), (1)) as t(x)
select array_sort(collect_set(x)) as l from (values (1), (2), (1)) as t(x)
select listagg(x, ',') as l from (values ('a'), ('b'), (null)) as t(x)
select string_agg(x, ',') as l from (values ('a'), ('b'), (null)) as t(x)
select concat_ws(',', collect_list(x)) as l from (values ('a'), ('b'), (null)) as t(x)
select x, count(*) as n from (values ('a'), ('b'), ('a')) as t(x) group by x order by x
select x, sum(y) as s from (values ('a', 1), ('b', 2), ('a', 3)) as t(x, y) group by x having sum(y) > 2 order by x
select x as k, count(*) as n from (values ('a'), ('b'), ('a')) as t(x) group by k order by k
select upper(x) as k, count(*) as n from (values ('a'), ('A'), ('b')) as t(x) group by 1 order by 1
select x, count(*) as n from (values ('a'), ('b'), ('a')) as t(x) group by all order by x
select x, y, sum(z) as s from (values ('a', 1, 10), ('a', 2, 20), ('b', 1, 30)) as t(x, y, z) group by rollup(x, y) order by x, y
select x, y, sum(z) as s from (values ('a', 1, 10), ('a', 2, 20), ('b', 1, 30)) as t(x, y, z) group by cube(x, y) order by x, y
select x, y, sum(z) as s from (values ('a', 1, 10), ('a', 2, 20), ('b', 1, 30)) as t(x, y, z) group by grouping sets ((x), (y)) order by x, y
select x, grouping(x) as g, count(*) as n from (values ('a'), ('b')) as t(x) group by rollup(x) order by g, x
select sum(x) filter (where x > 1) as s, count(*) filter (where x > 1) as n from (values (1), (2), (3)) as t(x)
select sum(x) as s, count(*) as n from (values (1)) as t(x) where x > 5
select x, sum(x) as s from (values (1)) as t(x) where x > 5 group by x
select sum(2147483647) as s from (values (1), (2)) as t(x)
select sum(x) as s from (values (9223372036854775807), (1)) as t(x)
select avg(x) as a from (values (9223372036854775807), (9223372036854775807)) as t(x)
select sum(x) / count(*) as r, sum(x) % 2 as m from (values (1), (2)) as t(x)
select try_sum(x) as s, try_avg(x) as a from (values (1), (2)) as t(x)
select regr_count(y, x) as c, regr_slope(y, x) as s, regr_intercept(y, x) as i from (values (1, 2), (2, 3), (3, 4)) as t(x, y)
select histogram_numeric(x, 2) as h from (values (0), (10)) as t(x)
select count(*) as n from (select distinct x, y from (values (1, 2), (1, 2), (1, 3)) as t(x, y))
select max(struct(y, x)).x as v from (values ('a', 1), ('b', 2)) as t(x, y)
select sum(cast(x as int)) as a, avg(cast(x as int)) as b, max(x) as c from (values ('1'), ('2'), ('x')) as t(x)
select avg(x) as a, min(x) as b, sum(x) as c from (values (cast(null as double))) as t(x)
select max(x) as a, min(x) as b from (values (true), (null)) as t(x)
select max(x) as a, min(x) as b, count(x) as c from (values (timestamp '2024-01-01 00:00:00'), (null)) as t(x)
select first(x) as a, last(x) as b, any_value(x) as c from (values (cast(null as int))) as t(x)
select count_if(x) as a, bool_or(x) as b, count(*) filter (where x) as c from (values (true), (false), (null)) as t(x)
select stddev(x) as a, var_pop(x) as b, corr(x, x) as c from (values (1.5D), (2.5D), (4D)) as t(x)
select stddev(x) as a, stddev_pop(x) as b from (values (cast(null as double))) as t(x)
select median(x) as a, percentile(x, 0.5) as b from (values (1.5D), (2.5D), (null)) as t(x)
select median(x) as a from (values (1.5), (2.5)) as t(x)
select k, listagg(v, ';') as a from (values ('a', 'x'), ('b', null)) as t(k, v) group by k order by k
select collect_set(x) as a from (values (1), (1)) as t(x)
select count(distinct x) as a, sum(distinct x) as b from (values (1.5D), (1.5D), (double('nan')), (double('nan'))) as t(x)
select x, count(*) as n from (values (0.0D), (-0.0D)) as t(x) group by x
select x, count(*) as n from (values (double('nan')), (double('nan')), (1D)) as t(x) group by x order by x
select sum(x) + 1 as a, sum(x) / 2 as b, avg(x) * 2 as c, max(x) - min(x) as d from (values (1), (2)) as t(x)
select sum(1) as a, sum(1.5) as b, count(1) as c, avg(2) as d from (values (1), (2)) as t(x)
select min(struct(a, b)) as m from (values (2, 'x'), (1, 'y')) as t(a, b)
select grouping_id(x, y) as g, count(*) as n from (values (1, 2)) as t(x, y) group by cube(x, y) order by g
select k, sum(v) as s from (values ('a', 1), ('b', 2)) as t(k, v) group by k having s > 1
select k as key, sum(v) as total from (values ('a', 1), ('b', 2)) as t(k, v) group by key order by total desc
