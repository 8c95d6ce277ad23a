//! What goes wrong with servers: named by connection and table, never with the secret, and nothing is committed.

use std::net::TcpListener;

use xiangyun_engine::ErrorKind;

use super::servers::{Database, PASSWORD, cutting_proxy, mariadb, postgres};
use super::{column, contract, project};

fn one_column() -> String {
    contract(&[column("id", "int64"), column("text", "text")].concat(), "")
}

/// Loads and gives the error with its causes.
async fn fails(connection: &str, source: &str) -> (ErrorKind, String) {
    let lake = project(connection, &one_column(), source, "\"append\"").await;
    let error = lake.load("staff").await.unwrap_err();
    let text = format!("{} {:?}", error.chain(), error.hint());
    assert!(!text.contains(PASSWORD) && !text.contains("heimlich"), "{text}");
    let runs = lake.sql("select status, error from system.runs").await;
    assert_eq!(runs[0][0], "failed");
    assert!(!runs[0][1].contains(PASSWORD));
    (error.kind(), error.chain())
}

const SETUP: &str = "CREATE TABLE staff (id int, text varchar(200));\nINSERT INTO staff VALUES (1, 'x');\n";

async fn databases(test: &str) -> Vec<(&'static str, Database)> {
    let found = [("postgres", Database::postgres(test, SETUP).await), ("mysql", Database::mariadb(test, SETUP).await)];
    found.into_iter().filter_map(|(kind, database)| Some((kind, database?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_allowed_is_named() {
    for (kind, database) in databases("what_is_not_there_or_not_allowed_is_named").await {
        let source = |rest: &str| format!("kind = \"{kind}\", connection = \"hr\", {rest}");
        let file = database.connection_file();
        let (found, text) = fails(&file, &source("table = \"nothing\"")).await;
        assert_eq!(found, ErrorKind::NotFound);
        assert!(
            text.starts_with(&format!("`{kind}:hr/nothing` cannot be read: ")) && text.contains("nothing"),
            "{text}"
        );

        let (found, text) = fails(&file, &source("query = \"select nothing from staff\"")).await;
        assert_eq!(found, ErrorKind::NotFound);
        assert!(text.starts_with(&format!("`{kind}:hr/query` cannot be read: ")), "{text}");

        let (found, text) = fails(&file, &source("table = \"staff\", cursor = \"nothing\"")).await;
        assert_eq!(
            (found, text),
            (ErrorKind::NotFound, format!("`{kind}:hr/staff` cannot be read: there is no column `nothing`"))
        );

        let (found, text) = fails(&file, &source("query = \"delete from staff\"")).await;
        assert_eq!(found, ErrorKind::InvalidInput, "{text}");
        assert_eq!(database.row("select count(*) from staff").await, ["1"]);

        let nowhere = file.replace(&format!("/{}\"", database.name), "/nowhere\"");
        let (found, text) = fails(&nowhere, &source("table = \"staff\"")).await;
        assert_eq!(found, ErrorKind::NotFound);
        assert!(text.contains("nowhere"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_told_so() {
    for (kind, database) in databases("who_is_not_let_in_is_told_so").await {
        let source = format!("kind = \"{kind}\", connection = \"hr\", table = \"staff\"");
        let (found, text) =
            fails(&database.connection_through(database.port, "stranger", "tls = \"off\""), &source).await;
        assert_eq!(found, ErrorKind::InvalidInput);
        assert!(text.starts_with("the server of connection `hr` refuses the user `stranger`: "), "{text}");

        let secret = PASSWORD.replace('\'', "''");
        let guest = format!("guest_{}", database.name);
        let create = match kind {
            "postgres" => format!("CREATE USER {guest} PASSWORD '{secret}'"),
            _ => format!(
                "CREATE USER {guest}@'127.0.0.1' IDENTIFIED BY '{secret}';\nCREATE TABLE open (a INT);\nGRANT SELECT ON {}.open TO {guest}@'127.0.0.1';\n",
                database.name
            ),
        };
        database.execute(&create).await;
        let (found, text) = fails(&database.connection_through(database.port, &guest, "tls = \"off\""), &source).await;
        assert_eq!(found, ErrorKind::Forbidden, "{text}");
        assert!(text.starts_with(&format!("`{kind}:hr/staff` may not be read: ")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_out_of_reach_is_named() {
    for (kind, scheme) in [("postgres", "postgresql"), ("mysql", "mysql")] {
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = format!(
            "version = 1\nname = \"hr\"\nurl = \"{scheme}://127.0.0.1:{port}/x\"\nuser = \"u\"\ntls = \"off\"\n"
        );
        let (found, text) = fails(&file, &format!("kind = \"{kind}\", connection = \"hr\", table = \"staff\"")).await;
        assert_eq!(found, ErrorKind::Unavailable);
        assert!(
            text.starts_with(&format!("cannot reach the server of connection `hr` at 127.0.0.1:{port}: ")),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_is_tried_again_before_the_first_row_and_fails_after_it() {
    for (kind, database) in databases("a_broken_connection_is_tried_again").await {
        let fill = match kind {
            "postgres" => "INSERT INTO staff SELECT n, repeat('y', 100) FROM generate_series(1, 20000) n",
            _ => "INSERT INTO staff SELECT seq, repeat('y', 100) FROM seq_1_to_20000",
        };
        database.execute(fill).await;
        let source = format!("kind = \"{kind}\", connection = \"hr\", table = \"staff\"");
        // Two connections break at once, the third one lasts.
        let port = cutting_proxy(database.port, vec![0, 20]);
        let file = database.connection_through(port, "xiangyun", "tls = \"off\"");
        let lake = project(&file, &one_column(), &source, "\"append\"").await;
        let run = lake.load("staff").await.unwrap().run;
        assert_eq!(vec![run.rows_loaded.to_string()], database.row("select count(*) from staff").await);

        // Half of the rows' bytes come: the whole load fails, and it is not tried again.
        let port = cutting_proxy(database.port, vec![1_000_000]);
        let file = database.connection_through(port, "xiangyun", "tls = \"off\"");
        let lake = project(&file, &one_column(), &source, "\"append\"").await;
        let error = lake.load("staff").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(text.starts_with(&format!("the connection broke while `{kind}:hr/staff` was read, after ")), "{text}");
        assert!(!lake.root().join("lake/hr/staff").exists(), "something was written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_verifies_who_answers() {
    for (kind, database) in databases("encryption_verifies_who_answers").await {
        let running = if kind == "postgres" { postgres("tls") } else { mariadb("tls") };
        let authority = running.unwrap().folder.join("ca.pem");
        let source = format!("kind = \"{kind}\", connection = \"hr\", table = \"staff\"");
        let known = format!("ca_file = \"{}\"", authority.display());
        let lake = project(
            &database.connection_through(database.port, "xiangyun", &known),
            &one_column(),
            &source,
            "\"append\"",
        )
        .await;
        assert_eq!(lake.load("staff").await.unwrap().run.rows_loaded, 1);

        let (found, text) = fails(&database.connection_through(database.port, "xiangyun", ""), &source).await;
        assert_eq!(found, ErrorKind::InvalidInput, "{text}");
        assert!(
            text.starts_with(&format!("the connection `hr` to 127.0.0.1:{} cannot be encrypted", database.port)),
            "{text}"
        );

        // The certificate is one of 127.0.0.1 and of no other name.
        let named = database.connection_through(database.port, "xiangyun", &known).replace("127.0.0.1", "localhost");
        let (_, text) = fails(&named, &source).await;
        assert!(text.contains("cannot be encrypted"), "{text}");

        let (found, text) =
            fails(&database.connection_through(database.port, "xiangyun", "ca_file = \"no.pem\""), &source).await;
        assert_eq!(found, ErrorKind::InvalidInput);
        assert!(text.starts_with("the certificates `no.pem` of connection `hr` cannot be read"), "{text}");
    }
}
