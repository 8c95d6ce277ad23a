--! ends: the character of number 0 in a text
SELECT length('a␀b') AS n
--! ends: the same in a name
SELECT 1 AS "a␀b"
--! ends: the same between words
SELECT␀1
--! not_found|sql_error|unsupported: the same in a table's name
SELECT * FROM approvals."cases␀.csv"
--! sql_error|invalid_input|answers: a comment that never ends
SELECT 1 AS a /* and then
--! sql_error|invalid_input|answers: comments in comments
SELECT 1 AS a «1000|/* »«1000|*/ »
--! sql_error|invalid_input: comments in comments that never end
SELECT 1 AS a «60000|/* »
--! sql_error: a text that never ends
SELECT 'open
--! sql_error: a name that never ends
SELECT 1 AS "open
--! sql_error: a text in dollars that never ends
SELECT $tag$ open
--! sql_error|invalid_input: nothing but quotes
«99999|'»
--! invalid_input: nothing
--! invalid_input: nothing but a comment
-- DROP TABLE approvals.cases
--! answers|sql_error: a statement in letters that look like others
ЅELECT 1 AS a
--! ends: text that runs from right to left
SELECT '‮txt.selifrof' AS a, 1 AS "‮elbat"
--! ends: characters that are not shown
SELECT 1​ AS a
--! ends: a mark of the order of bytes before it
﻿SELECT 1 AS a
--! answers: letters of several characters each
SELECT length('«1000|👨‍👩‍👧‍👦»') AS a, reverse('👨‍👩‍👧‍👦') AS b, upper('ß') AS c, initcap('ŉ') AS d
--! answers: marks upon marks upon one letter
SELECT length('a«10000|́»') AS n, length(uscc_normalize('a«10000|́»')) AS m
--! ends: one letter that becomes eighteen by folding
SELECT length(uscc_normalize('«20000|ﷺ»')) AS n
--! not_found|sql_error|unsupported: a full-width name
SELECT * FROM ａｐｐｒｏｖａｌｓ．ｃａｓｅｓ
--! not_found|sql_error|unsupported: a name that looks like another
SELECT * FROM аpprovals.cases
--! ends: cut from places past all counters
SELECT substr('abc', -9223372036854775808) AS a, substr('abc', 9223372036854775807, 9223372036854775807) AS b, substr('abc', -9223372036854775808, 9223372036854775807) AS c
--! ends: a cut of less than nothing
SELECT substr('abc', 1, -1) AS a
--! ends: the first and last of past all counters
SELECT left('abc', -9223372036854775808) AS a, right('abc', -9223372036854775808) AS b, left('abc', 9223372036854775807) AS c
--! ends: pieces past all counters
SELECT split_part('a,b', ',', -9223372036854775808) AS a, split_part('a,b', '', 9223372036854775807) AS b
--! sql_error|unsupported|ends: the piece of number 0
SELECT split_part('a,b', ',', 0) AS a
--! ends: pieces by a mark that is counted
SELECT substr_index('a,b', ',', -9223372036854775808) AS a, strpos('', '') AS b, find_in_set('', '') AS c
--! ends: characters that are none
SELECT chr(1114112) AS a
--! ends: half of a pair, and less than nothing
SELECT chr(55296) AS a, chr(-1) AS b
--! ends: laid over past all counters
SELECT overlay('abc' PLACING 'x' FROM 9223372036854775807 FOR 9223372036854775807) AS a, overlay('abc' PLACING 'x' FROM -5 FOR -9) AS b
--! ends: bytes that are no text
SELECT CAST(X'ff00fe' AS TEXT) AS a
--! ends: bytes that were never encoded
SELECT decode('zz', 'hex') AS a
--! ends: bytes by a way that is none
SELECT encode('a', 'rot13') AS a
--! ends: a text in hexadecimal of less than nothing
SELECT to_hex(-9223372036854775808) AS a
--! ends: elements past all counters
SELECT array_element([1, 2], -9223372036854775808) AS a, array_element([1, 2], 9223372036854775807) AS b, [1, 2][0] AS c
--! ends: slices past all counters
SELECT array_slice([1, 2, 3], -9223372036854775808, 9223372036854775807, 9223372036854775807) AS a
--! ends: slices in steps of nothing
SELECT array_slice([1, 2, 3], 1, 2, 0) AS a
--! ends: slices backwards
SELECT array_slice([1, 2, 3], 3, 1, -9223372036854775808) AS a
--! ends: a list made smaller than nothing
SELECT array_resize([1, 2, 3], -5) AS a
--! ends: a value less than no times
SELECT array_repeat(1, -5) AS a, repeat('a', -9223372036854775808) AS b
--! ends: a place in a list past all counters
SELECT array_position([1, 2], 1, 9223372036854775807) AS a
--! ends: removed and replaced past all counters
SELECT array_remove_n([1, 1], 1, -9223372036854775808) AS a, array_replace_n([1, 1], 1, 2, 9223372036854775807) AS b
--! ends: lists of nothing
SELECT array_sort([]) AS a, array_max([]) AS b, array_concat([], NULL) AS c, flatten([[]]) AS d
--! ends: an element of what is nothing
SELECT unnest(NULL) AS a
--! ends: a map with one key twice
SELECT map(['a', 'a'], [1, 2]) AS a
--! ends: a map with more keys than values
SELECT map(['a', 'b'], [1]) AS a
--! ends: a field that is not there
SELECT get_field({'a': 1}, 'b') AS a
--! ends: rows before and behind past all counters
SELECT lag(x, -9223372036854775808) OVER (ORDER BY x) AS a, lead(x, 9223372036854775807) OVER (ORDER BY x) AS b FROM generate_series(1, 10) t(x)
--! ends: the row of number nothing
SELECT nth_value(x, 0) OVER (ORDER BY x) AS a FROM generate_series(1, 10) t(x)
--! ends: the row of the smallest number
SELECT nth_value(x, -9223372036854775808) OVER (ORDER BY x) AS a FROM generate_series(1, 10) t(x)
--! ends: classes of nothing
SELECT ntile(0) OVER (ORDER BY x) AS a FROM generate_series(1, 10) t(x)
--! ends: classes past all counters
SELECT ntile(9223372036854775807) OVER (ORDER BY x) AS a FROM generate_series(1, 10) t(x)
--! limit_exceeded: a frame past all counters
SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 18446744073709551615 PRECEDING AND 18446744073709551615 FOLLOWING) AS a FROM generate_series(1, 10) t(x)
--! ends: a range past all counters
SELECT sum(x) OVER (ORDER BY x RANGE BETWEEN 9223372036854775807 PRECEDING AND 9223372036854775807 FOLLOWING) AS a FROM generate_series(1, 10) t(x)
--! limit_exceeded: groups past all counters
SELECT sum(x) OVER (ORDER BY x GROUPS BETWEEN 18446744073709551615 PRECEDING AND UNBOUNDED FOLLOWING) AS a FROM generate_series(1, 10) t(x)
--! ends: a frame that ends before it begins
SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 2 FOLLOWING AND 5 PRECEDING) AS a FROM generate_series(1, 10) t(x)
--! ends: a range over texts
SELECT count(*) OVER (ORDER BY case_id RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS a FROM approvals.cases
--! ends: a range of months over the ends of time
SELECT count(*) OVER (ORDER BY d RANGE BETWEEN INTERVAL '99999 years' PRECEDING AND CURRENT ROW) AS a FROM (VALUES (DATE '0001-01-01'), (DATE '9999-12-31')) t(d)
--! ends: rows past all counters
SELECT case_id FROM approvals.cases LIMIT 9223372036854775807 OFFSET 9223372036854775807
--! sql_error|unsupported|ends: less than no rows
SELECT case_id FROM approvals.cases LIMIT -1
--! sql_error|unsupported|ends: rows by a number that depends on rows
SELECT case_id FROM approvals.cases LIMIT (SELECT count(*) FROM approvals.cases)
--! ends: a sample of everything
SELECT case_id FROM approvals.cases TABLESAMPLE BERNOULLI (1000000)
--! ends: a pattern of rows
SELECT * FROM approvals.cases MATCH_RECOGNIZE (ORDER BY case_id PATTERN (a+ b*) DEFINE a AS true)
--! ends: rows turned into columns
SELECT * FROM approvals.cases PIVOT (count(case_id) FOR channel IN ('online'))
--! ends: escape of an escape
SELECT 'a' LIKE '\' AS a, 'a' LIKE 'a\' ESCAPE '\' AS b
--! ends: an escape of two characters
SELECT 'a' LIKE 'b' ESCAPE 'xx' AS a
--! ends: a pattern that does not parse
SELECT regexp_replace('a', '(', 'b') AS a, 'a' ~ '[' AS b
--! ends: flags that are none
SELECT regexp_like('a', 'a', 'zzz') AS a, regexp_count('a', '', -5) AS b, regexp_instr('a', 'a', 0, -1) AS c
--! ends: an empty pattern everywhere
SELECT regexp_count(repeat('a', 100000), '') AS a, regexp_replace('aaa', '', 'b', 'g') AS b
