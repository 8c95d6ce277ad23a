--! unsupported: adds a row
INSERT INTO approvals.cases VALUES ('c9')
--! unsupported: adds what a query gives
INSERT INTO approvals.cases SELECT * FROM approvals.cases
--! unsupported: replaces all rows
INSERT OVERWRITE approvals.cases SELECT * FROM approvals.cases LIMIT 0
--! unsupported: changes rows
UPDATE approvals.cases SET channel = 'x'
--! unsupported: removes rows
DELETE FROM approvals.cases
--! unsupported: empties a table
TRUNCATE TABLE approvals.cases
--! unsupported: changes and adds
MERGE INTO approvals.cases t USING market.entities s ON t.division = s.division WHEN MATCHED THEN DELETE
--! unsupported: makes a table
CREATE TABLE approvals.other (a INT)
--! unsupported: makes a table of rows
CREATE TABLE approvals.other AS SELECT * FROM approvals.cases
--! unsupported: takes a declared table's name
CREATE OR REPLACE TABLE approvals.cases AS SELECT 1 AS a
--! unsupported: a temporary table is a table too
CREATE TEMPORARY TABLE t AS SELECT 1 AS a
--! unsupported: makes a table by the other way of writing it
SELECT case_id INTO approvals.copied FROM approvals.cases
--! unsupported: takes a table's name for other rows
CREATE OR REPLACE VIEW approvals.cases AS SELECT 1 AS a
--! unsupported|sql_error: a view that keeps rows
CREATE MATERIALIZED VIEW approvals.m AS SELECT 1 AS a
--! unsupported|sql_error: a schema of one's own
CREATE SCHEMA mine
--! unsupported|sql_error: a catalog of one's own
CREATE DATABASE mine
--! unsupported|sql_error|invalid_input: a function that calls itself
CREATE FUNCTION f(INT) RETURNS INT RETURN f($1)
--! unsupported|sql_error: a function that takes a built-in one's name
CREATE OR REPLACE FUNCTION sum(BIGINT) RETURNS BIGINT RETURN 0
--! unsupported|sql_error: an index
CREATE INDEX i ON approvals.cases (case_id)
--! unsupported|sql_error: a sequence
CREATE SEQUENCE s
--! unsupported|sql_error: a user
CREATE ROLE boss SUPERUSER
--! unsupported: removes a table
DROP TABLE approvals.cases
--! unsupported: removes a table if it is there
DROP TABLE IF EXISTS approvals.cases CASCADE
--! unsupported|sql_error: removes a schema with its tables
DROP SCHEMA approvals CASCADE
--! unsupported|sql_error: removes a function
DROP FUNCTION sum
--! unsupported: changes a table
ALTER TABLE approvals.cases ADD COLUMN x INT
--! unsupported: takes a table away by its name
ALTER TABLE approvals.cases RENAME TO approvals.gone
--! unsupported|sql_error: rights
GRANT ALL ON approvals.cases TO PUBLIC
--! unsupported|sql_error: takes rights
REVOKE SELECT ON approvals.cases FROM PUBLIC
--! unsupported: lifts the memory's limit
SET datafusion.runtime.memory_limit = '100G'
--! unsupported: allows what the session forbids
SET datafusion.execution.enable_recursive_ctes = true
--! unsupported: shows every setting, secrets with them
SHOW ALL
--! unsupported: shows one setting
SHOW datafusion.runtime.memory_limit
--! unsupported: puts a setting back
RESET datafusion.runtime.memory_limit
--! unsupported|sql_error: becomes somebody else
SET ROLE boss
--! unsupported|sql_error: changes the time that all others see
SET TIME ZONE 'UTC'
--! unsupported: holds a transaction open
BEGIN
--! unsupported: ends one
COMMIT
--! unsupported: undoes one
ROLLBACK
--! unsupported: a point to come back to
SAVEPOINT s
--! unsupported: state that stays in the session
PREPARE p AS SELECT 1
--! unsupported: runs what was prepared
EXECUTE p
--! unsupported: forgets it
DEALLOCATE ALL
--! unsupported|sql_error: holds a result open
DECLARE c CURSOR FOR SELECT 1
--! unsupported|sql_error: calls a procedure
CALL sys.exec('rm -rf /')
--! unsupported|sql_error: a block of code
DO $$ BEGIN PERFORM 1; END $$
--! unsupported|sql_error: removes old files
VACUUM approvals.cases
--! unsupported|sql_error: works through every row
ANALYZE approvals.cases
--! unsupported|sql_error: ends another session
KILL 1
--! unsupported|sql_error: another schema for all names
USE system
--! unsupported|sql_error: locks a table
LOCK TABLE approvals.cases IN ACCESS EXCLUSIVE MODE
--! unsupported|sql_error: wakes those who listen
NOTIFY jobs, 'run'
--! unsupported|sql_error: a comment that is stored
COMMENT ON TABLE approvals.cases IS 'x'
--! unsupported: a definition behind EXPLAIN
EXPLAIN DROP TABLE approvals.cases
--! unsupported: a definition that EXPLAIN ANALYZE would run
EXPLAIN ANALYZE CREATE TABLE approvals.other AS SELECT 1 AS a
--! unsupported|sql_error: a write in a WITH query, as PostgreSQL has it
WITH gone AS (DELETE FROM approvals.cases RETURNING *) SELECT * FROM gone
--! unsupported|sql_error: a write as a table
SELECT * FROM (INSERT INTO approvals.cases VALUES ('c9')) t
--! unsupported|sql_error|answers: a lock on rows
SELECT case_id FROM approvals.cases FOR UPDATE
--! invalid_input: a second statement behind an innocent one
SELECT 1 AS a; DROP TABLE approvals.cases
--! invalid_input: the same behind a comment
SELECT 1 AS a /* ; */ ; DELETE FROM approvals.cases --
--! limit_exceeded: ten thousand statements
«10000|SELECT 1¦;»
--! invalid_input: nothing but ends of statements
«100000|;»
--! unsupported|sql_error: EXPLAIN of EXPLAIN of EXPLAIN
«50|EXPLAIN ¦ »SELECT 1
