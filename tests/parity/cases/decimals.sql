-- types of literals
1.5
0.001
123.450
1e3
1.5e0
-0.5
12345678901234567890
-- precision and scale of + - * / %
1.5 + 2.25
10.50 - 0.75
1.1 * 1.1
1.0 / 3.0
10.0 / 3
1 / 3.0
2.5 % 1.0
cast(1 as decimal(10,2)) + cast(2 as decimal(12,4))
cast(1 as decimal(10,2)) - cast(2 as decimal(12,4))
cast(1.25 as decimal(10,2)) * cast(2.5 as decimal(12,4))
cast(10 as decimal(10,2)) / cast(3 as decimal(12,4))
cast(10 as decimal(10,2)) % cast(3 as decimal(12,4))
cast(1 as decimal(38,10)) + cast(2 as decimal(38,5))
cast(1.5 as decimal(38,10)) * cast(2 as decimal(38,10))
cast(1 as decimal(38,18)) / cast(3 as decimal(38,18))
cast(1 as decimal(20,0)) / cast(3 as decimal(20,0))
cast(10 as decimal(5,2)) + 1
cast(10 as decimal(5,2)) * 2
cast(10 as decimal(5,2)) / 4
cast(10 as decimal(5,2)) * 2L
cast(10 as decimal(5,2)) + cast(1 as bigint)
cast(10 as decimal(5,2)) + cast(1 as smallint)
cast(10 as decimal(5,2)) + cast(1.5 as double)
cast(10 as decimal(5,2)) * cast(1.5 as float)
cast(10 as decimal(5,2)) / 0
cast(10 as decimal(5,2)) / cast(0 as decimal(5,2))
cast(10 as decimal(5,2)) % 0
cast(99999999999999999999999999999999999999 as decimal(38,0)) + 1
cast(99999999999999999999999999999999999999 as decimal(38,0)) * 10
-cast(1.50 as decimal(5,2))
cast(7.9 as decimal(5,2)) div 2
'1.5' + cast(1 as decimal(5,2))
-- casts
cast(1.005 as decimal(5,2))
cast(1.015 as decimal(5,2))
cast(-1.005 as decimal(5,2))
cast('12.345' as decimal(5,2))
cast(' 12.345 ' as decimal(5,1))
cast('abc' as decimal(5,2))
cast('1e2' as decimal(5,2))
cast(12345.6 as decimal(5,2))
cast(cast(0.1 as double) as decimal(20,18))
cast(cast(1.255 as double) as decimal(10,2))
cast(cast(2.5 as float) as decimal(5,1))
cast(12 as decimal)
cast(12.7 as decimal)
cast(true as decimal(3,1))
cast(12.9 as int)
cast(-12.9 as int)
cast(12.9 as bigint)
cast(300.5 as tinyint)
cast(12.50 as string)
cast(cast(12 as decimal(10,4)) as string)
cast(0.00000001 as string)
cast(cast(0 as decimal(10,8)) as string)
cast(12.50 as double)
cast(1.5 as boolean)
cast(0.0 as boolean)
-- comparisons and mixtures
1.50 = 1.5
1.5 > 1
1.5 = cast(1.5 as double)
cast(0.1 as float) = 0.1
1.5 in (1, 1.50, 2)
case when true then 1 else 2.5 end
case when false then 1.25 else cast(2 as bigint) end
coalesce(1.5, 2)
coalesce(null, 1.25)
if(true, 1.5, cast(2 as double))
greatest(1.5, 2.25)
least(1.50, 2)
nullif(1.5, 1.5)
round(cast(123.456 as decimal(10,3)), 1)
round(cast(123.456 as decimal(10,3)))
round(cast(123.456 as decimal(10,3)), -1)
round(2.4999999999999999999, 2)
floor(cast(-1.5 as decimal(5,2)))
ceil(cast(99.99 as decimal(4,2)))
abs(cast(-1.50 as decimal(5,2)))
sqrt(cast(2.25 as decimal(5,2)))
array(1, 2.5)
-- aggregates
select sum(x) as s, avg(x) as a, min(x) as mi, max(x) as ma, count(x) as c from (values (1.5), (2.25), (null), (3.00)) as t(x)
select sum(cast(x as decimal(10,2))) as s, avg(cast(x as decimal(10,2))) as a from (values (1), (2), (2)) as t(x)
select sum(cast(x as decimal(38,2))) as s, avg(cast(x as decimal(38,2))) as a from (values (1), (2), (2)) as t(x)
select sum(x * 1.1) as s from (values (1), (2), (2)) as t(x)
select avg(x) as a, sum(x) / count(*) as b from (values (1.0), (2.0), (2.0)) as t(x)
select sum(x) / 3 as a, sum(x) * 1.05 as b from (values (1.0), (2.0), (2.0)) as t(x)
select avg(x) / 2 as a from (values (1.0), (2.0), (2.0)) as t(x)
select round(avg(x), 2) as a, round(sum(x) * 100.0 / 7, 1) as b from (values (1), (2), (2)) as t(x)
select round(100.0 * sum(case when x > 1 then 1 else 0 end) / count(*), 2) as pct from (values (1), (2), (2)) as t(x)
select x from (values (1.5), (2), (3.25)) as t(x)
select cast(1 as decimal(5,2)) as x union all select cast(2 as decimal(10,4))
select 1 as x union all select 2.5
-- as columns of a table have them
select x + y as a, x - y as b, x * y as c, x / y as d, x % y as e from (values (cast(10.25 as decimal(10,2)), cast(3.5 as decimal(5,1))), (cast(1 as decimal(10,2)), cast(0 as decimal(5,1))), (null, cast(1 as decimal(5,1)))) as t(x, y)
select x * 2 as a, x / 3 as b, x + 1.5 as c, x * 1.5D as d, round(x, 1) as e, cast(x as int) as f, cast(x as string) as g from (values (cast(10.25 as decimal(10,2))), (cast(-10.25 as decimal(10,2))), (null)) as t(x)
select sum(x) as a, avg(x) as b, max(x) as c, count(distinct x) as d from (values (cast(10.25 as decimal(10,2))), (cast(-10.26 as decimal(10,2))), (null)) as t(x)
select avg(x) as a from (values (cast(-1.0 as decimal(5,1))), (cast(-2.0 as decimal(5,1))), (cast(-2.0 as decimal(5,1)))) as t(x)
select k, avg(x) as a, sum(x) as s from (values ('a', 1.25), ('a', 2.5), ('b', null)) as t(k, x) group by k order by k
select sum(x) over (order by x) as s, avg(x) over () as a from (values (1.25), (2.5)) as t(x) order by s
select sum(price * quantity) as s from (values (cast(9.99 as decimal(10,2)), 3), (cast(0.01 as decimal(10,2)), 7)) as t(price, quantity)
select cast(sum(x) / count(*) as decimal(10,2)) as a from (values (1.25), (2.5)) as t(x)
cast(1 as decimal(38,0)) * cast(1 as decimal(38,0))
cast(1.23456789 as decimal(38,20)) * cast(9.87654321 as decimal(38,20))
cast(123456789012345678.12 as decimal(20,2)) * cast(123456789012345678.12 as decimal(20,2))
cast(2 as decimal(38,37)) / cast(3 as decimal(38,37))
cast(1 as decimal(10,0)) / cast(3 as decimal(10,0))
cast(-1 as decimal(10,0)) / cast(3 as decimal(10,0))
cast(2 as decimal(10,0)) / cast(3 as decimal(10,0))
cast(10 as decimal(10,2)) / 3L
cast(10 as decimal(10,2)) / 2.5D
1.10 = 1.1
1.10 < 1.2
cast(1.10 as decimal(5,2)) = 1.1D
cast(1 as decimal(5,2)) = 1
cast(1.5 as decimal(5,2)) > 1
cast(1.5 as decimal(5,2)) in (1.5, 2)
cast(1.5 as decimal(5,2)) between 1 and 2
case when true then cast(1.5 as decimal(5,2)) else cast(2 as decimal(10,4)) end
coalesce(cast(null as decimal(5,2)), 0)
coalesce(cast(1.5 as decimal(5,2)), 0.0)
nullif(cast(1.5 as decimal(5,2)), 0)
greatest(cast(1.5 as decimal(5,2)), 2)
0.1 + 0.2
1.0 - 0.9
100.0 * 0.07
1.00 / 3
1 / 3.00
0.5 * 2
12345.678 % 10
