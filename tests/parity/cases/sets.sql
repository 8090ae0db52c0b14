select 1 as x union all select 1
select 1 as x union select 1
select 1 as x union distinct select 2 order by x
select x from (values (1), (2), (2)) as t(x) intersect select x from (values (2), (3)) as u(x)
select x from (values (1), (2), (2)) as t(x) except select x from (values (2), (3)) as u(x)
select x from (values (1), (2), (2)) as t(x) minus select x from (values (2), (3)) as u(x)
select x from (values (1), (2), (2)) as t(x) except all select x from (values (2), (3)) as u(x) order by x
select x from (values (1), (2), (2)) as t(x) intersect all select x from (values (2), (2)) as u(x)
select 1 as x union all select 2L
select 1 as x union all select cast(2.5 as double)
select 'a' as x union all select 1
select null as x union all select 1 order by x
select null as x union select null
select date '2024-01-01' as x union all select timestamp '2024-01-01 10:00:00' order by x
select 1 as x, 'a' as y union all select 2, null order by x
select distinct x % 2 as m from (values (1), (2), (3)) as t(x) order by m
values (1, 'a'), (2, 'b')
select x from (values (1), (2), (3)) as t(x) order by x limit 2
select x from (values (1), (2), (3)) as t(x) order by x limit 1 offset 1
select * from (values (1, 'a')) as t(x, y)
select * except (y) from (values (1, 'a')) as t(x, y)
select t.*, x + 1 as z from (values (1, 'a')) as t(x, y)
select x as a, x + 1 as b, a + 1 as c from (values (1)) as t(x)
select `x y` as v from (select 1 as `x y`)
select X as v from (values (1)) as t(x)
select x v from (values (1)) t(x)
select id from range(3) order by id
select explode(array(1, 2)) as x order by x
select t.x, e.y from (values (1, array(10, 20))) as t(x, ys) lateral view explode(ys) e as y order by y
select posexplode(array('a', 'b')) order by pos
select inline(array(struct(1 as a, 'x' as b)))
select stack(2, 1, 2, 3) order by col0
select * from (values ('a', 1), ('b', 2)) as t(k, v) pivot (sum(v) for k in ('a' as a, 'b' as b))
select * from (values (1, 2)) as t(a, b) unpivot (v for k in (a, b)) order by k
