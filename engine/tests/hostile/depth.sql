--! limit_exceeded: brackets that the parser descends into
SELECT «20000|(»1«20000|)» AS a
--! limit_exceeded|sql_error: brackets that are never closed
SELECT «100000|(»
--! limit_exceeded|sql_error: brackets that were never opened
SELECT «100000|)»
--! limit_exceeded: as deep as the count of brackets permits, and deeper by what stands between them
SELECT «99|NOT (NOT (»true«99|))» AS a
--! limit_exceeded|answers|sql_error: negations
SELECT «1900|NOT »true AS a
--! limit_exceeded|answers: signs that are not a comment
SELECT «1900|- »1 AS a
--! limit_exceeded|answers: signs without effect
SELECT «1900|+ »1 AS a
--! limit_exceeded|answers|sql_error: bitwise signs
SELECT «1900|~ »1 AS a
--! limit_exceeded: a chain of OR
SELECT count(*) AS n FROM approvals.cases WHERE «20000|case_id = '{i}'¦ OR »
--! answers: the longest chain of OR that is read
SELECT count(*) AS n FROM approvals.cases WHERE «900|case_id = '{i}'¦ OR »
--! limit_exceeded: a chain of AND of OR
SELECT 1 AS a WHERE «8000|(true OR false)¦ AND »
--! limit_exceeded: a long sum
SELECT «20000|1¦ + » AS a
--! limit_exceeded: a sum of the columns of a table as long as its operators are counted
SELECT sum(«1800|coalesce_me¦+») AS a FROM (SELECT 1 AS coalesce_me) t
--! limit_exceeded: a chain of texts put together
SELECT «20000|'a'¦ || » AS a
--! limit_exceeded|answers|sql_error: CASE in CASE in its last branch
SELECT «400|CASE WHEN {i} = 1 THEN 1 ELSE »0«400| END» AS a
--! limit_exceeded|answers|sql_error: CASE in CASE in its condition
SELECT «400|CASE WHEN »true«400| THEN true ELSE false END» AS a
--! limit_exceeded|answers: a CASE with very many branches
SELECT CASE x «900|WHEN {i} THEN {i} »END AS a FROM generate_series(1, 10) t(x)
--! limit_exceeded: a CASE with more branches than are read
SELECT CASE x «20000|WHEN {i} THEN {i} »END AS a FROM generate_series(1, 10) t(x)
--! limit_exceeded|sql_error|answers: casts in casts
SELECT «90|CAST(»1«90| AS BIGINT)» AS a
--! limit_exceeded: casts in casts, deeper
SELECT «5000|CAST(»1«5000| AS BIGINT)» AS a
--! limit_exceeded|answers|sql_error: casts behind each other
SELECT 1«1900|::BIGINT» AS a
--! limit_exceeded|answers: calls in calls
SELECT «90|abs(»1«90|)» AS a
--! limit_exceeded: calls in calls, deeper
SELECT «5000|abs(»1«5000|)» AS a
--! limit_exceeded|answers|sql_error: calls with several arguments, each a call
SELECT «90|coalesce(NULL, »1«90|, 2)» AS a
--! limit_exceeded: arrays in arrays
SELECT «5000|[»1«5000|]» AS a
--! limit_exceeded|sql_error|answers: arrays in arrays as deep as brackets go
SELECT «95|[»1«95|]» AS a
--! limit_exceeded|sql_error: structures in structures
SELECT «2000|{'a': »1«2000|}» AS a
--! limit_exceeded|sql_error|answers: structures as deep as brackets go
SELECT «95|{'a': »1«95|}» AS a
--! limit_exceeded|answers|sql_error: steps into an array that is none
SELECT a«1900|[1]» AS b FROM (SELECT [1] AS a) t
--! limit_exceeded|answers: subqueries in FROM
SELECT * FROM «40|(SELECT * FROM »(SELECT 1 AS a) t«40|) t»
--! limit_exceeded: subqueries in FROM, deeper
SELECT * FROM «5000|(SELECT * FROM »(SELECT 1 AS a) t«5000|) t»
--! limit_exceeded|answers|sql_error|unsupported: subqueries as values, each correlated with the one around it
SELECT «20|(SELECT max(x + {i}) FROM generate_series(1, 2) t{i}(x) WHERE x > »0«20|)» AS a
--! limit_exceeded|answers|sql_error|unsupported: EXISTS in EXISTS
SELECT 1 AS a WHERE «40|EXISTS (SELECT 1 FROM approvals.cases WHERE »true«40|)»
--! limit_exceeded|answers|sql_error|unsupported: IN in IN
SELECT count(*) AS n FROM approvals.cases WHERE case_id IN «40|(SELECT case_id FROM approvals.cases WHERE case_id IN »('c1')«40|)»
--! limit_exceeded|answers: WITH queries, each over the one before
WITH t0 AS (SELECT 1 AS a)«200|, t{j} AS (SELECT a FROM t{i})» SELECT count(*) AS n FROM t200
--! limit_exceeded|answers|sql_error: a WITH query in a WITH query
«40|WITH t AS (»SELECT 1 AS a«40|) SELECT * FROM t»
--! answers|limit_exceeded: a chain of UNION ALL
SELECT count(*) AS n FROM («600|SELECT 1 AS a¦ UNION ALL »)
--! limit_exceeded: a longer chain of UNION ALL
«20000|SELECT 1 AS a¦ UNION ALL »
--! limit_exceeded|answers: a chain of UNION, which looks for what is there twice
SELECT count(*) AS n FROM («300|SELECT {i} AS a¦ UNION »)
--! limit_exceeded|answers: a chain of INTERSECT, each a join
SELECT count(*) AS n FROM («60|SELECT 1 AS a¦ INTERSECT »)
--! limit_exceeded|answers: a chain of EXCEPT
SELECT count(*) AS n FROM («60|SELECT 1 AS a¦ EXCEPT »)
--! limit_exceeded|answers: a chain of joins
SELECT count(*) AS n FROM approvals.cases c «60|JOIN market.entities e{i} ON e{i}.name = c.case_id »
--! limit_exceeded|answers|sql_error: a chain of joins with USING
SELECT count(*) AS n FROM (SELECT 1 AS a) t «60|JOIN (SELECT 1 AS a) t{i} USING (a) »
--! limit_exceeded|answers|sql_error: a chain of natural joins
SELECT count(*) AS n FROM (SELECT 1 AS a) t «60|NATURAL JOIN (SELECT 1 AS a) t{i} »
--! limit_exceeded: thousands of joins
SELECT count(*) AS n FROM approvals.cases c «2000|JOIN market.entities e{i} ON e{i}.name = c.case_id »
--! limit_exceeded|answers|sql_error: brackets around joins
SELECT count(*) AS n FROM «40|(»(SELECT 1 AS a) t«40| CROSS JOIN (SELECT 1 AS b{i}) s{i})»
--! answers|limit_exceeded: BETWEEN of BETWEEN
SELECT count(*) AS n FROM approvals.cases WHERE «400|1 BETWEEN 0 AND 2¦ AND »
--! answers|limit_exceeded: a chain of IS
SELECT true «900|IS TRUE » AS a
--! answers|limit_exceeded: a chain of comparisons of truth
SELECT true «900|= true » AS a
--! answers|limit_exceeded: a chain of time zones
SELECT TIMESTAMP '2024-01-01T00:00:00Z' «90|AT TIME ZONE 'UTC' » AS a
--! ends: types in types
SELECT CAST(NULL AS «90|STRUCT<a »INT«90|>») AS a
--! ends: types in types without brackets that are counted
SELECT CAST(NULL AS «3000|ARRAY<»INT«3000|>») AS a
--! ends: dimensions of an array type
SELECT CAST(NULL AS INT«3000|[]») AS a
--! ends: a lambda in a lambda
SELECT «40|array_transform([1], x -> »x«40|)» AS a
--! ends: windows in windows
SELECT «40|sum(»1«40|) OVER ()» AS a
--! answers: a sum as long as a chain may be
SELECT sum(«500|a¦+») AS a FROM (SELECT 1 AS a) t
--! limit_exceeded: a name of which each level adds itself, below a condition
SELECT * FROM «60|(SELECT a + a AS a FROM »(SELECT 1 AS a) t«60|{i}¦) t»t WHERE a > 0
