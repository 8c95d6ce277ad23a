--! endless: pairs of very many with very many
SELECT count(*) AS n FROM generate_series(1, 1000000) a(x), generate_series(1, 10000000000) b(y) WHERE (x * y) % 7 = 3
--! endless: the same without a condition
SELECT sum(x + y) AS n FROM generate_series(1, 1000000) a(x) CROSS JOIN generate_series(1, 10000000000) b(y)
--! endless: as many numbers as there are
SELECT max(x % 7) AS n FROM generate_series(1, 9223372036854775806) t(x)
--! endless: the same under another name
SELECT max(x % 7) AS n FROM range(0, 9223372036854775807) t(x)
--! endless: the same backwards
SELECT max(x % 7) AS n FROM generate_series(9223372036854775806, 1, -1) t(x)
--! endless: seconds of very many years
SELECT max(x) AS n FROM generate_series(TIMESTAMP '1700-01-01', TIMESTAMP '2200-01-01', INTERVAL '1 microsecond') t(x)
--! endless: nothing is ever found
SELECT x FROM generate_series(1, 9223372036854775806) t(x) WHERE x < 0
--! endless: a row behind all others
SELECT x FROM generate_series(1, 9223372036854775806) t(x) LIMIT 1 OFFSET 9223372036854775800
--! endless: a row behind all others, in order
SELECT x FROM generate_series(1, 9223372036854775806) t(x) ORDER BY x % 3, x % 5 LIMIT 1
--! endless: a join by a condition that is no equality
SELECT count(*) AS n FROM generate_series(1, 200000) a(x) JOIN generate_series(1, 20000000) b(y) ON x + y < 0
--! endless: a join in which every row meets every other
SELECT a.x FROM generate_series(1, 300000) a(x) JOIN generate_series(1, 30000000) b(y) ON a.x % 1 = b.y % 1 WHERE a.x + b.y < 0
--! endless: rows without a partner, each compared with all
SELECT count(*) AS n FROM generate_series(1, 200000) a(x) WHERE NOT EXISTS (SELECT 1 FROM generate_series(1, 20000000) b(y) WHERE y > x + 40000000)
--! endless: a join to both sides by no equality
SELECT count(*) AS n FROM generate_series(1, 100000) a(x) FULL JOIN generate_series(1, 10000000) b(y) ON x * y = -1
--! endless: a small table with itself many times
SELECT count(*) AS n FROM approvals.cases a«25|, approvals.cases a{i}» WHERE a.fee + a0.fee + a24.fee < -1
--! endless: UNION of very many
SELECT count(*) AS n FROM (SELECT x % 3 AS a FROM generate_series(1, 9000000000000) t(x) UNION SELECT x % 3 AS a FROM generate_series(1, 9000000000000) t(x)) t
--! endless: work for each of very many rows
SELECT max(length(md5(CAST(x AS TEXT)))) AS n FROM generate_series(1, 9000000000000) t(x)
--! endless: random values of which none fits
SELECT count(*) AS n FROM generate_series(1, 9000000000000) t(x) WHERE random() > 2
--! endless: an explanation that runs what it explains
EXPLAIN ANALYZE SELECT max(x % 7) AS n FROM generate_series(1, 9223372036854775806) t(x)
--! endless: the endless behind a small result
SELECT 1 AS a UNION ALL SELECT max(x % 7) FROM generate_series(1, 9000000000000) t(x)
--! endless: a value that needs all rows
SELECT (SELECT max(x % 7) FROM generate_series(1, 9000000000000) t(x)) AS a
--! endless: a frame that is summed up anew for each row
SELECT max(s) AS n FROM (SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 100 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 9000000000000) t(x))
--! endless: lists of a row made into rows, of very many rows
SELECT count(*) AS n FROM (SELECT unnest(range(0, 1000)) AS a FROM generate_series(1, 9000000000000) t(x)) WHERE a < 0
--! unsupported: a recursion without end
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT * FROM n
--! unsupported: a recursion that grows
WITH RECURSIVE n AS (SELECT 'a' AS t UNION ALL SELECT t || t FROM n) SELECT max(length(t)) AS n FROM n
--! unsupported: a recursion in a subquery
SELECT (WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n) AS a
--! unsupported: a recursion behind an explanation
EXPLAIN WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i FROM n) SELECT * FROM n
--! limit_exceeded|ends: the distance of long texts takes the product of their lengths
SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000)) AS n
--! limit_exceeded|endless: the same for rows
SELECT max(levenshtein(repeat('a', 20000), CAST(x AS TEXT) || repeat('b', 20000))) AS n FROM generate_series(1, 1000000) t(x)
--! limit_exceeded|sql_error: a pattern that is large when it is written out
SELECT regexp_like('aaaa', '(((a{1000}){1000}){1000}){1000}') AS a
--! answers: a pattern that takes others exponential time
SELECT regexp_like(repeat('a', 10000), '^(a|aa)+$|(a+)+b') AS a
--! answers: the same as an operator
SELECT repeat('a', 10000) ~ '^(a*)*b$' AS a
--! ends: a pattern with very many choices
SELECT regexp_count(repeat('ab', 1000), '(«2000|x{i}¦|»)') AS a
--! answers: LIKE with very many wildcards
SELECT repeat('a', 10000) LIKE '«1000|%a»b' AS a
--! answers|limit_exceeded: SIMILAR TO of the same
SELECT repeat('a', 1000) SIMILAR TO '«100|[ab]*»c' AS a
