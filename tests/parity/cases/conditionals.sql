case when 1 > 0 then 'a' when 2 > 0 then 'b' else 'c' end
case 2 when 1 then 'one' when 2 then 'two' end
case 3 when 1 then 'one' when 2 then 'two' end
case when false then 1 end
case when 1 = 1 then null else 5 end
case when true then 1 else 2L end
case when true then cast(1 as tinyint) else 2 end
case when true then 1 else cast(2 as double) end
case when true then date '2024-01-01' else timestamp '2024-01-01 00:00:00' end
case '1' when 1 then 'same' else 'other' end
if(1 < 2, 'a', 'b')
if(false, 1, 2L)
iff(1 < 2, 'a', 'b')
nvl('a', 'b')
coalesce(1, 2L)
coalesce(cast(null as date), timestamp '2024-01-01 00:00:00')
greatest(10, 9, 2, 4, 3)
least(10, 9, 2, 4, 3)
greatest('a', 'B')
greatest(date '2024-01-01', date '2024-02-01')
greatest(1, cast(2.5 as double))
least(cast('nan' as double), cast(1 as double))
greatest(cast('nan' as double), cast(1 as double))
true and false or true
not true
!true
1 == 1
1 != 2
1 <> 2
true > false
1 between 0 and 2
1 not between 0 and 2
'b' in ('a', 'b')
(1, 2) = (1, 2)
(1, 'a') in ((1, 'a'), (2, 'b'))
case when 1 in (1, 2) then 'yes' else 'no' end
if(1 = 1, array(1), array(2))
assert_true(true) is null
xor(true, false)
true xor false
case when length('abc') > 2 then upper('abc') else lower('ABC') end
case when 1 > 2 then 1 / 0 else 0 end
if(1 > 2, cast('x' as int), 3)
decode(1, 1, 'a')
typeof(1)
typeof(1.5)
typeof(cast(1 as double))
typeof(array(1))
typeof('a')
typeof(date '2024-01-01')
typeof(1 + 1L)
typeof(1 / 2)
