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
