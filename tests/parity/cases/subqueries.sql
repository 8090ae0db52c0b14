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
