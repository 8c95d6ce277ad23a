--! ends: every setting by the catalogue
SELECT * FROM information_schema.df_settings
--! ends: every table with every column with every table
SELECT count(*) AS n FROM information_schema.columns a, information_schema.columns b, information_schema.columns c
--! sql_error|not_found|unsupported: the catalogue of PostgreSQL with its passwords
SELECT * FROM pg_catalog.pg_shadow
--! sql_error|not_found|unsupported: passwords of MySQL
SELECT * FROM mysql.user
--! sql_error|not_found|unsupported: another catalog
SELECT * FROM datafusion.information_schema.df_settings
--! sql_error|not_found|unsupported: a name of four parts
SELECT * FROM a.b.c.d
--! sql_error|not_found|unsupported: a catalog that is not ours
SELECT * FROM other.approvals.cases
--! answers: our own catalog
SELECT count(*) AS n FROM xiangyun.approvals.cases
--! ends: writes into the catalogue's own
SELECT * FROM information_schema."tables; DROP TABLE approvals.cases"
--! not_found|sql_error|unsupported: a table that was never loaded
SELECT * FROM market.never_loaded
--! not_found: a table that is not there
SELECT * FROM approvals.nothing
--! sql_error: a column that is not there
SELECT password FROM approvals.cases
--! sql_error|not_found: a function that is not there
SELECT sleep(1000)
--! sql_error|not_found: waits in PostgreSQL
SELECT pg_sleep(1000)
--! sql_error|not_found: work in MySQL
SELECT benchmark(1000000000, md5('a'))
--! sql_error|not_found: ends another's session
SELECT pg_terminate_backend(1)
--! sql_error|not_found: opens a connection
SELECT * FROM dblink('host=127.0.0.1', 'SELECT 1') AS t(a INT)
--! sql_error|not_found: the settings as a function
SELECT current_setting('data_directory') AS a
--! sql_error|not_found: sets one by a function
SELECT set_config('x', 'y', false) AS a
--! ends: who and where
SELECT version() AS a
--! sql_error|unsupported: a variable of the system
SELECT @@hostname
--! sql_error|unsupported: a variable of the session
SELECT @x
--! ends: injection by a quote that is closed
SELECT count(*) AS n FROM approvals.cases WHERE case_id = '' OR '1' = '1' --'
--! sql_error|invalid_input|unsupported: injection by another statement
SELECT count(*) AS n FROM approvals.cases WHERE case_id = ''; DROP TABLE approvals.cases; --'
--! ends: hidden columns of every row
SELECT _run, _file, _line FROM approvals.cases
--! ends: what system tables hold, times itself
SELECT count(*) AS n FROM system.tables a, system.tables b, system.tables c, system.tables d
--! ends: all functions there are
SHOW FUNCTIONS
--! ends: columns of a path
SHOW COLUMNS FROM "../../etc/passwd"
--! ends: what a path looks like
DESCRIBE '/etc/passwd'
--! ends: the statement that made it
SHOW CREATE TABLE approvals.cases
--! ends: a table function without arguments
SELECT * FROM generate_series()
--! ends: a table function of rows
SELECT * FROM generate_series(1, (SELECT max(x) FROM range(1, 5) t(x)))
--! ends: a table function that depends on the row before
SELECT count(*) AS n FROM approvals.cases c, LATERAL generate_series(1, length(c.case_id)) t(x)
--! ends: steps of nothing
SELECT count(*) AS n FROM generate_series(1, 10, 0) t(x)
--! ends: texts as ends
SELECT count(*) AS n FROM generate_series('a', 'b') t(x)
--! ends: ends that are missing
SELECT count(*) AS n FROM generate_series(NULL, NULL) t(x)
--! ends: ends that change
SELECT count(*) AS n FROM generate_series(1, CAST(random() * 10 AS BIGINT)) t(x)
--! ends: values that change from call to call
SELECT uuid() AS a, random() AS b, now() AS c, current_date AS d FROM generate_series(1, 100000) t(x) ORDER BY random()
--! ends: a group of what changes
SELECT count(*) AS n FROM generate_series(1, 100000) t(x) GROUP BY random() HAVING random() > 2
--! ends: two rows as one value
SELECT (SELECT case_id FROM approvals.cases) AS a
--! ends: two columns as one value
SELECT (SELECT 1, 2) AS a
--! ends: an aggregate in an aggregate
SELECT sum(count(*)) AS a FROM approvals.cases
--! ends: a window in a condition
SELECT case_id FROM approvals.cases WHERE row_number() OVER () = 1
--! ends: a window in a condition of its own
SELECT case_id FROM approvals.cases QUALIFY row_number() OVER (ORDER BY random()) = 1
--! ends: sorted by a column that is not there by number
SELECT case_id FROM approvals.cases ORDER BY 9223372036854775807
--! ends: grouped by a column of number nothing
SELECT count(*) AS n FROM approvals.cases GROUP BY 0
--! ends: types that do not go together
SELECT count(*) AS n FROM approvals.cases WHERE filed_on > 'x' OR fee = true OR case_id = 1
--! ends: columns of sets that do not go together
SELECT case_id FROM approvals.cases UNION ALL SELECT 1, 2
