//! Every type becomes what it is, and what cannot be represented is rejected with its reason.

use xiangyun_ingest::LoadOutcome;

use super::servers::Database;
use super::{column, contract, pipeline};
use crate::workspace::Lake;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_types_are_exact() {
    let setup = r#"
        CREATE TYPE level AS ENUM ('低', '高');
        CREATE TABLE staff (
            id int8 PRIMARY KEY, small int2, medium int4, exact numeric(38,6), free numeric, flag bool, name text,
            code char(4), born date, seen timestamp, at timestamptz, guid uuid, doc json, docb jsonb, tags int[],
            level level, real float8, bytes bytea);
        INSERT INTO staff VALUES
            (1, -32768, 2147483647, 99999999999999999999999999999999.999999, 12345678901234567890123456789.000000001,
             true, '长春''市', '0012', '2019-03-26', '2019-03-26 09:30:00.000001', '2019-03-26 09:30:00.5+08',
             'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a": 1.0}', '{"b": [1]}', '{1,NULL,3}', '高', 0.1, '\x00ff'),
            (2, NULL, NULL, -0.000001, 0.00, false, '', NULL, '0001-01-01', '1988-07-01 09:00:00',
             '9999-12-31 23:59:59+00', NULL, NULL, NULL, NULL, NULL, -1e300, NULL),
            (9223372036854775807, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             NULL, NULL, NULL),
            (4, 0, 0, 'NaN', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (5, 0, 0, 0, 0, NULL, 'five', NULL, 'infinity', NULL, '-infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (6, 0, 0, 0, 0, NULL, NULL, NULL, NULL, '1988-04-17 02:30:00', NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', NULL),
            (7, 0, 0, 0, 0, NULL, NULL, NULL, '0044-03-15 BC', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    "#;
    let Some(database) = Database::postgres("postgres_types_are_exact", setup).await else { return };
    let columns: String = [
        ("id", "int64"),
        ("small", "int64"),
        ("medium", "int64"),
        ("exact", "decimal(38,6)"),
        ("free", "decimal(38,9)"),
        ("flag", "boolean"),
        ("name", "text"),
        ("code", "text"),
        ("born", "date"),
        ("seen", "timestamp"),
        ("at", "timestamp"),
        ("guid", "text"),
        ("doc", "text"),
        ("docb", "text"),
        ("tags", "text"),
        ("level", "text"),
        ("real", "float64"),
        ("bytes", "text"),
    ]
    .map(|(name, kind)| column(name, kind))
    .concat();
    let source = "kind = \"postgres\", connection = \"hr\", table = \"public.staff\"";
    let lake = database.project(&contract(&columns, ""), source, "\"append\"").await;
    let run = lake.load("staff").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (7, 3, 4));
    assert_eq!(run.sources[0].path, "postgres:hr/public.staff");
    let rows = lake.sql("select * from hr.staff order by id").await;
    let first = [
        "1",
        "-32768",
        "2147483647",
        "99999999999999999999999999999999.999999",
        "12345678901234567890123456789.000000001",
        "true",
        "长春'市",
        "0012",
        "2019-03-26",
        "2019-03-26T01:30:00.000001Z",
        "2019-03-26T01:30:00.500Z",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "{\"a\": 1.0}",
        "{\"b\": [1]}",
        "{1,NULL,3}",
        "高",
        "0.1",
        "\\x00ff",
    ];
    assert_eq!(rows[0], first);
    let second = [
        "2",
        "",
        "",
        "-0.000001",
        "0.000000000",
        "false",
        "",
        "",
        "0001-01-01",
        "1988-07-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ];
    assert_eq!(rows[1][..11], second);
    assert_eq!(rows[2][0], "9223372036854775807");
    let rejected = lake.sql("select reason, message from system.quarantine order by message").await;
    let expected = [
        ["OUT_OF_RANGE", "`born` is `-0043-03-15`: it is no calendar day of the years 1 to 9999"],
        ["NOT_FINITE", "`born` is `infinity`: it is no finite value; `at` is `-infinity`: it is no finite value"],
        ["NOT_FINITE", "`exact` is `NaN`: it is no finite value"],
        [
            "OUT_OF_RANGE",
            "`seen` is `1988-04-17 02:30:00`: clocks in China never showed this time; `real` is `NaN`: it is no finite value",
        ],
    ];
    assert_eq!(rejected, expected);
    let raw = lake.sql("select raw from system.quarantine where message like '%infinity%'").await;
    assert!(raw[0][0].contains("\"name\":\"five\"") && raw[0][0].contains("\"born\":\"infinity\""), "{raw:?}");
    // The same rows in another order are the same rows.
    database.execute("UPDATE staff SET name = name; CLUSTER staff USING staff_pkey;").await;
    let again = lake.load("staff").await.unwrap();
    assert_eq!((again.outcome, again.run.version), (LoadOutcome::Unchanged, run.version));
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_types_are_exact() {
    let setup = "SET SESSION sql_mode = '';
        CREATE TABLE staff (
            id BIGINT UNSIGNED PRIMARY KEY, small SMALLINT, exact DECIMAL(38,6), wide DECIMAL(65,0), yes TINYINT(1),
            bits BIT(9), name VARCHAR(20) CHARACTER SET utf8mb4, old VARCHAR(20) CHARACTER SET latin1,
            gbk VARCHAR(20) CHARACTER SET gbk, born DATE, seen DATETIME(6), at TIMESTAMP NULL, lasts TIME,
            level ENUM('低', '高') CHARACTER SET utf8mb4, doc JSON, bytes VARBINARY(4), year_of YEAR, r DOUBLE);
        SET time_zone = '+08:00';
        INSERT INTO staff VALUES
            (18446744073709551615, -32768, 99999999999999999999999999999999.999999, 123456789012345678901234567890123456789012345,
             1, b'100000001', '长春😀', 'café', '祥云', '2019-03-26', '2019-03-26 09:30:00.000001', '2019-03-26 09:30:00',
             '-838:59:59', '高', '{\"a\": 1}', x'00ff', 2019, 0.1);
        INSERT INTO staff (id, yes, born) VALUES (2, 0, '0000-00-00');
        INSERT INTO staff (id, yes, seen) VALUES (3, 2, '2019-00-10 00:00:00');
        INSERT INTO staff (id, yes) VALUES (4, 2);
        INSERT INTO staff (id, name) VALUES (5, '');
    ";
    let Some(database) = Database::mariadb("mariadb_types_are_exact", setup).await else { return };
    let columns: String = [
        ("id", "decimal(20,0)"),
        ("small", "int64"),
        ("exact", "decimal(38,6)"),
        ("wide", "text"),
        ("yes", "boolean"),
        ("bits", "int64"),
        ("name", "text"),
        ("old", "text"),
        ("gbk", "text"),
        ("born", "date"),
        ("seen", "timestamp"),
        ("at", "timestamp"),
        ("lasts", "text"),
        ("level", "text"),
        ("doc", "text"),
        ("bytes", "text"),
        ("year_of", "int64"),
        ("r", "float64"),
    ]
    .map(|(name, kind)| column(name, kind))
    .concat();
    let source = "kind = \"mysql\", connection = \"hr\", table = \"staff\"";
    let lake = database.project(&contract(&columns, ""), source, "\"replace\"").await;
    let run = lake.load("staff").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (5, 2, 3));
    let rows = lake.sql("select * from hr.staff order by id").await;
    assert_eq!(rows[0][..2], ["5", ""]);
    let first = [
        "18446744073709551615",
        "-32768",
        "99999999999999999999999999999999.999999",
        "123456789012345678901234567890123456789012345",
        "true",
        "257",
        "长春😀",
        "café",
        "祥云",
        "2019-03-26",
        "2019-03-26T01:30:00.000001Z",
        "2019-03-26T01:30:00Z",
        "-838:59:59",
        "高",
        "{\"a\": 1}",
        "\\x00ff",
        "2019",
        "0.1",
    ];
    assert_eq!(rows[1], first);
    let rejected = lake.sql("select reason, message from system.quarantine order by message").await;
    assert_eq!(rejected[0], ["TYPE", "`2` is not a boolean: use true or false, 1 or 0, 是 or 否"]);
    assert_eq!(rejected[1], ["ZERO_DATE", "`born` is `0000-00-00`: it is no calendar day"]);
    assert_eq!(rejected[2], ["ZERO_DATE", "`seen` is `2019-00-10 00:00:00.000000`: it is no calendar day"]);
    assert_eq!(lake.load("staff").await.unwrap().outcome, LoadOutcome::Unchanged);

    let missing = format!("{source}, zero_dates = \"missing\"");
    lake.write("pipelines/staff.toml", pipeline(&missing, "\"replace\"").as_bytes());
    let run = Lake::at(lake.root()).await.load("staff").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_rejected), (3, 2));
    assert_eq!(lake.sql("select born is null from hr.staff where id = 2").await, [["true"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_values_are_read_by_their_class() {
    let columns = [("id", "int64"), ("amount", "decimal(38,4)"), ("name", "text"), ("born", "date")];
    let columns = columns.map(|(name, kind)| column(name, kind)).concat();
    let source = "kind = \"sqlite\", path = \"data/hr.db\", table = \"staff\"";
    let files = [
        ("tables/staff.toml", contract(&columns, "")),
        ("pipelines/staff.toml", pipeline(source, "\"append\"")),
        ("data/keep", String::new()),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let lake = Lake::open(&files).await;
    let path = lake.root().join("data/hr.db");
    let missing = lake.load("staff").await.unwrap_err();
    assert_eq!(missing.to_string(), "source file `data/hr.db` does not exist");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(
        "CREATE TABLE staff (id INTEGER, amount NUMERIC, name TEXT, born);
         INSERT INTO staff VALUES (9007199254740993, '12345678901234567890123456789.0001', '长春', '2019-03-26');
         INSERT INTO staff VALUES (2, 0.5, x'00ff', 20190326), ('x', 1, 'y', NULL), (4, 9e999, NULL, NULL);
         INSERT INTO staff VALUES (5, 1, CAST(x'ff' AS TEXT), NULL);",
    )
    .unwrap();
    let run = lake.load("staff").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected), (5, 2, 3));
    assert_eq!(run.sources[0].path, "sqlite:data/hr.db/staff");
    let rows = lake.sql("select id, amount, name, born from hr.staff order by id").await;
    // What SQLite itself made of the long number: a column of affinity NUMERIC keeps 15 digits of a text at least.
    let kept: f64 = file.query_row("SELECT amount FROM staff LIMIT 1", [], |row| row.get(0)).unwrap();
    assert_eq!(rows[0], ["2", "0.5000", "\\x00ff", "2019-03-26"]);
    assert_eq!((rows[1][0].as_str(), rows[1][2].as_str()), ("9007199254740993", "长春"));
    assert_eq!(rows[1][1].parse::<f64>().unwrap(), kept);
    let reasons = lake.sql("select reason from system.quarantine order by reason").await;
    assert_eq!(reasons, [["NOT_FINITE"], ["TYPE"], ["UNDECODABLE"]]);
    assert_eq!(lake.load("staff").await.unwrap().outcome, LoadOutcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_may_stand_in_for_a_table() {
    let setup = "CREATE TABLE t (id int, amount numeric(10,2)); INSERT INTO t SELECT n, n / 4.0 FROM generate_series(1, 100) n;";
    let Some(database) = Database::postgres("a_query_may_stand_in_for_a_table", setup).await else { return };
    let columns = [column("id", "int64"), column("amount", "decimal(10,2)")].concat();
    let source = "kind = \"postgres\", connection = \"hr\", batch_rows = 7, query = \"select id, amount from t where id > 50; -- half;\"";
    let lake = database.project(&contract(&columns, ""), source, "\"append\"").await;
    // A comment at the end is the server's to judge; the semicolon before it is not part of one SELECT.
    let error = lake.load("staff").await.unwrap_err();
    assert!(error.to_string().starts_with("the server refuses to read `postgres:hr/query`: syntax error"), "{error}");
    lake.write(
        "pipelines/staff.toml",
        pipeline(&source.replace("50; -- half;", "50 -- half"), "\"append\"").as_bytes(),
    );
    Lake::at(lake.root()).await.load("staff").await.unwrap();
    let ours = lake.sql("select count(*), sum(amount) from hr.staff").await;
    assert_eq!(ours[0], database.row("select count(*), sum(amount) from t where id > 50").await);

    let twice = "kind = \"postgres\", connection = \"hr\", query = \"select 1 as id, 2 as id\"";
    lake.write("pipelines/staff.toml", pipeline(twice, "\"append\"").as_bytes());
    let error = Lake::at(lake.root()).await.load("staff").await.unwrap_err();
    assert_eq!(error.to_string(), "two columns of `postgres:hr/query` are called `id`");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_in_another_encoding_than_their_column_says_are_converted_by_a_query() {
    // Old programs wrote GBK through connections that called it latin1; 祥云 is CF E9 D4 C6 there.
    let setup = "CREATE TABLE staff (id INT, name VARCHAR(20) CHARACTER SET latin1);
        INSERT INTO staff VALUES (1, x'CFE9D4C6');\n";
    let test = "texts_in_another_encoding_than_their_column_says_are_converted_by_a_query";
    let Some(database) = Database::mariadb(test, setup).await else { return };
    let columns = [column("id", "int64"), column("name", "text")].concat();
    let select = "select id, convert(cast(name as binary) using gbk) as name from staff";
    let source = format!("kind = \"mysql\", connection = \"hr\", query = \"{select}\"");
    let lake = database.project(&contract(&columns, ""), &source, "\"append\"").await;
    lake.load("staff").await.unwrap();
    assert_eq!(lake.sql("select name from hr.staff").await, [["祥云"]]);
}
