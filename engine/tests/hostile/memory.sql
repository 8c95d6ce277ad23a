--! limit_exceeded: one text of 1.5 GB
SELECT length(repeat('a', 1500000000)) AS n
--! limit_exceeded: a text of a length that no counter holds
SELECT length(repeat('ab', 9223372036854775807)) AS n
--! limit_exceeded: filled up on the left
SELECT length(lpad('a', 2000000000)) AS n
--! limit_exceeded: filled up on the right
SELECT length(rpad('a', 2000000000, 'xy')) AS n
--! limit_exceeded|sql_error: filled up to a length that no counter holds
SELECT length(rpad('a', 9223372036854775807, 'xy')) AS n
--! limit_exceeded: a list of 300 million
SELECT array_length(generate_series(1, 300000000)) AS n
--! limit_exceeded: a list of all numbers there are
SELECT array_length(range(-9223372036854775808, 9223372036854775807)) AS n
--! limit_exceeded|sql_error: a list of moments
SELECT array_length(generate_series(TIMESTAMP '1700-01-01', TIMESTAMP '2200-01-01', INTERVAL '1 second')) AS n
--! limit_exceeded|sql_error: a list of days, in steps of nothing
SELECT generate_series(DATE '2024-01-01', DATE '2024-12-31', INTERVAL '0 day') AS a
--! limit_exceeded: one value a billion times
SELECT array_length(array_repeat(1, 1000000000)) AS n
--! limit_exceeded: lists of lists
SELECT array_length(array_repeat(array_repeat(array_repeat(1, 10000), 10000), 10000)) AS n
--! limit_exceeded: a list made larger
SELECT array_length(array_resize([1], 1000000000, 0)) AS n
--! limit_exceeded|sql_error: a list made larger than a counter holds
SELECT array_length(array_resize([1], 9223372036854775807, 0)) AS n
--! limit_exceeded: each letter replaced by a long text
SELECT length(replace(repeat('a', 100000), 'a', repeat('b', 100000))) AS n
--! limit_exceeded: the same by a pattern
SELECT length(regexp_replace(repeat('a', 100000), 'a', repeat('b', 100000), 'g')) AS n
--! limit_exceeded: the same by letters that refer to what was found
SELECT length(regexp_replace(repeat('a', 20000), '(a+)', '«300|\1»')) AS n, length(regexp_replace(repeat('a', 20000000), '(a+)', '«300|\1»')) AS m
--! limit_exceeded: a text put behind itself again and again
WITH t0 AS (SELECT repeat('a', 1000) AS a FROM generate_series(1, 10) t(x))«30|, t{j} AS (SELECT concat(a, a) AS a FROM t{i})» SELECT max(length(a)) AS n FROM t30
--! limit_exceeded: the same by the operator
WITH t0 AS (SELECT repeat('a', 1000) AS a FROM generate_series(1, 10) t(x))«30|, t{j} AS (SELECT a || a AS a FROM t{i})» SELECT max(length(a)) AS n FROM t30
--! limit_exceeded|answers: the same over a constant
SELECT length(a) AS n FROM «30|(SELECT a || a AS a FROM »(SELECT repeat('a', 1000) AS a)«30|)»
--! ends: lists put behind themselves
SELECT array_length(a) AS n FROM «30|(SELECT array_concat(a, a) AS a FROM »(SELECT range(0, 1000) AS a)«30|)»
--! limit_exceeded: many texts, each within what one call may make
SELECT «12|length(repeat('{i}', 200000000)) AS c{i}¦, »
--! limit_exceeded: many such texts kept
SELECT length(concat(«12|repeat('{i}', 200000000)¦, »)) AS n
--! limit_exceeded: many such texts of a batch of rows at once
SELECT «12|max(length(t{i})) AS c{i}¦, » FROM (SELECT «12|repeat(CAST(x AS TEXT), 6000) AS t{i}¦, » FROM generate_series(1, 100000) t(x)) s
--! limit_exceeded: many long lists at once
SELECT «12|array_length(l{i}) AS c{i}¦, » FROM (SELECT «12|range(0, 25000000 + x) AS l{i}¦, » FROM generate_series(1, 1) t(x)) s
--! limit_exceeded: many long lists made into rows
SELECT count(*) AS n FROM (SELECT «12|unnest(range({i}, 25000000)) AS c{i}¦, ») t
--! limit_exceeded: each row with a long text, sorted
SELECT max(t) AS n FROM (SELECT repeat(CAST(x AS TEXT), 1000) AS t, row_number() OVER (ORDER BY repeat(CAST(x AS TEXT), 1000)) AS r FROM generate_series(1, 10000000) t(x)) s
--! limit_exceeded: all values in one list
SELECT array_length(array_agg(x)) AS n FROM generate_series(1, 1000000000) t(x)
--! limit_exceeded: all values in one list, in order
SELECT array_length(array_agg(x ORDER BY x DESC)) AS n FROM generate_series(1, 1000000000) t(x)
--! limit_exceeded: all distinct values in one list
SELECT array_length(array_agg(DISTINCT x)) AS n FROM generate_series(1, 1000000000) t(x)
--! limit_exceeded: all values in one text
SELECT length(string_agg(repeat('x', 1000), ',')) AS n FROM generate_series(1, 100000000) t(x)
--! limit_exceeded: a list of lists
SELECT array_length(array_agg(range(0, 1000))) AS n FROM generate_series(1, 100000000) t(x)
--! limit_exceeded: as many groups as rows
SELECT count(*) AS n FROM (SELECT x, count(*) AS c FROM generate_series(1, 1000000000) t(x) GROUP BY x, md5(CAST(x AS TEXT)) HAVING count(*) > 1) s
--! limit_exceeded: a list in each of very many groups
SELECT max(array_length(l)) AS n FROM (SELECT array_agg(x) AS l FROM generate_series(1, 1000000000) t(x) GROUP BY x % 1000003) s
--! limit_exceeded: all distinct values counted
SELECT count(DISTINCT md5(CAST(x AS TEXT))) AS n, count(DISTINCT x) AS m FROM generate_series(1, 1000000000) t(x)
--! limit_exceeded: the middle of all values
SELECT median(x) AS m FROM generate_series(1, 1000000000) t(x)
--! limit_exceeded: a percentile of all values
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS m FROM generate_series(1, 1000000000) t(x)
--! limit_exceeded: a sketch of very many centroids, which were made at once
SELECT approx_percentile_cont(0.5, 1000000000) WITHIN GROUP (ORDER BY x) AS m FROM generate_series(1, 100000) t(x)
--! limit_exceeded: sketches of very many groups
SELECT count(*) AS n FROM (SELECT approx_distinct(x) AS d FROM generate_series(1, 100000000) t(x) GROUP BY x) s
--! limit_exceeded: a join that holds all of one side
SELECT count(*) AS n FROM generate_series(1, 100000000) a(x) JOIN generate_series(1, 100000000) b(y) ON x = y
--! limit_exceeded: the same that holds wide rows
SELECT count(*) AS n FROM (SELECT x, repeat('x', 1000) AS t FROM generate_series(1, 10000000) s(x)) a JOIN (SELECT x, repeat('y', 1000) AS t FROM generate_series(1, 10000000) s(x)) b ON a.x = b.x AND a.t <> b.t
--! unsupported: a window with a list for each row
SELECT max(array_length(l)) AS n FROM (SELECT array_agg(x) OVER (ORDER BY x) AS l FROM generate_series(1, 1000000) t(x)) q
--! unsupported: a window with a text for each row
SELECT max(length(l)) AS n FROM (SELECT string_agg(CAST(x AS TEXT), ',') OVER (ORDER BY x) AS l FROM generate_series(1, 1000000) t(x)) q
--! ends: a frame of very many rows whose extremes are kept
SELECT max(s) AS n FROM (SELECT max(x) OVER (ORDER BY x ROWS BETWEEN 100000 PRECEDING AND 100000 FOLLOWING) AS s FROM generate_series(1, 300000) t(x)) q
--! unsupported: the same with a list
SELECT max(array_length(s)) AS n FROM (SELECT array_agg(x) OVER (ORDER BY x ROWS BETWEEN 20000 PRECEDING AND 20000 FOLLOWING) AS s FROM generate_series(1, 100000) t(x)) q
--! ends: rows at an end that is far away
SELECT x FROM generate_series(1, 300000) t(x) ORDER BY x LIMIT 10 OFFSET 299995
--! limit_exceeded|endless: more rows kept in order than there is room for
SELECT max(x) AS n FROM (SELECT x FROM generate_series(1, 10000000000) t(x) ORDER BY md5(CAST(x AS TEXT)) LIMIT 1000000000) s
--! limit_exceeded|endless: DISTINCT ON of very many
SELECT count(*) AS n FROM (SELECT DISTINCT ON (x) x FROM generate_series(1, 1000000000) t(x) ORDER BY x, -x) s
--! limit_exceeded|sql_error|unsupported|answers: a list of lists made into rows, and those into rows
SELECT count(*) AS n FROM (SELECT unnest(a) AS b FROM (SELECT unnest(array_repeat(range(0, 100000), 10000)) AS a) t) s
--! limit_exceeded|endless|sql_error|unsupported: a side join that makes rows of each row
SELECT count(*) AS n FROM generate_series(1, 1000000) a(x) CROSS JOIN LATERAL unnest(range(0, x)) b(y)
--! limit_exceeded: a text cut into very many pieces
SELECT array_length(string_to_array(repeat('a,', 60000000), ',')) AS n
--! limit_exceeded: the same for many rows
SELECT sum(array_length(string_to_array(repeat('a,', 10000 + x), ','))) AS n FROM generate_series(1, 8000) t(x)
--! limit_exceeded|answers: a number written out with all its digits, for many rows
SELECT max(length(CAST(CAST(x AS DECIMAL(76, 60)) AS TEXT))) AS n FROM generate_series(1, 100000) t(x)
--! limit_exceeded: hexadecimal doubles a text, and again
SELECT length(encode(encode(encode(CAST(repeat('a', 60000000) AS BYTEA), 'hex')::BYTEA, 'hex')::BYTEA, 'hex')) AS n
--! limit_exceeded: letters that are longer in capitals
SELECT length(upper(repeat('ŉ', 40000000))) + length(upper(repeat('ﬃ', 40000000))) + length(upper(repeat('ΐ', 40000000))) AS n
--! limit_exceeded|sql_error|answers: letters translated into longer ones
SELECT length(translate(repeat('a', 80000000), 'a', '𝒳')) AS n
--! limit_exceeded|answers|sql_error: a list turned round, sorted, joined to a text
SELECT length(array_to_string(array_sort(array_reverse(range(0, 20000000))), ', and then ')) AS n
--! limit_exceeded|answers|sql_error: pairs of lists
SELECT array_length(array_distinct(array_union(range(0, 10000000), range(5000000, 15000000)))) AS n
--! limit_exceeded: a list flattened
SELECT array_length(flatten(array_repeat(range(0, 1000), 100000))) AS n
--! limit_exceeded|answers|sql_error: a date far behind with very many between, as a list
SELECT array_length(generate_series(DATE '0001-01-01', DATE '9999-12-31', INTERVAL '1 day')) AS n
--! limit_exceeded: a long text of the statement in each of very many rows
SELECT x, '«200000|x»' AS t FROM generate_series(1, 1000000) t(x) ORDER BY x % 10, t
--! limit_exceeded: a long constant that was made in each of very many rows
SELECT max(t) AS n, count(x) AS m FROM (SELECT x, repeat('a', 10000000) AS t FROM generate_series(1, 1000000) t(x)) s WHERE x % 2 = 1
--! limit_exceeded|answers: a long text in some rows
SELECT count(t) AS n FROM (SELECT CASE WHEN x % 2 = 0 THEN '«200000|x»' ELSE '«10|y»' END AS t FROM generate_series(1, 100000) t(x)) s WHERE t <> 'z'
--! limit_exceeded: a text that is written out in the statement and repeated
SELECT max(length(repeat('«100000|x»', 1000 + x))) AS n FROM generate_series(1, 100000) t(x)
--! unsupported: one sketch copied for each of very many rows
SELECT count(s) AS n FROM (SELECT hll_sketch(x) OVER () AS s FROM generate_series(1, 1000000) t(x)) q
--! unsupported: the same of percentiles
SELECT count(s) AS n FROM (SELECT percentile_sketch(x) OVER () AS s FROM generate_series(1, 1000000) t(x)) q
--! limit_exceeded: sketches of percentiles in very many groups
SELECT max(percentile_estimate(s, 0.5)) AS n FROM (SELECT percentile_sketch(x) AS s FROM generate_series(1, 100000000) t(x) GROUP BY x) q
--! unsupported: one list copied for each of very many rows
SELECT count(s) AS n FROM (SELECT array_agg(x) OVER () AS s FROM generate_series(1, 1000000) t(x)) q
--! limit_exceeded: a window over all of a billion rows
SELECT max(s) AS n FROM (SELECT sum(x) OVER () AS s, x FROM generate_series(1, 1000000000) t(x)) q
--! limit_exceeded: a cross join of which one side is kept
SELECT count(*) AS n FROM generate_series(1, 100000000) a(x) CROSS JOIN generate_series(1, 100000000) b(y) WHERE x = -y - 1
--! limit_exceeded: the rows that a frame reaches back to
SELECT max(s) AS n FROM (SELECT count(t) OVER (ORDER BY x ROWS BETWEEN 1000000000 PRECEDING AND CURRENT ROW) AS s FROM (SELECT x, repeat(CAST(x AS TEXT), 100) AS t FROM generate_series(1, 1000000000) t(x)) p) q
--! limit_exceeded: the rows whose values a frame reaches back to
SELECT max(s) AS n FROM (SELECT count(t) OVER (ORDER BY x RANGE BETWEEN 1000000000 PRECEDING AND CURRENT ROW) AS s FROM (SELECT x, repeat(CAST(x AS TEXT), 100) AS t FROM generate_series(1, 1000000000) t(x)) p) q
--! limit_exceeded: rows far behind
SELECT max(s) AS n FROM (SELECT lag(t, 1000000000) OVER (ORDER BY x) AS s FROM (SELECT x, repeat(CAST(x AS TEXT), 100) AS t FROM generate_series(1, 1000000000) t(x)) p) q
--! limit_exceeded: rows far ahead
SELECT max(s) AS n FROM (SELECT lead(t, 1000000000) OVER (ORDER BY x) AS s FROM (SELECT x, repeat(CAST(x AS TEXT), 100) AS t FROM generate_series(1, 1000000000) t(x)) p) q
--! answers: a short frame over many rows, which are not kept
SELECT max(s) AS n FROM (SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 3000000) t(x)) q
--! answers: a frame of values over many rows, which are not kept
SELECT max(s) AS n FROM (SELECT sum(x) OVER (ORDER BY x RANGE BETWEEN 1000 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 3000000) t(x)) q
--! limit_exceeded: the groups that a frame reaches back to
SELECT max(s) AS n FROM (SELECT count(t) OVER (ORDER BY x GROUPS BETWEEN 1000000000 PRECEDING AND CURRENT ROW) AS s FROM (SELECT x, repeat(CAST(x AS TEXT), 100) AS t FROM generate_series(1, 1000000000) t(x)) p) q
--! limit_exceeded: the rows that a frame reaches back to in partitions that come mixed
SELECT max(s) AS n FROM (SELECT count(t) OVER (PARTITION BY x % 100 ORDER BY x ROWS BETWEEN 1000000000 PRECEDING AND CURRENT ROW) AS s FROM (SELECT x, repeat(CAST(x AS TEXT), 100) AS t FROM generate_series(1, 1000000000) t(x)) p) q
--! limit_exceeded: as many partitions as rows
SELECT max(s) AS n FROM (SELECT sum(x) OVER (PARTITION BY x ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 1000000000) t(x)) q
--! answers: a short frame of groups over many rows, which are not kept
SELECT max(s) AS n FROM (SELECT sum(x) OVER (ORDER BY x GROUPS BETWEEN 6 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 1000000) t(x)) q
--! answers: short frames in partitions that come mixed, whose rows are not kept
SELECT max(s) AS n FROM (SELECT sum(x) OVER (PARTITION BY x % 10 ORDER BY x ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 1000000) t(x)) q
