--! limit_exceeded: a statement past its greatest length
SELECT '«300000|x»' AS a
--! limit_exceeded: a comment past the greatest length
/* «300000|x» */ SELECT 1 AS a
--! answers|limit_exceeded: a text as long as a statement may be
SELECT length('«250000|x»') AS n
--! limit_exceeded: a list of a hundred thousand
SELECT count(*) AS n FROM approvals.cases WHERE case_id IN («100000|'{i}'¦, »)
--! answers|limit_exceeded: the longest list that is read
SELECT count(*) AS n FROM approvals.cases WHERE case_id IN («30000|'{i}'¦,»)
--! answers|limit_exceeded: the same the other way round
SELECT count(*) AS n FROM approvals.cases WHERE case_id NOT IN («30000|'{i}'¦,»)
--! answers|limit_exceeded: a list of nothing
SELECT count(*) AS n FROM approvals.cases WHERE case_id IN («40000|NULL¦,»)
--! answers|limit_exceeded: rows written out
SELECT count(*) AS n FROM (VALUES «20000|({i})¦,») t(a)
--! answers|limit_exceeded|sql_error: a row of very many columns
SELECT * FROM (VALUES («20000|{i}¦,»)) t
--! answers|limit_exceeded: very many columns
SELECT «900|{i} AS c{i}¦,»
--! limit_exceeded|sql_error|answers: very many columns without names
SELECT «30000|{i}¦,»
--! sql_error|limit_exceeded: very many columns of one name
SELECT «5000|1 a¦,»
--! answers|limit_exceeded|sql_error: all columns again and again
SELECT «60|c{i}.*¦,» FROM «60|approvals.cases c{i}¦,» LIMIT 1
--! answers|limit_exceeded: very many aggregates
SELECT «400|sum({i} * x) AS s{i}¦,» FROM generate_series(1, 10) t(x)
--! answers|limit_exceeded: very many windows
SELECT «100|sum(x) OVER (ORDER BY x % {j}) AS s{i}¦,» FROM generate_series(1, 10) t(x)
--! answers|limit_exceeded: very many columns to sort by
SELECT x FROM generate_series(1, 10) t(x) ORDER BY «400|x % ({i} + 1)¦,»
--! answers|limit_exceeded|sql_error: very many groups of nothing
SELECT count(*) AS n FROM generate_series(1, 10) t(x) GROUP BY «400|x % ({i} + 1)¦,»
--! sql_error|limit_exceeded|unsupported: a cube over 30 columns is 2^30 groupings
SELECT count(*) AS n FROM (SELECT «30|1 AS c{i}¦,») t GROUP BY CUBE («30|c{i}¦,»)
--! limit_exceeded: a cube over 12 columns
SELECT count(*) AS n FROM (SELECT «12|1 AS c{i}¦,») t GROUP BY CUBE («12|c{i}¦,»)
--! sql_error|limit_exceeded|unsupported: a cube over 64 columns is more than a counter holds
SELECT count(*) AS n FROM (SELECT «64|1 AS c{i}¦,») t GROUP BY CUBE («64|c{i}¦,»)
--! sql_error|limit_exceeded|unsupported|answers: a rollup over 300 columns
SELECT count(*) AS n FROM (SELECT «300|1 AS c{i}¦,») t GROUP BY ROLLUP («300|c{i}¦,»)
--! sql_error|limit_exceeded|unsupported|answers: cubes multiply
SELECT count(*) AS n FROM (SELECT 1 AS a, 2 AS b) t GROUP BY «12|CUBE (a, b)¦,»
--! sql_error|limit_exceeded|unsupported|answers: groupings written out
SELECT count(*) AS n FROM (SELECT 1 AS a, 2 AS b) t GROUP BY GROUPING SETS («500|(a, b)¦,»)
--! limit_exceeded: WITH queries that double: two to the power of 12 scans
WITH t0 AS (SELECT 1 AS a)«12|, t{j} AS (SELECT a FROM t{i} UNION ALL SELECT a FROM t{i})» SELECT count(*) AS n FROM t12
--! limit_exceeded: every WITH query reads the one before twice: two to the power of 40 scans
WITH t0 AS (SELECT 1 AS a)«40|, t{j} AS (SELECT a FROM t{i} UNION ALL SELECT a FROM t{i})» SELECT count(*) AS n FROM t40
--! limit_exceeded: the same with joins
WITH t0 AS (SELECT 1 AS a)«30|, t{j} AS (SELECT x.a FROM t{i} x JOIN t{i} y ON x.a = y.a)» SELECT count(*) AS n FROM t30
--! limit_exceeded: the same with subqueries as values
WITH t0 AS (SELECT 1 AS a)«30|, t{j} AS (SELECT a, (SELECT max(a) FROM t{i}) AS b FROM t{i})» SELECT count(*) AS n FROM t30
--! ends: an expression that doubles with each subquery it is folded into
SELECT a FROM «30|(SELECT a + a AS a FROM »generate_series(1, 2) t(a)«30|)»
--! ends: the same over a constant
SELECT a FROM «30|(SELECT a + a AS a FROM »(SELECT 1 AS a)«30|)»
--! ends: the same through WITH queries and calls
WITH t0 AS (SELECT x AS a FROM generate_series(1, 2) t(x))«30|, t{j} AS (SELECT abs(a) + abs(a) AS a FROM t{i})» SELECT sum(a) AS n FROM t30
--! ends: a condition that doubles
WITH t0 AS (SELECT case_id = 'c1' AS a FROM approvals.cases)«30|, t{j} AS (SELECT a AND NOT a AS a FROM t{i})» SELECT count(*) AS n FROM t30 WHERE a
--! ends: a name as long as a statement
SELECT 1 AS "«250000|x»"
--! not_found|sql_error|limit_exceeded: a table of that name
SELECT * FROM approvals."«250000|x»"
--! sql_error|not_found|limit_exceeded|unsupported: a name of very many parts
SELECT * FROM «30000|a¦.»
--! sql_error|limit_exceeded: a column of very many parts
SELECT «30000|a¦.» FROM approvals.cases
--! sql_error|limit_exceeded|answers: a number of a hundred thousand digits
SELECT «100000|9» AS a
--! sql_error|limit_exceeded|answers: as many behind the point
SELECT 0.«100000|9» AS a
--! sql_error|limit_exceeded|answers: an exponent past all bounds
SELECT 1e«5000|9» AS a
--! sql_error|limit_exceeded|answers: a hexadecimal text
SELECT X'«100000|ff»' AS a
--! sql_error|limit_exceeded|answers: a hexadecimal text of an odd length
SELECT X'fff' AS a
--! sql_error|limit_exceeded|answers|not_found: a function of very many arguments
SELECT coalesce(«30000|NULL¦,») AS a
--! sql_error|limit_exceeded|answers: an array of very many elements
SELECT array_length([«30000|{i}¦,»]) AS n
--! sql_error|limit_exceeded|answers: a structure of very many fields
SELECT struct(«20000|{i}¦,») AS a
--! limit_exceeded|sql_error|answers: aliases that hide each other
SELECT * FROM «300|(SELECT 1 AS a) t{i}¦, »
--! limit_exceeded|sql_error: types in types in thousands
SELECT arrow_cast(NULL, '«20000|List(»Int8«20000|)»') AS a
--! sql_error|limit_exceeded|answers: a type as text, within the statement's length
SELECT arrow_cast(NULL, '«200|List(»Int8«200|)»') AS a
