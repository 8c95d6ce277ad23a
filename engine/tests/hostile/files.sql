--! unsupported: writes a file with the server's rights
COPY (SELECT 1) TO 'stolen.csv'
--! unsupported: writes the lake's rows into another format
COPY approvals.cases TO 'stolen.parquet' STORED AS PARQUET
--! unsupported: writes a folder of files
COPY approvals.cases TO 'stolen/' STORED AS CSV PARTITIONED BY (division)
--! unsupported|sql_error: runs a program in PostgreSQL
COPY approvals.cases TO PROGRAM 'touch stolen'
--! unsupported|sql_error: reads a file into a table in PostgreSQL
COPY approvals.cases FROM '/etc/passwd'
--! unsupported|sql_error: reads what the client sends
COPY approvals.cases FROM STDIN
--! unsupported|sql_error: writes to an address of the network
COPY (SELECT 1) TO 's3://bucket/stolen.parquet'
--! unsupported: a table over a system file
CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'
--! unsupported: a table over a file beside the process
CREATE EXTERNAL TABLE t (a TEXT) STORED AS CSV LOCATION 'secret.csv'
--! unsupported: a table that is written to
CREATE UNBOUNDED EXTERNAL TABLE t (a TEXT) STORED AS CSV LOCATION 'stolen/'
--! unsupported: a table over an address of the network, inside a cloud
CREATE EXTERNAL TABLE t STORED AS JSON LOCATION 'http://169.254.169.254/latest/meta-data/'
--! unsupported: credentials given in the statement
CREATE EXTERNAL TABLE t STORED AS PARQUET OPTIONS ('aws.access_key_id' 'x', 'aws.secret_access_key' 'y') LOCATION 's3://bucket/x/'
--! unsupported: a plan of it would read the file's first lines
EXPLAIN CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'secret.csv'
--! unsupported: runs what it explains
EXPLAIN ANALYZE COPY (SELECT 1) TO 'stolen.csv'
--! unsupported: a path as a table
SELECT * FROM '/etc/passwd'
--! unsupported: a file beside the process as a table
SELECT * FROM 'secret.csv'
--! unsupported|not_found|sql_error: the same in other quotes
SELECT * FROM "secret.csv"
--! unsupported|not_found|sql_error: the same in quotes of MySQL
SELECT * FROM `secret.csv`
--! unsupported|not_found|sql_error: the same with the folder before it
SELECT * FROM '«folder»/secret.csv'
--! unsupported|not_found|sql_error: an absolute path in quotes
SELECT * FROM "«folder»/secret.csv"
--! unsupported|not_found|sql_error: a data file of the lake, past the table's policies
SELECT * FROM 'lake/approvals/cases/*.parquet'
--! unsupported|not_found|sql_error: out of the folder
SELECT * FROM '../../../../etc/passwd'
--! unsupported|not_found|sql_error: an address with a scheme
SELECT * FROM 'file:///etc/passwd'
--! unsupported|not_found|sql_error: an address of the network
SELECT * FROM 'https://example.org/x.parquet'
--! unsupported|not_found|sql_error: an object store
SELECT * FROM 's3://bucket/x.parquet'
--! unsupported|not_found|sql_error: a device that never ends
SELECT * FROM '/dev/zero'
--! unsupported|not_found|sql_error: what the kernel tells of the process, its environment with it
SELECT * FROM '/proc/self/environ'
--! not_found|unsupported|sql_error: a path as schema and table
SELECT * FROM "..".".."
--! not_found|unsupported|sql_error: a table that climbs out of the lake's folder
SELECT * FROM approvals."../../secret.csv"
--! not_found|unsupported|sql_error: a schema that climbs out of the lake's folder
SELECT * FROM "../approvals".cases
--! not_found|unsupported|sql_error: the log of a table
SELECT * FROM approvals."cases/_delta_log"
--! not_found|unsupported|sql_error: a name with an escape of addresses
SELECT * FROM approvals."%2e%2e%2fsecret.csv"
--! sql_error|unsupported: DuckDB's function over files
SELECT * FROM read_csv('secret.csv')
--! sql_error|unsupported: the same for text
SELECT * FROM read_text('/etc/passwd')
--! sql_error|unsupported: the same for Parquet
SELECT * FROM read_parquet('lake/**/*.parquet')
--! sql_error|unsupported: lists a folder
SELECT * FROM glob('/*')
--! sql_error|unsupported: the metadata of a file, as DataFusion's shell gives it
SELECT * FROM parquet_metadata('lake/approvals/cases/x.parquet')
--! sql_error|unsupported: lists the object stores' contents
SELECT * FROM list_files_cache()
--! sql_error|unsupported: reads a file in PostgreSQL
SELECT pg_read_file('/etc/passwd')
--! sql_error|unsupported: reads a file in MySQL
SELECT load_file('/etc/passwd')
--! sql_error|unsupported: writes a file in MySQL
SELECT case_id FROM approvals.cases INTO OUTFILE 'stolen.csv'
--! sql_error|unsupported: loads a library
LOAD 'stolen.so'
--! sql_error|unsupported: loads a file in MySQL
LOAD DATA INFILE 'secret.csv' INTO TABLE approvals.cases
--! sql_error|unsupported: attaches another database
ATTACH 'stolen.db' AS other
--! sql_error|unsupported: installs an extension from the network
INSTALL httpfs
--! sql_error|unsupported: writes the whole database
EXPORT DATABASE 'stolen'
--! unsupported: a file in a subquery
SELECT (SELECT count(*) FROM 'secret.csv') AS n
--! unsupported: a file in a branch that is never taken
SELECT CASE WHEN false THEN (SELECT count(*) FROM '/etc/passwd') END AS n
--! unsupported: a file in a WITH query that nobody reads
WITH t AS (SELECT * FROM '/etc/passwd') SELECT 1 AS a
