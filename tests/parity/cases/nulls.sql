null = null
null <> 1
null <=> null
1 <=> null
1 <=> 1
not (1 <=> null)
null is null
1 is not null
null and false
null and true
null or true
null or false
not cast(null as boolean)
1 in (1, null)
2 in (1, null)
null in (1, 2)
2 not in (1, null)
1 not in (2, 3)
null not in (1)
coalesce(null, null, 3)
coalesce(null, 'a')
nvl(null, 'a')
nvl2(null, 1, 2)
nvl2(3, 1, 2)
ifnull(null, 5)
nullif(1, 1)
nullif(1, 2)
nullif('a', 'b')
nullifzero(0)
zeroifnull(null)
greatest(1, null, 3)
least(1, null, 3)
greatest(null, null, cast(null as int))
least('b', 'a', null)
isnull(null)
isnull(1)
isnotnull(null)
case when null then 1 else 2 end
case null when null then 1 else 2 end
if(null, 1, 2)
null between 1 and 2
1 between null and 2
3 between null and 2
null like '%'
equal_null(null, null)
1 is distinct from null
null is not distinct from null
null || 'a'
null + 1
length(null) is null
true is true
null is not true
null is unknown
select count(*) as n, count(x) as c, sum(x) as s, avg(x) as a, min(x) as mi from (values (null), (cast(null as int))) as t(x)
select x from (values (2), (null), (1)) as t(x) order by x
select x from (values (2), (null), (1)) as t(x) order by x desc
select x from (values (2), (null), (1)) as t(x) order by x nulls last
select x from (values (2), (null), (1)) as t(x) order by x desc nulls first
select x from (values ('b'), (null), ('a')) as t(x) order by 1 desc
select x, count(*) as n from (values (2), (null), (null)) as t(x) group by x order by x
select distinct x from (values (2), (null), (null)) as t(x) order by x
select x from (values (2), (null), (1)) as t(x) where x <> 1
select x from (values (2), (null), (1)) as t(x) where not (x = 1)
select x from (values (2), (null), (1)) as t(x) where x in (select y from (values (1), (null)) as u(y))
select x from (values (2), (null), (1)) as t(x) where x not in (select y from (values (1), (null)) as u(y))
select x from (values (2), (null), (1)) as t(x) where x not in (select y from (values (1)) as u(y)) order by x
select a.x, b.y from (values (1), (null)) as a(x) join (values (1), (null)) as b(y) on a.x = b.y
select a.x, b.y from (values (1), (null)) as a(x) join (values (1), (null)) as b(y) on a.x <=> b.y order by a.x
select a.x, b.y from (values (1), (null)) as a(x) left join (values (1), (null)) as b(y) on a.x = b.y order by a.x
select x, row_number() over (order by x) as r from (values (2), (null), (1)) as t(x) order by r
select x, row_number() over (order by x desc) as r from (values (2), (null), (1)) as t(x) order by r
select x, sum(x) over (order by x) as s from (values (2), (null), (1)) as t(x) order by x
select x from (values (2.5D), (null), (double('nan')), (double('inf'))) as t(x) order by x
select max(x) as m, min(x) as n from (values (2.5D), (double('nan')), (double('inf'))) as t(x)
select x from (values (2), (null), (1)) as t(x) order by x limit 1
