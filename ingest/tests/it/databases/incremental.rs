//! What came since the last load, once: rows that share a mark, rows that come late, and two loads at a time.

use xiangyun_ingest::LoadOutcome;

use super::servers::Database;
use super::{column, contract, pipeline};
use crate::workspace::Lake;

fn staff() -> String {
    contract(&[column("id", "int64"), column("name", "text"), column("seen", "timestamp")].concat(), "")
}

/// A contract with a key, for modes by key.
fn keyed() -> String {
    let id = "{ name = \"id\", type = \"int64\" },\n".to_owned();
    contract(&[id, column("name", "text"), column("seen", "timestamp")].concat(), "primary_key = [\"id\"]")
}

const POSTGRES: &str = "CREATE TABLE staff (id int8, name text, seen timestamptz); ";
const MARIADB: &str = "CREATE TABLE staff (id BIGINT, name VARCHAR(20), seen TIMESTAMP(6) NULL);\n";

async fn names(lake: &Lake) -> Vec<String> {
    lake.sql("select name from hr.staff order by name").await.concat()
}

/// The story of a table whose mark is shared by several rows, some of which come later.
async fn shared_marks(database: &Database, kind: &str) {
    let at = |second: &str| format!("'2019-03-26 10:00:{second}'");
    let insert = |rows: &[(&str, &str)]| {
        let rows: Vec<_> = rows.iter().map(|(name, second)| format!("(1, '{name}', {})", at(second))).collect();
        format!("INSERT INTO staff VALUES {};\n", rows.join(", "))
    };
    let source = format!("kind = \"{kind}\", connection = \"hr\", table = \"staff\", cursor = \"seen\"");
    let lake = database.project(&staff(), &source, "\"append\"").await;
    // Nothing at all yet: an empty table, and no mark.
    assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 0);
    database.execute(&insert(&[("a", "01"), ("b", "02.5"), ("b", "02.5")])).await;
    database.execute("INSERT INTO staff VALUES (1, 'nameless', NULL);\n").await;
    let run = lake.load("staff").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.notes), (3, vec!["1 rows have no `seen` and are left out".to_owned()]));
    let mark = run.cursor.unwrap();
    assert!(mark.contains("2019-03-26 10:00:02.5"), "{mark}");

    let nothing = lake.load("staff").await.unwrap();
    assert_eq!((nothing.outcome, nothing.run.version), (LoadOutcome::Unchanged, run.version));
    assert!(nothing.run.notes.contains(&"2 rows at the mark of the last load are known and left out".to_owned()));

    // A row that shares the mark and became visible later, one equal to a known one, and one beyond it.
    database.execute(&insert(&[("c", "02.5"), ("b", "02.5"), ("d", "03")])).await;
    assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 3);
    assert_eq!(names(&lake).await, ["a", "b", "b", "b", "c", "d"]);

    // A row before the mark is seen by an overlap only, and what the overlap shows again is known.
    database.execute(&insert(&[("late", "02.9")])).await;
    assert_eq!(lake.load("staff").await.unwrap().outcome, LoadOutcome::Unchanged);
    let source = format!("{source}, overlap = 10");
    lake.write("pipelines/staff.toml", pipeline(&source, "\"append\"").as_bytes());
    let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
    database.execute(&insert(&[("e", "04")])).await;
    let run = lake.load("staff").await.unwrap().run;
    // The mark before knew the rows at itself only: an overlap counts from the load after it was declared, and what it
    // shows of before is not loaded again.
    assert_eq!(run.rows_loaded, 1);
    database.execute(&insert(&[("late too", "03.9")])).await;
    assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 1);
    assert_eq!(names(&lake).await, ["a", "b", "b", "b", "c", "d", "e", "late too"]);
    // An equal row by itself is a new row, whatever was loaded before, and however often.
    for count in 2..5 {
        database.execute(&insert(&[("e", "04")])).await;
        assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 1);
        assert_eq!(lake.sql("select count(*) from hr.staff where name = 'e'").await, [[count.to_string()]]);
        assert_eq!(lake.load("staff").await.unwrap().outcome, LoadOutcome::Unchanged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_share_a_mark_are_loaded_once_from_postgres() {
    let Some(database) = Database::postgres("rows_that_share_a_mark_are_loaded_once_from_postgres", POSTGRES).await
    else {
        return;
    };
    database.execute(&format!("ALTER DATABASE {} SET timezone = 'UTC'", database.name)).await;
    shared_marks(&database, "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_share_a_mark_are_loaded_once_from_mariadb() {
    let Some(database) = Database::mariadb("rows_that_share_a_mark_are_loaded_once_from_mariadb", MARIADB).await else {
        return;
    };
    shared_marks(&database, "mysql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_are_found_within_the_overlap() {
    let Some(database) = Database::postgres("late_rows_are_found_within_the_overlap", POSTGRES).await else { return };
    let source = "kind = \"postgres\", connection = \"hr\", table = \"staff\", cursor = \"id\", overlap = 5";
    let lake = database.project(&staff(), source, "\"append\"").await;
    database
        .execute("INSERT INTO staff SELECT n, 'n' || n FROM generate_series(1, 20) n WHERE n NOT IN (12, 17)")
        .await;
    assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 18);
    // A sequence gave out 12 and 17, and their transactions end only now: 17 lies within the overlap, 12 does not.
    database.execute("INSERT INTO staff VALUES (12, 'n12'), (17, 'n17'), (21, 'n21')").await;
    let run = lake.load("staff").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded), (2, 2));
    let ours = lake.sql("select count(*), count(distinct id), sum(id) from hr.staff").await;
    assert_eq!(ours[0], database.row("select count(*), count(distinct id), sum(id) from staff where id <> 12").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rows_take_the_place_of_earlier_ones() {
    for kind in ["postgres", "mysql"] {
        let test = "changed_rows_take_the_place_of_earlier_ones";
        let database = match kind {
            "postgres" => {
                Database::postgres(
                    test,
                    &POSTGRES.replace("timestamptz", "timestamptz default '2019-03-26 10:00:00+00'"),
                )
                .await
            }
            _ => Database::mariadb(test, MARIADB).await,
        };
        let Some(database) = database else { continue };
        let source =
            format!("kind = \"{kind}\", connection = \"hr\", table = \"staff\", updated_at = \"seen\", key = [\"id\"]");
        let project = pipeline(&source, "{ upsert = { } }").replace("duplicates = \"keep\"\n", "");
        let lake = database.project(&keyed(), &source, "{ upsert = { } }").await;
        lake.write("pipelines/staff.toml", project.as_bytes());
        let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
        database
            .execute("INSERT INTO staff VALUES (1, 'a', '2019-03-26 10:00:00'), (2, 'b', '2019-03-26 11:00:00');\n")
            .await;
        assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 2);
        database.execute("UPDATE staff SET name = 'A', seen = '2019-03-26 12:00:00' WHERE id = 1;\n").await;
        database.execute("INSERT INTO staff VALUES (3, 'c', '2019-03-26 12:00:00');\n").await;
        let run = lake.load("staff").await.unwrap().run;
        assert_eq!((run.rows_loaded, run.rows_updated), (2, 1));
        assert_eq!(names(&lake).await, ["A", "b", "c"]);
        assert_eq!(lake.load("staff").await.unwrap().outcome, LoadOutcome::Unchanged);
        // It changes back and forth under the same clock: the table follows it each time.
        for name in ["B", "A", "B", "A"] {
            database.execute(&format!("UPDATE staff SET name = '{name}' WHERE id = 1;\n")).await;
            assert_eq!(lake.load("staff").await.unwrap().run.rows_updated, 1);
            assert_eq!(names(&lake).await, [name, "b", "c"]);
        }
        let redo = lake
            .ingest
            .redo(&run.run_id, &Default::default(), std::sync::Arc::new(xiangyun_ingest::progress::Silent))
            .await;
        assert!(redo.unwrap_err().to_string().ends_with("and later runs went on from there"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_loads_at_a_time_load_each_row_once() {
    let Some(database) = Database::postgres("many_loads_at_a_time_load_each_row_once", POSTGRES).await else { return };
    let source = "kind = \"postgres\", connection = \"hr\", table = \"staff\", cursor = \"id\"";
    let lake = database.project(&staff(), source, "\"append\"").await;
    for round in 0..4 {
        // Each has committers and caches of its own, as processes have.
        let others = [Lake::at(lake.root()).await, Lake::at(lake.root()).await, Lake::at(lake.root()).await];
        let loads = others.iter().map(async |other| {
            // Rows come between the marks that the loads read, so that they want to commit different rows.
            database.execute("INSERT INTO staff SELECT coalesce(max(id), 0) + n, 'x' FROM staff, generate_series(1, 3) n GROUP BY n").await;
            other.load("staff").await
        });
        for (at, outcome) in futures::future::join_all(loads).await.into_iter().enumerate() {
            // Overtaken every time is the only way to fail.
            if let Err(error) = outcome {
                assert!(
                    error.to_string().contains("at the same time, every time"),
                    "round {round}, load {at}: {error}"
                );
            }
        }
    }
    lake.load("staff").await.unwrap();
    let ours = lake.sql("select count(*), sum(id) from hr.staff").await;
    assert_eq!(ours[0], database.row("select count(*), sum(id) from staff").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_files_go_on_from_their_mark() {
    let source = "kind = \"sqlite\", path = \"hr.db\", table = \"staff\", cursor = \"id\", overlap = 2";
    let (contract, pipeline) = (staff(), pipeline(source, "\"append\""));
    let files = [("tables/staff.toml", contract.as_bytes()), ("pipelines/staff.toml", pipeline.as_bytes())];
    let lake = Lake::open(&files).await;
    let file = rusqlite::Connection::open(lake.root().join("hr.db")).unwrap();
    file.execute_batch("CREATE TABLE staff (id INTEGER, name TEXT, seen TEXT); INSERT INTO staff VALUES (1, 'a', NULL), (9, 'b', NULL);").unwrap();
    assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 2);
    file.execute_batch("INSERT INTO staff VALUES (6, 'lost', NULL), (7, 'late', NULL), (10, 'c', NULL);").unwrap();
    assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 2);
    assert_eq!(names(&lake).await, ["a", "b", "c", "late"]);
    assert_eq!(lake.load("staff").await.unwrap().outcome, LoadOutcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_needs_a_column_that_has_an_order() {
    let Some(database) = Database::postgres("a_mark_needs_a_column_that_has_an_order", POSTGRES).await else { return };
    database.execute("INSERT INTO staff VALUES (1, 'a', 'infinity'), (2, 'b', '2019-03-26')").await;
    let source = "kind = \"postgres\", connection = \"hr\", table = \"staff\", cursor = \"name\"";
    let lake = database.project(&staff(), source, "\"append\"").await;
    let error = lake.load("staff").await.unwrap_err();
    assert_eq!(error.to_string(), "`name` of `postgres:hr/staff` cannot tell new rows from known ones: it is text");
    // A time that never ends is no mark, and its row is rejected once.
    let with = |column: &str| pipeline(&source.replace("\"name\"", column), "\"append\"");
    lake.write("pipelines/staff.toml", with("\"seen\"").as_bytes());
    let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
    let run = lake.load("staff").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_rejected), (1, 1));
    assert_eq!(lake.load("staff").await.unwrap().outcome, LoadOutcome::Unchanged);
    // The mark is one of the column that it was taken of.
    lake.write("pipelines/staff.toml", with("\"id\"").as_bytes());
    let error = Lake::at(lake.root()).await.load("staff").await.unwrap_err();
    assert!(error.to_string().ends_with("it is one of `seen` and not of `id`"), "{error}");
}
