select (select max(x) from (values (1), (2)) as t(x)) as m
select x from (values (1), (2)) as t(x) where x = (select max(y) from (values (1), (2)) as u(y))
select x from (values (1), (2)) as t(x) where exists (select 1 from (values (2)) as u(y) where u.y = t.x)
select x from (values (1), (2)) as t(x) where not exists (select 1 from (values (2)) as u(y) where u.y = t.x)
select x from (values (1), (2)) as t(x) where x in (select y from (values (2)) as u(y))
select x from (values (1), (2)) as t(x) where x not in (select y from (values (2)) as u(y))
select x, (select sum(z) from (values (1, 5), (1, 6)) as u(y, z) where u.y = t.x) as s from (values (1), (2)) as t(x) order by x
select x, (select count(*) from (values (1, 5), (1, 6)) as u(y, z) where u.y = t.x) as n from (values (1), (2)) as t(x) order by x
with a as (select 1 as x), b as (select x + 1 as y from a) select * from a cross join b
with a as (select 1 as x) select * from (with b as (select x + 1 as y from a) select y from b)
select x from (select x, y from (values (1, 2)) as t(x, y)) where y > 1
select (select x from (values (1)) as t(x) where x > 5) as v
with t(a, b) as (select 1, 2) select a + b as c from t
with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select n from r order by n
select x from (values (1), (2)) as t(x) where (x, 'a') in (select y, z from (values (2, 'a')) as u(y, z))
select case when exists (select 1 from (values (1)) as u(y) where y = 1) then 'y' else 'n' end as v
select x > all (select y from (values (1)) as u(y)) as v from (values (2)) as t(x)
-- models as people write them
with orders as (select * from (values (1, 'a', date '2024-01-05', 10.50), (2, 'b', date '2024-01-20', 20.00), (3, 'a', date '2024-02-03', null)) as t(id, customer, day, amount)) select customer, date_trunc('month', day) as month, count(*) as orders, sum(amount) as total, avg(amount) as mean, max(day) as last_day from orders group by customer, date_trunc('month', day) order by customer, month
with t as (select * from (values ('a', '12.50', '2024-01-05 10:11:12', 'true'), ('b', 'x', 'bad', 'no'), (null, '', null, '')) as t(name, price, at, flag)) select lower(trim(name)) as name, cast(price as decimal(10,2)) as price, cast(at as timestamp) as at, cast(flag as boolean) as flag, coalesce(cast(price as double), 0.0) as price_or_zero from t order by name
with t as (select * from (values (1, 'a'), (2, null)) as t(id, name)) select md5(cast(concat(coalesce(cast(id as string), '_null_'), '-', coalesce(cast(name as string), '_null_')) as string)) as key, id from t order by id
with t as (select * from (values (1, 100, 30), (2, 0, 0), (3, null, 5)) as t(id, views, clicks)) select id, round(clicks / views * 100, 2) as rate, clicks / nullif(views, 0) as ratio, coalesce(round(100.0 * clicks / views, 1), 0) as pct from t order by id
with t as (select * from (values (timestamp '2024-01-01 00:00:10', 'u1'), (timestamp '2024-01-01 00:30:00', 'u1'), (timestamp '2024-01-01 02:00:00', 'u1')) as t(at, u)), gaps as (select *, unix_timestamp(at) - unix_timestamp(lag(at) over (partition by u order by at)) as gap from t) select u, at, gap, sum(case when gap is null or gap > 3600 then 1 else 0 end) over (partition by u order by at) as session from gaps order by at
with t as (select * from (values ('2024-01-05', 3), ('2024-01-06', 4)) as t(day, n)) select to_date(day) as d, year(day) as y, dayofweek(day) as w, n, sum(n) over (order by day) as running, n - lag(n, 1, 0) over (order by day) as diff from t order by d
select case when n >= 10 then 'high' when n >= 5 then 'mid' else 'low' end as bucket, count(*) as c, sum(n) as s from (values (1), (5), (10), (null)) as t(n) group by 1 order by 1
select coalesce(a.k, b.k) as k, a.x, b.y, coalesce(a.x, 0) + coalesce(b.y, 0) as z from (values ('a', 1), ('b', 2)) as a(k, x) full outer join (values ('b', 3.5), ('c', 4.5)) as b(k, y) on a.k = b.k order by k
select cast(date_format(d, 'yyyyMMdd') as int) as date_key, d, quarter(d) as q, date_format(d, 'EEEE') as name, case when dayofweek(d) in (1, 7) then true else false end as weekend from (values (date '2024-01-06'), (date '2024-01-08')) as t(d) order by d
select k, x from (select k, x, row_number() over (partition by k order by x desc) as rn from (values ('a', 1), ('a', 2), ('b', null)) as t(k, x)) where rn = 1 order by k
select k, collect_list(x) as xs, size(collect_list(x)) as n, concat_ws(',', collect_list(cast(x as string))) as s from (values ('a', 1), ('b', 2)) as t(k, x) group by k order by k
select k, max(case when n = 'x' then v end) as x, max(case when n = 'y' then v end) as y from (values (1, 'x', 10), (1, 'y', 20), (2, 'x', 30)) as t(k, n, v) group by k order by k
select count(*) as n, count(distinct lower(name)) as names, sum(if(name is null, 1, 0)) as nulls, count_if(name = 'a') as a, min(length(name)) as shortest from (values ('a'), ('A'), (null)) as t(name)
select distinct x.k, y.v from (values (1, '1'), (2, '2')) as x(k, s) join (values (1L, 1.5), (2L, 2.5)) as y(k, v) on x.k = y.k where y.v > 1.5 order by x.k
select x, x + 1 as y from (values (1)) as t(x) union all select 2L, 3 union all select 4, 5.5 order by x
select cast(null as string) as a, cast(null as int) as b, cast(null as timestamp) as c union all select 'x', 1, timestamp '2024-01-01 00:00:00' order by a
