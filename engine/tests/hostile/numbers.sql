--! sql_error: nothing to divide by
SELECT 1 / 0 AS a
--! sql_error: a rest of nothing
SELECT 1 % 0 AS a
--! ends: a float divided by nothing
SELECT 1.0 / 0 AS a, 1e0 / 0e0 AS b
--! sql_error: nothing to divide by, in a row among many
SELECT sum(100 / (x - 5000)) AS n FROM generate_series(1, 10000) t(x)
--! sql_error: the smallest number has no opposite
SELECT -9223372036854775808 / -1 AS a
--! ends: its rest
SELECT -9223372036854775808 % -1 AS a
--! ends: its size
SELECT abs(-9223372036854775808) AS a
--! ends: its opposite
SELECT -(-9223372036854775808) AS a
--! ends: its opposite, of a row
SELECT -x AS a, abs(x) AS b FROM (VALUES (CAST(-9223372036854775808 AS BIGINT))) t(x)
--! ends: past the largest number
SELECT 9223372036854775807 + 1 AS a
--! ends: the same, of rows
SELECT x + x AS a, x * x AS b, x - -x AS c FROM (VALUES (9223372036854775807)) t(x)
--! ends: a sum past the largest number
SELECT sum(x) AS n FROM (VALUES (9223372036854775807), (9223372036854775807)) t(x)
--! ends: a mean of the largest
SELECT avg(x) AS n, stddev(x) AS s, var_pop(x) AS v FROM (VALUES (9223372036854775807), (-9223372036854775807)) t(x)
--! ends: shifted further than there are bits
SELECT 1 << 64 AS a, 1 << 200 AS b, 1 >> -1 AS c, 1 << -1 AS d
--! ends: a factorial that no number holds
SELECT factorial(100) AS a
--! ends: the factorial of the largest
SELECT factorial(9223372036854775807) AS a
--! ends: a divisor of the smallest
SELECT gcd(-9223372036854775808, -9223372036854775808) AS a
--! ends: a multiple of the largest
SELECT lcm(9223372036854775807, 9223372036854775806) AS a, lcm(-9223372036854775808, -1) AS b
--! ends: a power past all numbers
SELECT power(10, 400) AS a, power(10::BIGINT, 40::BIGINT) AS b, power(2, -1) AS c
--! ends: logarithms and roots of what has none
SELECT ln(0) AS a, ln(-1) AS b, log(0, 1) AS c, sqrt(-1) AS d, log(1, 5) AS e, acos(2) AS f
--! ends: rounded to more digits than there are
SELECT round(1.5, 2147483647) AS a, round(1.5, -2147483648) AS b, trunc(1.5, 2147483647) AS c, trunc(1.5, -2147483648) AS d
--! ends: a decimal past its digits
SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) * CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) AS a
--! ends: decimals whose product has more digits than a type
SELECT CAST(1 AS DECIMAL(38, 37)) * CAST(1 AS DECIMAL(38, 37)) * CAST(1 AS DECIMAL(38, 37)) AS a
--! ends: a sum of decimals past its digits
SELECT sum(CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0))) AS n FROM generate_series(1, 100) t(x)
--! ends: a decimal divided by the smallest of its kind
SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) / CAST('0.00000000000000000000000000000000000001' AS DECIMAL(38, 38)) AS a
--! sql_error|unsupported: a decimal type without sense
SELECT CAST(1 AS DECIMAL(999, 500)) AS a
--! sql_error|unsupported: a decimal with more behind the point than digits
SELECT CAST(1 AS DECIMAL(5, 10)) AS a
--! sql_error|unsupported|answers: a decimal with less than nothing behind the point
SELECT CAST(1 AS DECIMAL(5, -5)) AS a
--! sql_error: a text that is no number
SELECT CAST('x' AS INT) AS a
--! sql_error: a number too large for its type
SELECT CAST(300 AS TINYINT) AS a
--! ends: a float too large for a whole number
SELECT CAST(1e300 AS BIGINT) AS a
--! ends: no number as a number
SELECT CAST('NaN' AS DOUBLE) AS a, CAST(CAST('Infinity' AS DOUBLE) AS BIGINT) AS b
--! ends: no number in order and in groups
SELECT x, count(*) AS n, max(x) OVER (ORDER BY x) AS m FROM (VALUES (CAST('NaN' AS DOUBLE)), (CAST('-Infinity' AS DOUBLE)), (-0.0), (0.0)) t(x) GROUP BY x ORDER BY x
--! ends: a percentile outside of all
SELECT percentile_cont(2) WITHIN GROUP (ORDER BY x) AS a FROM generate_series(1, 10) t(x)
--! ends: a percentile that is no number
SELECT approx_percentile_cont(CAST('NaN' AS DOUBLE)) WITHIN GROUP (ORDER BY x) AS a FROM generate_series(1, 10) t(x)
--! ends: a percentile of no numbers
SELECT approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS a, approx_median(x) AS b FROM (VALUES (CAST('NaN' AS DOUBLE)), (CAST('Infinity' AS DOUBLE))) t(x)
--! ends: classes without bounds
SELECT width_bucket(5, 10, 10, 0) AS a
--! sql_error: a day that never was
SELECT DATE '2023-02-30' AS a
--! ends: a day past all calendars
SELECT DATE '999999-12-31' AS a
--! ends: a day before all calendars
SELECT DATE '-999999-01-01' AS a
--! ends: further than a calendar goes
SELECT DATE '2024-01-01' + INTERVAL '999999999 years' AS a
--! ends: back further than a calendar goes
SELECT TIMESTAMP '1700-01-01' - INTERVAL '999999 years' AS a
--! ends: months and days and nanoseconds past their counters
SELECT INTERVAL '9999999999 months' AS a
--! ends: an interval times a large number
SELECT INTERVAL '1 year' * 9223372036854775807 AS a
--! ends: a moment past the nanoseconds
SELECT to_timestamp(9223372036854775807) AS a
--! ends: moments by their number
SELECT to_timestamp_seconds(9223372036854775807) AS a, to_timestamp_millis(-9223372036854775808) AS b
--! ends: from a moment's type to a finer one
SELECT CAST(TIMESTAMP '9999-12-31T23:59:59' AS TIMESTAMP) AS a, arrow_cast(arrow_cast(9223372036854775807, 'Timestamp(Second, None)'), 'Timestamp(Nanosecond, None)') AS b
--! ends: the number of a moment shown
SELECT arrow_cast(9223372036854775807, 'Timestamp(Second, None)') AS a
--! ends: days past what a date shows
SELECT arrow_cast(2147483647, 'Date32') AS a, arrow_cast(9223372036854775807, 'Date64') AS b
--! ends: cut to units, at the ends
SELECT date_trunc('year', arrow_cast(-9223372036854775808, 'Timestamp(Nanosecond, None)')) AS a
--! ends: cut in China's zone, at the ends
SELECT date_trunc('day', arrow_cast(9223372036854775807, 'Timestamp(Nanosecond, Some("Asia/Shanghai"))')) AS a
--! ends: bins of nothing
SELECT date_bin(INTERVAL '0 day', TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-01') AS a
--! ends: bins of months at the ends
SELECT date_bin(INTERVAL '1 month', TIMESTAMP '2024-01-01', TIMESTAMP '0001-01-01') AS a
--! ends: a day made of what is none
SELECT make_date(2147483647, 99, -5) AS a
--! ends: the time between ends
SELECT TIMESTAMP '9999-12-31' - TIMESTAMP '0001-01-01' AS a, DATE '9999-12-31' - DATE '0001-01-01' AS b
--! ends: parts of ends
SELECT date_part('epoch', DATE '9999-12-31') AS a, extract(doy FROM arrow_cast(2147483647, 'Date32')) AS b
--! ends: a pattern of time that is none
SELECT to_char(TIMESTAMP '2024-01-01', '%Q%%%') AS a
--! ends: a pattern that makes much of little
SELECT length(to_char(TIMESTAMP '2024-01-01', '«3000|%c»')) AS a
--! ends: working days without end
SELECT working_days_between(DATE '0001-01-01', DATE '9999-12-31') AS a
--! ends: working days past all counters
SELECT try_add_working_days(DATE '2024-01-01', 9223372036854775807) AS a, try_add_working_days(DATE '2024-01-01', -9223372036854775808) AS b
--! ends: the largest amount
SELECT parse_amount('«500|9»亿元人民币') AS a, parse_amount('-0.«500|0»1万元') AS b
--! ends: a date of Chinese numerals without end
SELECT parse_chinese_date('«5000|二»年«5000|十»月«5000|三»日') AS a, parse_period('«5000|二〇»年') AS b
--! ends: codes that are none
SELECT uscc_error('«20000|9»') AS a, identity_number_error('«20000|9»') AS b, division_name('«20000|9»') AS c, industry_normalize('«20000|A»') AS d
