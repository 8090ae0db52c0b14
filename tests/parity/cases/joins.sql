select a.x, b.y from (values (1), (2)) as a(x) join (values (2, 'b'), (3, 'c')) as b(x, y) on a.x = b.x
select a.x, b.y from (values (1), (2)) as a(x) left join (values (2, 'b'), (3, 'c')) as b(x, y) on a.x = b.x order by a.x
select a.x, b.y from (values (1), (2)) as a(x) right join (values (2, 'b'), (3, 'c')) as b(x, y) on a.x = b.x order by b.y
select a.x, b.y from (values (1), (2)) as a(x) full outer join (values (2, 'b'), (3, 'c')) as b(x, y) on a.x = b.x order by b.y, a.x
select a.x, b.y from (values (1), (2)) as a(x) cross join (values ('b'), ('c')) as b(y) order by a.x, b.y
select x, y from (values (1), (2)) as a(x) join (values (2, 'b'), (3, 'c')) as b(x, y) using (x)
select x, y from (values (1), (2)) as a(x) natural join (values (2, 'b'), (3, 'c')) as b(x, y)
select a.x from (values (1), (2)) as a(x) left semi join (values (2, 'b'), (3, 'c')) as b(x, y) on a.x = b.x
select a.x from (values (1), (2)) as a(x) left anti join (values (2, 'b'), (3, 'c')) as b(x, y) on a.x = b.x
select a.x from (values (1), (2)) as a(x) semi join (values (2)) as b(x) on a.x = b.x
select a.x, b.x as y from (values (1), (2)) as a(x) join (values (2), (3)) as b(x) on a.x < b.x order by a.x, y
select a.x, b.y from (values (1), (2)) as a(x) join (values ('2'), ('3')) as b(y) on a.x = b.y
select a.x, b.y from (values (1), (2)) as a(x) join (values (2.0D), (3.5D)) as b(y) on a.x = b.y
select a.x, b.y from (values (1), (2)) as a(x), (values (2), (3)) as b(y) where a.x = b.y
select x, y from (values (2, 'a')) as a(x, z) left join (values (2, 'b'), (3, 'c')) as b(x, y) using (x)
select x, y from (values (2, 'a'), (4, 'd')) as a(x, z) full join (values (2, 'b'), (3, 'c')) as b(x, y) using (x) order by x
select a.x, b.y from (values (1, 5), (2, 9)) as a(x, t) join (values (1, 'b', 3), (2, 'c', 10)) as b(x, y, t) on a.x = b.x and a.t > b.t
select a.x, l.y from (values (1), (2)) as a(x), lateral (select a.x * 10 as y) as l order by a.x
select x, y from (values (1, 'a'), (2, 'b')) as a(x, z) right join (values (2, 'b'), (3, 'c')) as b(x, y) using (x) order by y
select * from (values (1, 'a'), (2, 'b')) as a(x, z) join (values (2, 'c'), (3, 'd')) as b(x, y) using (x)
select * from (values (1, 'a'), (2, 'b')) as a(x, z) left join (values (2, 'c'), (3, 'd')) as b(x, y) using (x) order by x
select a.x, b.x as bx from (values (1), (2)) as a(x) left join (values (2), (3)) as b(x) using (x) order by a.x
select a.x from (values (1), (2)) as a(x) anti join (values (2)) as b(x) on a.x = b.x
select a.x, b.y from (values (1), (2)) as a(x) left join (values (2, 5), (2, 6)) as b(x, y) on a.x = b.x and b.y > 5 order by a.x
select a.x, b.y from (values (1), (2)) as a(x) left join (values (2, 5), (2, 6)) as b(x, y) on a.x = b.x where b.y is null
select count(*) as n from (values (1), (1)) as a(x) join (values (1), (1)) as b(x) on a.x = b.x
select a.d, b.d as e from (values (date '2024-01-01')) as a(d) join (values ('2024-01-01')) as b(d) on a.d = b.d
select a.x, b.x as y from (values (1)) as a(x) join (values (1.0)) as b(x) on a.x = b.x
