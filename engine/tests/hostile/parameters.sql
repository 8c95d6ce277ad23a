--! invalid_input: a parameter without a value
SELECT count(*) AS n FROM approvals.cases WHERE case_id = {id:Text}
--! answers: a value that would be SQL if it were pasted in
--$ {"id": "' OR 1 = 1; DROP TABLE approvals.cases; --"}
SELECT count(*) AS n FROM approvals.cases WHERE case_id = {id:Text}
--! invalid_input: a value of another type
--$ {"id": "x"}
SELECT {id:Int64} AS a
--! invalid_input: a type that is none
--$ {"id": "x"}
SELECT {id:Table} AS a
--! invalid_input|sql_error|unsupported: a parameter as a table
--$ {"t": "approvals.cases"}
SELECT * FROM {t:Text}
--! invalid_input: a value nobody asked for
--$ {"id": "x", "other": 1}
SELECT {id:Text} AS a
--! invalid_input: one name with two types
--$ {"id": "1"}
SELECT {id:Text} AS a, {id:Int64} AS b
--! invalid_input|unsupported|sql_error: a parameter without a name
SELECT ? AS a
--! invalid_input|unsupported|sql_error: a parameter by number
SELECT $1 AS a
--! invalid_input|unsupported|sql_error: a parameter by the largest number
SELECT $99999999999999999999 AS a
--! invalid_input|limit_exceeded|sql_error: very many parameters
SELECT «5000|{p{i}:Int64}¦+» AS a
--! answers|limit_exceeded: one parameter very many times
--$ {"p": 1}
SELECT «900|{p:Int64}¦+» AS a
--! limit_exceeded: a large repetition by a parameter
--$ {"n": 2000000000}
SELECT length(repeat('a', {n:Int64})) AS a
--! limit_exceeded: a long series by a parameter
--$ {"n": 9223372036854775807}
SELECT array_length(range(0, {n:Int64})) AS a
--! invalid_input|sql_error: a decimal type without sense
--$ {"p": "1"}
SELECT {p:Decimal(99,98)} AS a
--! invalid_input: a decimal past its digits
--$ {"p": "99999999999999999999999999999999999999999"}
SELECT {p:Decimal(38,0)} AS a
--! invalid_input: a day that never was
--$ {"p": "2023-02-30"}
SELECT {p:Date} AS a
--! ends: a moment past all calendars
--$ {"p": "+262142-12-31T23:59:59Z"}
SELECT {p:Timestamp} AS a
--! ends: the character of number 0 as a value
--$ {"p": "a\u0000b"}
SELECT length({p:Text}) AS a
--! answers: a pattern as a value is a text
--$ {"p": "%"}
SELECT count(*) AS n FROM approvals.cases WHERE case_id = {p:Text}
--! invalid_input|sql_error: brackets that only look like a parameter
SELECT {p AS a
--! answers: a parameter's look in a text
SELECT '{p:Text}' AS a
--! invalid_input|sql_error|limit_exceeded: a name as long as a statement
SELECT {«200000|p»:Text} AS a
