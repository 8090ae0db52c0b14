-- types and results of + - * / % div on whole numbers
1 + 2
1 + 2L
7 / 2
7L / 2
-7 / 2
cast(1 as tinyint) + cast(2 as tinyint)
cast(1 as tinyint) + cast(2 as smallint)
cast(1 as smallint) * 2
cast(100 as tinyint) + cast(100 as tinyint)
2147483647 + 1
9223372036854775807 + 1
-2147483648 - 1
-(-2147483648)
abs(-2147483648)
abs(-5)
abs(-5.5)
abs(cast(-2.5 as double))
7 % 3
-7 % 3
7 % -3
-7 % -3
7 % 0
7L % 3
mod(-7, 3)
7.5 % 2
cast(7.5 as double) % 2
cast(-7.5 as double) % 2
pmod(-7, 3)
pmod(7, -3)
pmod(-7, -3)
pmod(7, 0)
pmod(-7L, 3)
pmod(cast(-7.5 as double), 2)
pmod(-7.5, 2)
7 div 2
-7 div 2
7 div -2
7 div 0
7.9 div 2
cast(7.9 as double) div 2
1 / 0
0 / 0
cast(1 as double) / 0
1 / null
1 + null
'3' + 4
'3' * '4'
'7' / 2
'abc' + 1
'3' || 4
1 + 1.5
1 + cast(1.5 as double)
cast(1.5 as float) + 1
cast(1.5 as float) * cast(2 as double)
cast(1 as float) / 3
2 * 3 + 4 * 5 - 6
-3
+3
5 & 3
5 | 3
5 ^ 3
~5
5L & 3
shiftleft(1, 4)
shiftright(-16, 2)
shiftrightunsigned(-16, 28)
bit_count(7)
-- rounding
round(2.5)
round(3.5)
round(-2.5)
round(2.345, 2)
round(cast(2.5 as double))
round(cast(-2.5 as double))
round(cast(2.345 as double), 2)
round(cast(1.005 as double), 2)
round(cast(0.285 as double), 2)
round(cast(1234.567 as double), -2)
round(1234.567, -2)
round(1234, -2)
round(1250, -2)
round(5L)
round(15, -1)
round(25, -1)
round(cast(2.5 as float))
bround(2.5)
bround(3.5)
bround(cast(2.5 as double))
bround(2.345, 2)
bround(25, -1)
ceil(2.1)
ceil(-2.1)
ceil(cast(2.1 as double))
ceil(cast(-0.5 as double))
ceil(5)
ceiling(cast(2.1 as double))
ceil(3.1411, 2)
floor(2.9)
floor(-2.1)
floor(cast(-2.1 as double))
floor(5L)
floor(3.1411, 2)
rint(cast(2.5 as double))
sign(-3)
sign(cast(0 as double))
signum(cast(-2.5 as double))
sign(2.5)
positive(5)
negative(5)
negative(2.5)
-- functions of doubles
sqrt(2)
sqrt(-1)
cbrt(27)
power(2, 10)
pow(2, 0.5)
exp(1)
ln(10)
ln(0)
ln(-1)
log(10, 100)
log(2, 8)
log(10)
log10(1000)
log10(0)
log2(8)
log1p(1)
expm1(1)
sin(1)
cos(1)
tan(1)
cot(1)
asin(2)
acos(0.5)
atan(1)
atan2(1, 2)
sinh(1)
cosh(1)
tanh(1)
degrees(1)
radians(180)
hypot(3, 4)
pi()
e()
factorial(5)
factorial(21)
bin(13)
bin(-1)
hex(255)
hex(-1)
hex('Spark')
unhex('537061726B')
conv('100', 2, 10)
conv('ff', 16, 10)
conv(-10, 16, -10)
width_bucket(5.3, 0.2, 10.6, 5)
greatest(1, 2L, 3.5)
nanvl(cast('nan' as double), 5)
isnan(cast('nan' as double))
isnan(null)
cast('nan' as double) = cast('nan' as double)
cast('nan' as double) > 1
cast('-0.0' as double) = cast('0.0' as double)
cast('infinity' as double) > 1
try_add(2147483647, 1)
try_divide(1, 0)
try_divide(6, 4)
try_subtract(1, 2)
try_multiply(2, 3)
-- as columns of a table have them
select n / 2 as a, n % 2 as b, n * 1.5 as c, n div 2 as d, -n as e, round(n / 3, 2) as f from (values (7), (-7), (0), (null)) as t(n)
select x / y as a, x % y as b, x + y as c, x * y as d, x - y as e from (values (7, 2), (7, 0), (null, 1)) as t(x, y)
select x / y as a, x * y as b, x + y as c from (values (7.5, 2), (1.25, 0), (null, 1)) as t(x, y)
select round(x, 1) as a, floor(x) as b, ceil(x) as c, bround(x, 1) as d from (values (2.25D), (-2.25D), (2.35D), (null)) as t(x)
select round(x, 1) as a, floor(x) as b, ceil(x) as c from (values (2.25), (-2.25), (null)) as t(x)
7 div 2 + 1
1 + 7 div 2 * 2
2 - 7 div 2
-7 div 2 * 2
1 - -1
- - 1
1L + 1S
1Y + 1
100Y + 100Y
2147483647 * 2
9223372036854775807 * 2
32767S + 1S
cast(5 as tinyint) / cast(2 as tinyint)
cast(5 as tinyint) % cast(3 as smallint)
cast(1.1 as float) + cast(2.2 as float)
cast(1.1 as float) * 2
cast(1.1 as float) + 1.1D
cast(1 as bigint) + cast(1 as float)
0.1D + 0.2D
1e308 * 10
-1e308 * 10
0D / 0
5 % 0.0
5D % 0
5 / 2.5
1 / 3
2 / 3 * 3
10 / 4 / 2
1.0 * 1
1.0 + 1L
1.5 * 1.5 * 1.5
3.0 / 1.5
100 * 1.1
1 + 2 || 'x'
5 = 5.0
5 > 4.99
0.1 + 0.2 = 0.3
0.1D + 0.2D = 0.3D
round(2.5D)
round(-0.5D)
round(0.5D)
round(1e20)
round(12345.6789D, 10)
round(12345.6789D, -5)
round(1.23456789D, 5)
round(5.015, 2)
round(5.025D, 2)
round(null, 2)
round(1.5F)
round(2.345F, 2)
bround(2.5D, 0)
bround(0.125D, 2)
ceil(-0.5D)
floor(-0.5D)
ceil(1e20)
floor(cast(2.5 as float))
ceil(2147483648.5D)
greatest(1.5D, 2)
least(1, 2.5, 3L)
abs(cast(-128 as tinyint))
power(2, -1)
power(0, 0)
sqrt(0)
mod(7, 0)
mod(7.5D, 2)
pmod(-1.5D, 1)
hex(17L)
hex(cast('abc' as binary))
shiftleft(1L, 40)
5 & null
rand(1) between 0 and 1
